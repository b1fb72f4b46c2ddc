//! The disk cache: compiled programs for the next start of the node. Loading one is several times faster than
//! compiling.
//!
//! One file per program, named after everything that its content depends on: code hash, cost model, semantics version
//! and engine version. Compiled code only uses processor features that every compiling machine must have, so a folder
//! may be moved to another machine together with its node's key. A program is written at its second use.
//!
//! A file determines what a contract does. So the folder must belong to the node's user and be writable by nobody else,
//! and every file has a checksum with the node's own key, which is stored elsewhere: a folder copied from another node,
//! perhaps with its database, contains nothing that this node trusts. An invalid file is removed and the program
//! compiled; other disk failures have no worse effect. Several nodes may share a folder and a key: files appear
//! complete, by renaming, and a file that another node removed is a miss.

use crate::LOG_TARGET;
use crate::cache::Key;
use crate::metrics::Metrics;
use crate::module::Loaded;
use pvm_engine::{Engine, Module, ProgramBlob};
use sp_crypto_hashing::blake2_256;
use std::collections::{HashSet, VecDeque};
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use vm_core::program::ProgramConfig;

/// Magic number at the beginning of each file, including the version of the format.
const MAGIC: [u8; 16] = *b"pvm-disk-cache 2";
/// Length of the header: magic number, code hash, cost model, semantics version.
const HEADER: usize = MAGIC.len() + 32 + 2 + 2;
/// Length of the checksum at the end: a hash over the key and the hash of everything before it.
const CHECKSUM: usize = 32;
/// Length of the node's key.
const KEY: usize = 32;
/// Maximum length of a file: larger than any program.
const LARGEST: u64 = 256 << 20;
/// Maximum number of programs that wait to be written. Further ones are not stored.
const WAITING: usize = 64;
/// Maximum number of remembered programs that have been used once.
const REMEMBERED: usize = 4096;
/// Prefix of the names of files that are being written, and the age at which one counts as abandoned.
const TEMPORARY: &str = "writing-";
const ABANDONED: Duration = Duration::from_secs(3600);

enum Job {
    Store(Key, Arc<Loaded>),
    /// Replied to once all earlier jobs are done.
    Flush(SyncSender<()>),
}

/// A folder of compiled programs.
pub(crate) struct Disk {
    folder: Arc<Folder>,
    jobs: SyncSender<Job>,
    /// Programs that have been used once.
    once: Mutex<Once>,
    /// Maximum number of bytes of programs that wait to be written, which keep them in memory.
    waiting_limit: usize,
}

/// The most recent programs that have been used once.
#[derive(Default)]
struct Once {
    keys: HashSet<Key>,
    order: VecDeque<Key>,
}

impl Once {
    /// Returns true, and forgets the program, at its second use; remembers it at the first.
    fn again(&mut self, key: &Key) -> bool {
        if self.keys.remove(key) {
            self.order.retain(|other| other != key);
            return true;
        }
        if self.order.len() >= REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.keys.remove(&oldest);
        }
        self.keys.insert(*key);
        self.order.push_back(*key);
        false
    }
}

struct Folder {
    path: PathBuf,
    /// Maximum number of bytes of all files.
    limit: u64,
    /// The node's key.
    key: [u8; KEY],
    /// Bytes of programs that wait to be written.
    waiting: AtomicUsize,
    metrics: Metrics,
    /// Set after a failed write: no write is tried again.
    is_read_only: AtomicBool,
    /// Makes the names of temporary files unique.
    counter: AtomicU64,
}

impl Disk {
    /// Opens a folder and starts the thread that writes to it. Creates the folder and the key file if necessary.
    ///
    /// # Errors
    /// If one of them cannot be created or read, or is writable by others.
    pub fn open(path: &Path, key: &Path, limit: u64, waiting_limit: usize, metrics: &Metrics) -> io::Result<Disk> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        // Checks the folder itself, not the target of a link, which can change.
        check_private(path, &fs::symlink_metadata(path)?, FileKind::Folder)?;
        let folder = Arc::new(Folder {
            path: path.into(),
            limit,
            key: node_key(key)?,
            waiting: AtomicUsize::new(0),
            metrics: metrics.clone(),
            is_read_only: AtomicBool::new(false),
            counter: AtomicU64::new(0),
        });
        let bytes = folder.make_room(0)?;
        let (jobs, queue) = sync_channel(WAITING);
        let writer = folder.clone();
        std::thread::Builder::new().name("polkavm-disk".into()).spawn(move || writer.work(&queue, bytes))?;
        Ok(Disk { folder, jobs, once: Mutex::default(), waiting_limit })
    }

    /// Loads the program with its machine code, if there is a valid file.
    pub fn load(&self, engine: &Engine, key: &Key, blob: &ProgramBlob, config: &ProgramConfig) -> Option<Module> {
        let metrics = &self.folder.metrics;
        let path = self.folder.path.join(name(key));
        let found = match read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                metrics.disk_misses_total.inc();
                return None;
            }
            Err(error) => Err(error.to_string()),
            Ok(bytes) => unwrap(key, &self.folder.key, &bytes).and_then(|stored| {
                Module::from_stored(engine, config, blob, stored).map_err(|error| error.to_string())
            }),
        };
        match found {
            Ok(module) => {
                metrics.disk_hits_total.inc();
                // Marks it as used last, so that it is removed last. If this fails, it is removed earlier.
                let _ = File::open(&path).and_then(|file| file.set_modified(SystemTime::now()));
                Some(module)
            }
            Err(why) => {
                log::debug!(target: LOG_TARGET, "{} is removed, its program compiled: {why}", path.display());
                metrics.disk_rejected_total.inc();
                self.folder.remove(&path);
                None
            }
        }
    }

    /// Counts a use of a program, and queues the program to be stored at the second one.
    pub fn used(&self, key: &Key, loaded: &Arc<Loaded>) {
        if loaded.compiled().is_none() || loaded.is_stored() || self.folder.is_read_only.load(Relaxed) {
            return;
        }
        if !self.once.lock().unwrap_or_else(PoisonError::into_inner).again(key) {
            return;
        }
        let bytes = loaded.bytes();
        let is_room = self.folder.waiting.fetch_add(bytes, Relaxed) + bytes <= self.waiting_limit;
        if is_room && self.jobs.try_send(Job::Store(*key, loaded.clone())).is_ok() {
            loaded.set_stored();
        } else {
            // The disk is slow; writing is tried again after two more uses.
            self.folder.waiting.fetch_sub(bytes, Relaxed);
            log::debug!(target: LOG_TARGET, "The disk is too slow to keep a program");
        }
    }

    /// Waits until everything queued is written.
    pub fn flush(&self) {
        let (done, wait) = sync_channel(1);
        if self.jobs.send(Job::Flush(done)).is_ok() {
            let _ = wait.recv();
        }
    }
}

impl Folder {
    /// Main function of the writing thread, which ends once the other end of the queue is dropped.
    fn work(&self, queue: &Receiver<Job>, mut bytes: u64) {
        while let Ok(job) = queue.recv() {
            match job {
                Job::Flush(done) => drop(done.send(())),
                Job::Store(key, loaded) => {
                    self.store(&key, &loaded, &mut bytes);
                    self.waiting.fetch_sub(loaded.bytes(), Relaxed);
                }
            }
        }
    }

    fn store(&self, key: &Key, loaded: &Loaded, bytes: &mut u64) {
        if self.is_read_only.load(Relaxed) {
            return;
        }
        if let Err(error) = self.write(key, loaded, bytes) {
            log::warn!(
                target: LOG_TARGET,
                "Compiled contracts are not kept on disk from now on, {} cannot be written: {error}",
                self.path.display()
            );
            self.is_read_only.store(true, Relaxed);
        }
    }

    fn write(&self, key: &Key, loaded: &Loaded, bytes: &mut u64) -> io::Result<()> {
        let Some(file) = wrap(key, &self.key, loaded) else { return Ok(()) };
        let length = file.len() as u64;
        if length > self.limit.min(LARGEST) {
            return Ok(());
        }
        if *bytes + length > self.limit {
            *bytes = self.make_room(length)?;
        }
        let number = self.counter.fetch_add(1, Relaxed);
        let temporary = self.path.join(format!("{TEMPORARY}{}-{number}", std::process::id()));
        let written = write_new(&temporary, &file)
            // Replaces a file or a link of this name, and fails for a folder.
            .and_then(|()| fs::rename(&temporary, self.path.join(name(key))));
        if written.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        written?;
        *bytes += length;
        self.metrics.disk_bytes.set(*bytes);
        Ok(())
    }

    /// Removes the least recently used files until `wanted` bytes fit, and abandoned temporary files. Returns the total
    /// size of the remaining files.
    fn make_room(&self, wanted: u64) -> io::Result<u64> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            // Another node may be removing it.
            let Ok(entry) = entry else { continue };
            let Ok(about) = entry.metadata() else { continue };
            if !about.is_file() {
                continue;
            }
            let modified = about.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            if !entry.file_name().to_string_lossy().starts_with(TEMPORARY) {
                files.push((modified, about.len(), entry.path()));
            } else if modified.elapsed().is_ok_and(|age| age > ABANDONED) {
                self.remove(&entry.path());
            }
        }
        files.sort();
        let mut bytes: u64 = files.iter().map(|(_, length, _)| length).sum();
        for (_, length, path) in files {
            if bytes + wanted <= self.limit {
                break;
            }
            self.remove(&path);
            self.metrics.disk_evictions_total.inc();
            bytes -= length;
        }
        self.metrics.disk_bytes.set(bytes);
        Ok(bytes)
    }

    /// Removes a file or a link; a failure is only logged.
    fn remove(&self, path: &Path) {
        if let Err(error) = fs::remove_file(path)
            && error.kind() != io::ErrorKind::NotFound
        {
            log::debug!(target: LOG_TARGET, "{} cannot be removed: {error}", path.display());
        }
    }
}

/// The file name of a program.
fn name(key: &Key) -> String {
    let hash: String = key.hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{hash}-{}-{}-{}", key.cost_model, key.semantics, pvm_engine::FINGERPRINT)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum FileKind {
    Folder,
    File,
}

/// Refuses a path of another kind, or one that is writable by another user.
fn check_private(path: &Path, about: &Metadata, kind: FileKind) -> io::Result<()> {
    let is_kind = if kind == FileKind::Folder { about.is_dir() } else { about.is_file() };
    let what = if kind == FileKind::Folder { "folder" } else { "file" };
    if !is_kind {
        return Err(io::Error::other(format!("{} is no {what}", path.display())));
    }
    let user = rustix::process::geteuid().as_raw();
    if about.uid() != user {
        let owner = about.uid();
        return Err(io::Error::other(format!("{} belongs to user {owner}, the node runs as {user}", path.display())));
    }
    let mode = about.mode() & 0o7777;
    if mode & 0o022 != 0 {
        return Err(io::Error::other(format!("others may write {} (mode {mode:o}): `chmod go-w` it", path.display())));
    }
    Ok(())
}

/// Writes a file that only this user can read, and that must not exist.
fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.write_all(bytes)
}

/// Reads the node's key, and creates it if needed.
fn node_key(path: &Path) -> io::Result<[u8; KEY]> {
    if let Some(parent) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
    }
    let mut fresh = [0; KEY];
    File::open("/dev/urandom")?.read_exact(&mut fresh)?;
    // Created atomically and never over an existing file: several nodes may start at the same time.
    let temporary = path.with_extension(format!("{TEMPORARY}{}-{:02x}{:02x}", std::process::id(), fresh[0], fresh[1]));
    let created = write_new(&temporary, &fresh).and_then(|()| fs::hard_link(&temporary, path));
    let _ = fs::remove_file(&temporary);
    match created {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let about = fs::symlink_metadata(path)?;
    check_private(path, &about, FileKind::File)?;
    if about.mode() & 0o044 != 0 {
        return Err(io::Error::other(format!("others may read the key {}: `chmod go-r` it", path.display())));
    }
    let bytes = fs::read(path)?;
    <[u8; KEY]>::try_from(bytes.as_slice())
        .map_err(|_| io::Error::other(format!("the key {} has {} bytes, not {KEY}", path.display(), bytes.len())))
}

/// Reads a whole regular file.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let about = fs::symlink_metadata(path)?;
    check_private(path, &about, FileKind::File)?;
    if about.len() > LARGEST {
        return Err(io::Error::other(format!("{} bytes, the limit is {LARGEST}", about.len())));
    }
    let mut bytes = Vec::with_capacity(about.len() as usize);
    // Its length does not change: files are renamed into place.
    File::open(path)?.take(LARGEST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The content of a program's file.
fn wrap(key: &Key, node: &[u8; KEY], loaded: &Loaded) -> Option<Vec<u8>> {
    let code = loaded.compiled()?.machine_code_to_store(&loaded.blob)?;
    let mut file = Vec::with_capacity(HEADER + code.len() + CHECKSUM);
    file.extend_from_slice(&MAGIC);
    file.extend_from_slice(&key.hash);
    file.extend_from_slice(&key.cost_model.to_le_bytes());
    file.extend_from_slice(&key.semantics.to_le_bytes());
    file.extend_from_slice(&code);
    let checksum = checksum(node, &file);
    file.extend_from_slice(&checksum);
    Some(file)
}

/// Checks the content of a program's file and returns the engine's part of it.
fn unwrap<'a>(key: &Key, node: &[u8; KEY], file: &'a [u8]) -> Result<&'a [u8], String> {
    let (content, checksum) = file
        .split_last_chunk::<CHECKSUM>()
        .filter(|(content, _)| content.len() >= HEADER)
        .ok_or_else(|| format!("{} bytes are too few", file.len()))?;
    if self::checksum(node, content) != *checksum {
        return Err("its checksum is wrong".into());
    }
    let (header, stored) = content.split_at(HEADER);
    let expected = [&MAGIC[..], &key.hash, &key.cost_model.to_le_bytes(), &key.semantics.to_le_bytes()].concat();
    if header != expected {
        return Err("it belongs to another program".into());
    }
    Ok(stored)
}

/// A keyed hash, which cannot be forged without the key.
fn checksum(node: &[u8; KEY], content: &[u8]) -> [u8; CHECKSUM] {
    blake2_256(&[&node[..], &blake2_256(content)].concat())
}
