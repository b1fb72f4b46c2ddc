//! Tests of source lines of clang's object files: relocatable and linked, compressed, split, of both widths and DWARF
//! versions.

#![allow(clippy::unwrap_used, reason = "tests")]

use pvm_linker::{Level, Options, link};
use std::{collections::BTreeSet, fs, path::PathBuf, process::Command};
use vm_core::blob::Blob;

const SOURCE: &str = r"int opaque(int x) { return x * 3; }
static inline __attribute__((always_inline)) int twice(int x) {
    return opaque(x) + x;
}
int elsewhere(int x) {
    return x ^ 1;
}
int outer(int x) {
    int y = twice(x);
    return y - elsewhere(y);
}
";

fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("debug-info").join(name);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn tool(name: &str, arguments: &[&str], folder: &PathBuf) {
    let status = Command::new(name).args(arguments).current_dir(folder).status();
    let status = status.unwrap_or_else(|error| panic!("{name}: {error}. Run: scripts/setup"));
    assert!(status.success(), "{name} {arguments:?}");
}

/// Returns the source locations of a blob's code: stacks of `function file:line`, outermost first.
fn stacks(blob: &[u8]) -> BTreeSet<Vec<String>> {
    let blob = Blob::parse(blob).unwrap();
    let mut found = BTreeSet::new();
    for offset in 0..blob.code().len() as u32 {
        let Some(source) = blob.source_at(offset).unwrap() else { continue };
        let frame = |frame: &vm_core::blob::Frame<'_>| {
            let path = frame.path().unwrap().unwrap_or("");
            let file = path.rsplit('/').next().unwrap_or("");
            format!("{} {file}:{}", frame.function().unwrap().unwrap_or("?"), frame.line().unwrap_or(0))
        };
        found.insert(source.frames().map(|each| frame(&each)).collect());
    }
    found
}

/// Compiles with these options, links with lld and its options if given, and then with our linker.
fn stacks_of(name: &str, width: u32, flags: &[&str], lld: Option<&[&str]>) -> BTreeSet<Vec<String>> {
    let folder = folder(name);
    fs::write(folder.join("place.c"), SOURCE).unwrap();
    let abi = if width == 64 { "lp64e" } else { "ilp32e" };
    let (target, march, mabi) =
        (format!("--target=riscv{width}-unknown-elf"), format!("-march=rv{width}emac"), format!("-mabi={abi}"));
    let mut arguments = vec![&*target, &*march, &*mabi, "-ffreestanding", "-O1", "-fno-optimize-sibling-calls"];
    arguments.extend(["-fno-inline-functions", "-c", "place.c", "-o", "place.o"]);
    arguments.extend(flags);
    tool("clang-19", &arguments, &folder);
    let mut file = "place.o";
    if let Some(options) = lld {
        let mut arguments = vec!["place.o", "-o", "place.elf"];
        arguments.extend(options);
        tool("ld.lld-19", &arguments, &folder);
        file = "place.elf";
        // Nothing may be read from other files.
        fs::remove_file(folder.join("place.o")).unwrap();
    }
    let _ = fs::remove_file(folder.join("place.dwo"));
    let elf = fs::read(folder.join(file)).unwrap();
    let options = Options { level: Level::None, exports: vec!["outer".to_owned()], ..Options::default() };
    stacks(&link(&elf, &options).unwrap())
}

fn stack(frames: &[&str]) -> Vec<String> {
    frames.iter().map(|frame| (*frame).to_owned()).collect()
}

#[track_caller]
fn assert_whole(stacks: &BTreeSet<Vec<String>>) {
    for expected in [
        stack(&["outer place.c:9", "twice place.c:3"]),
        stack(&["outer place.c:10"]),
        stack(&["elsewhere place.c:6"]),
        stack(&["opaque place.c:1"]),
    ] {
        assert!(stacks.contains(&expected), "{expected:?} is not in {stacks:#?}");
    }
}

#[test]
fn objects_have_lines_and_inlined_functions() {
    for width in [64, 32] {
        for (name, flags) in [
            ("plain", &["-g"][..]),
            ("no-relax", &["-g", "-mno-relax"]),
            ("dwarf-4", &["-gdwarf-4"]),
            ("sections", &["-g", "-ffunction-sections"]),
            ("sections-4", &["-gdwarf-4", "-ffunction-sections", "-mno-relax"]),
        ] {
            assert_whole(&stacks_of(&format!("{name}-{width}"), width, flags, None));
        }
    }
}

#[test]
fn objects_and_programs_made_by_a_linker_have_them_too() {
    let sections = ["-g", "-ffunction-sections"];
    assert_whole(&stacks_of("partial", 64, &sections, Some(&["-r"])));
    assert_whole(&stacks_of("linked", 64, &sections, Some(&["--emit-relocs", "-e", "outer"])));
}

#[test]
fn compressed_sections_are_inflated() {
    for (name, flags) in [("zlib", ["-g", "-gz=zlib"]), ("zstd", ["-g", "-gz=zstd"])] {
        assert_whole(&stacks_of(name, 64, &flags, None));
        let compressed = ["--emit-relocs", "-e", "outer", &format!("--compress-debug-sections={name}")];
        assert_whole(&stacks_of(&format!("{name}-linked"), 64, &["-g"], Some(&compressed)));
    }
}

#[test]
fn of_split_debug_information_the_lines_are_left() {
    for lld in [None, Some(&["-r"][..]), Some(&["--emit-relocs", "-e", "outer"])] {
        let name = format!("split-{}", lld.map_or("object", |options| options[0]));
        let stacks = stacks_of(&name, 64, &["-g", "-gsplit-dwarf", "-fno-split-dwarf-inlining", "-mno-relax"], lld);
        for expected in [stack(&["outer place.c:10"]), stack(&["elsewhere place.c:6"]), stack(&["opaque place.c:1"])] {
            assert!(stacks.contains(&expected), "{expected:?} is not in {stacks:#?}");
        }
    }
}

#[test]
fn broken_debug_information_is_no_reason_to_fail() {
    let folder = folder("broken");
    stacks_of("broken", 64, &["-g"], None);
    let good = fs::read(folder.join("place.o")).unwrap();
    let options = Options { exports: vec!["outer".to_owned()], ..Options::default() };
    let code = |elf: &[u8]| link(elf, &options).ok().map(|blob| Blob::parse(&blob).unwrap().code().to_vec());
    let expected = code(&good).unwrap();
    let file = object::File::parse(&*good).unwrap();
    let ranges: Vec<(u64, u64)> = object::Object::sections(&file)
        .filter(|section| {
            object::ObjectSection::name(section)
                .is_ok_and(|name| name.starts_with(".debug") || name.starts_with(".rela.debug"))
        })
        .filter_map(|section| object::ObjectSection::file_range(&section))
        .collect();
    assert!(ranges.len() > 3);
    for (start, length) in ranges {
        for step in 0..16 {
            let mut bad = good.clone();
            let at = start + length * step / 16;
            for byte in bad.iter_mut().skip(at as usize).take(4) {
                *byte ^= 0x5a;
            }
            assert_eq!(code(&bad).as_deref(), Some(&*expected));
        }
    }
}
