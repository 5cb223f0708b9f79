//! K1: what the likeness of classes does, in a classifier of digits (Fig. 1 of the paper).

use super::measure::{correlation, share_of_runs};
use super::{ClaimResult, Figure, Measured, Unit, result};
use crate::history::RunHistory;
use crate::history::classes::{entry, spearman};
use crate::history::stats::stratified_mean;
use crate::protocol::ClassReading;

/// The class that is learnt from and the one that it must pull up most, by name.
const PULLS: (&str, &str) = ("4", "9");
/// Least rank correlation of the kernel between the middle of training and its end.
const STABLE: f64 = 0.8;

/// The claim K1, read at the end of every run:
///
/// (a) of all classes but itself, the accumulated influence of the updates on "4" on log π(4 | x_o) is largest for o = "9";
///
/// (b) Spearman's correlation of the entries of ‖K(x_o, x_u)‖_F off the diagonal, between the first reading in the second
/// half of the run's steps and the last reading, is above 0.8.
pub(super) fn k1(histories: &[&RunHistory], gates: bool) -> ClaimResult {
    let statement = "digits: learning a 4 pulls the 9 up most, and which classes are alike is settled by half-time";
    result("K1", statement, gates, measure(histories))
}

fn measure(histories: &[&RunHistory]) -> Measured {
    if histories.is_empty() {
        return Err("there is no run".to_owned());
    }
    let runs = histories.iter().map(|history| Run::of(history)).collect::<Result<Vec<_>, _>>()?;
    let per_seed =
        |value: fn(&Run<'_>) -> f64| -> Vec<(u64, f64)> { runs.iter().map(|run| (run.seed, value(run))).collect() };
    let first: Vec<(u64, bool)> = runs.iter().map(|run| (run.seed, run.pulls_most())).collect();
    let stability = per_seed(|run| run.stability());
    let holds = first.iter().all(|&(_, first)| first) && stability.iter().all(|&(_, rho)| rho > STABLE);
    let figures = vec![
        share_of_runs("runs in which 4 pulls 9 up most", first),
        nats("4 on 9", per_seed(|run| run.pull())),
        nats("4 on the next class", per_seed(|run| run.runner_up())),
        correlation("rank correlation of ‖K‖, middle to end", stability),
    ];
    Ok((holds, figures))
}

/// A mean over runs.
fn nats(label: &str, per_seed: Vec<(u64, f64)>) -> Figure {
    let pooled = stratified_mean(&[per_seed.iter().map(|&(_, x)| x).collect()]);
    Figure { label: label.to_owned(), unit: Unit::Nats, pooled, per_seed }
}

/// What K1 reads off a finished run of digits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pull {
    /// Accumulated influence of the updates on "4" on log π(4 | x_9), nats.
    pub on_nine: f64,
    /// The largest on any other class, nats.
    pub on_next: f64,
    /// Spearman's correlation of ‖K(x_o, x_u)‖_F off the diagonal, from the middle of training to its end.
    pub stability: f64,
}

impl Pull {
    /// Reads it off a run.
    ///
    /// # Errors
    /// In words: why the run does not tell it.
    pub fn of(history: &RunHistory) -> Result<Self, String> {
        let run = Run::of(history)?;
        Ok(Self { on_nine: run.pull(), on_next: run.runner_up(), stability: run.stability() })
    }
}

/// A finished run of a classifier.
struct Run<'a> {
    seed: u64,
    classes: usize,
    pulls: usize,
    pulled: usize,
    middle: &'a ClassReading,
    last: &'a ClassReading,
}

impl<'a> Run<'a> {
    fn of(history: &'a RunHistory) -> Result<Self, String> {
        let run = history.run.as_ref().ok_or("a run never began")?;
        if run.classes.is_empty() {
            return Err("no classes are observed".to_owned());
        }
        let index = |name: &str| run.classes.iter().position(|c| c == name).ok_or(format!("no class is called {name}"));
        let (pulls, pulled) = (index(PULLS.0)?, index(PULLS.1)?);
        let steps = history.total_steps();
        let last = history.classes.last().filter(|r| steps > 0 && r.step >= steps);
        let last = last.ok_or_else(|| format!("{} did not come to its end", run.run_id))?;
        let after_half = history.classes.partition_point(|r| r.step < steps.div_ceil(2));
        let middle = history.classes.get(after_half).filter(|r| r.step < last.step);
        let middle = middle.ok_or_else(|| format!("{} was not measured on its way", run.run_id))?;
        Ok(Self { seed: run.seed, classes: run.classes.len(), pulls, pulled, middle, last })
    }

    fn influence_on(&self, o: usize) -> f64 {
        entry(&self.last.influence, self.classes, self.pulls, o)
    }

    fn pull(&self) -> f64 {
        self.influence_on(self.pulled)
    }

    /// Influence on the classes that are neither.
    fn others(&self) -> impl Iterator<Item = f64> {
        (0..self.classes).filter(|&o| o != self.pulls && o != self.pulled).map(|o| self.influence_on(o))
    }

    fn pulls_most(&self) -> bool {
        self.others().all(|other| other < self.pull())
    }

    fn runner_up(&self) -> f64 {
        self.others().fold(f64::NEG_INFINITY, f64::max)
    }

    fn stability(&self) -> f64 {
        let off_diagonal = |reading: &ClassReading| -> Vec<f64> {
            let pairs = (0..self.classes).flat_map(|o| (0..self.classes).map(move |u| (o, u))).filter(|(o, u)| o != u);
            pairs.map(|(o, u)| entry(&reading.kernel, self.classes, o, u)).collect()
        };
        spearman(&off_diagonal(self.middle), &off_diagonal(self.last))
    }
}
