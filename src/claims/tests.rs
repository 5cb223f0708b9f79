//! Synthetic runs in which every claim holds, and one change that breaks each of them.

#![allow(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    clippy::float_cmp,
    reason = "a test may fail, on small numbers"
)]

use std::sync::Arc;

use unicode_width::UnicodeWidthStr;

use super::*;
use crate::history::fixture::{evaluation, flow, greedy, run, stage};
use crate::protocol::{ClassReading, Evaluation, ProbeKind as Probe, RunStarted, TrainerEvent};

#[path = "compare_tests.rs"]
mod compare;
#[path = "forces_tests.rs"]
mod forces;

const PAIRS: usize = 16;
/// What an experiment of finetuning names, and one of preference optimisation.
const SFT: [&str; 5] = ["S1", "S2", "S3", "S4", "S5"];
const DPO: [&str; 5] = ["D1", "D2", "D3", "D4", "squeeze"];

/// Three runs; each stage is measured at its start, at four points on the way, and at its end. `edit` sees every
/// evaluation with its stage and how far the stage is, 0 to 1.
fn runs(stages: &[bool], mut edit: impl FnMut(&mut Evaluation, usize, f32)) -> Vec<RunHistory> {
    let mut one = |seed: u64| {
        let mut history = RunHistory::default();
        let infos = stages.iter().map(|&p| stage(if p { "DPO" } else { "SFT" }, p, 50)).collect();
        let claims = if stages.contains(&true) { DPO } else { SFT }.map(str::to_owned).to_vec();
        history.apply(&TrainerEvent::RunStarted(Box::new(RunStarted { claims, ..run(PAIRS, seed, infos) })));
        for (index, &preference) in stages.iter().enumerate() {
            let start = 50 * index as u64;
            history.apply(&TrainerEvent::StageStarted { stage: index, step: start });
            for n in u64::from(index > 0)..=5 {
                let mut e = measured(index, preference, start, n, seed);
                edit(&mut e, index, n as f32 / 5.0);
                history.apply(&TrainerEvent::from(e));
            }
        }
        history
    };
    (10..13).map(&mut one).collect()
}

/// What finetuning does to a probe, from its start (`t` = 0) to its end.
fn sft_change(kind: Probe, t: f32) -> f32 {
    let hump = 4.0 * t * (1.0 - t);
    match kind {
        Probe::Chosen => 12.0 * t,
        Probe::ChosenGptsemantic => 2.0 * hump - 2.0 * t,
        Probe::ChosenGptformat => -7.0 * t,
        Probe::IrrTrain => 6.0 * t,
        Probe::IrrTest => -8.0 * t,
        Probe::IrrHum => -30.0 * t,
        Probe::RandomPermute | Probe::RandomNonhum => -11.0 * t,
        _ => 0.0,
    }
}

/// What preference optimisation does to it.
fn dpo_change(kind: Probe, t: f32) -> f32 {
    let hump = 4.0 * t * (1.0 - t);
    match kind {
        Probe::Chosen => 2.0 * hump - 4.0 * t,
        Probe::Rejected => -24.0 * t,
        Probe::ChosenGptsemantic => -11.0 * t,
        Probe::ChosenGptformat | Probe::IrrTest => -13.0 * t,
        Probe::RejectGptsemantic => -20.0 * t,
        Probe::RejectGptformat => -21.0 * t,
        Probe::IrrTrain => -8.0 * t,
        Probe::RandomPermute => -90.0 * t,
        _ => 0.0,
    }
}

/// Where a probe is when a stage begins.
fn at_start(kind: Probe, stage: usize) -> f32 {
    -100.0 + if stage == 0 { 0.0 } else { sft_change(kind, 1.0) }
}

/// A kind's place in the legend.
fn place_of(kind: Probe) -> u64 {
    Probe::ALL.iter().position(|&known| known == kind).unwrap() as u64
}

/// An evaluation that shows what the paper says, with noise between pairs.
fn measured(stage: usize, preference: bool, start: u64, n: u64, seed: u64) -> Evaluation {
    let t = n as f32 / 5.0;
    let argmax = if preference { 12.0 * t * (1.0 - t) + t } else { 0.0 };
    let mut e = evaluation(PAIRS, stage, start + 10 * n, &[], -20.0 + argmax);
    let change = if preference { dpo_change } else { sft_change };
    for (kind, values) in e.logps.iter_mut() {
        for (pair, value) in values.iter_mut().enumerate() {
            let noise = ((pair as u64 * 7 + seed * 3 + place_of(kind)) % 11) as f32 / 11.0 - 0.5;
            *value = at_start(kind, stage) + change(kind, t) + 0.5 * t * noise;
        }
    }
    e.stage_flow = (n > 0).then(|| flow(PAIRS, start, 0.4, 0.0, 0.0));
    e
}

/// The claims of the one experiment that the runs are of.
fn claims(histories: &[RunHistory]) -> Vec<ClaimResult> {
    let mut checked = check(histories);
    assert_eq!(checked.len(), 1);
    checked.remove(0).claims
}

fn verdicts(histories: &[RunHistory]) -> Vec<(&'static str, Verdict)> {
    claims(histories).iter().map(|c| (c.id, c.verdict)).collect()
}

fn of<'a>(claims: &'a [ClaimResult], id: &str) -> &'a ClaimResult {
    claims.iter().find(|c| c.id == id).unwrap()
}

#[test]
fn what_the_experiment_names_gates_and_the_rest_is_reported() {
    use Verdict::{Holds, NotApplicable, Reported};
    let histories = runs(&[false], |_, _, _| ());
    let expected = SFT.map(|id| (id, Holds)).into_iter();
    let expected = expected.chain(
        ["D1", "D2", "D3", "D4", "F1", "F2", "D5", "D6", "E1", "F3", "R1", "squeeze"].map(|id| (id, NotApplicable)),
    );
    let expected = expected.chain([("quiet", Holds), ("band", NotApplicable), ("win rate", NotApplicable)]);
    assert_eq!(verdicts(&histories), expected.collect::<Vec<_>>());
    let of_sft = claims(&histories);
    assert!(!of_sft.iter().any(ClaimResult::failed_gate));
    let rise = &of(&of_sft, "S1").figures[0];
    assert!((rise.pooled.value - 12.0).abs() < 0.5 && rise.pooled.n == 3 * PAIRS);
    assert_eq!(rise.per_seed.iter().map(|(seed, _)| *seed).collect::<Vec<_>>(), [10, 11, 12]);
    assert_eq!(of(&of_sft, "S2").figures[2].per_seed[0].1, 20.0);

    let histories = runs(&[false, true], |_, _, _| ());
    let expected = SFT.map(|id| (id, Reported)).into_iter().chain(DPO[..4].iter().map(|&id| (id, Holds)));
    let expected = expected.chain(["F1", "F2", "D5", "D6", "E1", "F3", "R1"].map(|id| (id, NotApplicable)));
    let expected =
        expected.chain([("squeeze", Holds), ("quiet", Holds), ("band", NotApplicable), ("win rate", NotApplicable)]);
    assert_eq!(verdicts(&histories), expected.collect::<Vec<_>>());
    assert_eq!(of(&claims(&histories), "D4").figures[2].per_seed, [(10, 80.0), (11, 80.0), (12, 80.0)]);
    assert_eq!(format!("{:?}", check(&histories)), format!("{:?}", check(&histories)), "deterministic");
}

#[test]
fn a_claim_that_nobody_names_cannot_fail_and_one_that_nobody_can_check_cannot_pass() {
    let fails = bend(Probe::Chosen, 0, |t| -t);
    let mut histories = runs(&[false], fails);
    for history in &mut histories {
        Arc::make_mut(history.run.as_mut().unwrap()).claims.clear();
    }
    let all = claims(&histories);
    assert_eq!(all.iter().filter(|c| c.gates).map(|c| c.id).collect::<Vec<_>>(), ["quiet"]);
    assert_eq!(of(&all, "S1").verdict, Verdict::Reported);
    // One run names a claim: it gates for all of them.
    Arc::make_mut(histories[2].run.as_mut().unwrap()).claims = vec!["S1".to_owned(), "of a newer program".to_owned()];
    let all = claims(&histories);
    assert_eq!(of(&all, "S1").verdict, Verdict::Fails);
    assert!(of(&all, "unknown").failed_gate());
    assert_eq!(of(&all, "unknown").note.as_deref(), Some("of a newer program cannot be read off recorded runs here"));
}

#[test]
fn runs_of_several_experiments_are_checked_apart() {
    let mut histories = runs(&[false], |_, _, _| ());
    histories.extend(runs(&[false, true], |_, _, _| ()));
    Arc::make_mut(histories[1].run.as_mut().unwrap()).experiment = "other".to_owned();
    for history in &mut histories[3..] {
        Arc::make_mut(history.run.as_mut().unwrap()).experiment = "dpo".to_owned();
    }
    let checked: Vec<_> = check(&histories).into_iter().map(|c| (c.experiment, c.seeds)).collect();
    let expected = [("test", vec![10, 12]), ("other", vec![11]), ("dpo", vec![10, 11, 12])];
    assert_eq!(checked, expected.map(|(name, seeds)| (name.to_owned(), seeds)));
}

#[test]
fn r1_needs_fewer_bigrams_and_more_repetition() {
    let with = |distinct: f32, repeated: f32| {
        let mut histories = runs(&[false, true], |e, stage, t| {
            let t = if stage == 1 { t } else { 0.0 };
            e.greedy = greedy(PAIRS, 0.9 + distinct * t, 0.1 + repeated * t);
        });
        for history in &mut histories {
            Arc::make_mut(history.run.as_mut().unwrap()).claims = vec!["R1".to_owned()];
        }
        of(&claims(&histories), "R1").clone()
    };
    let holds = with(-0.25, 0.5);
    assert_eq!(holds.verdict, Verdict::Holds);
    assert_eq!((holds.figures[0].unit, holds.figures[0].pooled.n), (Unit::Points, 3 * PAIRS));
    assert!((holds.figures[0].pooled.value + 0.25).abs() < 1e-6 && (holds.figures[1].pooled.value - 0.5).abs() < 1e-6);
    for (distinct, repeated) in [(-0.25, 0.0), (0.0, 0.5), (0.05, 0.5), (-0.25, -0.1), (f32::NAN, 0.5)] {
        assert_eq!(with(distinct, repeated).verdict, Verdict::Fails, "{distinct} {repeated}");
    }
    let none = claims(&runs(&[false, true], |_, _, _| ()));
    assert_eq!(of(&none, "R1").note.as_deref(), Some("greedy answers were not generated at both ends of the stage"));
}

/// Sets a probe's value over the stage to `start + change(t)`.
fn bend(kind: Probe, stage: usize, change: fn(f32) -> f32) -> impl Fn(&mut Evaluation, usize, f32) {
    move |e, at, t| {
        if at == stage {
            e.logps.get_mut(kind).unwrap().fill(at_start(kind, at) + change(t));
        }
    }
}

/// The claims that fail when the runs are edited.
fn failing(stages: &[bool], edit: impl FnMut(&mut Evaluation, usize, f32)) -> Vec<&'static str> {
    claims(&runs(stages, edit)).iter().filter(|c| c.failed_gate()).map(|c| c.id).collect()
}

#[test]
fn each_sft_claim_can_fail() {
    let fails = |kind, change| failing(&[false], bend(kind, 0, change));
    assert_eq!(fails(Probe::Chosen, |t| -t), ["S1"]);
    assert_eq!(fails(Probe::ChosenGptsemantic, |t| -t), ["S2"]);
    assert_eq!(fails(Probe::ChosenGptsemantic, |t| t), ["S2"]);
    assert_eq!(fails(Probe::IrrTrain, |t| -t), ["S3"]);
    assert_eq!(fails(Probe::IrrTest, |t| 9.0 * t), ["S3"]);
    assert_eq!(fails(Probe::RandomPermute, |t| t), ["S4"]);
    assert_eq!(fails(Probe::RandomNonhum, |_| 0.0), ["S4"]);
    assert_eq!(fails(Probe::IrrHum, |t| 50.0 * t), [""; 0], "irr_hum is reported only");
    let alike = |e: &mut Evaluation, _: usize, _: f32| {
        let semantic = e.logps[Probe::ChosenGptsemantic].to_vec();
        e.logps.insert(Probe::ChosenGptformat, semantic);
    };
    assert_eq!(failing(&[false], alike), ["S5"]);
}

#[test]
fn each_dpo_claim_can_fail() {
    let fails = |kind, change| failing(&[false, true], bend(kind, 1, change));
    assert_eq!(fails(Probe::RejectGptformat, |t| -30.0 * t), ["D2"]);
    assert_eq!(fails(Probe::ChosenGptformat, |t| t), ["D2"]);
    assert_eq!(fails(Probe::RandomNonhum, |t| -200.0 * t), [""; 0], "shuffled text is not compared");
    assert_eq!(fails(Probe::Rejected, |t| t), ["D1", "D2", "D3", "squeeze"]);
    // y⁺ goes up: nobody is displaced, so nothing can be squeezed.
    let up = |e: &mut Evaluation, stage: usize, t: f32| {
        if stage == 1 {
            e.logps.get_mut(Probe::Chosen).unwrap().fill(at_start(Probe::Chosen, stage) + t);
        }
    };
    assert_eq!(failing(&[false, true], up), ["D3", "squeeze"]);
    // The argmax goes down.
    let down = |e: &mut Evaluation, stage: usize, t: f32| {
        if stage == 1 {
            e.chosen.argmax_logps.fill(-20.0 - t);
        }
    };
    assert_eq!(failing(&[false, true], down), ["D4", "squeeze"]);
}

#[test]
fn means_are_not_called_pairs() {
    let of = |means: bool| {
        let mut history = RunHistory::default();
        let info = vec![stage("DPO", true, 50)];
        history.apply(&TrainerEvent::RunStarted(Box::new(RunStarted { means, ..run(1, 10, info) })));
        history.apply(&TrainerEvent::StageStarted { stage: 0, step: 0 });
        for n in 0..=5 {
            history.apply(&TrainerEvent::from(measured(0, true, 0, n, 10)));
        }
        let claims = check(&[history]).remove(0).claims;
        let labels = claims.iter().flat_map(|c| &c.figures).map(|f| f.label.clone());
        labels.collect::<Vec<_>>().join("\n")
    };
    assert!(of(false).contains("pairs with the margin up"));
    assert!(of(true).contains("means over prompts with the margin up") && !of(true).contains("pairs"), "{}", of(true));
}

#[test]
fn thresholds_are_shares_of_pairs() {
    let with_up = |n: usize| {
        failing(&[false, true], move |e, stage, t| {
            if stage == 1 {
                let rises = |pair| if pair < n { 1.0 } else { -0.1 };
                e.chosen.argmax_logps = (0..PAIRS).map(|pair| -20.0 + t * rises(pair)).collect();
            }
        })
    };
    // 13 of 16 is 81 %, 12 is 75 %.
    assert!(!with_up(13).contains(&"D4"));
    assert!(with_up(12).contains(&"D4"));
}

#[test]
fn missing_data_cannot_pass_a_gate() {
    let lost = |kind: Probe| move |e: &mut Evaluation, _: usize, _: f32| e.logps.remove(kind);
    assert_eq!(failing(&[false], lost(Probe::IrrTrain)), ["S3"]);
    assert_eq!(failing(&[false, true], lost(Probe::ChosenGptformat)), ["D2"]);
    assert_eq!(failing(&[false, true], lost(Probe::Repeater)), [""; 0]);
    let nan =
        |e: &mut Evaluation, _: usize, t: f32| e.logps.iter_mut().for_each(|(_, v)| v[0] += f32::NAN * t.min(1.0));
    assert_eq!(failing(&[false], nan), ["S1", "S2", "S3", "S4", "S5"]);
    let none = claims(&[]);
    assert!(none.iter().all(|c| c.verdict == Verdict::NotApplicable) && of(&none, "quiet").failed_gate());
    // A run that was stopped early proves nothing.
    let mut histories = runs(&[false], |_, _, _| ());
    let run = Arc::make_mut(histories[1].run.as_mut().unwrap());
    run.stages[0].steps = 60;
    let claims = claims(&histories);
    assert_eq!(of(&claims, "S1").note.as_deref(), Some("stage SFT of test-seed11 did not come to its end"));
    assert!(of(&claims, "S1").failed_gate());
}

#[test]
fn an_alarm_in_an_sft_stage_is_a_failure() {
    let mut histories = runs(&[false, true], |_, _, _| ());
    let alarm = *histories[0].detector.alarms().next().unwrap();
    histories[0].detector.changes.insert(0, crate::history::StateChange { stage: 0, step: 30, ..alarm });
    let claims = claims(&histories);
    let failed: Vec<_> = claims.iter().filter(|c| c.failed_gate()).map(|c| c.id).collect();
    assert_eq!(failed, ["quiet"]);
}

#[test]
fn a_response_that_some_prompts_lack_is_compared_where_it_exists() {
    let mut histories = runs(&[false], |_, _, _| ());
    for history in &mut histories {
        Arc::make_mut(history.run.as_mut().unwrap()).probes[0].responses.remove(&Probe::IrrTest);
    }
    let claims = claims(&histories);
    let s3 = of(&claims, "S3");
    assert_eq!(s3.verdict, Verdict::Holds);
    assert_eq!((s3.figures[0].pooled.n, s3.figures[1].pooled.n), (3 * PAIRS, 3 * (PAIRS - 1)));
}

#[test]
fn the_table_is_plain_and_fits() {
    let mut histories = runs(&[false, true], |_, _, _| ());
    let wide = table(&check(&histories), 160);
    assert!(
        wide.starts_with("test, seeds 10 11 12\nS1       reported         SFT: the preferred answer rises\n"),
        "{wide}"
    );
    assert!(wide.contains("\nD1       holds*           DPO: the margin grows on at least 95 % of pairs\n"), "{wide}");
    assert!(
        wide.contains("         pairs with the margin up: 100.0 % [92.6, 100.0], n 48; by seed 100.0 100.0 100.0\n")
    );
    assert!(wide.contains("argmax peaks at step: 80 80 80\n"));
    assert!(wide.ends_with("* gates: 6 of 6 hold; log p in nats, sums, with 95 % intervals over pairs\n"));
    Arc::make_mut(histories[0].run.as_mut().unwrap()).run_id = "evil\u{1b}]0;x\u{7}".to_owned();
    Arc::make_mut(histories[0].run.as_mut().unwrap()).stages[0].steps = 1000;
    for width in [48, 60, 80, 120] {
        let text = table(&check(&histories), width);
        assert!(text.contains("evil<U+001B>"));
        assert!(text.lines().all(|line| line.width() <= width && line == line.trim_end()), "{width}\n{text}");
    }
    assert!(!table(&check(&histories), 0).is_empty());
}

/// Three finished runs of a classifier of four classes; `edit` sees every reading.
fn class_runs(edit: impl Fn(&mut ClassReading)) -> Vec<RunHistory> {
    let one = |seed: u64| {
        let mut run = run(0, seed, vec![stage("SFT", false, 40)]);
        run.classes = ["3", "4", "8", "9"].map(str::to_owned).to_vec();
        run.claims = vec!["K1".to_owned()];
        let mut history = RunHistory::default();
        history.apply(&TrainerEvent::RunStarted(Box::new(run)));
        history.apply(&TrainerEvent::StageStarted { stage: 0, step: 0 });
        for step in [0, 10, 20, 30, 40] {
            // Row u, column o: what 4 does to 3, to itself, to 8, to 9.
            let four = [1.0, 9.0, 2.0, 4.0].map(|x| x * step as f32);
            let mut reading = ClassReading {
                step,
                influence: [[0.0; 4], four, [0.0; 4], [0.0; 4]].concat(),
                kernel: (0..16).map(|i| ((i * 7 + i / 4) % 16) as f32 + step as f32).collect(),
                ..ClassReading::default()
            };
            edit(&mut reading);
            history.apply(&TrainerEvent::from(reading));
        }
        history
    };
    (10..13).map(one).collect()
}

#[test]
fn the_kernel_claim_holds_and_can_fail() {
    let verdict = |histories: &[RunHistory]| of(&claims(histories), "K1").clone();
    let k1 = verdict(&class_runs(|_| ()));
    assert_eq!((k1.verdict, k1.gates), (Verdict::Holds, true));
    assert_eq!((k1.figures[1].pooled.value, k1.figures[2].pooled.value), (160.0, 80.0));
    assert_eq!(k1.figures[3].per_seed, [(10, 1.0), (11, 1.0), (12, 1.0)]);
    let text = table(&check(&class_runs(|_| ())), 160);
    assert!(text.contains("rank correlation of ‖K‖, middle to end: 1.000 1.000 1.000\n"), "{text}");
    let failing: [fn(&mut ClassReading); 4] = [
        // 8 is pulled as much.
        |r| r.influence[6] = r.influence[7],
        // What is known only to itself does not count.
        |r| r.influence[7] = f32::NAN,
        // The kernel turns round after half-time.
        |r| {
            if r.step > 20 {
                r.kernel.iter_mut().for_each(|k| *k = -*k)
            }
        },
        |r| r.kernel[1] = f32::NAN,
    ];
    for edit in failing {
        assert_eq!(verdict(&class_runs(edit)).verdict, Verdict::Fails);
    }
    // The diagonal is no matter.
    assert_eq!(verdict(&class_runs(|r| r.kernel[5] = r.step as f32 * -99.0)).verdict, Verdict::Holds);
    let mut stopped = class_runs(|_| ());
    stopped[1].classes.pop();
    let k1 = verdict(&stopped);
    assert_eq!(k1.note.as_deref(), Some("test-seed11 did not come to its end"));
    assert!(k1.failed_gate());
    let mut unlisted = class_runs(|_| ());
    unlisted.iter_mut().for_each(|h| Arc::make_mut(h.run.as_mut().unwrap()).claims.clear());
    assert_eq!(verdict(&unlisted).verdict, Verdict::Reported);
    for id in ["S1", "win rate"] {
        assert_eq!(of(&claims(&unlisted), id).note.as_deref(), Some("classes are observed, not answers"), "{id}");
    }
}
