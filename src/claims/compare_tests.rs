//! Two synthetic experiments, one the other's baseline, and what breaks each claim about their difference.

use std::sync::Arc;

use super::*;
use crate::protocol::{MetricKey, StepMetrics};

/// What preference optimisation does in one experiment, from its start (`t` = 0) to its end (1).
#[derive(Clone, Copy)]
struct Shape {
    sft_steps: u64,
    extended: bool,
    on_policy: bool,
    /// Of the pairs, so many have a y⁺ that falls, by `chosen`; on the others it rises by 1.
    falling: usize,
    chosen: f32,
    rejected: f32,
    argmax: f32,
    /// Training margin at the end, nats.
    margin: f64,
    /// How far along all of this the run gets.
    reaches: f32,
}

const BASELINE: Shape = Shape {
    sft_steps: 20,
    extended: false,
    on_policy: false,
    falling: 14,
    chosen: -10.0,
    rejected: -30.0,
    argmax: 8.0,
    margin: 20.0,
    reaches: 1.0,
};

const MILD: Shape = Shape { falling: 4, chosen: -2.0, rejected: -12.0, argmax: 0.5, margin: 10.0, ..BASELINE };

fn one(name: &str, seed: u64, shape: &Shape) -> RunHistory {
    let mut history = RunHistory::default();
    let mut stages = vec![stage("SFT", false, shape.sft_steps), stage("DPO", true, 50)];
    stages[1].on_policy = shape.on_policy;
    if shape.extended {
        stages[0].objective = "sft_extended".to_owned();
    }
    let mut started = RunStarted { experiment: name.to_owned(), ..run(PAIRS, seed, stages) };
    if name != "baseline" {
        started.baseline = Some("baseline".to_owned());
        started.claims = ["D5", "D6", "E1"].map(str::to_owned).to_vec();
    }
    history.apply(&TrainerEvent::RunStarted(Box::new(started)));
    history.apply(&TrainerEvent::StageStarted { stage: 0, step: 0 });
    let evaluate = |stage: usize, step: u64, t: f32| {
        let t = t * shape.reaches;
        let mut e = evaluation(PAIRS, stage, step, &[], -20.0 + shape.argmax * t);
        let noise = |pair: usize| 3.0 * ((pair as u64 * 5 + seed) % 7) as f32;
        let chosen = |pair: usize| -50.0 + noise(pair) + t * if pair < shape.falling { shape.chosen } else { 1.0 };
        e.logps.insert(Probe::Chosen, (0..PAIRS).map(chosen).collect());
        e.logps.insert(Probe::Rejected, vec![-60.0 + shape.rejected * t; PAIRS]);
        e.held_out_rewards = vec![0.5, 0.5, 0.5, f32::NAN];
        TrainerEvent::from(e)
    };
    history.apply(&evaluate(0, 0, 0.0));
    history.apply(&evaluate(0, shape.sft_steps, 0.0));
    history.apply(&TrainerEvent::StageStarted { stage: 1, step: shape.sft_steps });
    for n in 1..=50 {
        let step = shape.sft_steps + n;
        // Before the first update there is no margin.
        let margin = shape.margin * f64::from(shape.reaches) * (n - 1) as f64 / 50.0;
        let metrics = [(MetricKey::REWARDS_MARGINS, 0.1 * margin)].into_iter().collect();
        history.apply(&TrainerEvent::Step(StepMetrics { step, stage: 1, metrics }));
        if n % 10 == 0 {
            history.apply(&evaluate(1, step, n as f32 / 50.0));
        }
    }
    history
}

/// Three runs of an experiment, and three of its baseline.
fn against_baseline(shape: &Shape) -> Vec<RunHistory> {
    let of = |name: &'static str, shape: Shape| (1..4).map(move |seed| one(name, seed, &shape));
    of("run", *shape).chain(of("baseline", BASELINE)).collect()
}

fn claim(histories: &[RunHistory], id: &str) -> ClaimResult {
    let checked = check(histories);
    assert_eq!(checked[0].experiment, "run");
    of(&checked[0].claims, id).clone()
}

#[test]
fn a_milder_squeeze_is_told_at_the_end_and_at_matched_margin() {
    let d6 = claim(&against_baseline(&Shape { on_policy: true, ..MILD }), "D6");
    assert_eq!(d6.verdict, Verdict::Holds, "{d6:?}");
    let value = |n: usize| d6.figures[n].pooled.value;
    // 14 pairs at −10 and two at +1 against four at −2 and twelve at +1.
    assert!((value(0) - (4.0 / 16.0 + 138.0 / 16.0)).abs() < 1e-4, "{d6:?}");
    assert_eq!(value(1), -10.0 / 16.0);
    assert!((value(2) + 7.5).abs() < 1e-5);
    // Margins are means over ten steps: the mild run ends at 8.9, the baseline passes 5.8 and 9.8.
    let margin = d6.figures.last().unwrap();
    assert!((margin.pooled.value - 8.9).abs() < 1e-9 && margin.pooled.n == 3);
    let at = 0.2 * (2.0 + (8.9 - 5.8) / 4.0);
    assert!((value(5) - (0.5 - 8.0 * at)).abs() < 1e-4, "{d6:?}");
    assert!(d6.figures.iter().take(6).all(|f| f.pooled.n == 3 * PAIRS && f.per_seed.len() == 3));
}

#[test]
fn who_merely_pushes_less_is_not_milder() {
    let shape = Shape { on_policy: true, reaches: 0.5, ..BASELINE };
    let d6 = claim(&against_baseline(&shape), "D6");
    let by_end = d6.figures[0].pooled.low > 0.0 && d6.figures[2].pooled.high < 0.0;
    assert!(by_end && d6.verdict == Verdict::Fails, "{d6:?}");
}

#[test]
fn each_measure_of_a_milder_squeeze_is_needed() {
    for (what, shape) in [
        ("y⁺", Shape { chosen: -60.0, ..MILD }),
        ("displaced", Shape { falling: 15, chosen: -1.0, ..MILD }),
        ("argmax", Shape { argmax: 9.0, ..MILD }),
    ] {
        let sampled = against_baseline(&Shape { on_policy: true, ..shape });
        assert_eq!(claim(&sampled, "D6").verdict, Verdict::Fails, "{what}");
        let extended = against_baseline(&Shape { extended: true, ..shape });
        assert_eq!(claim(&extended, "E1").verdict, Verdict::Fails, "{what}");
    }
    assert_eq!(claim(&against_baseline(&Shape { extended: true, ..MILD }), "E1").verdict, Verdict::Holds);
}

#[test]
fn longer_finetuning_is_worse_only_where_it_is() {
    let worse = Shape { sft_steps: 60, falling: 16, argmax: 12.0, ..BASELINE };
    let d5 = claim(&against_baseline(&worse), "D5");
    assert_eq!(d5.verdict, Verdict::Holds, "{d5:?}");
    assert_eq!(d5.figures[0].pooled.value, 2.0 / 16.0);
    assert!((d5.figures[1].pooled.value - 4.0).abs() < 1e-5);
    for shape in [Shape { falling: 13, ..worse }, Shape { argmax: 7.0, ..worse }, Shape { sft_steps: 60, ..MILD }] {
        assert_eq!(claim(&against_baseline(&shape), "D5").verdict, Verdict::Fails);
    }
}

#[test]
fn what_does_not_differ_or_has_no_twin_is_not_told() {
    let note = |histories: &[RunHistory], id| {
        let result = claim(histories, id);
        assert!(result.failed_gate() && result.verdict == Verdict::NotApplicable);
        result.note.unwrap()
    };
    let same = against_baseline(&BASELINE);
    assert_eq!(note(&same, "D5"), "its SFT is not longer than the baseline's");
    assert_eq!(note(&same, "D6"), "it does not sample answers where the baseline takes the data's");
    assert_eq!(note(&same, "E1"), "it does not finetune on y⁺ and y⁻ where the baseline finetunes on y⁺");
    assert_eq!(note(&same[..3], "D6"), "no run of its baseline baseline is given");
    assert_eq!(note(&same[..5], "D6"), "no run of baseline has the seed 3");
    let mut sampled = against_baseline(&Shape { on_policy: true, ..MILD });
    sampled[4].metrics.clear();
    assert_eq!(note(&sampled, "D6"), "rewards/margins was not recorded");
    // An evaluation that the baseline never finished.
    let mut short = against_baseline(&Shape { on_policy: true, ..MILD });
    Arc::make_mut(short[3].run.as_mut().unwrap()).stages[1].steps = 60;
    assert_eq!(note(&short, "D6"), "stage DPO of test-seed1 did not come to its end");
}

#[test]
fn other_prompts_are_compared_without_pairing() {
    let paired = against_baseline(&Shape { on_policy: true, ..MILD });
    let mut apart = paired.clone();
    for history in &mut apart[3..] {
        Arc::make_mut(history.run.as_mut().unwrap()).probes.iter_mut().for_each(|p| p.prompt.push_str(", otherwise"));
    }
    let (paired, apart) = (claim(&paired, "D6"), claim(&apart, "D6"));
    let width = |c: &ClaimResult| c.figures[0].pooled.high - c.figures[0].pooled.low;
    assert!((paired.figures[0].pooled.value - apart.figures[0].pooled.value).abs() < 1e-9);
    assert!(width(&apart) > 1.5 * width(&paired), "{paired:?} {apart:?}");
}

#[test]
fn prompts_that_only_one_run_observes_are_left_out() {
    let mut histories = against_baseline(&Shape { on_policy: true, ..MILD });
    for history in &mut histories[..3] {
        Arc::make_mut(history.run.as_mut().unwrap()).probes.pop();
    }
    let d6 = claim(&histories, "D6");
    assert!(d6.verdict == Verdict::Holds && d6.figures[0].pooled.n == 3 * (PAIRS - 1), "{d6:?}");
}

/// Gives every run the rewards of its stages' ends: of SFT and of DPO.
fn judged(histories: &mut [RunHistory], ends: [[f32; 4]; 2]) {
    for history in histories {
        for evaluation in history.evaluations.iter_mut().skip(1) {
            let rewards = ends[evaluation.stage].to_vec();
            Arc::make_mut(evaluation).held_out_rewards = rewards;
        }
    }
}

#[test]
fn win_rates_count_ties_half_and_leave_out_what_was_not_judged() {
    let mut histories = against_baseline(&Shape { extended: true, ..MILD });
    judged(&mut histories[..3], [[1.0, 0.5, 0.25, 1.0], [1.0, 1.0, 1.0, 1.0]]);
    judged(&mut histories[3..], [[0.5, 0.5, 0.5, 0.5], [1.0, 0.0, 1.0, 0.0]]);
    let rate = claim(&histories, "win rate");
    assert!(rate.verdict == Verdict::Reported && !rate.gates);
    let told: Vec<_> = rate.figures.iter().map(|f| (f.label.as_str(), f.pooled.value, f.pooled.n)).collect();
    assert_eq!(
        told,
        [
            ("end of SFT over the base model (33.3 % ties)", 0.5, 9),
            ("end of DPO over the base model (0.0 % ties)", 1.0, 9),
            ("end over the end of baseline (50.0 % ties)", 0.75, 12),
            ("over baseline after as many steps (50.0 % ties)", 0.75, 12),
        ]
    );
    let interval = (rate.figures[0].pooled.low, rate.figures[0].pooled.high);
    assert!(interval.0 < 0.5 && interval.1 > 0.5, "{interval:?}");
    assert_eq!(claim(&histories, "E1").figures.last().unwrap(), &rate.figures[3]);
    // The baseline trains on, and loses what it had won.
    for history in &mut histories[3..] {
        let end = Arc::make_mut(history.evaluations.last_mut().unwrap());
        (end.step, end.held_out_rewards) = (end.step + 20, vec![2.0; 4]);
    }
    let rates = claim(&histories, "win rate").figures;
    assert_eq!([rates[2].pooled.value, rates[3].pooled.value], [0.0, 0.75]);
    // Other prompts: the base model's own answers differ.
    Arc::make_mut(&mut histories[4].evaluations[0]).held_out_rewards[0] = 0.0;
    assert_eq!(claim(&histories, "win rate").figures.len(), 2);
    assert!(!claim(&histories, "E1").figures.last().unwrap().label.contains("ties"));
    // Nothing judged.
    for history in &mut histories {
        history.evaluations.iter_mut().for_each(|e| Arc::make_mut(e).held_out_rewards.clear());
    }
    let none = claim(&histories, "win rate");
    assert_eq!(none.note.as_deref(), Some("no answers to held-out prompts were judged"));
}
