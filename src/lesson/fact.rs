//! Facts: numbers that are measured on a recording or read off a lab, and what may hold of them.

use serde::Deserialize;

use super::told::curve_named;
use crate::dynamics::lab::Outcome;
use crate::dynamics::lab::wording;
use crate::history::{RunHistory, Scale};
use crate::text::minus;

/// A number with a name.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fact {
    /// What texts and conditions call it.
    pub name: String,
    /// How it is measured.
    pub is: Measure,
}

/// A class of the lab.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// The class that the step is taken on.
    Y,
    /// The likeliest of the others.
    Star,
    /// All that are neither.
    Others,
}

/// How a number is had. `of` names a recording; the first where it is absent. Steps are those of the recording.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Measure {
    /// The mean log-prob of a curve at a step, nats.
    Level {
        /// The curve's key.
        curve: String,
        /// The step.
        at: u64,
        /// The recording.
        #[serde(default)]
        of: Option<String>,
    },
    /// How far a curve moved between two steps, nats.
    Change {
        /// The curve's key.
        curve: String,
        /// The first step.
        from: u64,
        /// The last.
        to: u64,
        /// The recording.
        #[serde(default)]
        of: Option<String>,
    },
    /// The share of pairs on which y⁺ fell though the margin grew.
    Displaced {
        /// The step.
        at: u64,
        /// The recording.
        #[serde(default)]
        of: Option<String>,
    },
    /// The share of pairs of which y* took what was lost.
    Squeezed {
        /// The step.
        at: u64,
        /// The recording.
        #[serde(default)]
        of: Option<String>,
    },
    /// The share of all gains that y* took.
    ToStar {
        /// The step.
        at: u64,
        /// The recording.
        #[serde(default)]
        of: Option<String>,
    },
    /// How many alarms there were.
    Alarms {
        /// The recording.
        #[serde(default)]
        of: Option<String>,
    },
    /// The step of the first alarm.
    FirstAlarm {
        /// The recording.
        #[serde(default)]
        of: Option<String>,
    },
    /// How many prompts are observed.
    Prompts {
        /// The recording.
        #[serde(default)]
        of: Option<String>,
    },
    /// The mean of a trainer's number over the steps `from` to `to`, such as `weight/rejected`.
    Metric {
        /// Its key in the run file.
        key: String,
        /// The first step.
        from: u64,
        /// The last.
        to: u64,
        /// The recording.
        #[serde(default)]
        of: Option<String>,
    },
    /// A probability in the lab before the step.
    Before(Who),
    /// The same after it.
    After(Who),
    /// What the step changed of it.
    Gain(Who),
    /// How many of the others fall.
    Falling,
    /// How many others there are.
    Others,
}

/// Where facts are measured.
#[derive(Debug, Clone, Copy)]
pub enum Ground<'a> {
    /// Recordings by their names, the first meant where none is named.
    Runs(&'a [(String, &'a RunHistory)]),
    /// A step in the lab.
    Lab(&'a Outcome),
}

#[allow(clippy::cast_precision_loss, reason = "counts and steps that a lesson speaks of")]
impl Measure {
    /// The number on a ground.
    ///
    /// # Errors
    /// In words, when the ground does not have it.
    pub fn on(&self, ground: Ground<'_>) -> Result<f64, String> {
        match (self, ground) {
            (Self::Before(who), Ground::Lab(lab)) => Ok(sum(lab, *who, |i| lab.before[i])),
            (Self::After(who), Ground::Lab(lab)) => Ok(sum(lab, *who, |i| lab.after[i])),
            (Self::Gain(who), Ground::Lab(lab)) => Ok(sum(lab, *who, |i| lab.change(i))),
            (Self::Falling, Ground::Lab(lab)) => Ok(lab.counts().2 as f64),
            (Self::Others, Ground::Lab(lab)) => Ok(lab.counts().0 as f64),
            (Self::Before(_) | Self::After(_) | Self::Gain(_) | Self::Falling | Self::Others, Ground::Runs(_)) => {
                Err("it is a number of the lab, and the lesson shows recordings".to_owned())
            }
            (_, Ground::Lab(_)) => Err("it is a number of a recording, and the lesson shows the lab".to_owned()),
            (_, Ground::Runs(runs)) => self.in_run(find(runs, self.recording())?),
        }
    }

    fn recording(&self) -> Option<&str> {
        match self {
            Self::Level { of, .. }
            | Self::Change { of, .. }
            | Self::Displaced { of, .. }
            | Self::Squeezed { of, .. }
            | Self::ToStar { of, .. }
            | Self::Alarms { of }
            | Self::FirstAlarm { of }
            | Self::Prompts { of }
            | Self::Metric { of, .. } => of.as_deref(),
            Self::Before(_) | Self::After(_) | Self::Gain(_) | Self::Falling | Self::Others => None,
        }
    }

    fn in_run(&self, run: &RunHistory) -> Result<f64, String> {
        match self {
            Self::Level { curve, at, .. } => level(run, curve, *at),
            Self::Change { curve, from, to, .. } => Ok(level(run, curve, *to)? - level(run, curve, *from)?),
            Self::Displaced { at, .. } => standing(run, *at, |s| s.displacement_rate),
            Self::Squeezed { at, .. } => standing(run, *at, |s| s.squeezing_rate),
            Self::ToStar { at, .. } => standing(run, *at, |s| s.star_share),
            Self::Alarms { .. } => Ok(run.detector.alarms().count() as f64),
            Self::FirstAlarm { .. } => {
                let first = run.detector.alarms().next().ok_or("there was no alarm")?;
                Ok(first.step as f64)
            }
            Self::Prompts { .. } => Ok(run.run.as_ref().map_or(0, |run| run.probes.len()) as f64),
            Self::Metric { key, from, to, .. } => {
                let found = run.metrics.iter().find(|(known, _)| known.0.as_ref() == key.as_str());
                let (_, series) = found.ok_or_else(|| {
                    let known: Vec<&str> = run.metrics.keys().map(|key| key.0.as_ref()).collect();
                    format!("there is no number `{key}`; there are {}", known.join(", "))
                })?;
                let mean = series.summary_of_steps((*from, *to)).mean();
                mean.is_finite().then_some(mean).ok_or_else(|| format!("`{key}` was not recorded from {from} to {to}"))
            }
            Self::Before(_) | Self::After(_) | Self::Gain(_) | Self::Falling | Self::Others => {
                Err("it is a number of the lab".to_owned())
            }
        }
    }

    /// The number in words, as a text has it.
    pub fn say(&self, x: f64) -> String {
        match self {
            Self::Level { .. } => minus(&format!("{x:.1}")),
            Self::Change { .. } if x.abs() < 0.05 => "did not move".to_owned(),
            Self::Change { .. } if x < 0.0 => format!("fell by {:.1} nats", -x),
            Self::Change { .. } => format!("rose by {x:.1} nats"),
            Self::Displaced { .. } | Self::Squeezed { .. } | Self::ToStar { .. } => format!("{:.0} %", 100.0 * x),
            Self::Metric { .. } => minus(&format!("{x:.3}")),
            Self::Before(_) | Self::After(_) => wording::probability(x),
            Self::Gain(_) => wording::change(x),
            Self::Alarms { .. } | Self::FirstAlarm { .. } | Self::Prompts { .. } | Self::Falling | Self::Others => {
                format!("{x:.0}")
            }
        }
    }
}

fn sum(lab: &Outcome, who: Who, of: impl Fn(usize) -> f64) -> f64 {
    match who {
        Who::Y => of(lab.step.y),
        Who::Star => of(lab.star),
        Who::Others => lab.bystanders().map(of).sum(),
    }
}

/// The recording of a name, or the first.
pub(super) fn find<'a>(runs: &[(String, &'a RunHistory)], name: Option<&str>) -> Result<&'a RunHistory, String> {
    let found = match name {
        None => runs.first(),
        Some(name) => runs.iter().find(|(known, _)| known == name),
    };
    found.map(|(_, run)| *run).ok_or_else(|| {
        let known: Vec<&str> = runs.iter().map(|(name, _)| name.as_str()).collect();
        format!("there is no recording `{}`; there are {}", name.unwrap_or("?"), known.join(", "))
    })
}

fn level(run: &RunHistory, curve: &str, at: u64) -> Result<f64, String> {
    measured(run, at)?;
    let series = run.curve(curve_named(curve)?, Scale::LogProb, None);
    let value = series.at(at).filter(|value| value.is_finite());
    value.ok_or_else(|| format!("the recording has no `{curve}` at step {at}"))
}

fn standing(run: &RunHistory, at: u64, of: impl Fn(&crate::history::Standing) -> f64) -> Result<f64, String> {
    measured(run, at)?;
    let value = run.detector.standing_at(at).map(of).filter(|value| value.is_finite());
    value.ok_or_else(|| format!("no share of pairs is known at step {at}"))
}

/// That something was measured at the step.
pub(super) fn measured(run: &RunHistory, at: u64) -> Result<(), String> {
    let steps = || (0..run.measurements()).filter_map(|place| run.measured_at(place));
    if steps().any(|step| step == at) {
        return Ok(());
    }
    let steps: Vec<String> = steps().map(|step| step.to_string()).collect();
    Err(format!("nothing was measured at step {at}; it was at {}", steps.join(", ")))
}

/// What may hold of facts, which it calls by their names.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Condition {
    /// A fact is above a number.
    Above {
        /// The fact.
        fact: String,
        /// The number.
        than: f64,
    },
    /// A fact is below a number.
    Below {
        /// The fact.
        fact: String,
        /// The number.
        than: f64,
    },
    /// A fact lies between two numbers, or is one of them.
    Between {
        /// The fact.
        fact: String,
        /// The lower.
        low: f64,
        /// The upper.
        high: f64,
    },
    /// A fact is larger than another.
    More {
        /// The larger.
        fact: String,
        /// The smaller.
        than: String,
    },
}

impl Condition {
    /// Whether it holds, where `value` gives the facts.
    ///
    /// # Errors
    /// When a fact cannot be had.
    pub fn holds(&self, value: impl Fn(&str) -> Result<f64, String>) -> Result<bool, String> {
        Ok(match self {
            Self::Above { fact, than } => value(fact)? > *than,
            Self::Below { fact, than } => value(fact)? < *than,
            Self::Between { fact, low, high } => (*low..=*high).contains(&value(fact)?),
            Self::More { fact, than } => value(fact)? > value(than)?,
        })
    }

    /// In words, with the numbers as they are.
    pub(super) fn spelled(&self, value: impl Fn(&str) -> Result<f64, String>) -> String {
        let now = |fact: &str| value(fact).map_or_else(|_| "?".to_owned(), |x| format!("{x:.3}"));
        match self {
            Self::Above { fact, than } => format!("{fact} > {than} (it is {})", now(fact)),
            Self::Below { fact, than } => format!("{fact} < {than} (it is {})", now(fact)),
            Self::Between { fact, low, high } => format!("{low} ≤ {fact} ≤ {high} (it is {})", now(fact)),
            Self::More { fact, than } => format!("{fact} > {than} (they are {} and {})", now(fact), now(than)),
        }
    }
}
