//! The memory that can still be had.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Bytes that this process may still ask for: what the machine has left, or what its control group allows if that is less.
/// `None` where the system does not tell it in files (Linux does).
pub(super) fn of_machine() -> Option<u64> {
    let machine = std::fs::read_to_string("/proc/meminfo").ok().as_deref().and_then(available);
    let group = std::fs::read_to_string("/proc/self/cgroup").ok().as_deref().and_then(group_left);
    machine.into_iter().chain(group).min()
}

/// The memory of this machine, bytes; `None` where the system does not tell it in a file.
pub(super) fn all_of_machine() -> Option<u64> {
    std::fs::read_to_string("/proc/meminfo").ok().and_then(|meminfo| field(&meminfo, "MemTotal:"))
}

/// Bytes that are free on the first NVIDIA GPU; `None` where its own tool cannot be run.
pub(super) fn of_gpu() -> Option<u64> {
    let output = Command::new("nvidia-smi")
        .args(["--query-gpu=memory.free", "--format=csv,noheader,nounits"])
        .stdin(Stdio::null())
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    gpu_free(std::str::from_utf8(&output.stdout).ok()?)
}

/// The first line of what `nvidia-smi` says, in MiB.
fn gpu_free(text: &str) -> Option<u64> {
    text.lines().next()?.trim().parse::<u64>().ok()?.checked_mul(1 << 20)
}

/// The most that this process has had; `None` where the system does not tell it in a file.
pub(super) fn most_of_process() -> Option<u64> {
    std::fs::read_to_string("/proc/self/status").ok().and_then(|status| field(&status, "VmHWM:"))
}

/// What `/proc/meminfo` says is available without swapping.
fn available(meminfo: &str) -> Option<u64> {
    field(meminfo, "MemAvailable:")
}

/// A line of these files, in bytes.
fn field(text: &str, name: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    value.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// What the control groups in `/proc/self/cgroup` leave of their limits, version 2 or 1.
fn group_left(cgroup: &str) -> Option<u64> {
    cgroup.lines().flat_map(folders).filter_map(|(folder, limit, usage)| left(&folder, limit, usage)).min()
}

/// The folders in which a line's group and those around it may have a limit, with the names of limit and usage.
fn folders(line: &str) -> Vec<(PathBuf, &'static str, &'static str)> {
    let mut fields = line.splitn(3, ':');
    let (root, limit, usage) = match (fields.next(), fields.next()) {
        (Some("0"), Some("")) => ("/sys/fs/cgroup", "memory.max", "memory.current"),
        (Some(_), Some(controllers)) if controllers.split(',').any(|c| c == "memory") => {
            ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes")
        }
        _ => return Vec::new(),
    };
    let group = fields.next().unwrap_or("/").trim_start_matches('/');
    // Inside a container the path may be that of the outside, which is not there; its root then has the limit.
    let within = Path::new(root).join(group);
    within.ancestors().take_while(|a| a.starts_with(root)).map(|a| (a.to_owned(), limit, usage)).collect()
}

/// What is left of one group's limit; a limit beyond any machine is none.
fn left(folder: &Path, limit: &str, usage: &str) -> Option<u64> {
    const UNLIMITED: u64 = 1 << 60;
    let number = |name: &str| std::fs::read_to_string(folder.join(name)).ok()?.trim().parse::<u64>().ok();
    let limit = number(limit).filter(|&limit| limit < UNLIMITED)?;
    // What is kept of files is given back when memory is asked for.
    let kept = std::fs::read_to_string(folder.join("memory.stat")).ok().as_deref().and_then(inactive_file).unwrap_or(0);
    Some(limit.saturating_sub(number(usage)?.saturating_sub(kept)))
}

/// Bytes of files in memory that can be dropped, as `memory.stat` has it.
fn inactive_file(stat: &str) -> Option<u64> {
    let named = |name: &str| stat.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
    named("total_inactive_file").or_else(|| named("inactive_file"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn what_the_system_says_is_read() {
        assert_eq!(available("MemTotal: 8 kB\nMemAvailable:    2048 kB\n"), Some(2 << 20));
        assert_eq!(available("MemTotal: 8 kB\n"), None);
        assert_eq!(gpu_free("40221\n1024\n"), Some(40_221 << 20));
        assert_eq!(gpu_free("[N/A]\n"), None);
        assert_eq!(inactive_file("anon 3\ninactive_file 7\n"), Some(7));
        assert_eq!(inactive_file("inactive_file 7\ntotal_inactive_file 9\n"), Some(9));
    }

    #[test]
    fn a_group_and_those_around_it_are_looked_at() {
        let paths = |line| folders(line).into_iter().map(|(path, limit, _)| (path, limit)).collect::<Vec<_>>();
        let v2 = paths("0::/user.slice/a.scope");
        assert_eq!(v2[0], (PathBuf::from("/sys/fs/cgroup/user.slice/a.scope"), "memory.max"));
        assert_eq!(v2.last().unwrap().0, Path::new("/sys/fs/cgroup"));
        assert_eq!(paths("4:cpu,memory:/x")[0], (PathBuf::from("/sys/fs/cgroup/memory/x"), "memory.limit_in_bytes"));
        assert_eq!(paths("3:cpu:/x"), []);
    }

    #[test]
    fn a_limit_is_less_what_is_used_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("memory.max", "1000\n");
        write("memory.current", "700\n");
        let left = || left(folder.path(), "memory.max", "memory.current");
        assert_eq!(left(), Some(300));
        write("memory.stat", "inactive_file 200\n");
        assert_eq!(left(), Some(500));
        write("memory.max", "max\n");
        assert_eq!(left(), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_machine_has_some() {
        assert!(of_machine().unwrap() > 1 << 20);
    }
}
