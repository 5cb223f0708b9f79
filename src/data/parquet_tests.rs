//! Files that pyarrow wrote (`tests/golden/preference_rows.py`), whole and broken.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::PathBuf;

use proptest::prelude::*;

use super::super::row::{Row, Turns};
use super::*;
use crate::protocol::ProbeKind;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn rows(path: &Path) -> Result<Vec<Row>> {
    let row = |entry: Result<Entry>| match entry? {
        Entry::Row(row) => Ok(row),
        dropped => panic!("{dropped:?}"),
    };
    Rows::open(path)?.map(row).collect()
}

#[test]
fn text_columns_are_read() {
    let rows = rows(&golden("texts.parquet")).unwrap();
    assert_eq!(rows.iter().map(|row| row.number).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert_eq!(rows[2].prompt.as_ref(), "\n\nHuman: Wo steht die Mühle? 漢字\n\nAssistant:");
    assert_eq!(rows[2].responses[&ProbeKind::Chosen].as_ref(), " Am Bach — dort.");
    let kinds = |row: &Row| row.responses.len();
    assert_eq!(rows.iter().map(kinds).collect::<Vec<_>>(), [2, 3, 2, 3], "a null is no answer");
}

#[test]
fn conversations_are_read() {
    let rows = rows(&golden("conversations.parquet")).unwrap();
    let plain = |role: &str, content: &str| Turns::Messages(vec![Message::plain(role, content.to_owned())]);
    assert_eq!(rows.len(), 4);
    assert_eq!(rows[3].prompt, plain("user", "2 + 2?"));
    assert_eq!(rows[3].responses[&ProbeKind::Chosen], plain("assistant", "4"));
    assert_eq!(rows[3].responses[&ProbeKind::Rejected], plain("assistant", "No."));
}

/// Reads bytes as a file; must neither hang nor panic.
fn read(bytes: &[u8]) -> Result<Vec<Row>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.parquet");
    std::fs::write(&path, bytes).unwrap();
    Rows::open(&path)?
        .take(1000)
        .filter_map(|entry| match entry {
            Ok(Entry::Row(row)) => Some(Ok(row)),
            Ok(Entry::Dropped(..)) => None,
            Err(error) => Some(Err(error)),
        })
        .collect()
}

#[test]
fn truncated_files_are_refused() {
    let whole = std::fs::read(golden("texts.parquet")).unwrap();
    for length in [0, 3, 4, 12, whole.len() / 2, whole.len() - 1] {
        let error = read(&whole[..length]).unwrap_err();
        assert!(error.to_string().contains("rows.parquet: is not a sound Parquet file"), "{error}");
        assert_eq!(error.exit_status(), 2);
    }
    // The end is there, and a piece of the middle is gone.
    let mut holed = whole.clone();
    holed.drain(100..400);
    assert!(read(&holed).unwrap_err().to_string().contains("rows.parquet: "));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn flipped_bytes_are_errors_or_text(
        name in prop::sample::select(vec!["texts.parquet", "conversations.parquet"]),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = std::fs::read(golden(name)).unwrap();
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = read(&bytes);
    }
}
