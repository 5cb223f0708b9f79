//! Watch a language model learn, live, in a terminal.

pub mod backend;
pub mod claims;
pub mod cli;
pub mod data;
pub mod dynamics;
pub mod error;
pub mod experiment;
pub mod export;
pub mod history;
pub mod model;
pub mod objective;
pub mod probe;
pub mod protocol;
pub mod record;
pub mod session;
pub mod text;
pub mod train;
pub mod tui;

pub use error::{Error, Result};
