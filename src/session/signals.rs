//! Ctrl-C and its relatives, for runs without a screen.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, Result};

/// Whether somebody asked for the end. A second request ends the program at once, with status 130.
#[derive(Debug, Clone, Default)]
pub(super) struct Interrupts(Arc<AtomicBool>);

impl Interrupts {
    /// Begins to listen for SIGINT, SIGTERM and SIGHUP.
    #[cfg(unix)]
    pub(super) fn listen() -> Result<Self> {
        use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
        let asked = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            // In this order: the first signal finds the flag unset.
            signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&asked))
                .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&asked)))
                .map_err(|e| Error::failed(format!("signals cannot be heard: {e}")))?;
        }
        Ok(Self(asked))
    }

    /// Elsewhere the console's own handling applies.
    #[cfg(not(unix))]
    pub(super) fn listen() -> Result<Self> {
        Ok(Self::default())
    }

    /// Whether a signal came.
    pub(super) fn asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
