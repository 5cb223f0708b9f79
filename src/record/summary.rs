//! The summary of a run, in a page: `summary.json`, and the lines printed after quitting.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::directory::RunDirectory;
use crate::error::{Error, Location, Result};
use crate::history::{CurveId, RunHistory, Scale, StateChange, leaks};
use crate::protocol::{MetricKey, ProbeKind, RunPhase, floats};
use crate::text::Shown;

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every stage was done.
    Finished,
    /// Ended early, by request.
    Stopped,
    /// Ended by an error, with its message.
    Failed(String),
    /// The run never said how it ended: its process was killed, or it is still going.
    Unfinished,
}

/// A stage and the scalars it logged last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StageSummary {
    /// The stage's name.
    pub name: String,
    /// The stage's objective.
    pub objective: String,
    /// Optimiser steps taken in it.
    pub steps: u64,
    /// The scalars of its last step.
    #[serde(with = "floats::map")]
    pub metrics: BTreeMap<MetricKey, f64>,
}

/// A change of state that the detector saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateSummary {
    /// Optimiser steps taken.
    pub step: u64,
    /// Name of the stage.
    pub stage: String,
    /// The state that was entered.
    pub state: String,
}

/// An answer of another training question that became likelier.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Leak {
    /// Rise of its log-prob since the run's first evaluation.
    pub nats: f64,
    /// The question that it does not answer, raw.
    pub prompt: String,
    /// The answer, raw.
    pub answer: String,
}

/// Leaks that are listed.
const LEAKS: usize = 3;

impl Leak {
    /// The largest rises of `irr_train`; none where a stage pushed answers down: there other things move it too.
    fn strongest(history: &RunHistory) -> Vec<Self> {
        let Some(run) = history.run.as_ref().filter(|run| run.stages.iter().all(|s| !s.has_rejected)) else {
            return Vec::new();
        };
        let ranked = leaks::ranked(history, CurveId::Probe(ProbeKind::IrrTrain), 0, history.step);
        let leak = |(pair, nats): (usize, f64)| {
            let probe = run.probes.get(pair)?;
            let answer = probe.responses.get(&ProbeKind::IrrTrain)?.text.clone();
            Some(Self { nats, prompt: probe.prompt.clone(), answer })
        };
        ranked.into_iter().filter(|&(_, nats)| nats > 0.0).take(LEAKS).filter_map(leak).collect()
    }
}

/// What a run came to. Everything but the two clock readings follows from the events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// `<experiment>-seed<seed>`.
    pub run_id: String,
    /// Name of the experiment.
    pub experiment: String,
    /// Seed of everything random.
    pub seed: u64,
    /// The backend that trained.
    pub backend: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Optimiser steps taken.
    pub steps: u64,
    /// Optimiser steps planned.
    pub total_steps: u64,
    /// The stages that began.
    pub stages: Vec<StageSummary>,
    /// Share of right answers about held-out pictures at the last reading, of a classifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
    /// Sum of log-probs at the last evaluation, nats, mean over prompts, by curve.
    pub logps: BTreeMap<String, Option<f64>>,
    /// The prompts into which answers of other training questions leaked most, after finetuning without rejected answers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leaks: Vec<Leak>,
    /// The detector's last word on the dynamics.
    pub dynamics: String,
    /// Every change of state, in order; every stage begins healthy.
    #[serde(default)]
    pub states: Vec<StateSummary>,
    /// The first alarm, if there was one.
    #[serde(default)]
    pub first_alarm: Option<StateSummary>,
    /// The detector's verdict in words: since when the present state holds, and how it stood then and now; empty for health.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub verdict: String,
    /// Seconds from the program's start to its end.
    pub wall_seconds: f64,
    /// Tokens per second through the optimiser, evaluations included.
    pub tokens_per_second: f64,
}

impl Summary {
    /// What the run came to so far; `None` if it never began. `wall_seconds` is the clock's, and the only thing here
    /// that the events do not tell.
    pub fn new(history: &RunHistory, wall_seconds: f64) -> Option<Self> {
        let run = history.run.as_ref()?;
        let tokens = history.metrics.get(&MetricKey::NUM_TOKENS).and_then(|s| s.last()).map_or(0.0, |(_, n)| n);
        let detector = &history.detector;
        let told = |change: &StateChange| StateSummary {
            step: change.step,
            stage: run.stages.get(change.stage).map_or_else(String::new, |s| s.name.clone()),
            state: change.state.title().to_owned(),
        };
        let leaks = Leak::strongest(history);
        let logps = history.curves().filter_map(|curve| {
            let (_, last) = history.curve(curve, Scale::LogProb, None).last()?;
            Some((curve.key().to_owned(), last.is_finite().then_some(last)))
        });
        Some(Self {
            run_id: run.run_id.clone(),
            experiment: run.experiment.clone(),
            seed: run.seed,
            backend: run.backend.clone(),
            outcome: match &history.phase {
                Some(RunPhase::Finished) => Outcome::Finished,
                Some(RunPhase::Stopped) => Outcome::Stopped,
                Some(RunPhase::Failed(why)) => Outcome::Failed(why.clone()),
                _ => Outcome::Unfinished,
            },
            steps: history.step,
            total_steps: history.total_steps(),
            stages: (0..history.stage_starts.len()).filter_map(|stage| stage_summary(history, stage)).collect(),
            accuracy: history.classes.last().map(|reading| reading.accuracy),
            logps: logps.collect(),
            leaks,
            dynamics: detector.state.title().to_owned(),
            states: detector.changes.iter().map(told).collect(),
            first_alarm: detector.alarms().next().map(told),
            verdict: detector.began().map_or_else(String::new, |_| detector.announcement()),
            wall_seconds,
            tokens_per_second: if wall_seconds > 0.0 { tokens / wall_seconds } else { 0.0 },
        })
    }

    /// Reads `summary.json`.
    ///
    /// # Errors
    /// When it cannot be read or is no summary.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|e| Error::reading(path, &e))?;
        serde_json::from_str(&text).map_err(|e| {
            let location = Location { file: path.to_owned(), line: Some(e.line()), column: Some(e.column()) };
            Error::input(
                location,
                format!("not a run's summary: {e}"),
                "the events.jsonl beside it holds the same facts",
            )
        })
    }

    /// Writes it, pretty-printed: to a file beside, then renamed, so that a reader finds the old one or the new one.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let unwritable = |e: &std::io::Error| Error::writing(path, e);
        let mut text = serde_json::to_string_pretty(self).map_err(|e| unwritable(&e.into()))?;
        text.push('\n');
        let mut beside = path.as_os_str().to_owned();
        beside.push(".tmp");
        std::fs::write(&beside, text).map_err(|e| unwritable(&e))?;
        std::fs::rename(&beside, path).map_err(|e| unwritable(&e))
    }

    /// What is printed when the screen is gone: how it ended, the last numbers, where the run is.
    pub fn lines(&self, directory: Option<&RunDirectory>) -> Vec<Shown> {
        let ended = match &self.outcome {
            Outcome::Finished => "finished".to_owned(),
            Outcome::Stopped => "stopped".to_owned(),
            Outcome::Failed(why) => format!("failed: {why}"),
            Outcome::Unfinished => "not finished".to_owned(),
        };
        let speed = match self.accuracy {
            None => format!(" ({:.0} tokens/s)", self.tokens_per_second),
            Some(_) => String::new(),
        };
        let mut lines = vec![format!(
            "{}: {ended} after {} of {} steps in {} on {}{speed}",
            self.run_id,
            self.steps,
            self.total_steps,
            duration(self.wall_seconds),
            self.backend,
        )];
        for stage in &self.stages {
            let loss = stage.metrics.get(&MetricKey::LOSS).map_or_else(String::new, |x| format!(", loss {x:.3}"));
            lines.push(format!("  {}: {} steps of {}{loss}", stage.name, stage.steps, stage.objective));
        }
        let shown = [CurveId::Probe(ProbeKind::Chosen), CurveId::Probe(ProbeKind::Rejected)];
        let logps = shown.into_iter().chain([CurveId::ArgmaxChosen]).filter_map(|curve| {
            let value = self.logps.get(curve.key())?.map_or("not finite".to_owned(), |x| format!("{x:.1}"));
            Some(format!("{} {value}", curve.symbol()))
        });
        let logps: Vec<String> = logps.collect();
        if !logps.is_empty() {
            lines.push(format!("  log p (nats, sum, mean over prompts): {}", logps.join(", ")));
        }
        let first = self.first_alarm.as_ref().map_or_else(
            || ", never an alarm".to_owned(),
            |a| format!(", first alarm ({}) at step {} in stage {}", a.state, a.step, a.stage),
        );
        lines.push(match self.accuracy {
            None => format!("  dynamics at the end: {}{first}", self.dynamics),
            Some(accuracy) => format!("  held-out pictures: {:.1} % right", 100.0 * accuracy),
        });
        if !self.verdict.is_empty() {
            lines.push(format!("    {}", self.verdict));
        }
        if !self.leaks.is_empty() {
            lines.push("  answers of other training questions that leaked most (nats since the start):".to_owned());
        }
        for Leak { nats, prompt, answer } in &self.leaks {
            lines.push(format!("    {nats:+.1}  {prompt}  ←{answer}"));
        }
        if let Some(directory) = directory {
            lines.push(format!("  run: {}", directory.root().display()));
        }
        lines.iter().map(|line| Shown::new(line)).collect()
    }
}

/// Steps taken in a stage and its last scalars: those logged after the stage's start and not after the next one's.
fn stage_summary(history: &RunHistory, stage: usize) -> Option<StageSummary> {
    let info = history.run.as_ref()?.stages.get(stage)?;
    let start = *history.stage_starts.get(stage)?;
    let end = history.stage_starts.get(stage + 1).copied().unwrap_or(history.step);
    let metrics = history.metrics.iter().filter_map(|(key, series)| {
        let (step, last) = series.get(series.up_to(end).checked_sub(1)?)?;
        (step > start).then(|| (key.clone(), last))
    });
    let steps = end.saturating_sub(start);
    Some(StageSummary { name: info.name.clone(), objective: info.objective.clone(), steps, metrics: metrics.collect() })
}

/// `3 min 07 s`.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates, and a run lasts hours")]
fn duration(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    match (whole / 3600, whole / 60 % 60, whole % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m} min {s:02} s"),
        (h, m, _) => format!("{h} h {m:02} min"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::cast_precision_loss, reason = "a test may fail")]

    use super::*;
    use crate::history::fixture::{evaluation, history, run, stage};
    use crate::protocol::{StepMetrics, TrainerEvent};

    fn step(step: u64, stage: usize, loss: f64) -> TrainerEvent {
        let metrics = [(MetricKey::LOSS, loss), (MetricKey::NUM_TOKENS, 100.0 * step as f64)].into_iter().collect();
        TrainerEvent::Step(StepMetrics { step, stage, metrics })
    }

    fn example() -> RunHistory {
        let mut e = evaluation(2, 1, 3, &[(ProbeKind::Chosen, -12.25)], -3.0);
        e.logps.insert(ProbeKind::Rejected, vec![f32::NAN; 2]);
        history(&[
            TrainerEvent::RunStarted(Box::new(run(2, 7, vec![stage("SFT", false, 2), stage("D\u{1b}PO", true, 4)]))),
            TrainerEvent::StageStarted { stage: 0, step: 0 },
            step(1, 0, 3.0),
            step(2, 0, 2.0),
            TrainerEvent::StageStarted { stage: 1, step: 2 },
            step(3, 1, f64::NAN),
            TrainerEvent::from(e),
            TrainerEvent::Phase { phase: RunPhase::Failed("no space\nleft".to_owned()), step: 3 },
        ])
    }

    #[test]
    fn a_summary_holds_the_last_numbers_and_survives_the_disk() {
        assert_eq!(Summary::new(&RunHistory::default(), 1.0), None);
        let summary = Summary::new(&example(), 60.0).unwrap();
        assert_eq!((summary.steps, summary.total_steps, summary.tokens_per_second), (3, 6, 5.0));
        assert_eq!(summary.stages[0].metrics[&MetricKey::LOSS], 2.0);
        assert_eq!((summary.stages[0].steps, summary.stages[1].steps), (2, 1));
        assert!(summary.stages[1].metrics[&MetricKey::LOSS].is_nan());
        assert_eq!((summary.logps["chosen"], summary.logps["rejected"]), (Some(-12.25), None));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("summary.json");
        summary.write(&path).unwrap();
        summary.write(&path).unwrap();
        assert_eq!(format!("{:?}", Summary::read(&path).unwrap()), format!("{summary:?}"));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
    }

    #[test]
    fn a_classifier_says_how_often_it_is_right() {
        let mut history = example();
        let reading = crate::protocol::ClassReading { step: 3, accuracy: 0.9641, ..Default::default() };
        history.apply(&TrainerEvent::from(reading));
        let summary = Summary::new(&history, 10.0).unwrap();
        assert_eq!(summary.accuracy, Some(0.9641));
        let lines = summary.lines(None);
        assert!(lines.iter().any(|line| line.as_str() == "  held-out pictures: 96.4 % right"), "{lines:?}");
        assert!(lines.iter().all(|line| !line.as_str().contains("tokens") && !line.as_str().contains("dynamics")));
    }

    #[test]
    fn the_last_words_are_displayable() {
        let lines = Summary::new(&example(), 187.0).unwrap().lines(None);
        let text: Vec<&str> = lines.iter().map(Shown::as_str).collect();
        assert_eq!(
            text,
            [
                "test-seed7: failed: no space⏎left after 3 of 6 steps in 3 min 07 s on none (2 tokens/s)",
                "  SFT: 2 steps of sft, loss 2.000",
                "  D<U+001B>PO: 1 steps of sigmoid, loss NaN",
                "  log p (nats, sum, mean over prompts): y⁺ -12.2, y⁻ not finite, y* on y⁺ -3.0",
                "  dynamics at the end: healthy, never an alarm",
            ]
        );
    }

    #[test]
    fn a_summary_that_is_none_is_refused_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("summary.json");
        std::fs::write(&path, "{\n  \"run_id\": 3}").unwrap();
        let error = Summary::read(&path).unwrap_err();
        assert!(error.to_string().contains("summary.json:2:"), "{error}");
        assert_eq!(error.exit_status(), 2);
    }
}
