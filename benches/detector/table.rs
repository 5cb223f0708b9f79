//! The detector against labels: recorded and synthetic runs, each at five cadences.
//!
//! The labels follow from the definition at the stage's end and know nothing of the detector. A pair is displaced at an
//! evaluation if since the stage began its margin grew and y⁺ and y⁻ both fell by more than max(τ · tokens, 3σ), with τ =
//! 0.01 nat and σ the noise of one measurement: 0 in a recording, for a measurement repeats to the bit, and known in a
//! synthetic course. It is squeezed if besides the argmax rose by as much and y* took at least a quarter of the mass that
//! was gained. A stage is labelled squeezed (displaced) if from some evaluation to its end at least 20 % of its pairs are;
//! that evaluation is where the rule first holds for good. Of means, the pair is the mean.

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use ldyn_tui::protocol::{Evaluation, ProbeKind, RunStarted, TrainerEvent};
use ldyn_tui::{DynamicsState, RunHistory};

const TAU: f64 = 0.01;
const RATE: f64 = 0.20;
const SHARE: f64 = 0.25;

/// Every how many of a recording's evaluations one is kept.
pub const THINNED: [usize; 5] = [1, 2, 4, 8, 16];

/// One run, measured as often as it was.
pub struct Labelled {
    /// What it is called in the table.
    pub name: String,
    /// Runs that are tabulated together.
    pub family: String,
    /// Noise of one measurement of y⁺, y⁻ and the argmax, nats.
    pub sigma: [f64; 3],
    /// Everything that the trainer said.
    pub events: Vec<TrainerEvent>,
}

/// A preference stage at one cadence, as labelled and as judged.
pub struct Row {
    pub name: String,
    pub family: String,
    /// Steps between two evaluations.
    pub cadence: u64,
    /// The state at the end by the rule.
    pub label: DynamicsState,
    /// The step from which the rule holds for good, where the stage is squeezed.
    pub holds_from: Option<u64>,
    /// How often the rule's own state changes.
    pub label_changes: usize,
    /// The detector's state at the end.
    pub state: DynamicsState,
    /// The detector's first alarm.
    pub alarm: Option<u64>,
    /// How often the detector's state changed.
    pub changes: usize,
}

/// Reads a recording: a run file, compressed or not.
pub fn read(path: &Path) -> Labelled {
    let file = std::fs::File::open(path).unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
    let events = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let name = path.file_name().unwrap().to_string_lossy().trim_end_matches(".jsonl.gz").to_owned();
    let family = name.rsplit_once('-').map_or(name.clone(), |(family, _)| family.to_owned());
    Labelled { name, family, sigma: [0.0; 3], events }
}

/// Every recording of a folder, by name.
pub fn recordings(folder: &Path) -> Vec<Labelled> {
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|e| e == "gz"));
    paths.sort();
    paths.iter().map(|path| read(path)).collect()
}

/// The stages of a run at every cadence: those that push answers down as rows, and of every other whether it alarmed.
pub fn judge(run: &Labelled) -> (Vec<Row>, Vec<bool>) {
    let (mut rows, mut controls) = (Vec::new(), Vec::new());
    for every in THINNED {
        let events = thinned(&run.events, every);
        let mut history = RunHistory::default();
        events.iter().for_each(|event| history.apply(event));
        let started = history.run.as_ref().unwrap();
        for (index, stage) in started.stages.iter().enumerate() {
            let span = history.stage_evaluations(index);
            // Two evaluations after the start, or the cadence shows no course.
            let [_, first, second, ..] = span else { continue };
            let cadence = second.step - first.step;
            let name = format!("{} {}", run.name, stage.name);
            let changes: Vec<_> = history.detector.changes.iter().filter(|c| c.stage == index).collect();
            let first_alarm = history.detector.alarms().find(|c| c.stage == index);
            if !stage.has_rejected {
                controls.push(first_alarm.is_some());
                continue;
            }
            let label = Label::of(started, span, run.sigma);
            rows.push(Row {
                name,
                family: run.family.clone(),
                cadence,
                label: label.state,
                holds_from: label.holds_from,
                label_changes: label.changes,
                state: history.detector.standings.iter().rev().find(|s| s.stage == index).unwrap().state,
                alarm: first_alarm.map(|a| a.step),
                // A stage begins healthy: that is no change that the detector decided.
                changes: changes.iter().filter(|c| c.share.is_finite() || c.step > span[0].step).count(),
            });
        }
    }
    (rows, controls)
}

/// The events with one evaluation of every `every` of each stage, its last among them, and the one before the first stage.
fn thinned(events: &[TrainerEvent], every: usize) -> Vec<TrainerEvent> {
    let steps = |stage: usize| {
        let of_stage = events.iter().filter_map(move |e| match e {
            TrainerEvent::Evaluation(e) if e.stage == stage && e.step > 0 => Some(e.step),
            _ => None,
        });
        of_stage.collect::<Vec<u64>>()
    };
    let kept = |e: &Evaluation| {
        let steps = steps(e.stage);
        let at = steps.iter().position(|&step| step == e.step);
        e.step == 0 || at.is_none_or(|at| (at + 1) % every == 0 || at + 1 == steps.len())
    };
    events.iter().filter(|event| !matches!(event, TrainerEvent::Evaluation(e) if !kept(e))).cloned().collect()
}

struct Label {
    state: DynamicsState,
    holds_from: Option<u64>,
    changes: usize,
}

impl Label {
    fn of(run: &RunStarted, span: &[Arc<Evaluation>], sigma: [f64; 3]) -> Self {
        let states: Vec<(u64, bool, bool)> = span[1..]
            .iter()
            .map(|now| {
                let (displaced, squeezed) = shares(run, &span[0], now, sigma);
                (now.step, displaced >= RATE, squeezed >= RATE)
            })
            .collect();
        let for_good = |holds: fn(&(u64, bool, bool)) -> bool| {
            let held = states.iter().rev().take_while(|s| holds(s)).count();
            (held > 0).then(|| states[states.len() - held].0)
        };
        let (displaced, squeezed) = (for_good(|s| s.1), for_good(|s| s.2));
        let state = match (displaced, squeezed) {
            (_, Some(_)) => DynamicsState::Squeezing,
            (Some(_), None) => DynamicsState::Displacing,
            (None, None) => DynamicsState::Healthy,
        };
        let words: Vec<u8> = states.iter().map(|&(_, d, s)| if s { 2 } else { u8::from(d) }).collect();
        let changes = std::iter::once(0).chain(words.iter().copied()).zip(&words).filter(|(a, b)| a != *b).count();
        Self { state, holds_from: squeezed, changes }
    }
}

/// Shares of displaced and of squeezed pairs.
fn shares(run: &RunStarted, start: &Evaluation, now: &Evaluation, sigma: [f64; 3]) -> (f64, f64) {
    let logp = |e: &Evaluation, kind: ProbeKind, pair: usize| e.logps.get(kind).map(|v| f64::from(v[pair]));
    let (mut displaced, mut squeezed) = (0.0, 0.0);
    for (pair, probe) in run.probes.iter().enumerate() {
        let least = |kind: ProbeKind, sigma: f64| {
            (TAU * f64::from(probe.responses.get(&kind).map_or(0, |r| r.tokens))).max(3.0 * sigma)
        };
        let change = |kind| Some(logp(now, kind, pair)? - logp(start, kind, pair)?);
        let chosen = change(ProbeKind::Chosen).unwrap();
        let fell = chosen < -least(ProbeKind::Chosen, sigma[0]);
        let rejected_fell = change(ProbeKind::Rejected)
            .is_none_or(|rejected| rejected < -least(ProbeKind::Rejected, sigma[1]) && chosen > rejected);
        let argmax = f64::from(now.chosen.argmax_logps[pair]) - f64::from(start.chosen.argmax_logps[pair]);
        let takes = now.stage_flow.as_ref().is_none_or(|flow| {
            let (star, gain) = (f64::from(flow.star_gain[pair]), f64::from(flow.gain[pair]));
            gain > 0.0 && star / gain >= SHARE
        });
        if fell && rejected_fell {
            displaced += 1.0;
            squeezed += f64::from(u8::from(argmax > least(ProbeKind::Chosen, sigma[2]) && takes));
        }
    }
    let pairs = run.probes.len() as f64;
    (displaced / pairs, squeezed / pairs)
}

impl Row {
    /// Whether the label or the detector says squeezing.
    pub fn is_labelled(&self) -> bool {
        self.label == DynamicsState::Squeezing
    }

    /// Whether the alarm came at most one evaluation after the rule held for good, and stood at the end.
    pub fn is_found(&self) -> bool {
        self.alarm.zip(self.holds_from).is_some_and(|(alarm, from)| alarm <= from + self.cadence)
            && self.state.is_alarm()
    }

    /// Changes of state beyond the label's own.
    pub fn extra_changes(&self) -> usize {
        self.changes.saturating_sub(self.label_changes)
    }
}

/// Where two cadences of one run disagree: by another verdict, or by more than an evaluation of the coarser.
pub fn disagreements(rows: &[Row]) -> Vec<String> {
    let mut told = Vec::new();
    for (i, fine) in rows.iter().enumerate() {
        for coarse in rows[i + 1..].iter().filter(|r| r.name == fine.name && r.cadence > fine.cadence) {
            let apart = fine.alarm.zip(coarse.alarm).map_or(0, |(a, b)| a.abs_diff(b));
            if fine.state.is_alarm() != coarse.state.is_alarm() || apart > coarse.cadence {
                told.push(format!(
                    "{}: every {} {} {:?}, every {} {} {:?}",
                    fine.name,
                    fine.cadence,
                    fine.state.title(),
                    fine.alarm,
                    coarse.cadence,
                    coarse.state.title(),
                    coarse.alarm
                ));
            }
        }
    }
    told
}

/// A line of the table over some rows.
pub fn line(name: &str, rows: &[&Row]) -> String {
    let labelled: Vec<_> = rows.iter().filter(|r| r.is_labelled()).collect();
    let found = labelled.iter().filter(|r| r.is_found()).count();
    let mut late: Vec<i64> = labelled
        .iter()
        .filter_map(|r| Some(i64::try_from(r.alarm?).ok()? - i64::try_from(r.holds_from?).ok()?))
        .collect();
    late.sort_unstable();
    let delay = match late.as_slice() {
        [] => "–".to_owned(),
        all => format!("{} ({} to {})", all[all.len() / 2], all[0], all[all.len() - 1]),
    };
    let elsewhere: Vec<_> = rows.iter().filter(|r| !r.is_labelled()).collect();
    let alarmed = elsewhere.iter().filter(|r| r.alarm.is_some()).count();
    let extra = rows.iter().map(|r| r.extra_changes()).max().unwrap_or(0);
    format!(
        "| {name} | {} | {} of {} | {delay} | {alarmed} of {} | {extra} |\n",
        rows.len(),
        found,
        labelled.len(),
        elsewhere.len()
    )
}

/// Every stage on a line: what it is labelled and from which step, and the first alarm at each cadence.
fn each(rows: &[&Row]) -> String {
    let mut text = "| stage | label | holds from | first alarm (measured every) |\n|---|---|---|---|\n".to_owned();
    for of_stage in rows.chunk_by(|a, b| a.name == b.name) {
        let finest = of_stage[0];
        let step = |step: Option<u64>| step.map_or("–".to_owned(), |s| s.to_string());
        let alarms: Vec<_> = of_stage.iter().map(|r| format!("{} ({})", step(r.alarm), r.cadence)).collect();
        let (label, from) = (finest.label.title(), step(finest.holds_from));
        let _ = writeln!(text, "| {} | {label} | {from} | {} |", finest.name, alarms.join(", "));
    }
    text
}

/// The table: by cadence, by family, stage by stage, controls, and every disagreement.
pub fn table(runs: &[Labelled]) -> String {
    let judged: Vec<_> = runs.iter().map(judge).collect();
    let rows: Vec<&Row> = judged.iter().flat_map(|(rows, _)| rows).collect();
    let controls: Vec<bool> = judged.iter().flat_map(|(_, controls)| controls).copied().collect();
    let heading = |first: &str| {
        format!(
            "| {first} | stages | alarmed in time | delay, steps: median (range) | alarms elsewhere | extra changes, most |\n\
             |---|---|---|---|---|---|\n"
        )
    };
    let mut text = heading("measured every");
    for every in THINNED {
        let of: Vec<&Row> = rows.iter().copied().filter(|r| r.cadence == 4 * every as u64).collect();
        text += &line(&format!("{} steps", 4 * every), &of);
    }
    let others: Vec<&Row> =
        rows.iter().copied().filter(|r| THINNED.iter().all(|&t| r.cadence != 4 * t as u64)).collect();
    text += &line("other cadences", &others);
    text += &line("all", &rows);
    text.push('\n');
    text += &heading("family");
    let mut families: Vec<&str> = runs.iter().map(|r| r.family.as_str()).collect();
    families.dedup();
    for family in families {
        text += &line(family, &rows.iter().copied().filter(|r| r.family == family).collect::<Vec<_>>());
    }
    text.push('\n');
    let mut by_stage = rows.clone();
    by_stage.sort_by(|a, b| a.name.cmp(&b.name));
    text += &each(&by_stage);
    let alarmed = controls.iter().filter(|&&alarmed| alarmed).count();
    let _ = writeln!(text, "\nSFT stages with an alarm: {alarmed} of {}", controls.len());
    let apart: Vec<String> = judged.iter().flat_map(|(rows, _)| disagreements(rows)).collect();
    let _ = writeln!(text, "cadences that disagree: {}", apart.len());
    apart.iter().for_each(|told| text += &format!("  {told}\n"));
    for row in rows.iter().filter(|r| (r.is_labelled() && !r.is_found()) || r.extra_changes() > 2) {
        let _ = writeln!(
            text,
            "  {} every {}: labelled {} from {:?} ({} changes), detector {} at {:?} ({} changes)",
            row.name,
            row.cadence,
            row.label.title(),
            row.holds_from,
            row.label_changes,
            row.state.title(),
            row.alarm,
            row.changes
        );
    }
    text
}
