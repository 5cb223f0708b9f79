//! The measurements behind one verdict: what changed on every pair between two evaluations of a stage.

use super::detect::DynamicsState;
use super::stats::{mean, rate};
use crate::protocol::{DetectorSettings, Evaluation, GreedyAnswer, MassFlow, ProbeKind, ProbePrompt, RunStarted};

/// The measurements behind one verdict: the change over the last window of evaluations.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    /// Index of the stage.
    pub stage: usize,
    /// Step of the evaluation that ends the window.
    pub step: u64,
    /// Step of the evaluation that begins it.
    pub since: u64,
    /// Pairs whose y⁺ and y⁻ could be read at both ends: what the rates are shares of.
    pub measured: usize,
    /// Whether y⁻ is among what was measured. Where it is not, though the stage pushes it down, a y⁺ that fell counts as
    /// displaced: the margin grows on nearly every pair of such a stage (claim D1), so y⁻ fell further.
    pub rejected_measured: bool,
    /// Per pair: the margin grew while y⁺ and y⁻ both fell by more than τ.
    pub displaced: Vec<bool>,
    /// Per pair: displaced, the argmax rose by more than τ and took its share of the freed mass.
    pub squeezed: Vec<bool>,
    /// Share of displaced pairs; NaN where none was measured.
    pub displacement_rate: f64,
    /// 95 % Wilson interval of the displacement rate.
    pub interval: (f64, f64),
    /// Share of squeezed pairs; NaN where it cannot be told (no pair measured, or the argmax rose on a displaced pair and
    /// the run holds no mass flow to say what it took).
    pub squeezing_rate: f64,
    /// Mass-weighted share of all gains that y* took, S; NaN without mass flow.
    pub star_share: f64,
    /// Net change of mass of bystanders, mean per position; NaN without mass flow.
    pub bystanders: f64,
    /// Change of entropy, mean per position, nats; NaN without mass flow.
    pub entropy: f64,
    /// Token that gained most and its share of all gains. The token is raw text.
    pub top_gain: Option<(String, f64)>,
    /// How the greedy text changed since the stage began, where it was generated at both ends.
    pub greedy: Option<GreedyChange>,
    /// What this window alone would say; between the healthy and the displacing rate, the state that is kept.
    pub verdict: DynamicsState,
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

impl Window {
    /// Measures the window that ends at the last evaluation of `span`: the evaluations of one stage, the one that it
    /// started from included. It begins where the recorded mass flow does, else `settings.window` evaluations ago, else
    /// at the stage's start. `None` while there is nothing to compare with. `verdict` is left healthy.
    pub(super) fn measure(run: &RunStarted, span: &[Evaluation], settings: &DetectorSettings) -> Option<Self> {
        let now = span.last()?;
        let (before, flow) = beginning(span, settings.window)?;
        let readings = Readings::new(run, before, now, settings.tau);
        let pairs = 0..run.probes.len();
        let displaced: Vec<Option<bool>> = pairs.map(|pair| readings.displaced(pair)).collect();
        let displaced_pairs: Vec<bool> = displaced.iter().map(|d| *d == Some(true)).collect();
        let measured = displaced.iter().flatten().count();
        let displacement = rate(count(&displaced_pairs), measured);
        let suspect: Vec<bool> =
            displaced_pairs.iter().enumerate().map(|(pair, &d)| d && readings.argmax_rose(pair)).collect();
        let takes_its_share =
            |pair| flow.and_then(|f| star_share(f, pair)).is_some_and(|s| s >= settings.squeezed_share);
        let squeezed: Vec<bool> = suspect.iter().enumerate().map(|(pair, &s)| s && takes_its_share(pair)).collect();
        // Without a rise of the argmax there is no squeeze, whoever took the mass.
        let can_tell = readings.argmax_measured() && (flow.is_some() || count(&suspect) == 0);
        let flows = flow.map(|flow| Flows::of(flow, &run.probes));
        Some(Self {
            stage: now.stage,
            step: now.step,
            since: before.step,
            measured,
            rejected_measured: !readings.without_rejected,
            displacement_rate: displacement.value,
            interval: (displacement.low, displacement.high),
            squeezing_rate: if can_tell { rate(count(&squeezed), measured).value } else { f64::NAN },
            displaced: displaced_pairs,
            squeezed,
            star_share: flows.as_ref().map_or(f64::NAN, |f| f.star_share),
            bystanders: flows.as_ref().map_or(f64::NAN, |f| f.bystanders),
            entropy: flows.as_ref().map_or(f64::NAN, |f| f.entropy),
            top_gain: flows.and_then(|f| f.top_gain),
            greedy: greedy_change(span),
            verdict: DynamicsState::Healthy,
        })
    }
}

/// Per pair, whether it is displaced from one evaluation to another by the run's own τ; `None` where it cannot be read.
pub(super) fn displaced(run: &RunStarted, before: &Evaluation, now: &Evaluation) -> Vec<Option<bool>> {
    let readings = Readings::new(run, before, now, run.detector.tau);
    (0..run.probes.len()).map(|pair| readings.displaced(pair)).collect()
}

/// The evaluation that begins the window, and the mass flow measured against it. A flow against an evaluation outside
/// the stage says nothing about this window and is left out.
fn beginning(span: &[Evaluation], window: usize) -> Option<(&Evaluation, Option<&MassFlow>)> {
    let (now, earlier) = span.split_last()?;
    let flow = now.window_flow.as_ref();
    let matching = flow.and_then(|f| earlier.iter().rev().find(|e| e.step == f.since && e.step < now.step));
    if let Some(before) = matching {
        return Some((before, flow));
    }
    let before = earlier.get(earlier.len().checked_sub(window.clamp(1, earlier.len().max(1)))?)?;
    (before.step < now.step).then_some((before, None))
}

/// Both ends of the window, read pair by pair.
struct Readings<'a> {
    run: &'a RunStarted,
    before: &'a Evaluation,
    now: &'a Evaluation,
    tau: f64,
    /// The stage pushes y⁻ down, and the run does not record where it is.
    without_rejected: bool,
}

impl<'a> Readings<'a> {
    fn new(run: &'a RunStarted, before: &'a Evaluation, now: &'a Evaluation, tau: f64) -> Self {
        let pushed_down = run.stages.get(now.stage).is_some_and(|s| s.has_rejected);
        let without_rejected = pushed_down && !now.logps.contains_key(&ProbeKind::Rejected);
        Self { run, before, now, tau, without_rejected }
    }

    /// Whether the margin grew while y⁺ and y⁻ both fell; `None` where one of them cannot be read.
    fn displaced(&self, pair: usize) -> Option<bool> {
        let (chosen, chosen_noise) = self.change(ProbeKind::Chosen, pair)?;
        if self.without_rejected {
            return Some(chosen < -chosen_noise);
        }
        let (rejected, rejected_noise) = self.change(ProbeKind::Rejected, pair)?;
        Some(chosen - rejected > 0.0 && chosen < -chosen_noise && rejected < -rejected_noise)
    }

    /// Whether the argmax along the prefixes of y⁺ was read at both ends.
    fn argmax_measured(&self) -> bool {
        !self.before.chosen.argmax_logps.is_empty() && !self.now.chosen.argmax_logps.is_empty()
    }

    /// Whether the argmax along the prefixes of y⁺ rose.
    fn argmax_rose(&self, pair: usize) -> bool {
        let at = |e: &Evaluation| e.chosen.argmax_logps.get(pair).map(|&x| f64::from(x));
        match (at(self.before), at(self.now), self.noise(ProbeKind::Chosen, pair)) {
            (Some(before), Some(now), Some(noise)) => now - before > noise,
            _ => false,
        }
    }

    /// Change of a probe's sum of log-probs, and the change that counts as noise; `None` where the change is no number.
    fn change(&self, kind: ProbeKind, pair: usize) -> Option<(f64, f64)> {
        let at = |e: &Evaluation| e.logps.get(&kind)?.get(pair).map(|&x| f64::from(x));
        let change = at(self.now)? - at(self.before)?;
        (!change.is_nan()).then_some((change, self.noise(kind, pair)?))
    }

    /// τ times the tokens of the response, nats.
    fn noise(&self, kind: ProbeKind, pair: usize) -> Option<f64> {
        let response = self.run.probes.get(pair)?.responses.get(&kind)?;
        Some(self.tau * f64::from(response.tokens))
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
    pub(super) fn is_collapse(&self, settings: &DetectorSettings) -> bool {
        self.distinct_2 <= self.distinct_2_before * (1.0 - settings.collapse_distinct_2_drop)
            || self.repeat_4 > settings.collapse_repeat_4
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

/// How many pairs are displaced, the first half of every reason.
pub(super) fn displaced_in_words(window: &Window) -> String {
    let fell = if window.rejected_measured { "y⁺ and y⁻ both" } else { "y⁺ (y⁻ is not recorded)" };
    format!(
        "on {:.0} % of pairs [{:.0}–{:.0}] {fell} fell since step {}",
        100.0 * window.displacement_rate,
        100.0 * window.interval.0,
        100.0 * window.interval.1,
        window.since
    )
}
