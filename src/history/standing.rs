//! How a stage stands at one evaluation: what changed on every pair since the stage began, and what speaks for which state.
//!
//! The paper's claim is cumulative: y⁺ lies below where the stage began, and the probability went to the argmax. So every
//! change is counted from the evaluation that the stage started from. That evaluation is exact, for the stage begins with
//! those very weights; later ones jitter from batch to batch, and a change counts only beyond that (see `noise`). The
//! recent past, in steps, says in which direction it goes.

use super::evidence::{Hold, Series};
use super::noise::MEMORY;
use super::state::DynamicsState;
use super::stats::{Estimate, float, mean, rate};
use crate::protocol::{DetectorSettings, Evaluation, GreedyAnswer, MassFlow, ProbeKind, ProbePrompt, RunStarted};

/// Net gain of bystanders (probability a position) and of entropy (nats a position) from which mass flattens out; it does
/// so until one of the two is no gain any more.
const FLATTENING: (f64, f64) = (0.001, 0.01);

/// Share of the steps since the stage began over which the direction is read.
const DIRECTION: f64 = 0.25;

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
    /// Where y⁺ goes at present.
    pub direction: Direction,
    /// Where the mean of y⁺ stood highest, if it rose in the stage and has fallen since: an early sign, no alarm.
    pub peak: Option<Peak>,
    /// Step and value of the highest mean of y⁺ in the stage so far, its start included, nats.
    pub(crate) highest: (u64, f64),
    /// The state that the run was in after this evaluation.
    pub state: DynamicsState,
}

/// Where y⁺ went over the last quarter of the stage so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Direction {
    /// Neither up nor down beyond τ and noise.
    #[default]
    Steady,
    /// Down.
    Worsening,
    /// Up.
    Easing,
}

impl Direction {
    /// The word on the screen.
    pub fn title(self) -> &'static str {
        match self {
            Self::Steady => "steady",
            Self::Worsening => "worsening",
            Self::Easing => "easing",
        }
    }
}

/// The highest mean of y⁺ in a stage, once it is passed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Peak {
    /// Step of the evaluation.
    pub step: u64,
    /// Fall since, nats, positive.
    pub fall: f64,
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
    /// included. `previous` is the standing before, in the same stage. `None` while there is nothing to compare with.
    /// `state` is left healthy.
    pub(super) fn measure(
        run: &RunStarted,
        span: &[Evaluation],
        previous: Option<&Self>,
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
            highest: readings.highest(previous),
            peak: None,
            state: DynamicsState::Healthy,
        };
        this.peak = readings.peak(this.highest);
        let (displacing, squeezing) = match pairs {
            Some(pairs) => {
                let evidence = this.of_pairs(&pairs, previous, settings);
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
    fn of_pairs(&self, pairs: &Pairs, previous: Option<&Self>, settings: &DetectorSettings) -> (Hold, Hold) {
        #[allow(clippy::cast_precision_loss, reason = "steps are far below 2^52")]
        let within = |earlier: u64| (self.step - earlier) as f64 <= settings.recent * (self.step - self.since) as f64;
        let before = |of: fn(&Self) -> f64| previous.filter(|earlier| within(earlier.step)).map(of);
        let (displaced, squeezed) = (pairs.displacement().value, pairs.squeezing().value);
        let displacing = Hold::of_share(displaced, before(|s| s.displacement_rate), settings.displacing_rate, settings);
        let mut squeezing = Hold::of_share(squeezed, before(|s| s.squeezing_rate), settings.squeezing_rate, settings);
        // Who took the mass is unknown: a y⁺ on its way up is no squeeze that begins.
        squeezing.enter &= self.flow_measured || self.direction != Direction::Easing;
        (displacing, squeezing)
    }
}

/// Per pair, whether it is displaced from one evaluation to another by the run's own τ; `None` where it cannot be read.
pub(super) fn displaced(run: &RunStarted, before: &Evaluation, now: &Evaluation) -> Vec<Option<bool>> {
    let readings = Readings::new(run, before, std::slice::from_ref(now), &run.detector);
    (0..run.probes.len()).map(|pair| readings.displaced(pair)).collect()
}

/// What is read of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Read {
    Chosen,
    Rejected,
    Argmax,
}

impl Read {
    fn values(self, evaluation: &Evaluation) -> Option<&[f32]> {
        match self {
            Self::Chosen => evaluation.logps.get(&ProbeKind::Chosen).map(Vec::as_slice),
            Self::Rejected => evaluation.logps.get(&ProbeKind::Rejected).map(Vec::as_slice),
            Self::Argmax => Some(evaluation.chosen.argmax_logps.as_slice()),
        }
    }

    /// The response along which it is read.
    fn kind(self) -> ProbeKind {
        if self == Self::Rejected { ProbeKind::Rejected } else { ProbeKind::Chosen }
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

    /// Of nothing where there is no argmax.
    fn squeezing(&self) -> Estimate {
        rate(count(&self.squeezed), if self.argmax_measured { self.measured() } else { 0 })
    }

    fn measured(&self) -> usize {
        self.displaced.iter().flatten().count()
    }
}

/// A stage so far, read pair by pair: where it started, and the latest evaluations since.
struct Readings<'a> {
    run: &'a RunStarted,
    start: &'a Evaluation,
    /// In ascending steps, the latest last; never empty.
    later: &'a [Evaluation],
    /// Their steps.
    steps: Vec<u64>,
    /// Whether these are all evaluations since the start.
    whole: bool,
    settings: &'a DetectorSettings,
}

impl<'a> Readings<'a> {
    fn new(
        run: &'a RunStarted,
        start: &'a Evaluation,
        later: &'a [Evaluation],
        settings: &'a DetectorSettings,
    ) -> Self {
        let whole = later.len() <= MEMORY;
        let later = &later[later.len().saturating_sub(MEMORY)..];
        Self { run, start, later, steps: later.iter().map(|e| e.step).collect(), whole, settings }
    }

    fn now(&self) -> &Evaluation {
        self.later.last().unwrap_or(self.start)
    }

    /// Whether something is measured at all, at both ends.
    fn measured(&self, what: Read) -> bool {
        [self.start, self.now()].iter().all(|e| what.values(e).is_some_and(|v| !v.is_empty()))
    }

    /// Whether y⁻ is measured. A stage that pushes nothing down has no y⁻ whose fall could be deduced.
    fn rejected_measured(&self) -> bool {
        let pushes_down = self.run.stages.get(self.now().stage).is_some_and(|s| s.has_rejected);
        self.measured(Read::Rejected) || !pushes_down
    }

    /// The course of any number of an evaluation; `tokens` are those that τ counts by.
    fn course(&self, value: &dyn Fn(&Evaluation) -> f64, tokens: f64) -> Option<Series<'_>> {
        let values: Vec<f64> = self.later.iter().map(value).collect();
        let start = (self.start.step, value(self.start));
        Series::new(start, (&self.steps, &values), self.whole, self.settings.tau * tokens, self.settings)
    }

    /// A pair's course; `None` where it has no such response or a number is missing at either end.
    fn pair(&self, what: Read, pair: usize) -> Option<Series<'_>> {
        let tokens = self.run.probes.get(pair)?.responses.get(&what.kind())?.tokens;
        let value = |e: &Evaluation| what.values(e).and_then(|v| v.get(pair)).map_or(f64::NAN, |&x| f64::from(x));
        self.course(&value, f64::from(tokens))
    }

    /// The margin grew while y⁺ and y⁻ both fell; `None` where the pair cannot be read.
    fn displaced(&self, pair: usize) -> Option<bool> {
        let chosen = self.pair(Read::Chosen, pair)?;
        let fell = chosen.moved(-1.0);
        if !self.rejected_measured() {
            return Some(fell);
        }
        let rejected = self.pair(Read::Rejected, pair)?;
        Some(fell && rejected.moved(-1.0) && chosen.change() > rejected.change())
    }

    /// Mean of a reading over the pairs that have it.
    fn mean_at(&self, what: Read, evaluation: &Evaluation) -> f64 {
        let has = |pair: usize| self.run.probes.get(pair).is_some_and(|p| p.responses.contains_key(&what.kind()));
        let values = what.values(evaluation).unwrap_or_default().iter().enumerate();
        mean(&values.filter(|&(pair, _)| has(pair)).map(|(_, &x)| f64::from(x)).collect::<Vec<_>>())
    }

    /// Tokens of a response, mean over the pairs that have it.
    fn mean_tokens(&self, what: Read) -> f64 {
        let tokens = self.run.probes.iter().filter_map(|p| p.responses.get(&what.kind())).map(|r| f64::from(r.tokens));
        mean(&tokens.collect::<Vec<_>>())
    }

    /// The course of a mean.
    fn mean(&self, what: Read) -> Option<Series<'_>> {
        self.course(&|e| self.mean_at(what, e), self.mean_tokens(what))
    }

    /// The course of the mean of one reading over that of another.
    fn mean_over(&self, what: Read, other: Read) -> Option<Series<'_>> {
        self.course(&|e| self.mean_at(what, e) - self.mean_at(other, e), self.mean_tokens(Read::Chosen))
    }

    fn mean_change(&self, what: Read) -> f64 {
        self.mean_at(what, self.now()) - self.mean_at(what, self.start)
    }

    fn direction(&self) -> Direction {
        let Some(chosen) = self.mean(Read::Chosen) else { return Direction::Steady };
        match chosen.recent_change(DIRECTION) {
            change if change < -chosen.tolerance() => Direction::Worsening,
            change if change > chosen.tolerance() => Direction::Easing,
            _ => Direction::Steady,
        }
    }

    /// Step and value of the highest mean of y⁺, carried on from the standing before.
    fn highest(&self, previous: Option<&Standing>) -> (u64, f64) {
        let start = (self.start.step, self.mean_at(Read::Chosen, self.start));
        let before = previous.map_or(start, |p| p.highest);
        let now = (self.now().step, self.mean_at(Read::Chosen, self.now()));
        if now.1 > before.1 || before.1.is_nan() { now } else { before }
    }

    /// The highest mean of y⁺, if it rose there beyond noise and has fallen beyond noise since.
    fn peak(&self, (step, highest): (u64, f64)) -> Option<Peak> {
        let tolerance = self.mean(Read::Chosen)?.tolerance();
        let over = |e: &Evaluation| highest - self.mean_at(Read::Chosen, e);
        (over(self.start) > tolerance && over(self.now()) > tolerance).then(|| Peak { step, fall: over(self.now()) })
    }

    /// What means alone say of displacement and of a squeeze: y⁺ below its start, y⁻ too and the margin grown where y⁻ is
    /// recorded; and the argmax above its start, further above y⁺ than it was, while y⁺ falls on.
    fn of_means(&self) -> (Hold, Hold) {
        let hold = |series: Option<Series<'_>>, sign: f64| {
            series.map_or(Hold::UNDECIDED, |s| Hold { enter: s.mean_moved(sign), stay: s.mean_is_beyond_start(sign) })
        };
        let mut displacing = hold(self.mean(Read::Chosen), -1.0);
        if self.measured(Read::Rejected) {
            let margin = hold(self.mean_over(Read::Chosen, Read::Rejected), 1.0);
            displacing = displacing.and(hold(self.mean(Read::Rejected), -1.0)).and(margin);
        }
        if !self.measured(Read::Argmax) {
            return (displacing, Hold::UNDECIDED);
        }
        let gap = hold(self.mean_over(Read::Argmax, Read::Chosen), 1.0);
        let mut squeezing = displacing.and(hold(self.mean(Read::Argmax), 1.0)).and(gap);
        squeezing.enter &= self.mean(Read::Chosen).is_some_and(|chosen| chosen.mean_falls());
        (displacing, squeezing)
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
fn greedy_change(span: &[Evaluation]) -> Option<GreedyChange> {
    let (now, earlier) = span.split_last()?;
    let before = earlier.iter().find(|e| !e.greedy.is_empty())?;
    let average = |of: &Evaluation, what: fn(&GreedyAnswer) -> f32| {
        mean(&of.greedy.iter().map(|g| f64::from(what(g))).collect::<Vec<_>>())
    };
    (!now.greedy.is_empty()).then(|| GreedyChange {
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

    /// In words, for the reason.
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
