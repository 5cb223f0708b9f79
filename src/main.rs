//! Parse, run, print the final error once.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Lets the allocator keep what is freed: a training step frees and asks again for the same large blocks, and pages that
/// went back to the system come again one fault at a time (a tenth of a step's time at 135M parameters).
fn keep_freed_memory() {
    /// `mi_option_purge_delay` in `mimalloc.h`, milliseconds; below 0 nothing is given back.
    const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;
    #[allow(unsafe_code, reason = "the allocator's options are a C function; it only stores a number")]
    unsafe {
        libmimalloc_sys::mi_option_set(PURGE_DELAY, -1);
    }
}

fn main() -> ExitCode {
    keep_freed_memory();
    match ldyn_tui::run(std::env::args_os()) {
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
