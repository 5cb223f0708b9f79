//! Stdout and stderr: what a command writes there.

use std::io::{IsTerminal as _, Write as _};
use std::path::Path;

use crate::error::{Error, Result};
use crate::text::Shown;
use crate::tui::environment;

/// Whether stdout is a terminal that can show a screen; one that only prints is told what is missing.
pub(crate) fn has_screen() -> bool {
    let terminal = std::io::stdout().is_terminal();
    if terminal && !environment::can_draw(var) {
        // A closed stderr is no reason to stop.
        let _ = writeln!(std::io::stderr(), "no screen: {}", environment::DUMB);
        return false;
    }
    terminal
}

/// A variable of the environment; one that is no Unicode is none.
pub(crate) fn var(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Writes to stdout. Whoever closed it early has read enough.
pub(crate) fn say(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => Err(Error::writing(Path::new("stdout"), &e)),
        _ => Ok(()),
    }
}

/// A remark on stderr; a closed one is no reason to stop.
pub(crate) fn tell(remark: &Shown) {
    let _ = writeln!(std::io::stderr(), "{remark}");
}
