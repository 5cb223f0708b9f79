//! The squeeze lab: one softmax and one step on it, section 3.3 of Ren & Sutherland in plain f64.
//!
//! p = softmax(z). A step of size η′ on class y moves the logits by `a = ±η′(p − e_y)`: + pushes y down, as DPO does to
//! y⁻, − pulls it up, as SFT does. With `Z = Σ_j p_j exp(a_j)` every class changes by `ln p′_i − ln p_i = a_i − ln Z`, so
//! a class `i ≠ y` rises under a push exactly where `p_i` lies above the *break-even line* `ln Z/η′`, and under a pull
//! exactly where it lies below `−ln Z/η′`.

pub mod wording;

#[cfg(test)]
mod tests;

use crate::error::{Error, Result};
use crate::experiment::{LabSettings, LabShape};

/// How far sums of probabilities may be off.
const BALANCE: f64 = 1e-12;
/// The largest η′: logits of its size still tell probabilities apart to `BALANCE`.
pub const MAX_ETA: f64 = 1000.0;

/// What the plain around the peaks holds together, and how the peaks fall: the i-th of k has the weight
/// `1/(1 + x^1.57)` with `x = i/(k − 1)`, so the last is half as high as the first. The form is a choice; the two numbers
/// were fitted so that k = 8, V = 50, η′ = 5 gives the one-step figures of [`FIGURES`] to their last printed digit. With
/// 1.57 every plain from 0.0905 to 0.094 does: the figures fix p(y*), p(y) and how many classes lie above either line.
const PLAIN: f64 = 0.092;
const FALL: f64 = 1.57;
/// No class of the plain comes nearer to the lowest peak than this share of it.
const VALLEY: f64 = 1.0 / 16.0;
/// p(y*) of [`LabShape::OnePeak`].
const ONE_PEAK: f64 = 0.985;

/// The one-step figures that the lab is held to, each with what it shows.
pub const FIGURES: [(&str, LabSettings); 4] = [
    ("uniform", figure(LabShape::Uniform, 49)),
    ("8 peaks, y on a peak", figure(LabShape::Peaks(8), 3)),
    ("8 peaks, y in a valley", figure(LabShape::Peaks(8), 49)),
    ("one peak, y in a valley", figure(LabShape::OnePeak, 49)),
];

const fn figure(shape: LabShape, rank: usize) -> LabSettings {
    LabSettings { classes: 50, shape, rank, eta: 5.0, push_down: true }
}

/// Log-probs of a distribution, nats, `[classes]`, from the likeliest class to the least likely: a class is its own rank.
pub fn logits(shape: LabShape, classes: usize) -> Vec<f64> {
    let classes = classes.max(1);
    let weights: Vec<f64> = match shape {
        LabShape::Uniform => vec![1.0; classes],
        // The last class is half as likely as the first.
        LabShape::Flat => (0..classes).map(|i| 0.5_f64.powf(share(i, classes))).collect(),
        LabShape::Peaks(peaks) => landscape(peaks, classes, PLAIN),
        LabShape::OnePeak => landscape(1, classes, 1.0 - ONE_PEAK),
    };
    let total: f64 = weights.iter().sum();
    weights.iter().map(|w| (w / total).ln()).collect()
}

/// Weights of peaks that fall gently, and of a plain that holds the share `plain` of everything.
#[allow(clippy::cast_precision_loss, reason = "at most a few thousand classes")]
fn landscape(peaks: usize, classes: usize, plain: f64) -> Vec<f64> {
    let peaks = peaks.clamp(1, classes);
    let mut weights: Vec<f64> = (0..peaks).map(|i| 1.0 / (1.0 + share(i, peaks).powf(FALL))).collect();
    let even = weights.iter().sum::<f64>() * plain / (1.0 - plain) / (classes - peaks).max(1) as f64;
    weights.resize(classes, even.min(weights[peaks - 1] * VALLEY));
    weights
}

/// How far along a list an entry is, 0 to 1.
#[allow(clippy::cast_precision_loss, reason = "at most a few thousand classes")]
fn share(index: usize, len: usize) -> f64 {
    index as f64 / len.saturating_sub(1).max(1) as f64
}

/// Probabilities of logits, `[V]`.
pub fn softmax(logits: &[f64]) -> Vec<f64> {
    let log_sum = log_sum_exp(logits);
    logits.iter().map(|z| (z - log_sum).exp()).collect()
}

fn log_sum_exp(logits: &[f64]) -> f64 {
    let top = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    top + logits.iter().map(|z| (z - top).exp()).sum::<f64>().ln()
}

/// A step on one class.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// The class that is pushed down or pulled up.
    pub y: usize,
    /// η′ = η‖x‖².
    pub eta: f64,
    /// Whether y is pushed down (z′ = z + η′(p − e_y)) or pulled up (z′ = z − η′(p − e_y)).
    pub push_down: bool,
}

impl Step {
    /// The step that the settings ask for.
    pub fn of(settings: &LabSettings) -> Self {
        let y = settings.rank.min(settings.classes.saturating_sub(1));
        Self { y, eta: settings.eta, push_down: settings.push_down }
    }

    /// What is added to the logits, `[V]`.
    pub fn moves(&self, p: &[f64]) -> Vec<f64> {
        let signed = if self.push_down { self.eta } else { -self.eta };
        let mut moves: Vec<f64> = p.iter().map(|p| signed * p).collect();
        // 1 − p_y as the sum of the others: it keeps its digits where y has nearly everything.
        let others = p[..self.y].iter().chain(&p[self.y + 1..]).sum::<f64>();
        moves[self.y] = -signed * others;
        moves
    }
}

/// What a step did.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The step.
    pub step: Step,
    /// p, `[V]`.
    pub before: Vec<f64>,
    /// p′, `[V]`.
    pub after: Vec<f64>,
    /// ln p′ − ln p, nats, `[V]`; the signs are exact even where the change itself is lost in rounding.
    pub log_ratios: Vec<f64>,
    /// z′ as log-probs, `[V]`: what the next step begins with.
    pub logits: Vec<f64>,
    /// Z, the sum before it is normalised again.
    pub z: f64,
    /// The break-even line: ln Z/η′ under a push, −ln Z/η′ under a pull.
    pub break_even: f64,
    /// y*: the likeliest class other than y, the first of equals.
    pub star: usize,
    /// Entropy before and after, nats.
    pub entropy: (f64, f64),
}

/// Takes a step from logits, `[V]` with V ≥ 2.
///
/// # Errors
/// When y is no class or η′ is above [`MAX_ETA`], or when p′ does not sum to 1, or gains and losses do not cancel, to
/// 1e-12.
pub fn take(logits: &[f64], step: Step) -> Result<Outcome> {
    if step.y >= logits.len() || logits.len() < 2 {
        return Err(Error::usage(format!("class {} of {}: a step needs two classes or more", step.y, logits.len())));
    }
    if !(0.0..=MAX_ETA).contains(&step.eta) {
        return Err(Error::usage(format!("a step with η′ {}: the lab takes 0 to {MAX_ETA}", step.eta)));
    }
    let log_sum = log_sum_exp(logits);
    let log_p: Vec<f64> = logits.iter().map(|z| z - log_sum).collect();
    let before: Vec<f64> = log_p.iter().map(|l| l.exp()).collect();
    let moves = step.moves(&before);
    let star = likeliest_except(&before, step.y);
    // Nobody moves up further than y* under a push, than y under a pull.
    let leader = if step.push_down { star } else { step.y };
    let leads = log_ratio(&log_p, &moves, leader);
    let mut log_ratios: Vec<f64> = moves.iter().map(|a| a - moves[leader] + leads).collect();
    // A y that has nearly everything barely falls: of its own sum the sign survives.
    if moves[leader] - moves[step.y] < 1.0 {
        log_ratios[step.y] = log_ratio(&log_p, &moves, step.y);
    }
    let log_z = moves[leader] - leads;
    // In logarithms: a class that is pulled up from e⁻¹⁰⁰⁰ has no p to multiply.
    let logits: Vec<f64> = log_p.iter().zip(&log_ratios).map(|(l, ratio)| l + ratio).collect();
    let after: Vec<f64> = logits.iter().map(|l| l.exp()).collect();
    let signed = if step.push_down { step.eta } else { -step.eta };
    let outcome = Outcome {
        step,
        entropy: (entropy(&before), entropy(&after)),
        logits,
        before,
        after,
        log_ratios,
        z: log_z.exp(),
        break_even: log_z / signed,
        star,
    };
    outcome.balanced()?;
    Ok(outcome)
}

/// The step that settings ask for, on the distribution that they ask for.
///
/// # Errors
/// As [`take`].
pub fn one_step(settings: &LabSettings) -> Result<Outcome> {
    take(&logits(settings.shape, settings.classes), Step::of(settings))
}

/// `a_i − ln Z = −ln Σ_j p_j exp(a_j − a_i)`. Around 1 the sum is taken over what differs from 1, so that the smallest
/// p_j still decides the sign; elsewhere over logarithms, so that a p_j too small for a number still counts.
fn log_ratio(log_p: &[f64], moves: &[f64], i: usize) -> f64 {
    let excess: f64 = log_p.iter().zip(moves).map(|(l, a)| l.exp() * (a - moves[i]).exp_m1()).sum();
    if excess > -0.5 {
        -excess.ln_1p()
    } else {
        -log_sum_exp(&log_p.iter().zip(moves).map(|(l, a)| l + (a - moves[i])).collect::<Vec<_>>())
    }
}

/// The likeliest class other than `y`, the first of equals.
fn likeliest_except(p: &[f64], y: usize) -> usize {
    let others = (0..p.len()).filter(|&i| i != y);
    others.reduce(|best, i| if p[i] > p[best] { i } else { best }).unwrap_or(y)
}

/// −Σ p ln p, nats.
fn entropy(p: &[f64]) -> f64 {
    -p.iter().filter(|&&p| p > 0.0).map(|p| p * p.ln()).sum::<f64>()
}

impl Outcome {
    fn balanced(&self) -> Result<()> {
        let (gains, losses) = self.flows();
        let unequal = |a: f64, b: f64| (a - b).is_nan() || (a - b).abs() > BALANCE;
        for (what, sum) in [("p", self.before.iter().sum::<f64>()), ("p′", self.after.iter().sum())] {
            if unequal(sum, 1.0) {
                return Err(Error::failed(format!("{what} sums to {sum} at a step with η′ {}", self.step.eta)));
            }
        }
        if unequal(gains, losses) {
            return Err(Error::failed(format!("a step is out of balance: {gains} gained, {losses} lost")));
        }
        Ok(())
    }

    /// p′ − p of a class, without the rounding of the difference.
    pub fn change(&self, class: usize) -> f64 {
        let ratio = self.log_ratios[class];
        // Where the ratio is large the difference loses nothing, and a class that had next to nothing is not forgotten.
        if ratio.abs() < 1.0 { self.before[class] * ratio.exp_m1() } else { self.after[class] - self.before[class] }
    }

    /// Whether a class rose.
    pub fn rose(&self, class: usize) -> bool {
        self.log_ratios[class] > 0.0
    }

    /// Whether a class fell.
    pub fn fell(&self, class: usize) -> bool {
        self.log_ratios[class] < 0.0
    }

    /// Everybody but y and y*.
    pub fn bystanders(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.before.len()).filter(|&i| i != self.step.y && i != self.star)
    }

    /// How many bystanders there are, rose, and fell.
    pub fn counts(&self) -> (usize, usize, usize) {
        let count = |hit: fn(&Self, usize) -> bool| self.bystanders().filter(|&i| hit(self, i)).count();
        (count(|_, _| true), count(Self::rose), count(Self::fell))
    }

    /// What all bystanders together gained, net.
    pub fn bystander_mass(&self) -> f64 {
        self.bystanders().map(|i| self.change(i)).sum()
    }

    /// Σ of what was gained, and of what was lost.
    pub fn flows(&self) -> (f64, f64) {
        let changes = (0..self.before.len()).map(|i| self.change(i));
        changes.fold((0.0, 0.0), |(gains, losses), x| (gains + x.max(0.0), losses + (-x).max(0.0)))
    }
}
