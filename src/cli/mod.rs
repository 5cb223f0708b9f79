//! The command line: what can be asked.

mod args;
mod console;

pub use args::{
    Cli, Command, CompareArgs, DisplayOptions, ExportArgs, ExportFormat, ModelQuestion, RunOptions, ScoreArgs, Size,
    SweepArgs, VerifyArgs,
};
pub(crate) use console::{say, tell};
