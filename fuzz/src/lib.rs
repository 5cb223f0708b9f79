//! What the fuzzers do: bytes become a file of a checkpoint, and all of it is read. An error is what is expected; a
//! panic, a hang or memory without bound is not.

use std::path::{Path, PathBuf};

use ldyn_tui::Checkpoint;

/// A folder that holds a copy of a sound checkpoint.
pub struct Scene {
    folder: tempfile::TempDir,
}

/// The sound checkpoints: small ones of every family.
pub fn seeds() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/families")
}

impl Scene {
    /// Copies a seed folder; nothing for a GGUF file, which stands alone.
    pub fn new(seed: Option<&str>) -> std::io::Result<Self> {
        // Memory where there is a file system of it: every round writes a file.
        let shm = Path::new("/dev/shm");
        let folder = if shm.is_dir() { tempfile::tempdir_in(shm)? } else { tempfile::tempdir()? };
        if let Some(seed) = seed {
            for entry in std::fs::read_dir(seeds().join(seed))? {
                let path = entry?.path();
                if let Some(name) = path.file_name() {
                    std::fs::copy(&path, folder.path().join(name))?;
                }
            }
        }
        Ok(Self { folder })
    }

    /// Reads `bytes` as a GGUF file.
    pub fn gguf(&self, bytes: &[u8]) -> bool {
        let path = self.folder.path().join("x.gguf");
        std::fs::write(&path, bytes).is_ok() && read(&path)
    }

    /// Reads the folder with one of its files replaced.
    pub fn file(&self, name: &str, bytes: &[u8]) -> bool {
        std::fs::write(self.folder.path().join(name), bytes).is_ok() && read(self.folder.path())
    }
}

/// Spaces, line ends, digits, accents, another script, a character beyond the first plane, a token's name.
const TEXT: &str = "  The 2 mills,\n\tnaïve 北京 🦀</s><eos> ";

/// Whether everything about the checkpoint is sound. Its tokenizer is put to use.
fn read(path: &Path) -> bool {
    let used = Checkpoint::read(path).and_then(|checkpoint| {
        let ids = checkpoint.tokenizer.encode_begun(TEXT)?;
        checkpoint.tokenizer.decode(&ids);
        checkpoint.check_numbers()
    });
    match used {
        Ok(()) => true,
        Err(error) => {
            // Whatever stands in the file, the message can be shown.
            assert!(!error.to_string().chars().any(|c| c.is_control() && c != '\n'), "{error:?}");
            false
        }
    }
}
