//! Rarely used features of compilers' ELF files, for the generator to cover.

/// A feature that a generated program can use besides plain code and data.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Feature {
    /// Undefined weak symbols, used behind a check for null.
    WeakUndefined,
    /// COMMON variables, which only the symbol table has.
    Common,
    /// Indirect functions (IFUNC), which a resolver selects.
    Ifunc,
    /// `.preinit_array` and `.init_array`, with and without priorities.
    Constructors,
    /// The older `.ctors`.
    OldConstructors,
    /// Sections of all names, flags and alignments.
    Sections,
    /// Symbols of all types, bindings and visibilities.
    Symbols,
    /// Distances between positions in one section, as numbers.
    Differences,
    /// Differences as LEB128.
    Uleb128,
    /// Data that holds the distance from itself to other data, or a 32-bit address.
    RelativeData,
    /// Relative pointers to functions.
    RelativeFunctions,
    /// Jumps by tables of labels' addresses.
    LabelPointers,
    /// Jumps by tables of distances between labels.
    LabelDifferences,
    /// Differences computed by the assembler, without relocations.
    QuietDifferences,
    /// `ebreak` and `c.ebreak`.
    Ebreak,
    /// Calls and returns through other registers than `ra`.
    LinkRegisters,
    /// Calls on another stack, and coroutines.
    StackSwitch,
    /// Functions that return a second time.
    Setjmp,
    /// Functions that continue in others, or at labels whose address is taken.
    FallThrough,
    /// Records for the linker in sections that are not loaded.
    Records,
}

impl Feature {
    /// All features with their names.
    pub const ALL: [(Feature, &str); 20] = [
        (Feature::WeakUndefined, "weak-undefined"),
        (Feature::Common, "common"),
        (Feature::Ifunc, "ifunc"),
        (Feature::Constructors, "constructors"),
        (Feature::OldConstructors, "old-constructors"),
        (Feature::Sections, "sections"),
        (Feature::Symbols, "symbols"),
        (Feature::Differences, "differences"),
        (Feature::Uleb128, "uleb128"),
        (Feature::RelativeData, "relative-data"),
        (Feature::RelativeFunctions, "relative-functions"),
        (Feature::LabelPointers, "label-pointers"),
        (Feature::LabelDifferences, "label-differences"),
        (Feature::QuietDifferences, "quiet-differences"),
        (Feature::Ebreak, "ebreak"),
        (Feature::LinkRegisters, "link-registers"),
        (Feature::StackSwitch, "stack-switch"),
        (Feature::Setjmp, "setjmp"),
        (Feature::FallThrough, "fall-through"),
        (Feature::Records, "records"),
    ];
}
