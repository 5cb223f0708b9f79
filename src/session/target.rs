//! The meaning of a path on the command line.

use std::path::Path;

/// Whether a target of `verify` is an experiment, and no recorded run.
pub(super) fn is_experiment(path: &Path) -> bool {
    !path.exists() || path.extension().is_some_and(|e| e == "ron")
}
