//! Treatment of each relocation type, symbol type and special section that the RISC-V psABI defines.
//!
//! The list of relocation types is that of the RISC-V ELF psABI (riscv-non-isa/riscv-elf-psabi-doc, table "Relocation
//! types", July 2026). `docs/linking.md` has the same tables; tests compare them, and check that no number is missing.

/// Treatment of an ELF feature: supported, ignored or refused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Treatment {
    /// Supported.
    Understood,
    /// Ignored: nothing depends on it.
    Ignored,
    /// Refused with an error that names it, if an export reaches it.
    Refused,
}

/// A relocation type of the psABI.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RelocationType {
    /// Its number.
    pub number: u32,
    /// Its name, without `R_RISCV_`.
    pub name: &'static str,
    /// The treatment.
    pub treatment: Treatment,
    /// The meaning, or the reason for a refusal.
    pub note: &'static str,
}

const fn row(number: u32, name: &'static str, treatment: Treatment, note: &'static str) -> RelocationType {
    RelocationType { number, name, treatment, note }
}

use Treatment::{Ignored, Refused, Understood};

const DYNAMIC_TLS: &str = "there are no threads";

/// All relocation types of the psABI, by number.
pub const RELOCATION_TYPES: &[RelocationType] = &[
    row(0, "NONE", Ignored, "says nothing"),
    row(1, "32", Understood, "an address in data, or the pointer behind a host call"),
    row(2, "64", Understood, "an address in data, or the pointer behind a host call"),
    row(3, "RELATIVE", Understood, "an address in data of a linked file, where no static relocation says it"),
    row(4, "COPY", Refused, "there are no shared libraries"),
    row(5, "JUMP_SLOT", Refused, "there are no shared libraries"),
    row(6, "TLS_DTPMOD32", Refused, DYNAMIC_TLS),
    row(7, "TLS_DTPMOD64", Refused, DYNAMIC_TLS),
    row(8, "TLS_DTPREL32", Refused, DYNAMIC_TLS),
    row(9, "TLS_DTPREL64", Refused, DYNAMIC_TLS),
    row(10, "TLS_TPREL32", Refused, DYNAMIC_TLS),
    row(11, "TLS_TPREL64", Refused, DYNAMIC_TLS),
    row(12, "TLSDESC", Refused, DYNAMIC_TLS),
    row(16, "BRANCH", Understood, "the target of a branch"),
    row(17, "JAL", Understood, "the target of a jump or call"),
    row(18, "CALL", Understood, "the target of `auipc` and `jalr`"),
    row(19, "CALL_PLT", Understood, "the target of `auipc` and `jalr`"),
    row(20, "GOT_HI20", Understood, "with a load: the address itself, without a table"),
    row(21, "TLS_GOT_HI20", Refused, DYNAMIC_TLS),
    row(22, "TLS_GD_HI20", Refused, DYNAMIC_TLS),
    row(23, "PCREL_HI20", Understood, "upper part of an address"),
    row(24, "PCREL_LO12_I", Understood, "lower part of an address"),
    row(25, "PCREL_LO12_S", Understood, "lower part of an address"),
    row(26, "HI20", Understood, "upper part of an address"),
    row(27, "LO12_I", Understood, "lower part of an address"),
    row(28, "LO12_S", Understood, "lower part of an address"),
    row(29, "TPREL_HI20", Refused, DYNAMIC_TLS),
    row(30, "TPREL_LO12_I", Refused, DYNAMIC_TLS),
    row(31, "TPREL_LO12_S", Refused, DYNAMIC_TLS),
    row(32, "TPREL_ADD", Refused, DYNAMIC_TLS),
    row(33, "ADD8", Understood, "sums and differences in data"),
    row(34, "ADD16", Understood, "sums and differences in data"),
    row(35, "ADD32", Understood, "sums and differences in data"),
    row(36, "ADD64", Understood, "sums and differences in data"),
    row(37, "SUB8", Understood, "sums and differences in data"),
    row(38, "SUB16", Understood, "sums and differences in data"),
    row(39, "SUB32", Understood, "sums and differences in data"),
    row(40, "SUB64", Understood, "sums and differences in data"),
    row(41, "GOT32_PCREL", Refused, "there is no global offset table"),
    row(43, "ALIGN", Ignored, "blocks of the VM have no alignment"),
    row(44, "RVC_BRANCH", Understood, "the target of a branch"),
    row(45, "RVC_JUMP", Understood, "the target of a jump or call"),
    row(51, "RELAX", Ignored, "allows what the linker does anyway"),
    row(52, "SUB6", Understood, "differences in data, the low six bits of a byte"),
    row(53, "SET6", Understood, "differences in data, the low six bits of a byte"),
    row(54, "SET8", Understood, "sums and differences in data"),
    row(55, "SET16", Understood, "sums and differences in data"),
    row(56, "SET32", Understood, "sums and differences in data"),
    row(57, "32_PCREL", Understood, "the distance from its own place"),
    row(58, "IRELATIVE", Refused, "nobody runs resolvers of IFUNC symbols"),
    row(59, "PLT32", Understood, "the distance of a function from its own place"),
    row(60, "SET_ULEB128", Understood, "differences in data, in the length that the file has"),
    row(61, "SUB_ULEB128", Understood, "differences in data, in the length that the file has"),
    row(62, "TLSDESC_HI20", Refused, DYNAMIC_TLS),
    row(63, "TLSDESC_LOAD_LO12", Refused, DYNAMIC_TLS),
    row(64, "TLSDESC_ADD_LO12", Refused, DYNAMIC_TLS),
    row(65, "TLSDESC_CALL", Refused, DYNAMIC_TLS),
    row(191, "VENDOR", Refused, "relocations of vendors are not known"),
];

/// Numbers that compilers wrote before the psABI withdrew them: GNU's virtual table garbage collection, and types that
/// linkers generate internally.
pub const RETIRED_TYPES: &[RelocationType] = &[
    row(42, "GNU_VTENTRY", Ignored, "an annotation"),
    row(46, "RVC_LUI", Understood, "upper part of an address, as linkers shorten it"),
    row(47, "GPREL_I", Refused, "the VM has no register gp: link with --no-relax-gp"),
    row(48, "GPREL_S", Refused, "the VM has no register gp: link with --no-relax-gp"),
    row(49, "TPREL_I", Refused, DYNAMIC_TLS),
    row(50, "TPREL_S", Refused, DYNAMIC_TLS),
];

/// Returns the entry of a relocation type that the psABI has, or once had.
pub fn relocation_type(number: u32) -> Option<&'static RelocationType> {
    RELOCATION_TYPES.iter().chain(RETIRED_TYPES).find(|known| known.number == number)
}

/// Name of a relocation type for messages; names of vendors' types as the psABI requires.
pub fn relocation_name(number: u32) -> String {
    match relocation_type(number) {
        Some(known) => format!("R_RISCV_{}", known.name),
        None if (192..=255).contains(&number) => format!("R_RISCV_CUSTOM{number}"),
        None => format!("relocation type {number}, which the psABI reserves"),
    }
}

/// Message that refuses a relocation type: its name and the reason.
pub fn refusal(number: u32) -> String {
    let name = relocation_name(number);
    match relocation_type(number) {
        Some(known) if known.treatment == Refused => format!("{name} ({})", known.note),
        Some(_) => format!("{name}, which has no meaning here"),
        None => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, path::Path};

    /// True if the psABI defines this number: it reserves all others up to 255.
    fn defined(number: u32) -> bool {
        matches!(number, 0..=12 | 16..=41 | 43..=45 | 51..=65 | 191)
    }

    #[test]
    fn the_table_has_every_relocation_type_of_the_psabi_once() {
        for number in 0..=255 {
            let rows = RELOCATION_TYPES.iter().filter(|row| row.number == number).count();
            assert_eq!(rows, usize::from(defined(number)), "relocation type {number}");
        }
        assert!(RELOCATION_TYPES.is_sorted_by_key(|row| row.number));
        assert!(RETIRED_TYPES.iter().all(|row| !defined(row.number)));
    }

    #[test]
    fn the_table_agrees_with_the_numbers_of_the_elf_library() {
        use object::elf;
        for (number, name) in [
            (elf::R_RISCV_CALL_PLT, "CALL_PLT"),
            (elf::R_RISCV_GOT_HI20, "GOT_HI20"),
            (elf::R_RISCV_PCREL_LO12_S, "PCREL_LO12_S"),
            (elf::R_RISCV_SUB64, "SUB64"),
            (elf::R_RISCV_RVC_JUMP, "RVC_JUMP"),
            (elf::R_RISCV_SET6, "SET6"),
            (elf::R_RISCV_32_PCREL, "32_PCREL"),
            (elf::R_RISCV_IRELATIVE, "IRELATIVE"),
            (elf::R_RISCV_SUB_ULEB128, "SUB_ULEB128"),
            (elf::R_RISCV_TLSDESC_CALL, "TLSDESC_CALL"),
        ] {
            assert_eq!(relocation_name(number), format!("R_RISCV_{name}"));
        }
        assert_eq!(relocation_name(200), "R_RISCV_CUSTOM200");
    }

    #[test]
    fn the_documentation_has_the_same_table() {
        let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/linking.md"));
        let page = page.expect("docs/linking.md");
        for row in RELOCATION_TYPES.iter().chain(RETIRED_TYPES) {
            let treatment = match row.treatment {
                Understood => "understood",
                Ignored => "ignored",
                Refused => "refused",
            };
            let line = format!("| {} | `{}` | {treatment} | {} |", row.number, row.name, row.note);
            assert!(page.contains(&line), "docs/linking.md lacks: {line}");
        }
    }
}
