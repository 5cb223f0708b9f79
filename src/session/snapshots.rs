//! Snapshots: what checkpoints of a run held, kept where the next checkpoint would take their place, so that questions about
//! the middle of a run need not begin at its start.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The name that a snapshot of a step begins and ends with.
const NAME: (&str, &str) = ("step-", ".safetensors");

/// Keeps a checkpoint that was just written as the snapshot of `step`, and removes the oldest beyond `budget` bytes. The newest
/// stays whatever its size.
///
/// # Errors
/// When the file system refuses.
pub(super) fn keep(checkpoint: &Path, folder: &Path, step: u64, budget: u64) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let path = folder.join(format!("{}{step}{}", NAME.0, NAME.1));
    match fs::remove_file(&path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    // The checkpoint is never written over, only replaced: both names can stand for one file.
    if fs::hard_link(checkpoint, &path).is_err() {
        fs::copy(checkpoint, &path)?;
    }
    let mut left = budget;
    for (at, (_, path)) in all(folder)?.into_iter().rev().enumerate() {
        let bytes = fs::metadata(&path)?.len();
        match left.checked_sub(bytes) {
            Some(rest) => left = rest,
            None if at == 0 => left = 0,
            None => {
                left = 0;
                fs::remove_file(&path)?;
            }
        }
    }
    Ok(())
}

/// The latest snapshot that was taken at `step` or before.
pub(super) fn at(folder: &Path, step: u64) -> Option<PathBuf> {
    // That there is nothing to read is no reason to fail: a run can be taken from its beginning.
    let all = all(folder).ok()?;
    all.into_iter().rev().find(|(taken, _)| *taken <= step).map(|(_, path)| path)
}

/// The snapshots, by step.
fn all(folder: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let step = name.and_then(|name| name.strip_prefix(NAME.0)?.strip_suffix(NAME.1)?.parse().ok());
        all.extend(step.map(|step| (step, path)));
    }
    all.sort_unstable();
    Ok(all)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail")]

    use super::*;

    #[test]
    fn the_newest_are_kept_within_the_budget() {
        let folder = tempfile::tempdir().unwrap();
        let (checkpoint, snapshots) = (folder.path().join("checkpoint"), folder.path().join("snapshots"));
        assert_eq!(at(&snapshots, 99), None);
        for step in [8, 16, 128] {
            // As the recorder does: a new file takes the place of the old one.
            let beside = folder.path().join("beside");
            fs::write(&beside, step.to_string().repeat(4)).unwrap();
            fs::rename(&beside, &checkpoint).unwrap();
            keep(&checkpoint, &snapshots, step, 20).unwrap();
        }
        let read = |step| at(&snapshots, step).map(|path| fs::read_to_string(path).unwrap());
        // 12 bytes and 8 fit into 20; the 4 of the oldest do not.
        assert_eq!(read(7), None);
        assert_eq!((read(15), read(16), read(127)), (None, Some("16".repeat(4)), Some("16".repeat(4))));
        assert_eq!(read(999), Some("128".repeat(4)));
        // One that is larger than the budget is kept alone.
        keep(&checkpoint, &snapshots, 200, 1).unwrap();
        assert_eq!(all(&snapshots).unwrap().into_iter().map(|(step, _)| step).collect::<Vec<_>>(), [200]);
    }

    #[test]
    fn other_files_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("step-x.safetensors"), "").unwrap();
        fs::write(folder.path().join("notes"), "").unwrap();
        assert_eq!(all(folder.path()).unwrap(), []);
    }
}
