//! The command line: what can be asked.

mod args;
mod console;
mod rows;

pub use args::{
    Cli, Command, CompareArgs, DisplayOptions, ExportArgs, ExportFormat, ModelQuestion, RunOptions, ScoreArgs, Size,
    SweepArgs, VerifyArgs,
};
pub(crate) use console::{say, tell};
pub(crate) use rows::parse as parse_rows;
