//! An engine inside a locked-down process: made early, used late, and used in forked children.
//!
//! The process is locked down as Polkadot's PVF workers are: namespaces of its own, the root pivoted into an empty mount
//! that is read-only, noexec and nodev and has no `/proc`, Landlock where the kernel has it, and a seccomp filter that kills
//! on `socket`, `socketpair`, `connect` and `io_uring_*`. It has three threads and forks a child for each job, which it
//! kills with all of the child's workers at a deadline.
//!
//! Three processes play in it: the test, which looks from outside; a process in a new user namespace that waits; and, as
//! the first process of a new pid namespace, the locked-down parent. Only root can make them. No test harness, as processes
//! are forked from this one.

#[cfg(not(jit_supported))]
fn main() {
    eprintln!("SKIPPED: locked_down_parent needs the compiler, which is for Linux on AMD64");
}

#[cfg(jit_supported)]
fn main() {
    linux::main();
}

#[cfg(jit_supported)]
#[allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]
mod linux {
    use pvm_engine::vm_core::text::assemble;
    use pvm_engine::{
        Backend, Config, Engine, Error, Module, Outcome, ProgramBlob, RawInstance, Sandbox, SandboxError,
    };
    use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
    use std::os::fd::FromRawFd as _;
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    const TEXT: &str = r#"
.isa ReviveV1
.export "work" work
.export "endless" endless
work:    load_imm a1, 20000000
         fallthrough
again:   add_imm_64 a1, a1, -1
         branch_not_eq_imm a1, 0, again
         jump_indirect ra, 0
endless: jump endless
"#;

    /// Set for the second process.
    const ROLE: &str = "PVM_LOCKED_DOWN_PARENT";

    pub fn main() {
        if std::env::args().any(|argument| argument == "--list") {
            return println!("locked_down_parent: test");
        }
        if std::env::var_os(ROLE).is_some() {
            return namespaces();
        }
        // SAFETY: a number only.
        if unsafe { libc::geteuid() } != 0 {
            return eprintln!("SKIPPED: locked_down_parent needs root, to lock a process down as a node's worker is");
        }
        outside();
    }

    /// The result of a system call, which must not fail.
    fn must(name: &str, result: libc::c_long) -> libc::c_long {
        assert!(result >= 0, "{name}: {}", std::io::Error::last_os_error());
        result
    }

    // ---- The test, outside of all namespaces.

    fn outside() {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .env(ROLE, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut to = child.stdin.take().unwrap();
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            match line.unwrap().as_str() {
                "@map" => {
                    map_ids(child.id());
                    to.write_all(b"mapped\n").unwrap();
                }
                "@count" => {
                    to.write_all(format!("{}\n", pvm_test_support::descendants(child.id(), false)).as_bytes()).unwrap()
                }
                line => println!("{line}"),
            }
        }
        assert!(child.wait().unwrap().success(), "the locked-down parent failed");
        println!("test locked_down_parent ... ok");
    }

    /// Maps root and all ordinary users into a user namespace; root alone where there are no others.
    fn map_ids(process: u32) {
        for map in ["uid_map", "gid_map"] {
            let path = format!("/proc/{process}/{map}");
            if std::fs::write(&path, "0 0 65536\n").is_err() {
                std::fs::write(&path, "0 0 1\n").unwrap();
            }
        }
    }

    // ---- The process that makes the namespaces.

    /// Sends a question to the test, and returns its answer.
    fn ask(question: &str) -> String {
        println!("{question}");
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer).unwrap();
        answer.trim().to_owned()
    }

    fn namespaces() {
        // SAFETY: this process has one thread; nothing else depends on its namespaces.
        must("unshare(CLONE_NEWUSER)", unsafe { libc::unshare(libc::CLONE_NEWUSER) }.into());
        assert_eq!(ask("@map"), "mapped");
        let all = libc::CLONE_NEWNS
            | libc::CLONE_NEWPID
            | libc::CLONE_NEWNET
            | libc::CLONE_NEWIPC
            | libc::CLONE_NEWUTS
            | libc::CLONE_NEWCGROUP;
        // SAFETY: as before.
        must("unshare", unsafe { libc::unshare(all) }.into());
        // SAFETY: this process has one thread.
        let parent = must("fork", unsafe { libc::fork() }.into());
        if parent == 0 {
            // SAFETY: numbers only.
            must("prctl", unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) }.into());
            locked_down_parent();
            return;
        }
        assert_eq!(wait_for(parent as i32), 0, "the locked-down parent failed");
    }

    /// Waits for a child; returns its raw status.
    fn wait_for(child: i32) -> i32 {
        let mut status = 0;
        // SAFETY: the kernel writes the status.
        must("waitpid", unsafe { libc::waitpid(child, &raw mut status, 0) }.into());
        status
    }

    // ---- The parent.

    fn mount(kind: Option<&'static std::ffi::CStr>, at: &'static std::ffi::CStr, flags: libc::c_ulong) {
        let text = kind.map_or(std::ptr::null(), std::ffi::CStr::as_ptr);
        // SAFETY: the kernel reads texts that end with zero.
        let result = unsafe { libc::mount(c"none".as_ptr(), at.as_ptr(), text, flags, std::ptr::null()) };
        must("mount", result.into());
    }

    /// Moves the root into an empty mount.
    fn pivot_root() {
        const FLAGS: libc::c_ulong = libc::MS_NOEXEC | libc::MS_NODEV | libc::MS_NOSUID;
        mount(Some(c"tmpfs"), c"/tmp", FLAGS);
        // SAFETY: the kernel reads texts that end with zero.
        unsafe {
            must("chdir", libc::chdir(c"/tmp".as_ptr()).into());
            must("pivot_root", libc::syscall(libc::SYS_pivot_root, c".".as_ptr(), c".".as_ptr()));
            must("umount2", libc::umount2(c".".as_ptr(), libc::MNT_DETACH).into());
        }
        mount(None, c"/", FLAGS | libc::MS_REMOUNT | libc::MS_RDONLY);
        // SAFETY: as before.
        must("chdir", unsafe { libc::chdir(c"/".as_ptr()) }.into());
    }

    /// Denies all file accesses that Landlock can restrict. Returns false if the kernel lacks Landlock.
    fn landlock() -> bool {
        const CREATE_RULESET_VERSION: libc::c_long = 1;
        // SAFETY: numbers only.
        let version = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, 0, 0, CREATE_RULESET_VERSION) };
        let rights: u64 = match version {
            ..=0 => return false,
            1 => (1 << 13) - 1,
            2 => (1 << 14) - 1,
            _ => (1 << 15) - 1,
        };
        // SAFETY: the kernel reads eight bytes.
        let rules = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, &raw const rights, 8, 0) };
        must("landlock_create_ruleset", rules);
        // SAFETY: numbers only.
        must("landlock_restrict_self", unsafe { libc::syscall(libc::SYS_landlock_restrict_self, rules, 0) });
        true
    }

    /// Installs a filter that kills this process and its descendants on system calls that a worker of a node may not
    /// use.
    fn filter() {
        const FORBIDDEN: [libc::c_long; 6] = [
            libc::SYS_socket,
            libc::SYS_socketpair,
            libc::SYS_connect,
            libc::SYS_io_uring_setup,
            libc::SYS_io_uring_enter,
            libc::SYS_io_uring_register,
        ];
        let op = |code: u32, jt: usize, k: u32| libc::sock_filter { code: code as u16, jt: jt as u8, jf: 0, k };
        // The number is the first word of `struct seccomp_data`.
        let mut ops = vec![op(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0)];
        for (index, number) in FORBIDDEN.iter().enumerate() {
            let to_kill = FORBIDDEN.len() - index;
            ops.push(op(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, to_kill, *number as u32));
        }
        ops.push(op(libc::BPF_RET | libc::BPF_K, 0, libc::SECCOMP_RET_ALLOW));
        ops.push(op(libc::BPF_RET | libc::BPF_K, 0, libc::SECCOMP_RET_KILL_PROCESS));
        let program = libc::sock_fprog { len: ops.len() as u16, filter: ops.as_mut_ptr() };
        // SAFETY: the kernel reads the program.
        let result = unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program) };
        must("seccomp", result);
    }

    /// Checks that the parent is locked down as it should be.
    fn check_lock() {
        assert_eq!(std::fs::read_dir("/proc").unwrap_err().kind(), ErrorKind::NotFound);
        assert!(std::fs::write("/file", "").is_err(), "the root is read-only");
        let socket = |kind: &str| match kind {
            // SAFETY: the child makes one system call, by which it is killed.
            "socket" => unsafe { libc::syscall(libc::SYS_socket, libc::AF_UNIX, libc::SOCK_STREAM, 0) },
            // SAFETY: as before.
            _ => unsafe { libc::syscall(libc::SYS_io_uring_setup, 0, 0) },
        };
        for kind in ["socket", "io_uring_setup"] {
            // SAFETY: the child makes one system call and ends.
            let child = must("fork", unsafe { libc::fork() }.into());
            if child == 0 {
                socket(kind);
                // SAFETY: ends the child.
                unsafe { libc::_exit(0) };
            }
            assert_eq!(wait_for(child as i32) & 0x7f, libc::SIGSYS, "{kind} kills");
        }
    }

    fn call(module: &Module, function: &[u8]) -> Result<RawInstance, Error> {
        let mut instance = module.instantiate_raw()?;
        instance.prepare_call(module.program().export(function).unwrap(), &[]);
        Ok(instance)
    }

    /// Runs a job; returns its own time.
    fn work(module: &Module) -> Duration {
        let mut instance = call(module, b"work").unwrap();
        let start = Instant::now();
        assert_eq!(instance.run().unwrap(), Outcome::Finished);
        start.elapsed()
    }

    fn locked_down_parent() {
        mount(None, c"/", libc::MS_REC | libc::MS_PRIVATE);
        mount(Some(c"proc"), c"/proc", libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC);

        // Early: everything that needs files and sockets.
        let mut config = Config::new();
        config.set_backend(Backend::Jit).set_sandbox(Sandbox::Required).set_time_limit(None);
        let engine = Engine::new(&config).unwrap();
        let blob = ProgramBlob::parse(&assemble(TEXT).unwrap()).unwrap();
        let module = Module::from_blob(&engine, &blob).unwrap();

        pivot_root();
        // SAFETY: numbers only.
        must("prctl", unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }.into());
        let has_landlock = landlock();
        filter();
        check_lock();
        println!("the parent: no files, no sockets, Landlock {}", if has_landlock { "on" } else { "is not there" });
        println!("its workers lack: {:?}", engine.missing_protection());
        for layer in engine.layers() {
            println!("a layer of its workers: {}: {}", layer.what, if layer.is_there() { "yes" } else { "no" });
        }

        // Late: in the parent itself, and in children of it while it has three threads.
        for _ in 0..2 {
            std::thread::spawn(|| {
                loop {
                    std::thread::sleep(Duration::from_millis(1));
                }
            });
        }
        work(&module);
        assert!(engine.cpu_time() > Duration::ZERO, "the CPU time of workers can be read");
        jobs(&engine, &module);
        job_that_never_ends(&engine, &module);
        // The parent's engine is unaffected.
        work(&module);
    }

    /// Forks a child that runs `job` with an engine of its own and sends the result through a pipe.
    fn fork_job(
        engine: &Engine,
        module: &Module,
        job: impl FnOnce(&Engine, &Module) -> Vec<u64>,
    ) -> (i32, std::fs::File) {
        let mut ends = [0; 2];
        // SAFETY: the kernel writes two descriptors.
        must("pipe", unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) }.into());
        // SAFETY: the kernel made them for us.
        let [from, to] = ends.map(|fd| unsafe { std::fs::File::from_raw_fd(fd) });
        let forked = engine.prepare_fork().unwrap();
        // SAFETY: the other threads of this process only sleep, so that they hold no lock that the child needs.
        let child = must("fork", unsafe { libc::fork() }.into());
        if child == 0 {
            drop(from);
            assert!(matches!(call(module, b"work"), Err(Error::Sandbox(SandboxError::Forked))), "it is the parent's");
            let engine = forked.into_engine();
            let module = module.for_engine(&engine).unwrap();
            let said = job(&engine, &module).into_iter().flat_map(u64::to_le_bytes).collect::<Vec<u8>>();
            (&to).write_all(&said).unwrap();
            // SAFETY: ends the child, whose workers end with it.
            unsafe { libc::_exit(0) };
        }
        drop(forked);
        (child as i32, from)
    }

    /// Well-behaved jobs in sequence; reports the overhead of each beyond its own time.
    fn jobs(engine: &Engine, module: &Module) {
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap();
        let mut costs: Vec<Duration> = (0..20)
            .map(|_| {
                let start = Instant::now();
                let (child, mut from) = fork_job(engine, module, |engine, module| {
                    let time = work(module);
                    vec![nanos(time), nanos(engine.cpu_time())]
                });
                let mut said = Vec::new();
                from.read_to_end(&mut said).unwrap();
                assert_eq!(wait_for(child), 0);
                let all = start.elapsed();
                let (words, _) = said.as_chunks::<8>();
                let [time, cpu] = [words[0], words[1]].map(u64::from_le_bytes);
                assert!(cpu > 0, "the CPU time of a child's workers can be read");
                all.saturating_sub(Duration::from_nanos(time))
            })
            .collect();
        costs.sort();
        println!("a job costs beyond its own time: {:?} in the median, {:?} at best", costs[10], costs[0]);
    }

    /// Number of descendant processes of the one that made the namespaces.
    fn count() -> usize {
        ask("@count").parse().unwrap()
    }

    /// A job that is killed at its deadline: its child and its workers end, and no other process.
    fn job_that_never_ends(engine: &Engine, module: &Module) {
        let before = count();
        let (child, _from) = fork_job(engine, module, |_, module| {
            let _ = call(module, b"endless").unwrap().run();
            Vec::new()
        });
        // The child, what makes its workers, and one of them.
        wait_until(before + 3);
        // SAFETY: the child is ours and was not waited for.
        must("kill", unsafe { libc::kill(child, libc::SIGKILL) }.into());
        assert_eq!(wait_for(child) & 0x7f, libc::SIGKILL);
        wait_until(before);
    }

    /// Waits until there are `expected` processes.
    fn wait_until(expected: usize) {
        let mut last = 0;
        for _ in 0..500 {
            last = count();
            if last == expected {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("{last} processes, and not {expected}");
    }
}
