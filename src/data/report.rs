//! The report on a data file's rows: how many were kept, cut and left out, and why.

use std::collections::BTreeSet;
use std::fmt;

use super::lengths::Truncation;
use crate::experiment::PreferenceFiles;
use crate::protocol::ProbeKind;

/// Counts over the training rows of an experiment. Shown in one line or two.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DataReport {
    /// Rows in the file.
    pub rows: usize,
    /// Rows that are trained on.
    pub kept: usize,
    /// Kept rows whose prompt lost its beginning.
    pub truncated_prompts: usize,
    /// Kept rows of which an answer lost its end.
    pub truncated_completions: usize,
    /// What else there is to know of kept rows.
    pub notes: Vec<Dropped>,
    /// What was left out, one entry a reason.
    pub dropped: Vec<Dropped>,
    /// Kinds of probes that were made from the other rows.
    pub derived: BTreeSet<ProbeKind>,
    max_length: Option<usize>,
    max_prompt_length: Option<usize>,
}

/// Rows that were left out, or are worth a look, for the same reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dropped {
    /// The reason.
    pub why: &'static str,
    /// How many rows.
    pub rows: usize,
    /// The first of them: its line, or its row in a file without lines.
    pub first: usize,
}

/// What is said of rows whose prompt and answer have a token in common.
const MERGES: &str = "the end of the prompt merges with the answer, which begins there";
/// What is said of rows with the prompt in the answers too.
const REPEATS: &str = "the answers begin with the prompt once more; leave \"prompt\" out, or cut it from them";

impl DataReport {
    pub(super) fn new(files: &PreferenceFiles) -> Self {
        Self { max_length: files.max_length, max_prompt_length: files.max_prompt_length, ..Self::default() }
    }

    pub(super) fn keep(&mut self, number: usize, truncation: Truncation, repeats: bool) {
        self.kept += 1;
        self.truncated_prompts += usize::from(truncation.truncated_prompt);
        self.truncated_completions += usize::from(truncation.truncated_completion);
        for why in
            [MERGES, REPEATS].into_iter().zip([truncation.merged, repeats]).filter_map(|(why, is)| is.then_some(why))
        {
            count(&mut self.notes, number, why);
        }
    }

    pub(super) fn drop(&mut self, number: usize, why: &'static str) {
        count(&mut self.dropped, number, why);
    }
}

/// Counts a row among those of the same reason.
fn count(all: &mut Vec<Dropped>, number: usize, why: &'static str) {
    match all.iter_mut().find(|dropped| dropped.why == why) {
        Some(dropped) => dropped.rows += 1,
        None => all.push(Dropped { why, rows: 1, first: number }),
    }
}

impl fmt::Display for DataReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "data: {} rows, {} kept", self.rows, self.kept)?;
        if let (1.., Some(max)) = (self.truncated_prompts, self.max_prompt_length) {
            write!(f, "; {} prompts cut to their last {max} tokens", self.truncated_prompts)?;
        }
        if let (1.., Some(max)) = (self.truncated_completions, self.max_length) {
            write!(f, "; answers of {} rows cut at {max} tokens", self.truncated_completions)?;
        }
        for Dropped { why, rows, first } in &self.dropped {
            write!(f, "; {rows} dropped: {why} (first: {first})")?;
        }
        for Dropped { why, rows, first } in &self.notes {
            write!(f, "\nwarning: in {rows} rows {why} (first: {first})")?;
        }
        if !self.derived.is_empty() {
            let kinds: Vec<&str> = self.derived.iter().map(|kind| kind.key()).collect();
            write!(f, "\nprobes made from other rows: {}", kinds.join(", "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_was_done_in_two_lines() {
        let mut report = DataReport { rows: 5, ..DataReport::default() };
        (report.max_length, report.max_prompt_length) = (Some(64), Some(32));
        report.keep(3, Truncation { truncated_prompt: true, ..Truncation::default() }, true);
        report.keep(4, Truncation { truncated_prompt: true, truncated_completion: true, merged: true }, false);
        report.drop(7, "no room");
        report.drop(9, "no room");
        report.drop(8, "the same");
        report.derived.extend([ProbeKind::IrrTrain, ProbeKind::Repeater]);
        assert_eq!(
            report.to_string(),
            "data: 5 rows, 2 kept; 2 prompts cut to their last 32 tokens; answers of 1 rows cut at 64 tokens; \
             2 dropped: no room (first: 7); 1 dropped: the same (first: 8)\n\
             warning: in 1 rows the answers begin with the prompt once more; leave \"prompt\" out, or cut it from them \
             (first: 3)\n\
             warning: in 1 rows the end of the prompt merges with the answer, which begins there (first: 4)\n\
             probes made from other rows: irr_train, repeater"
        );
        assert_eq!(DataReport { rows: 2, kept: 2, ..DataReport::default() }.to_string(), "data: 2 rows, 2 kept");
    }
}
