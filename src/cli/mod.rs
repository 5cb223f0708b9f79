//! The command line: what can be asked.

mod args;
mod console;
mod display;
mod influence;
mod keys;
mod opening;
mod options;
mod preflight;
mod settings;

pub use args::{Cli, Command, CompareArgs, ExportArgs, ModelQuestion, ScoreArgs, SweepArgs, VerifyArgs};
pub(crate) use console::{has_screen, say, tell, var};
pub use display::DisplayOptions;
pub use influence::{InfluenceArgs, KernelArgs, Steps, TokensArgs};
pub(crate) use opening::Opening;
pub use options::RunOptions;
pub use preflight::PreflightArgs;
pub use settings::Settings;
