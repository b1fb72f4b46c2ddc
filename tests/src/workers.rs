//! Finds and kills the sandboxed processes in which a node runs contracts.

use std::{
    fs,
    process::{Command, Stdio},
};

/// Returns the children of these processes.
fn children(of: &[u32]) -> Vec<u32> {
    let parent = |pid: u32| -> Option<u32> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit(')').next()?.split_whitespace().nth(1)?.parse().ok()
    };
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter(|pid| parent(*pid).is_some_and(|parent| of.contains(&parent))).collect()
}

/// Kills the workers of a node: the children of its zygote. Returns their number.
pub fn kill(node: u32) -> u32 {
    let workers = children(&children(&children(&[node])));
    if workers.is_empty() {
        return 0;
    }
    // Some may have ended meanwhile, which does no harm.
    let _ = Command::new("kill").arg("-KILL").args(workers.iter().map(u32::to_string)).stderr(Stdio::null()).status();
    workers.len() as u32
}
