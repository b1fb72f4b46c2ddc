//! Tests of the protections, and of the messages for missing ones.

use super::*;
use std::process::Command;

/// A child of a process.
pub(super) fn last_child_of(parent: u32) -> u32 {
    let found = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let id: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
        status.lines().any(|line| line == format!("PPid:\t{parent}")).then_some(id)
    });
    found.last().unwrap()
}

fn trap() -> TestProgram {
    program(|asm| leave(asm, protocol::EXIT_TRAP))
}

fn check_runs_and_is_filtered(zygote: &Arc<Zygote>) {
    let program = trap();
    let mut worker = Worker::spawn(zygote, limits(Duration::from_secs(5))).unwrap();
    worker.load(&program.image()).unwrap();
    assert_eq!(worker.run(&mut program.state()), Ok(Exit::Trap));
    // `getpid`.
    let hostile = self::program(|asm| {
        asm.push(forms::mov_ri(Reg::Rax, 39));
        asm.bytes(&[0x0f, 0x05]);
        leave(asm, protocol::EXIT_TRAP);
    });
    let mut worker = Worker::spawn(zygote, limits(Duration::from_secs(5))).unwrap();
    worker.load(&hostile.image()).unwrap();
    assert_eq!(worker.run(&mut hostile.state()), Err(SandboxError::Died));
}

#[test]
fn where_everything_can_be_had_best_effort_is_all_of_it() {
    let zygote = Arc::new(Zygote::start(Sandbox::BestEffort, false, None).unwrap());
    assert_eq!(zygote.missing(), []);
    check_runs_and_is_filtered(&zygote);
}

#[test]
fn without_protection_guest_code_still_runs_in_another_process() {
    let zygote = Arc::new(Zygote::start(Sandbox::OffForTests, false, None).unwrap());
    let program = trap();
    let mut worker = worker_of(&zygote, &program);
    assert_eq!(worker.run(&mut program.state()), Ok(Exit::Trap));
}

#[test]
fn a_worker_that_waits_has_what_the_documents_say_and_no_more() {
    let zygote = zygote();
    let program = trap();
    let mut worker = worker_of(&zygote, &program);
    worker.run(&mut program.state()).unwrap();
    let read = |id: u32, file: &str| std::fs::read_to_string(format!("/proc/{id}/{file}"));
    let id = last_child_of(last_child_of(zygote.launcher()));
    let status = read(id, "status").unwrap();
    let is_root = read(std::process::id(), "status").unwrap().contains("Uid:\t0\t");
    let mut wrong = Vec::new();
    if read(id, "oom_score_adj").unwrap() != "1000\n" {
        wrong.push("oom_score_adj".to_owned());
    }
    for line in [
        "CapInh:\t0000000000000000",
        "CapPrm:\t0000000000000000",
        "CapEff:\t0000000000000000",
        "CapBnd:\t0000000000000000",
        "CapAmb:\t0000000000000000",
        "NoNewPrivs:\t1",
        "Seccomp:\t2",
        "Threads:\t1",
        "Groups:\t ",
        "Uid:\t65534\t65534\t65534\t65534",
        "Gid:\t65534\t65534\t65534\t65534",
    ]
    .into_iter()
    // An ordinary user keeps its ids.
    .take(if is_root { 12 } else { 8 })
    {
        if !status.lines().any(|got| got == line) {
            wrong.push(line.to_owned());
        }
    }
    // Only a process that may trace it may read these: an ordinary user may not.
    let maps = read(id, "maps");
    if maps.is_err() {
        // Inspection from inside the sandbox: `hostile` makes the accesses that should fail.
        let skipped = "SKIPPED, as only root may look at them: maps, descriptors and namespaces of a worker\n";
        let _ = std::io::Write::write_all(&mut std::io::stderr(), skipped.as_bytes());
    }
    if let Ok(maps) = maps {
        assert!(!maps.contains("[stack]") && !maps.contains("[vdso]") && !maps.contains("[heap]"), "{maps}");
        assert!(maps.lines().all(|line| !line.contains("wx")), "{maps}");
        assert!(std::fs::read_dir(format!("/proc/{id}/fd")).unwrap().next().is_none(), "no file descriptors");
        for kind in ["user", "mnt", "pid", "net", "ipc", "uts", "cgroup"] {
            let link = |id: u32| std::fs::read_link(format!("/proc/{id}/ns/{kind}")).unwrap();
            if link(id) == link(std::process::id()) {
                wrong.push(format!("the host's namespace: {kind}"));
            }
        }
        if std::fs::read_dir(format!("/proc/{id}/root")).unwrap().next().is_some() {
            wrong.push("files".to_owned());
        }
    }
    assert!(wrong.is_empty(), "{wrong:?} in {status}");
}

#[test]
fn an_ordinary_user_gets_all_of_it() {
    // A process that is already an ordinary user need not become one.
    let exe = std::env::current_exe().unwrap();
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let is_root = status.lines().any(|line| line.starts_with("Uid:\t0\t"));
    let mut command = Command::new(if is_root { "setpriv".as_ref() } else { exe.as_os_str() });
    let mut copy = None;
    if is_root {
        // A path that everyone can read.
        let path = std::env::temp_dir().join(format!("pvm-engine-tests-{}", std::process::id()));
        std::fs::copy(&exe, &path).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"]).arg(&path);
        command.current_dir("/");
        copy = Some(path);
    }
    command.args(["--exact", "sandbox::tests::protection::as_an_ordinary_user", "--ignored", "--nocapture"]);
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| leaks::check_passed(&mut command)));
    if let Some(path) = copy {
        std::fs::remove_file(path).unwrap();
    }
    result.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
}

#[test]
#[ignore = "another test runs it"]
fn as_an_ordinary_user() {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    assert!(!status.lines().any(|line| line.starts_with("Uid:\t0\t")), "{status}");
    let zygote = zygote();
    assert_eq!(zygote.missing(), []);
    check_runs_and_is_filtered(&zygote);
}

#[test]
fn what_restricts_user_namespaces_is_named_at_each_step_that_it_makes_fail() {
    // AppArmor allows the namespace to be made, and then nothing in it.
    use protocol::Step::{IdMaps, MountNamespace, Root, UserNamespace};
    for step in [UserNamespace, IdMaps, MountNamespace, Root] {
        let fix = super::super::zygote::step_fix(step as u32, 1);
        assert!(fix.contains("kernel.apparmor_restrict_unprivileged_userns"), "{step:?}: {fix}");
    }
}

/// Runs an ignored test where there can be no namespaces of some kinds.
fn without(kinds: &[&str], test: &str) {
    let forbid: Vec<String> =
        kinds.iter().map(|kind| format!("echo 0 > /proc/sys/user/max_{kind}_namespaces && ")).collect();
    let script = forbid.concat() + "exec \"$0\" \"$@\"";
    let name = format!("sandbox::tests::protection::{test}");
    leaks::check_passed(
        Command::new("unshare")
            .args(["--user", "--map-root-user", "sh", "-c", &script])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", &name, "--ignored", "--nocapture", "--test-threads=1"]),
    );
}

#[test]
fn what_is_missing_is_named_with_what_to_change() {
    without(&["user"], "no_user_namespaces");
    without(&["net"], "no_net_namespaces");
}

#[test]
#[ignore = "another test runs it"]
fn no_user_namespaces() {
    check_missing("a user namespace", "user.max_user_namespaces");
}

#[test]
#[ignore = "another test runs it"]
fn no_net_namespaces() {
    check_missing("a network namespace", "user.max_*_namespaces");
}

fn check_missing(name: &str, knob: &str) {
    let error = Zygote::start(Sandbox::Required, false, None).unwrap_err();
    assert!(matches!(error, SandboxError::Unsupported { missing, errno: 28, .. } if missing == name), "{error:?}");
    assert!(error.to_string().contains(knob), "{error}");
    let zygote = Arc::new(Zygote::start(Sandbox::BestEffort, false, None).unwrap());
    // Nor is there an ordinary user to become, in a namespace that has root alone.
    let nobody = protocol::Step::User.name();
    let mut missing: Vec<_> = zygote.missing().iter().map(|missing| missing.what).collect();
    assert!(missing.contains(&nobody), "{missing:?}");
    missing.retain(|what| *what != nobody);
    assert_eq!(missing, [name]);
    check_runs_and_is_filtered(&zygote);
}

#[test]
fn workers_are_moved_into_the_cgroup_that_is_set_before_they_begin() {
    // A folder that looks like a cgroup; its files show which processes would have been moved.
    let folder = std::env::temp_dir().join(format!("pvm-cgroup-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    let start = || Zygote::start(Sandbox::BestEffort, false, Some(&folder));
    let missing = start();
    std::fs::write(folder.join("cgroup.procs"), "").unwrap();
    let started = start();
    let moved = std::fs::read_to_string(folder.join("cgroup.procs")).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(missing.err(), Some(SandboxError::Cgroup { path: folder, errno: 2 }));
    assert_eq!(moved, started.unwrap().launcher().to_string());
}

#[test]
fn every_layer_is_there_or_refused_by_a_kernel_that_does_not_know_it() {
    let plain = Zygote::start(Sandbox::Required, false, None).unwrap();
    let strict = Arc::new(Zygote::start(Sandbox::Required, true, None).unwrap());
    assert_eq!((plain.layers().len(), strict.layers().len()), (4, protocol::Layer::ALL.len()));
    for layer in strict.layers() {
        let _ = std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("layer: {layer:?}\n"));
        // EPERM and ENXIO: speculation that cannot be controlled here. EINVAL, ENOSYS and EOPNOTSUPP: unknown; ENODEV:
        // one thread a core.
        assert!(matches!(layer.errno, 0 | 1 | 6 | 19 | 22 | 38 | 95), "{layer:?}");
    }
    // Since Linux 3.5.
    assert!(plain.layers().iter().any(|layer| layer.what == "locked securebits" && layer.is_there()));
    check_runs_and_is_filtered(&strict);
}

#[test]
fn without_namespaces_and_filters_landlock_keeps_files_out_of_reach() {
    without(&["user", "mnt"], "no_user_namespaces_and_no_filters");
}

#[test]
#[ignore = "another test runs it"]
fn no_user_namespaces_and_no_filters() {
    let zygote = Arc::new(Zygote::start_unfiltered_best_effort().unwrap());
    let path = std::env::temp_dir().join(format!("pvm-landlock-{}", std::process::id()));
    let text = path.to_str().unwrap();
    let is_there = zygote.layers().iter().any(|layer| layer.what == "Landlock" && layer.is_there());
    let said = hostile::make_folder(&zygote, text);
    let was_made = path.is_dir();
    let _ = std::fs::remove_dir(&path);
    match is_there {
        // EACCES.
        true => assert_eq!((said, was_made), (Some(-13), false)),
        false => eprintln!("SKIPPED, as this kernel has no Landlock"),
    }
}
