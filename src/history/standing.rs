//! The standing of a stage at one evaluation: what changed on every pair since the stage began, and what speaks for which state.
//!
//! The paper's claim is cumulative: y⁺ lies below where the stage began, and the probability went to the argmax. So every
//! change is counted from the evaluation that the stage started from. That evaluation is exact, for the stage begins with
//! those very weights; later ones jitter from batch to batch, and a change counts only beyond that (see `noise`). The
//! recent past, in steps, says in which direction it goes.

use std::sync::Arc;

use super::evidence::Hold;
use super::readings::{Direction, Peak, Read, Readings};
use super::series::Series;
use super::state::DynamicsState;
use super::stats::{Estimate, float, mean, rate};
use crate::protocol::{DetectorSettings, Evaluation, GreedyAnswer, MassFlow, ProbeKind, ProbePrompt, RunStarted};

/// Net gain of bystanders (probability a position) and of entropy (nats a position) from which mass flattens out; it does
/// so until one of the two is no gain any more.
const FLATTENING: (f64, f64) = (0.001, 0.01);

/// How a stage stands at one evaluation, against where it began.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// Index of the stage.
    pub stage: usize,
    /// Step of the evaluation.
    pub step: u64,
    /// Step of the evaluation that the stage started from: what every change is counted from.
    pub since: u64,
    /// Whether the numbers are means over prompts that are not told apart: then there is no share of pairs.
    pub of_means: bool,
    /// Pairs whose y⁺ and y⁻ could be read at both ends: what the rates are shares of.
    pub measured: usize,
    /// Whether y⁻ is among what was measured. Where it is not, though the stage pushes it down, a y⁺ that fell counts as
    /// displaced: the margin grows on nearly every pair of such a stage (claim D1), so y⁻ fell further.
    pub rejected_measured: bool,
    /// Whether mass flow since the stage began was recorded. Where it was not, a displaced pair whose argmax rose counts as
    /// squeezed.
    pub flow_measured: bool,
    /// Per pair: the margin grew while y⁺ and y⁻ both fell beyond τ and noise.
    pub displaced: Vec<bool>,
    /// Per pair: displaced, the argmax rose beyond τ and noise and took its share of the freed mass.
    pub squeezed: Vec<bool>,
    /// Share of displaced pairs; NaN where none was measured, and of means.
    pub displacement_rate: f64,
    /// 95 % Wilson interval of the displacement rate.
    pub interval: (f64, f64),
    /// Share of squeezed pairs; NaN where it cannot be told (no pair or no argmax measured), and of means.
    pub squeezing_rate: f64,
    /// Mean change of y⁺, nats, over the pairs that have it; NaN if none.
    pub chosen: f64,
    /// Mean change of y⁻, nats.
    pub rejected: f64,
    /// Mean change of the argmax along y⁺, nats.
    pub argmax: f64,
    /// Mass-weighted share of all gains that y* took, S; NaN without mass flow.
    pub star_share: f64,
    /// Net change of mass of bystanders, mean per position; NaN without mass flow.
    pub bystanders: f64,
    /// Change of entropy, mean per position, nats; NaN without mass flow.
    pub entropy: f64,
    /// Token that gained most and its share of all gains. The token is raw text.
    pub top_gain: Option<(String, f64)>,
    /// How the greedy text changed, where it was generated at both ends.
    pub greedy: Option<GreedyChange>,
    /// The direction of y⁺ at present.
    pub direction: Direction,
    /// The highest mean of y⁺, if it rose in the stage and has fallen since: an early sign, no alarm.
    pub peak: Option<Peak>,
    /// Step and value of the highest mean of y⁺ in the stage so far, its start included, nats.
    pub(crate) highest: (u64, f64),
    /// The state that the run was in after this evaluation.
    pub state: DynamicsState,
}

/// Numbers of every standing, over steps.
#[derive(Debug, Clone, Default)]
pub struct Courses {
    /// [`Standing::displacement_rate`].
    pub displacement_rate: Series,
    /// [`Standing::squeezing_rate`].
    pub squeezing_rate: Series,
    /// [`Standing::star_share`].
    pub star_share: Series,
    /// [`Standing::bystanders`].
    pub bystanders: Series,
    /// [`Standing::entropy`].
    pub entropy: Series,
}

impl Courses {
    /// Appends those of one standing.
    pub(super) fn push(&mut self, s: &Standing) {
        self.displacement_rate.push(s.step, s.displacement_rate);
        self.squeezing_rate.push(s.step, s.squeezing_rate);
        self.star_share.push(s.step, s.star_share);
        self.bystanders.push(s.step, s.bystanders);
        self.entropy.push(s.step, s.entropy);
    }
}

/// The greedy text now against the stage's start, means over prompts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GreedyChange {
    /// Distinct-2 when the stage began.
    pub distinct_2_before: f64,
    /// Distinct-2 now.
    pub distinct_2: f64,
    /// Share of repeated 4-grams now.
    pub repeat_4: f64,
}

/// What an evaluation says for and against each state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Evidence {
    pub(super) displacing: Hold,
    pub(super) flattening: Hold,
    pub(super) squeezing: Hold,
    pub(super) collapse: Hold,
}

impl Standing {
    /// Measures the last evaluation of `span` against the first: the evaluations of one stage, the one that it started from
    /// included. `earlier` are the standings of the same stage so far. `None` while there is nothing to compare with. `state`
    /// is left healthy.
    pub(super) fn measure(
        run: &RunStarted,
        span: &[Arc<Evaluation>],
        earlier: &[Arc<Self>],
        settings: &DetectorSettings,
    ) -> Option<(Self, Evidence)> {
        let (start, later) = span.split_first()?;
        let now = later.last().filter(|now| now.step > start.step)?;
        let readings = Readings::new(run, start, later, settings);
        let flow = now.stage_flow.as_ref().filter(|flow| flow.since == start.step);
        let flows = flow.map(|flow| Flows::of(flow, &run.probes));
        let pairs = if run.means { None } else { Some(Pairs::read(&readings, flow)) };
        let counted = pairs.as_ref().map_or(rate(0, 0), |p| p.displacement());
        let mut this = Self {
            stage: now.stage,
            step: now.step,
            since: start.step,
            of_means: run.means,
            measured: counted.n,
            rejected_measured: readings.rejected_measured(),
            flow_measured: flow.is_some(),
            displacement_rate: counted.value,
            interval: (counted.low, counted.high),
            squeezing_rate: pairs.as_ref().map_or(f64::NAN, |p| p.squeezing().value),
            displaced: Vec::new(),
            squeezed: Vec::new(),
            chosen: readings.mean_change(Read::Chosen),
            rejected: readings.mean_change(Read::Rejected),
            argmax: readings.mean_change(Read::Argmax),
            star_share: flows.as_ref().map_or(f64::NAN, |f| f.star_share),
            bystanders: flows.as_ref().map_or(f64::NAN, |f| f.bystanders),
            entropy: flows.as_ref().map_or(f64::NAN, |f| f.entropy),
            top_gain: flows.and_then(|f| f.top_gain),
            greedy: greedy_change(span),
            direction: readings.direction(),
            highest: readings.highest(earlier.last().map(|before| before.highest)),
            peak: None,
            state: DynamicsState::Healthy,
        };
        this.peak = readings.peak(this.highest);
        let (displacing, squeezing) = match pairs {
            Some(pairs) => {
                let evidence = this.of_pairs(&pairs, earlier, settings);
                (this.displaced, this.squeezed) = (pairs.displaced(), pairs.squeezed);
                evidence
            }
            None => {
                let (displacing, squeezing) = readings.of_means();
                (this.displaced, this.squeezed) = (vec![displacing.enter], vec![squeezing.enter]);
                (displacing, squeezing)
            }
        };
        let gains = (this.bystanders, this.entropy);
        let evidence = Evidence {
            displacing,
            squeezing,
            flattening: Hold {
                enter: gains.0 > FLATTENING.0 && gains.1 > FLATTENING.1,
                stay: gains.0 > 0.0 && gains.1 > 0.0,
            },
            collapse: this.greedy.map_or(Hold::default(), |g| g.collapse(settings)),
        };
        Some((this, evidence))
    }

    /// What the shares of pairs say of displacement and of a squeeze.
    fn of_pairs(&self, pairs: &Pairs, earlier: &[Arc<Self>], settings: &DetectorSettings) -> (Hold, Hold) {
        #[allow(clippy::cast_precision_loss, reason = "steps are far below 2^52")]
        let is_recent =
            |s: &&Arc<Self>| (self.step - s.step) as f64 <= settings.recent * (self.step - self.since) as f64;
        let recent_mean = |now: f64, of: fn(&Self) -> f64| {
            let before = earlier.iter().rev().take_while(is_recent).map(|s| of(s));
            mean(&before.chain([now]).filter(|share| share.is_finite()).collect::<Vec<_>>())
        };
        let hold =
            |now: f64, of: fn(&Self) -> f64, rate: f64| Hold::of_share(now, || recent_mean(now, of), rate, settings);
        let displacing = hold(pairs.displacement().value, |s| s.displacement_rate, settings.displacing_rate);
        let mut squeezing = hold(pairs.squeezing().value, |s| s.squeezing_rate, settings.squeezing_rate);
        // Who took the mass is unknown: a y⁺ on its way up is no squeeze that begins.
        squeezing.enter &= self.flow_measured || self.direction != Direction::Easing;
        (displacing, squeezing)
    }
}

/// The pairs of a run, each in a state of its own.
struct Pairs {
    /// `None` where the pair cannot be read.
    displaced: Vec<Option<bool>>,
    squeezed: Vec<bool>,
    argmax_measured: bool,
}

impl Pairs {
    fn read(readings: &Readings<'_>, flow: Option<&MassFlow>) -> Self {
        let displaced: Vec<Option<bool>> =
            (0..readings.run.probes.len()).map(|pair| readings.displaced(pair)).collect();
        let enough = readings.settings.squeezed_share;
        let takes_its_share = |pair| flow.is_none_or(|f| star_share(f, pair).is_some_and(|s| s >= enough));
        let squeezed = displaced.iter().enumerate().map(|(pair, &d)| {
            d == Some(true)
                && takes_its_share(pair)
                && readings.pair(Read::Argmax, pair).is_some_and(|argmax| argmax.moved(1.0))
        });
        Self { squeezed: squeezed.collect(), displaced, argmax_measured: readings.measured(Read::Argmax) }
    }

    fn displaced(&self) -> Vec<bool> {
        self.displaced.iter().map(|d| *d == Some(true)).collect()
    }

    fn displacement(&self) -> Estimate {
        rate(count(&self.displaced()), self.measured())
    }

    /// Share of squeezed pairs; of none where there is no argmax.
    fn squeezing(&self) -> Estimate {
        rate(count(&self.squeezed), if self.argmax_measured { self.measured() } else { 0 })
    }

    fn measured(&self) -> usize {
        self.displaced.iter().flatten().count()
    }
}

/// Share of a pair's gains that y* took; `None` where nothing moved or the flow is no number.
fn star_share(flow: &MassFlow, pair: usize) -> Option<f64> {
    let (star, gain) = (f64::from(*flow.star_gain.get(pair)?), f64::from(*flow.gain.get(pair)?));
    (gain > 0.0 && star.is_finite()).then(|| star / gain)
}

/// Mass flow over all pairs.
struct Flows {
    star_share: f64,
    bystanders: f64,
    entropy: f64,
    top_gain: Option<(String, f64)>,
}

impl Flows {
    fn of(flow: &MassFlow, probes: &[ProbePrompt]) -> Self {
        let total = |xs: &[f32]| xs.iter().map(|&x| f64::from(x)).filter(|x| x.is_finite()).sum::<f64>();
        let gain = total(&flow.gain);
        let positions: f64 =
            probes.iter().filter_map(|p| p.responses.get(&ProbeKind::Chosen)).map(|r| f64::from(r.tokens)).sum();
        let entropies: Vec<f64> = flow.entropy.iter().map(|&x| f64::from(x)).filter(|x| x.is_finite()).collect();
        let top = flow.gained.first().filter(|t| gain > 0.0 && t.mass.is_finite());
        Self {
            star_share: if gain > 0.0 { total(&flow.star_gain) / gain } else { 0.0 },
            bystanders: if positions > 0.0 { total(&flow.bystanders) / positions } else { 0.0 },
            entropy: mean(&entropies),
            top_gain: top.map(|t| (t.token.clone(), f64::from(t.mass) / gain)),
        }
    }
}

/// The greedy text at the last evaluation against the first of the stage that has any.
fn greedy_change(span: &[Arc<Evaluation>]) -> Option<GreedyChange> {
    let (now, earlier) = span.split_last()?;
    if now.greedy.is_empty() {
        return None;
    }
    let before = earlier.iter().find(|e| !e.greedy.is_empty())?;
    let average = |of: &Evaluation, what: fn(&GreedyAnswer) -> f32| {
        mean(&of.greedy.iter().map(|g| f64::from(what(g))).collect::<Vec<_>>())
    };
    Some(GreedyChange {
        distinct_2_before: average(before, |g| g.distinct_2),
        distinct_2: average(now, |g| g.distinct_2),
        repeat_4: average(now, |g| g.repeat_4),
    })
}

fn count(flags: &[bool]) -> usize {
    flags.iter().filter(|&&f| f).count()
}

impl GreedyChange {
    /// Whether the text fell apart: fewer distinct bigrams, or the same 4-grams again and again.
    fn collapse(&self, settings: &DetectorSettings) -> Hold {
        let beyond = |part: f64| {
            self.distinct_2 <= self.distinct_2_before * (1.0 - part * settings.collapse_distinct_2_drop)
                || self.repeat_4 > part * settings.collapse_repeat_4
        };
        Hold { enter: beyond(1.0), stay: beyond(settings.leave) }
    }

    /// The change in words, for the reason.
    pub(super) fn describe(&self) -> String {
        format!(
            "the greedy text repeats itself (distinct-2 {:.2} → {:.2}, {:.0} % of its 4-grams occurred before)",
            self.distinct_2_before,
            self.distinct_2,
            100.0 * self.repeat_4
        )
    }
}

impl Standing {
    /// How far y⁺ and y⁻ fell and on how many pairs: the first half of every reason. `stage` is its displayable name.
    pub(super) fn displaced_in_words(&self, stage: &str) -> String {
        let since = format!("since {stage} began (step {})", self.since);
        if self.of_means {
            let change = if self.rejected.is_nan() {
                format!("y⁺ {:+.1} nats (y⁻ is not recorded)", self.chosen)
            } else {
                format!("y⁺ {:+.1} and y⁻ {:+.1} nats", self.chosen, self.rejected)
            };
            return format!("{change} {since}, in means over prompts, so that no share of pairs can be told");
        }
        let both = if self.rejected_measured { "y⁺ and y⁻ both" } else { "y⁺ (y⁻ is not recorded)" };
        format!("on {} {both} fell {since}", share_in_words(&self.displaced, self.measured, self.interval))
    }
}

/// `66 % of pairs [49–79]`; of a few pairs, how many.
fn share_in_words(flags: &[bool], measured: usize, (low, high): (f64, f64)) -> String {
    const FEW: usize = 10;
    let hits = count(flags);
    if measured < FEW {
        return format!("{hits} of {measured} pairs");
    }
    let share = 100.0 * float(hits) / float(measured);
    format!("{share:.0} % of pairs [{:.0}–{:.0}]", 100.0 * low, 100.0 * high)
}
