//! The launcher: the process that the host starts. It makes the namespaces, drops all privileges, forks the zygote as
//! the first process in them, and waits for its end, so that the host has one child to reap and no process is left
//! behind.
//!
//! Every failing step is reported to the host by its number ([`Step`]). In best-effort mode the steps that make
//! namespaces may fail; filters, limits and no-new-privileges may not.

use crate::filter;
use crate::kernel::*;
use crate::protocol::*;
use crate::syscall::*;
use crate::zygote;

/// The socket to the host.
pub const SOCKET: usize = 0;

/// Sends a message to the host.
pub fn tell(kind: u32, number: u32, errno: u32) {
    let message = Message { kind, number, errno };
    let length = size_of::<Message>();
    // SAFETY: the kernel reads the message. An error means that the host is gone, and is ignored.
    let _ = unsafe { syscall(number::WRITE, [SOCKET, &raw const message as usize, length, 0, 0, 0]) };
}

/// Reports to the host that a step failed, and ends.
pub fn fail(step: Step, errno: u32) -> ! {
    tell(MESSAGE_FAILED, step as u32, errno);
    exit(1)
}

/// Unwraps the result of a step that has to succeed.
pub fn must<T>(step: Step, result: Result<T>) -> T {
    match result {
        Ok(value) => value,
        Err(errno) => fail(step, errno),
    }
}

/// Reports the failure of a step that may fail in best-effort mode, and ends in other modes.
fn may<T>(mode: u32, step: Step, result: Result<T>) {
    match result {
        Err(errno) if matches!(mode, MODE_BEST_EFFORT | MODE_UNFILTERED_BEST_EFFORT) => {
            tell(MESSAGE_MISSING, step as u32, errno);
        }
        other => {
            must(step, other);
        }
    }
}

/// Entry point of the program.
pub extern "C" fn main() -> ! {
    let mut mode = 0u32;
    // SAFETY: the kernel writes at most four bytes.
    let got = unsafe { syscall(number::READ, [SOCKET, &raw mut mode as usize, 4, 0, 0, 0]) };
    // SAFETY: our own variable, which the kernel has written without the compiler's knowledge.
    let word = unsafe { (&raw const mode).read_volatile() };
    let (mode, is_strict) = (word & !MODE_STRICT, word & MODE_STRICT != 0);
    if got != Ok(4) || !(MODE_REQUIRED..=MODE_UNFILTERED_BEST_EFFORT).contains(&mode) {
        fail(Step::Message, EBADMSG);
    }
    must(Step::Close, close_range(1, u32::MAX as usize));
    if mode != MODE_OFF {
        isolate(mode);
        harden(is_strict);
    }
    // SAFETY: a fork; both processes continue with their own copies of everything.
    let child = must(Step::Fork, unsafe { syscall(number::CLONE, [SIGCHLD, 0, 0, 0, 0, 0]) });
    if child == 0 {
        zygote::main(mode, is_strict);
    }
    if is_filtered(mode) {
        must(Step::Filter, filter::install(&filter::LAUNCHER));
    }
    // Closes the socket, so that its other end sees when the zygote is gone.
    let _ = close(SOCKET);
    loop {
        // SAFETY: the kernel writes nothing.
        match unsafe { syscall(number::WAIT4, [child, 0, 0, 0, 0, 0]) } {
            Err(EINTR) => {}
            _ => exit(0),
        }
    }
}

/// Returns true if the mode has system call filters.
pub fn is_filtered(mode: u32) -> bool {
    !matches!(mode, MODE_OFF | MODE_UNFILTERED | MODE_UNFILTERED_BEST_EFFORT)
}

fn isolate(mode: u32) {
    // While this file still exists and is ours: zygote and workers inherit the setting.
    may(mode, Step::OomScore, write_file(b"/proc/self/oom_score_adj\0", b"1000"));
    let is_root = is_root();
    // In the new user namespace no user is mapped yet.
    let (user, group) = (effective_id(number::GETRESUID), effective_id(number::GETRESGID));
    let namespace = unshare(CLONE_NEWUSER);
    let has_user = namespace.is_ok();
    may(mode, Step::UserNamespace, namespace);
    let mut is_nobody = false;
    if has_user && is_root {
        // Root owns the namespace, so that no other process of the unprivileged user has any power in it.
        is_nobody = match have_mapped() {
            Ok(()) => {
                must(Step::User, become_nobody());
                true
            }
            // If root cannot map it, as there is no such user in a container's own namespace.
            Err(errno) => {
                tell(MESSAGE_MISSING, Step::User as u32, errno);
                false
            }
        };
    }
    if has_user && !is_nobody {
        may(mode, Step::IdMaps, map_ids(user, group));
    }
    if has_user {
        // No further user namespaces in this one, as each would come with capabilities. Containers may have made this
        // file read-only.
        if let Err(errno) = write_file(b"/proc/sys/user/max_user_namespaces\0", b"0") {
            tell(MESSAGE_MISSING, Step::NestedNamespaces as u32, errno);
        }
    }
    let has_mounts = unshare(CLONE_NEWNS);
    let mounts = has_mounts.is_ok();
    may(mode, Step::MountNamespace, has_mounts);
    may(mode, Step::PidNamespace, unshare(CLONE_NEWPID));
    may(mode, Step::NetworkNamespace, unshare(CLONE_NEWNET));
    may(mode, Step::IpcNamespace, unshare(CLONE_NEWIPC));
    may(mode, Step::UtsNamespace, unshare(CLONE_NEWUTS));
    may(mode, Step::CgroupNamespace, unshare(CLONE_NEWCGROUP));
    if mounts {
        may(mode, Step::Root, leave_file_system());
    }
    must(Step::Capabilities, drop_bounding_set());
    layer(Layer::Securebits, prctl(PR_SET_SECUREBITS, SECUREBITS));
    if is_root && !has_user {
        match become_nobody() {
            // The host's namespace has no such user.
            Err(EINVAL) => tell(MESSAGE_MISSING, Step::User as u32, EINVAL),
            other => must(Step::User, other),
        }
    }
    must(Step::Privileges, give_up_privileges());
    must(Step::Capabilities, drop_capabilities());
}

/// Reports whether an optional protection is present.
pub fn layer<T>(layer: Layer, result: Result<T>) {
    tell(MESSAGE_LAYER, layer as u32, result.err().unwrap_or(0));
}

/// Sets up the optional protections, after no-new-privileges.
fn harden(is_strict: bool) {
    layer(Layer::Mdwe, prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN));
    layer(Layer::Landlock, landlock());
    if is_strict {
        let disable = |misfeature| prctl2(PR_SET_SPECULATION_CTRL, misfeature, PR_SPEC_FORCE_DISABLE);
        layer(Layer::StoreBypass, disable(PR_SPEC_STORE_BYPASS));
        layer(Layer::IndirectBranch, disable(PR_SPEC_INDIRECT_BRANCH));
    }
}

/// Denies everything that this kernel's Landlock can restrict.
fn landlock() -> Result<()> {
    let args = [0, 0, LANDLOCK_CREATE_RULESET_VERSION, 0, 0, 0];
    // SAFETY: numbers only.
    let version = unsafe { syscall(number::LANDLOCK_CREATE_RULESET, args) }?;
    // `struct landlock_ruleset_attr`: accesses to files, to the network, and scopes. Later versions have more of each.
    let files = match version {
        1 => 13,
        2 => 14,
        3 | 4 => 15,
        _ => 16,
    };
    let rules: [u64; 3] = [(1 << files) - 1, if version >= 4 { 3 } else { 0 }, if version >= 6 { 3 } else { 0 }];
    let length = match version {
        1..=3 => 8,
        4 | 5 => 16,
        _ => 24,
    };
    // SAFETY: the kernel reads at most three words.
    let fd = unsafe { syscall(number::LANDLOCK_CREATE_RULESET, [&raw const rules as usize, length, 0, 0, 0, 0]) }?;
    // SAFETY: numbers only.
    let restricted = unsafe { syscall(number::LANDLOCK_RESTRICT_SELF, [fd, 0, 0, 0, 0, 0]) };
    close(fd)?;
    restricted.map(|_| ())
}

/// `struct __user_cap_header_struct`, version 3.
static CAPABILITIES: [u32; 2] = [LINUX_CAPABILITY_VERSION_3, 0];

/// Returns true if the host is root and can make this process an unprivileged user, so that not even an escape from
/// everything else would be root. False if the host lacks a capability for that: then it could not kill workers of
/// another user either.
fn is_root() -> bool {
    let mut sets = [0u32; 6];
    let caps = &raw mut sets as usize;
    // SAFETY: the kernel reads the header and writes six words.
    let _ = unsafe { syscall(number::CAPGET, [&raw const CAPABILITIES as usize, caps, 0, 0, 0, 0]) };
    // SAFETY: our own variable, which the kernel has written without the compiler's knowledge.
    let effective = unsafe { (&raw const sets[0]).read_volatile() };
    const NEEDED: u32 = 1 << CAP_KILL | 1 << CAP_SETGID | 1 << CAP_SETUID;
    effective_id(number::GETRESUID) == 0 && effective & NEEDED == NEEDED
}

/// Has the host map the unprivileged user into this process's new user namespace, which only the host may do.
fn have_mapped() -> Result<()> {
    tell(MESSAGE_MAP, 0, 0);
    let mut errno = 0u32;
    // SAFETY: the kernel writes at most four bytes.
    let got = unsafe { syscall(number::READ, [SOCKET, &raw mut errno as usize, 4, 0, 0, 0]) }?;
    // SAFETY: our own variable, which the kernel has written without the compiler's knowledge.
    match (got, unsafe { (&raw const errno).read_volatile() }) {
        (4, 0) => Ok(()),
        (4, errno) => Err(errno),
        _ => fail(Step::Message, EBADMSG),
    }
}

/// Becomes the user `nobody`, in such a way that other processes of that user cannot trace this one.
fn become_nobody() -> Result<()> {
    // This fails first if there is no such group.
    setresgid(NOBODY, NOBODY, NOBODY)?;
    // SAFETY: the kernel reads an empty list.
    unsafe { syscall(number::SETGROUPS, [0; 6]) }?;
    setresuid(NOBODY, NOBODY, NOBODY)?;
    // The default, unless a sysctl says otherwise (fs.suid_dumpable).
    prctl(PR_SET_DUMPABLE, 0)?;
    Ok(())
}

/// Returns the effective user or group id.
fn effective_id(number: usize) -> usize {
    let mut ids = [0u32; 3];
    let start = &raw mut ids as usize;
    // SAFETY: the kernel writes three words.
    let _ = unsafe { syscall(number, [start, start + 4, start + 8, 0, 0, 0]) };
    ids[1] as usize
}

/// Writes to an existing file. `path` ends with a zero byte.
fn write_file(path: &'static [u8], text: &[u8]) -> Result<()> {
    // SAFETY: the kernel reads a path that ends with zero.
    let fd = unsafe { syscall(number::OPENAT, [AT_FDCWD, path.as_ptr() as usize, O_WRONLY | O_CLOEXEC, 0, 0, 0]) }?;
    // SAFETY: the kernel reads the text.
    let written = unsafe { syscall(number::WRITE, [fd, text.as_ptr() as usize, text.len(), 0, 0, 0]) };
    close(fd)?;
    written.map(|_| ())
}

/// Maps one user and one group of this process to themselves.
fn map_ids(user: usize, group: usize) -> Result<()> {
    // Kernels before 3.19 lack this file; they are not supported.
    write_file(b"/proc/self/setgroups\0", b"deny")?;
    for (path, id) in [(&b"/proc/self/uid_map\0"[..], user), (&b"/proc/self/gid_map\0"[..], group)] {
        let mut text = [b' '; 32];
        // "ID ID 1", with spaces in front of the numbers.
        for end in [11, 23] {
            let mut rest = id;
            let mut place = end;
            loop {
                place -= 1;
                if let Some(digit) = text.get_mut(place) {
                    *digit = b'0' + (rest % 10) as u8;
                }
                rest /= 10;
                if rest == 0 {
                    break;
                }
            }
        }
        text[24] = b'1';
        write_file(path, &text[..25])?;
    }
    Ok(())
}

/// Replaces the file system by an empty read-only one.
fn leave_file_system() -> Result<()> {
    // Mount changes that follow must not propagate to the outside.
    mount(None, b"/\0", None, MS_REC | MS_PRIVATE)?;
    const HARMLESS: usize = MS_NOSUID | MS_NODEV | MS_NOEXEC;
    mount(Some(b"none\0"), b"/\0", Some(b"tmpfs\0"), HARMLESS)?;
    // "/" is still the root below; its parent is itself, with the new mount on it.
    chdir(b"/..\0")?;
    let here = c".".as_ptr() as usize;
    // SAFETY: the kernel reads paths that end with zero.
    unsafe {
        syscall(number::PIVOT_ROOT, [here, here, 0, 0, 0, 0])?;
        // The old root is now mounted on the new one.
        syscall(number::UMOUNT2, [here, MNT_DETACH, 0, 0, 0, 0])?;
    }
    // It stays empty.
    mount(None, b"/\0", None, MS_REMOUNT | MS_RDONLY | HARMLESS)?;
    chdir(b"/\0")
}

/// Mounts; all strings end with zero bytes.
fn mount(what: Option<&'static [u8]>, at: &'static [u8], kind: Option<&'static [u8]>, flags: usize) -> Result<()> {
    let text = |text: Option<&'static [u8]>| text.map_or(0, |text| text.as_ptr() as usize);
    // SAFETY: the kernel reads strings that end with zero.
    unsafe { syscall(number::MOUNT, [text(what), at.as_ptr() as usize, text(kind), flags, 0, 0]) }?;
    Ok(())
}

fn chdir(path: &'static [u8]) -> Result<()> {
    // SAFETY: the kernel reads a path that ends with zero.
    unsafe { syscall(number::CHDIR, [path.as_ptr() as usize, 0, 0, 0, 0, 0]) }?;
    Ok(())
}

/// Locks all four bits, with KEEP_CAPS cleared.
const SECUREBITS: usize = SECBIT_NOROOT
    | SECBIT_NOROOT_LOCKED
    | SECBIT_NO_SETUID_FIXUP
    | SECBIT_NO_SETUID_FIXUP_LOCKED
    | SECBIT_KEEP_CAPS_LOCKED
    | SECBIT_NO_CAP_AMBIENT_RAISE
    | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;

fn give_up_privileges() -> Result<()> {
    prctl(PR_SET_NO_NEW_PRIVS, 1)?;
    prctl(PR_SET_DUMPABLE, 0)?;
    Ok(())
}

/// Empties the bounding set, from which executing a program could gain capabilities.
fn drop_bounding_set() -> Result<()> {
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)?;
    for capability in 0..64 {
        // A process without capabilities cannot drop any, and need not.
        if prctl(PR_CAPBSET_DROP, capability).is_err() {
            break;
        }
    }
    Ok(())
}

/// Empties the other capability sets.
fn drop_capabilities() -> Result<()> {
    let none = [0u32; 6];
    let sets = &raw const none as usize;
    // SAFETY: the kernel reads the header and six words.
    unsafe { syscall(number::CAPSET, [&raw const CAPABILITIES as usize, sets, 0, 0, 0, 0]) }?;
    Ok(())
}
