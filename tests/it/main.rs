//! The program as its users meet it: the real binary, in a real terminal where there is one to be had.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    unreachable_pub,
    reason = "a failed unwrap is a failed test"
)]

mod architecture;
#[cfg(unix)]
mod attach;
mod bad_input;
mod broken_models;
mod cast;
mod command_line;
#[cfg(unix)]
mod compare;
#[cfg(unix)]
mod dashboard;
mod data_files;
mod detector;
mod exports;
mod footprint;
mod handout;
#[cfg(unix)]
mod hostile;
mod hub;
mod influence;
mod lab;
#[cfg(unix)]
mod lessons;
mod live_replay;
mod memory;
#[cfg(unix)]
mod menu;
#[cfg(unix)]
mod panics;
mod paper;
mod preflight;
#[cfg(unix)]
mod pty;
mod recorded;
mod requirements;
#[cfg(unix)]
mod resume;
mod selftest;
#[cfg(unix)]
mod sequences;
#[cfg(unix)]
mod sweep;
#[cfg(unix)]
mod terminals;
mod training;
