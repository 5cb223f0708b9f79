//! Stdout and stderr: what a command writes there.

use std::io::Write as _;
use std::path::Path;

use crate::error::{Error, Result};
use crate::text::Shown;

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
