//! Guesses at what a name was meant to be: the experiments and files whose names are nearest to it.

use std::path::Path;

use super::parse::{EMBEDDED, REAL};

/// Slips of the hand that a name may hold: letters put in, left out, changed, or swapped with their neighbour.
const SLIPS: usize = 2;

/// What to write instead of a path that names nothing.
pub(crate) fn instead(path: &Path) -> String {
    if let Some(near) = near_file(path) {
        return format!("did you mean {near}?");
    }
    let near = nearest(path);
    if near.is_empty() {
        let known = EMBEDDED.iter().chain(&REAL).map(|e| e.0).collect::<Vec<_>>().join(", ");
        format!("check the path, or use one that comes with the program: {known}")
    } else {
        format!("did you mean {}?", near.join(" or "))
    }
}

/// Names of the experiments that come with the program and are nearest to what was written, where that is within two slips
/// and less than half of the name.
fn nearest(path: &Path) -> Vec<&'static str> {
    let Some(written) = path.file_stem().and_then(|stem| stem.to_str()) else { return Vec::new() };
    let name = |path: &'static str| Path::new(path).file_stem().and_then(|stem| stem.to_str());
    let near: Vec<(usize, &str)> = EMBEDDED
        .iter()
        .chain(&REAL)
        .filter_map(|(path, _)| name(path))
        .map(|name| (slips(&written.to_lowercase(), name), name))
        .filter(|&(_, name)| is_slip(&written.to_lowercase(), name))
        .collect();
    let least = near.iter().map(|&(slips, _)| slips).min();
    near.into_iter().filter(|&(slips, _)| Some(slips) == least).map(|(_, name)| name).collect()
}

/// Whether a name may be meant by what was written: within two slips, and less than half of the name.
pub(crate) fn is_slip(written: &str, name: &str) -> bool {
    let slips = slips(written, name);
    slips <= SLIPS && 2 * slips < name.chars().count()
}

/// The file or folder beside one that is not there whose name is nearest to it.
pub(crate) fn near_file(path: &Path) -> Option<String> {
    let written = path.file_name()?.to_str()?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let entries = std::fs::read_dir(folder.unwrap_or(Path::new("."))).ok()?;
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let names = names.filter(|name| name != written && !name.starts_with('.') && is_slip(written, name));
    let near = names.map(|name| (slips(written, &name), name)).min()?.1;
    Some(folder.map_or_else(|| near.clone(), |folder| folder.join(&near).display().to_string()))
}

/// Edits from one text to the other (optimal string alignment).
pub(crate) fn slips(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    // `rows[i][j]`: from the first i characters of a to the first j of b.
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let changed = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = changed.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn edits_are_counted() {
        for (a, b, n) in [("", "", 0), ("sft", "sft", 0), ("stf", "sft", 1), ("", "abc", 3), ("kitten", "sitting", 3)] {
            assert_eq!((slips(a, b), slips(b, a)), (n, n), "{a} {b}");
        }
    }

    #[test]
    fn a_file_beside_the_one_that_is_missing_is_found() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["rows.jsonl", "rows_test.jsonl", ".rowz.jsonl", "a"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let near = |name: &str| near_file(&folder.path().join(name));
        let rows = folder.path().join("rows.jsonl").display().to_string();
        assert_eq!((near("row.jsonl"), near("rosw.jsnl")), (Some(rows.clone()), Some(rows)));
        assert_eq!((near("other.jsonl"), near("b"), near_file(Path::new("/no/such/folder/x"))), (None, None, None));
    }

    #[test]
    fn a_slip_finds_the_name_and_another_word_finds_none() {
        for (written, names) in [
            ("dpo_offpolcy", &["dpo_offpolicy"][..]),
            ("experiments/dpo_ofpolicy.ron", &["dpo_offpolicy", "dpo_onpolicy"]),
            ("STF", &["sft"]),
            ("digts", &["digits"]),
            ("smollm2_135m_hh_dop", &["smollm2_135m_hh_dpo"]),
            ("abo", &[]),
            ("my_own_experiment", &[]),
            ("", &[]),
        ] {
            assert_eq!(nearest(Path::new(written)), names, "{written}");
        }
    }
}
