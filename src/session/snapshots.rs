//! Snapshots: where a run stood after its measurements, so that questions about the middle of it need not begin at its start.
//!
//! They share a budget. Where it is spent, the one goes whose neighbours lie closest together, so that those that are left
//! cover the whole run.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use crate::train::TrainerState;

/// The name that a snapshot of a step begins and ends with.
const NAME: (&str, &str) = ("step-", ".safetensors");

/// Keeps a snapshot in the folder, as far as `budget` bytes for all of them go; returns its own. One that is larger than the
/// budget is not kept.
///
/// # Errors
/// When the file system refuses, or the budget is too small for any.
pub(super) fn keep(state: &TrainerState, folder: &Path, budget: u64) -> io::Result<u64> {
    if budget == 0 {
        return Ok(0);
    }
    let needed = state.bytes()?;
    if needed > budget {
        return Err(io::Error::other(format!("one takes {needed} bytes, and output.snapshots_mb allows {budget}")));
    }
    fs::create_dir_all(folder)?;
    thin(folder, budget - needed, state.step())?;
    let path = folder.join(format!("{}{}{}", NAME.0, state.step(), NAME.1));
    // Whoever asks a question meanwhile reads whole ones.
    let beside = folder.join("unfinished");
    let mut file = BufWriter::with_capacity(1 << 20, File::create(&beside)?);
    let written = state.write(&[], &mut file).and_then(|()| file.flush()).and_then(|()| fs::rename(&beside, &path));
    if let Err(e) = written {
        // What is left of it is of no use.
        let _ = fs::remove_file(&beside);
        return Err(e);
    }
    Ok(needed)
}

/// Removes snapshots until the others take no more than `budget` bytes; one of step `next` is about to come.
fn thin(folder: &Path, budget: u64, next: u64) -> io::Result<()> {
    let mut kept = Vec::new();
    for (step, path) in all(folder)?.into_iter().filter(|(step, _)| *step != next) {
        kept.push((step, fs::metadata(&path)?.len(), path));
    }
    while kept.iter().map(|(_, bytes, _)| bytes).sum::<u64>() > budget {
        let Some(at) = least_missed(&kept.iter().map(|(step, ..)| *step).collect::<Vec<_>>(), next) else { break };
        fs::remove_file(kept.remove(at).2)?;
    }
    Ok(())
}

/// The index of the step whose neighbours lie closest together; the earliest of equals. The first one's neighbour before is the
/// run's beginning.
fn least_missed(steps: &[u64], next: u64) -> Option<usize> {
    let before = |at: usize| at.checked_sub(1).map_or(0, |at| steps[at]);
    let gap = |at: usize| steps.get(at + 1).copied().unwrap_or(next).abs_diff(before(at));
    (0..steps.len()).min_by_key(|&at| gap(at))
}

/// The latest snapshot that was taken at `step` or before.
pub(super) fn at(folder: &Path, step: u64) -> Option<PathBuf> {
    // That there is nothing to read is no reason to fail: a run can be taken from its beginning.
    let all = all(folder).ok()?;
    all.into_iter().rev().find(|(taken, _)| *taken <= step).map(|(_, path)| path)
}

/// Removes every snapshot, where a run begins anew in a folder that has some.
///
/// # Errors
/// When the file system refuses.
pub(super) fn clear(folder: &Path) -> io::Result<()> {
    match all(folder) {
        Ok(all) => all.into_iter().try_for_each(|(_, path)| fs::remove_file(path)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(e),
    }
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
    use crate::train::SavedState;

    fn steps(folder: &Path) -> Vec<u64> {
        all(folder).unwrap().into_iter().map(|(step, _)| step).collect()
    }

    #[test]
    fn snapshots_cover_the_run_within_their_budget() {
        let folder = tempfile::tempdir().unwrap();
        let snapshots = folder.path().join("snapshots");
        assert_eq!(at(&snapshots, 99), None);
        clear(&snapshots).unwrap();
        let one = TrainerState::example(100).bytes().unwrap();
        for step in [8, 16, 32, 64, 96, 128, 160, 192] {
            assert!(keep(&TrainerState::example(step), &snapshots, 4 * one + one / 2).unwrap() > 0);
        }
        assert_eq!(steps(&snapshots), [64, 128, 160, 192], "those went that lay closest together");
        let read = |step| at(&snapshots, step).map(|path| SavedState::open(&path, File::open(&path).unwrap()).unwrap());
        assert_eq!(read(63).map(|state| state.position().step), None);
        assert_eq!([read(127), read(999)].map(|state| state.unwrap().position().step), [64, 192]);
        // One that exists is written again in its own place.
        keep(&TrainerState::example(128), &snapshots, 4 * one + one / 2).unwrap();
        assert_eq!(steps(&snapshots).len(), 4);
        let total: u64 = all(&snapshots).unwrap().iter().map(|(_, path)| fs::metadata(path).unwrap().len()).sum();
        assert!(total <= 4 * one + one / 2, "what is foretold of a size is its size");
        // What does not fit changes nothing.
        let error = keep(&TrainerState::example(200), &snapshots, 1).unwrap_err().to_string();
        assert!(error.contains("output.snapshots_mb allows 1"), "{error}");
        assert_eq!((keep(&TrainerState::example(200), &snapshots, 0).unwrap(), steps(&snapshots).len()), (0, 4));
        fs::write(snapshots.join("notes"), "").unwrap();
        clear(&snapshots).unwrap();
        assert!(steps(&snapshots).is_empty() && snapshots.join("notes").exists());
    }

    #[test]
    fn other_files_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("step-x.safetensors"), "").unwrap();
        fs::write(folder.path().join("notes"), "").unwrap();
        assert_eq!(all(folder.path()).unwrap(), []);
    }
}
