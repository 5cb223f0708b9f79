//! Parse, run, print the final error once.

use std::process::ExitCode;

/// Keeps freed memory: a training step frees and asks again for the same large blocks.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match ldyn_tui::cli::run(std::env::args_os()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            #[allow(clippy::print_stderr, reason = "the one place that reports an error")]
            {
                eprintln!("error: {e}");
            }
            ExitCode::from(e.exit_status())
        }
    }
}
