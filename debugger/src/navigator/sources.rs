//! Source files: which file of the disk one of the debug information is.
//!
//! Names come from blobs, which are untrusted, and from clients. Only regular files of a bounded size are read.

use crate::symbols::Symbols;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// The largest file that is read, in bytes.
pub const TEXT_SIZE: u64 = 4 << 20;

/// Source files: the folders in which they are searched for, and those already found.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    folders: Vec<PathBuf>,
    /// Paths that clients use, by the path in the debug information.
    known: BTreeMap<String, String>,
}

impl Sources {
    /// Looks in these folders for files whose names are relative.
    pub fn new(folders: Vec<PathBuf>) -> Sources {
        Sources { folders, known: BTreeMap::new() }
    }

    /// The files of the debug information that a client's path may be: those that agree with most of its end. The client
    /// is told the same path again.
    pub fn files_of(&mut self, symbols: &Symbols, path: &str) -> Vec<u32> {
        let common = |file: &str| parts(file).rev().zip(parts(path).rev()).take_while(|(a, b)| a == b).count();
        let files = || symbols.files().iter().zip(0..).map(|(name, number)| (common(name), name, number));
        let most = files().map(|(common, ..)| common).max().unwrap_or(0);
        let found: Vec<(&String, u32)> = files()
            .filter(|(common, ..)| *common == most && most > 0)
            .map(|(_, name, number)| (name, number))
            .collect();
        for (name, _) in &found {
            self.known.insert((*name).clone(), path.to_owned());
        }
        found.into_iter().map(|(_, number)| number).collect()
    }

    /// The path of a file of the debug information, if there is such a file.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        let known = self.known.get(name).map(PathBuf::from);
        let relative: PathBuf = parts(name).collect();
        let in_folders = self.folders.iter().map(|folder| folder.join(&relative));
        let absolute = Path::new(name).is_absolute().then(|| PathBuf::from(name));
        known.into_iter().chain(absolute).chain(in_folders).find(|path| path.is_file())
    }

    /// The text of a file of the debug information.
    pub fn text(&self, name: &str) -> Option<String> {
        let file = File::open(self.path(name)?).ok()?;
        let mut bytes = Vec::new();
        file.take(TEXT_SIZE).read_to_end(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// The parts of a path. Both kinds of slashes are known, as a client may be on another system than the compiler was.
fn parts(path: &str) -> impl DoubleEndedIterator<Item = &str> {
    path.split(['/', '\\']).filter(|part| !part.is_empty() && *part != ".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_in_folders_and_not_read_without_end() {
        let folder = std::env::temp_dir().join(format!("pvm-sources-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("src")).unwrap();
        std::fs::write(folder.join("src/bank.c"), "int x;\n").unwrap();
        let sources = Sources::new(vec![folder.clone()]);
        assert_eq!(sources.text("./src/bank.c").as_deref(), Some("int x;\n"));
        assert_eq!(sources.text("other.c"), None);
        assert_eq!(sources.text("/dev/zero"), None);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn paths_are_compared_by_their_parts() {
        assert_eq!(parts("./src//bank.c").collect::<Vec<_>>(), ["src", "bank.c"]);
        assert_eq!(parts("C:\\src\\bank.c").next_back(), Some("bank.c"));
    }
}
