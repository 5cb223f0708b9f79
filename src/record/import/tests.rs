//! Synthetic files of the paper's shape.

#![allow(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    clippy::float_cmp,
    reason = "a test may fail, on small numbers"
)]

use proptest::prelude::*;

use super::*;
use crate::history::{CurveId, DynamicsState, RunHistory, Scale, Series};

const SFT: &str = "curves_small_sft.jsonl";
const DPO: &str = "curves_small_dpo.jsonl";

/// A row as the paper's Python wrote it: y⁺ and its argmax, and y⁻ where there is one.
fn row(chosen: f64, argmax: f64, rejected: Option<f64>) -> String {
    let rejected = rejected.map_or_else(String::new, |x| format!(", \"logps_eval_prob_train/rejected\": {x}"));
    format!(
        "{{\"logps_eval_prob_train/chosen\": {chosen}, \"argmax_prob_logits\": {argmax}, \"except_argmax_prob_logits\": \
         -Infinity, \"chosen_A_o\": 250.5, \"rejected_A_o\": NaN, \"p_e\": 0.75, \"energy\": NaN{rejected}}}"
    )
}

fn curves(name: &str, rows: &[String]) -> Imported {
    read_from(Path::new(name), rows.join("\n").as_bytes(), None).unwrap()
}

/// Every y⁺ of a run.
fn chosen(run: &ImportedRun) -> Vec<f32> {
    let of = |event: &TrainerEvent| match event {
        TrainerEvent::Evaluation(e) => Some(e.logps[ProbeKind::Chosen][0]),
        _ => None,
    };
    run.events.iter().filter_map(of).collect()
}

fn history(run: &ImportedRun) -> RunHistory {
    crate::history::fixture::history(&run.events)
}

/// A file as `numpy.save` writes it.
fn npy(rows: usize, prompts: usize, value: impl Fn(usize, usize, usize) -> f64) -> Vec<u8> {
    let mut header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({rows}, 17, {prompts}), }}");
    header += &" ".repeat(63 - (header.len() + 10) % 64);
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend(u16::try_from(header.len()).unwrap().to_le_bytes());
    bytes.extend(header.as_bytes());
    for (row, column, prompt) in (0..rows).flat_map(|r| (0..17).flat_map(move |c| (0..prompts).map(move |p| (r, c, p))))
    {
        bytes.extend(value(row, column, prompt).to_le_bytes());
    }
    bytes
}

/// Columns of the array.
const CHOSEN: usize = 0;
const ARGMAX: usize = 1;
const REJECTED: usize = 9;

#[test]
fn a_file_of_means_is_a_run_of_one_prompt_with_the_papers_names_sums_and_rows() {
    let imported = curves(SFT, &[row(-150.25, -60.5, None), row(-140.0, -55.0, None), row(-130.5, -54.0, None)]);
    assert_eq!((imported.trained, imported.guessed, imported.prompts), (Trained::Sft, true, 1));
    assert_eq!((imported.runs.len(), imported.argmax, imported.warnings.len()), (1, Argmax::Sound, 0));
    let history = history(&imported.runs[0]);
    let run = history.run.as_ref().unwrap();
    assert_eq!((run.run_id.as_str(), run.stages[0].steps, run.detector.tau), ("curves_small_sft", 2, 0.0));
    assert_eq!(run.probes[0].responses.keys().copied().collect::<Vec<_>>(), [ProbeKind::Chosen]);
    let chosen = history.curve(CurveId::Probe(ProbeKind::Chosen), Scale::LogProb, None);
    assert_eq!(chosen, Series::new([0, 1, 2], [-150.25, -140.0, -130.5]));
    assert_eq!(history.curve(CurveId::ArgmaxChosen, Scale::LogProb, None).values(), [-60.5, -55.0, -54.0]);
    let reading = &history.evaluations[1].chosen;
    assert!(reading.p_e == [0.75] && reading.energy[0].is_nan() && reading.a_frobenius == [250.5]);
    // Without token counts there is nothing per token.
    let per_token = history.curve(CurveId::Probe(ProbeKind::Chosen), Scale::PerToken, None);
    assert!(per_token.values().iter().all(|x| x.is_nan()));
    assert!(history.marks.iter().all(|m| m.kind != crate::history::MarkKind::Warning), "{:?}", history.marks);
}

#[test]
fn an_array_has_its_columns_where_the_paper_put_them() {
    let bytes = npy(2, 3, |row, column, prompt| -(1000.0 * row as f64 + 10.0 * column as f64 + prompt as f64) - 5.0);
    let imported = read_from(Path::new("logps_dpo.npy"), bytes.as_slice(), Some(Trained::Sft)).unwrap();
    assert_eq!((imported.trained, imported.guessed, imported.prompts), (Trained::Sft, false, 3));
    let history = history(&imported.runs[0]);
    let last = &history.evaluations[1];
    assert_eq!(last.logps[ProbeKind::Chosen], [-1005.0, -1006.0, -1007.0]);
    assert_eq!(last.logps[ProbeKind::Rejected], [-1095.0, -1096.0, -1097.0]);
    assert_eq!(last.logps[ProbeKind::RandomNonhum], [-1165.0, -1166.0, -1167.0]);
    assert_eq!(last.logps.len(), 12);
    // Version 2 differs in the length of the header's length.
    let mut two = bytes.clone();
    two[6] = 2;
    two.splice(10..10, [0, 0]);
    let again = read_from(Path::new("logps_dpo.npy"), two.as_slice(), None).unwrap();
    assert_eq!(again.trained, Trained::Dpo);
    let events = |of: &Imported| format!("{:?}", of.runs[0].events[2..].to_vec());
    assert_eq!(events(&again), events(&imported));
}

#[test]
fn an_argmax_below_its_label_is_told_and_left_out() {
    // On one prompt of four, from the second row on.
    let below = |row: usize, prompt: usize| row > 0 && prompt == 2;
    let bytes = npy(3, 4, |row, column, prompt| match column {
        ARGMAX if below(row, prompt) => -60.0,
        ARGMAX => -20.0,
        _ => -50.0,
    });
    let imported = read_from(Path::new("dpo.npy"), bytes.as_slice(), None).unwrap();
    let broken = Broken { count: 2, of: 12, row: 1, prompt: 2, in_row: 1, argmax: -60.0, label: -50.0 };
    assert_eq!(imported.argmax, Argmax::Broken(broken));
    assert_eq!(
        imported.warnings[0].as_str(),
        "dpo.npy: the argmax along y⁺ is below y⁺ in 2 of 12 numbers (first in row 1, prompt 3: -60.0 against -50.0, 1 of 4 \
         prompts in that row): it belongs to another response; argmax, ‖A‖_F, p_e and energy are left out"
    );
    let history = history(&imported.runs[0]);
    assert!(history.evaluations.iter().all(|e| e.chosen == PrefixReading::default() && e.logps.len() == 12));
    // The mean of the same prompts hides it; means can only show it where the mean itself is broken.
    let means = |argmax: f64| curves(SFT, &[row(-50.0, -20.0, None), row(-50.0, argmax, None)]).argmax;
    assert_eq!(means(-30.0), Argmax::Sound);
    assert_eq!(means(-50.0), Argmax::Sound, "equal where every label is the argmax");
    assert!(matches!(means(-50.1), Argmax::Broken(Broken { count: 1, of: 2, row: 1, .. })));
    let without = [r#"{"logps_eval_prob_train/chosen": -1}"#.to_owned()];
    assert_eq!(curves(SFT, &without).argmax, Argmax::Absent);
}

/// The rows of every run in a file with these y⁺.
fn split(chosen: &[f64]) -> Vec<Vec<usize>> {
    let rows: Vec<String> = chosen.iter().map(|&x| row(x, -20.0, None)).collect();
    curves(SFT, &rows).runs.into_iter().map(|run| run.rows).collect()
}

#[test]
fn restarts_in_one_file_are_split() {
    assert_eq!(split(&[-9.0, -8.0, -7.0]), [vec![0, 1, 2]]);
    assert_eq!(split(&[-9.0]), [vec![0]]);
    // One after the other, with the same numbers or with others.
    assert_eq!(split(&[-9.0, -8.0, -9.0, -8.0, -7.0]), [vec![0, 1], vec![2, 3, 4]]);
    assert_eq!(split(&[-9.0, -8.0, -7.0, -9.0, -8.5, -7.5]), [vec![0, 1, 2], vec![3, 4, 5]]);
    assert_eq!(split(&[-9.0, -8.0, -9.0, -8.0, -9.0, -7.5]), [vec![0, 1], vec![2, 3], vec![4, 5]]);
    // Two programs by turns: the second repeats the first one's rows while that goes on.
    let by_turns = [-9.0, -8.0, -7.0, -6.0, -9.0, -5.0, -8.0, -4.0, -7.0, -3.0, -2.0];
    assert_eq!(split(&by_turns), [vec![0, 1, 2, 3, 5, 7, 9, 10], vec![4, 6, 8]]);
    // The first row twice is one evaluation that was written twice.
    assert_eq!(split(&[-9.0, -9.0, -8.0]), [vec![0, 1, 2]]);
    // Almost the first row is the first row; as near as two evaluations come is not.
    assert_eq!(split(&[-9.0, -8.0, -9.000_000_1]).len(), 2);
    assert_eq!(split(&[-9.0, -8.0, -8.999]).len(), 1);
}

#[test]
fn every_run_of_a_file_begins_at_step_0_and_the_longest_is_shown() {
    let by_turns = [-9.0, -8.0, -7.0, -9.0, -6.0, -8.0, -5.0];
    let imported = curves(SFT, &by_turns.map(|x| row(x, -2.0, None)));
    assert_eq!(chosen(&imported.runs[0]), [-9.0, -8.0, -7.0, -6.0, -5.0]);
    assert_eq!(chosen(&imported.runs[1]), [-9.0, -8.0]);
    assert_eq!(
        imported.warnings[0].as_str(),
        "curves_small_sft.jsonl: holds 2 runs: rows 0–2, 4, 6 and rows 3, 5; the longest is read"
    );
    let ids = imported.runs.iter().map(|run| history(run).run.unwrap().run_id.clone()).collect::<Vec<_>>();
    assert_eq!(ids, ["curves_small_sft", "curves_small_sft-restart1"]);
    assert_eq!(imported.into_recording().history().step, 4);
}

#[test]
fn what_was_trained_is_in_the_name_or_told() {
    for (name, expected) in [
        ("curves_sft.jsonl", Some(Trained::Sft)),
        ("x/CURVES_DPO_argmax.jsonl", Some(Trained::Dpo)),
        ("sft_then_dpo.npy", Some(Trained::Dpo)),
        ("dpo/curves.jsonl", None),
    ] {
        assert_eq!(Trained::of_name(Path::new(name)), expected, "{name}");
    }
    let rows = row(-1.0, 0.0, None);
    let error = read_from(Path::new("curves.jsonl"), rows.as_bytes(), None).unwrap_err();
    assert_eq!(error.exit_status(), 2);
    assert!(error.to_string().contains("--as sft"), "{error}");
    assert!(read_from(Path::new("curves.jsonl"), rows.as_bytes(), Some(Trained::Dpo)).is_ok());
}

#[test]
fn a_rising_argmax_of_finetuning_is_no_squeeze_whoever_says_what_it_is() {
    let rows: Vec<String> =
        (0..8).map(|n| row(-152.0 + 7.0 * f64::from(n), -61.0 + 2.0 * f64::from(n), None)).collect();
    for trained in [Trained::Sft, Trained::Dpo] {
        let imported = read_from(Path::new(SFT), rows.join("\n").as_bytes(), Some(trained)).unwrap();
        let detector = history(&imported.runs[0]).detector;
        assert!(detector.state == DynamicsState::Healthy && detector.alarms().next().is_none(), "{trained:?}");
        assert!(detector.standings.len() > 3);
    }
}

#[test]
fn dpo_with_a_flat_argmax_displaces_and_does_not_squeeze() {
    for rejected in [None, Some(-100.0)] {
        let rows: Vec<String> = (0..8)
            .map(f64::from)
            .map(|n| row(-152.0 - 3.0 * n, -61.0 - 0.01 * n, rejected.map(|x| x - 9.0 * n)))
            .collect();
        let detector = history(&curves(DPO, &rows).runs[0]).detector;
        assert_eq!(detector.state, DynamicsState::Displacing);
        assert!(detector.alarms().next().is_none() && detector.standings.iter().all(|s| !s.squeezed[0]));
    }
}

#[test]
fn displaced_prompts_are_counted_without_a_tau() {
    // Of ten prompts, as many are displaced as there are rows behind: y⁺ falls by a hair, y⁻ by more.
    let bytes = npy(4, 10, |row, column, prompt| match column {
        CHOSEN => -50.0 - if prompt < row { 0.01 } else { -0.01 },
        REJECTED => -60.0 - row as f64,
        ARGMAX => -10.0,
        _ => -70.0,
    });
    let imported = read_from(Path::new("dpo.npy"), bytes.as_slice(), None).unwrap();
    let rates = crate::claims::displacement(&history(&imported.runs[0])).unwrap();
    let told: Vec<_> = rates.iter().map(|(row, rate)| (*row, rate.value, rate.n)).collect();
    assert_eq!(told, [(0, 0.0, 10), (1, 0.1, 10), (2, 0.2, 10), (3, 0.3, 10)]);
}

#[test]
fn only_the_papers_files_are_recognised() {
    assert!(recognise(b"\x93NUMPY\x01\x00"));
    assert!(recognise(row(-1.0, 0.0, None).as_bytes()));
    assert!(recognise(b"\n {\"a\": 1, \"logps_eval_prob_train/irr_hum\": 0}\nnonsense"));
    for other in ["", "{}", "nonsense", r#"{"prompt": "a", "chosen": "b"}"#] {
        assert!(!recognise(other.as_bytes()), "{other}");
    }
    // A prompt of ours may say anything.
    assert!(!recognise(br#"{"event":"run_started","prompt":"\"logps_eval_prob_train/"}"#));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    /// Damage is an error with status 2 or another run, never a panic and never more memory than the file has bytes.
    #[test]
    fn a_damaged_array_never_panics(at in 0_usize..600, byte in any::<u8>(), cut in 0_usize..600) {
        let mut bytes = npy(2, 2, |row, column, _| -(row as f64) - column as f64);
        let (at, cut) = (at % bytes.len(), cut % bytes.len());
        bytes[at] = byte;
        for bytes in [&bytes[..], &bytes[..cut]] {
            if let Err(error) = read_from(Path::new("dpo.npy"), bytes, None) {
                prop_assert_eq!(error.exit_status(), 2);
            }
        }
    }

    /// The same for lines of text, with Python's words wherever they fall.
    #[test]
    fn damaged_curves_never_panic(at in 0_usize..600, word in prop::sample::select(vec!["NaN", "\"", "\\", "Infinity", "é", "{"])) {
        let mut text = [row(-9.0, -1.0, Some(-3.0)), row(-8.0, -1.0, Some(-4.0))].join("\n");
        text.insert_str(at % text.len(), word);
        if let Err(error) = read_from(Path::new(DPO), text.as_bytes(), None) {
            prop_assert_eq!(error.exit_status(), 2);
        }
    }

    /// Rows are never lost, doubled or put out of order.
    #[test]
    fn runs_share_the_rows_out(chosen in prop::collection::vec(0_u8..5, 1..40)) {
        let runs = split(&chosen.iter().map(|&x| -9.0 - f64::from(x)).collect::<Vec<_>>());
        prop_assert!(runs.iter().all(|rows| !rows.is_empty() && rows.is_sorted()));
        let mut all = runs.concat();
        all.sort_unstable();
        prop_assert_eq!(all, (0..chosen.len()).collect::<Vec<_>>());
    }
}
