//! Q1–Q5: what one step that pushes a class down does to a softmax, over random cases.
//!
//! The paper states its claims in words. Here is what of them is true, each line (derived) from
//! `ln p′_i − ln p_i = a_i − ln Z` (see [`crate::dynamics::lab`]) and each a theorem, so that one violation is a bug:
//!
//! - Q1 `ln Z > a_y`, since `a_y` is the least of the `a_i`, and Q2 `ln Z < a_{y*}`, since that is the largest.
//! - Q3 `i ≠ y` rises iff `p_i > b = ln Z/η′`: the risers are the richest. By Jensen's inequality `b ≥ ‖p‖² − p_y`: the
//!   peakier p is, the fewer are rich enough.
//! - Q4 has two readings. Of two classes of one p, pushing the less likely gives the larger Z, so every third class ends
//!   lower, y* included: y* gains *more* from a y on a peak, where there is more to share out. What grows in a valley is
//!   the unfairness: with the odds among the others fixed, `b/(1 − p_y)` grows as p_y shrinks, so that no class that fell
//!   rises, and y* takes a larger share of all gains.
//! - Q5 `b` is a certainty equivalent, hence grows with η′; so p_y ends lower, y* higher, no class that fell rises, and
//!   y*'s share of all gains grows.
//!
//! Strict where the sign is exact (Q1, Q2), elsewhere up to the rounding of sums.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{ClaimResult, Figure, Measured, Unit, result};
use crate::dynamics::lab::{self, Outcome, Step};
use crate::error::Result;
use crate::experiment::{LabSettings, LabShape};
use crate::history::stats::{Estimate, float};

#[cfg(test)]
mod tests;

/// Random cases a claim is checked on, per seed.
pub const CASES: usize = 20_000;
/// How far a log-ratio may be on the wrong side.
const NOISE: f64 = 1e-11;

/// Id and statement.
const CLAIMS: [(&str, &str); 5] = [
    ("Q1", "push-down: p(y) always falls"),
    ("Q2", "push-down: y*, the likeliest other class, always rises"),
    (
        "Q3",
        "push-down: the rich get richer. Another class rises if and only if p > ln Z/η′; from a uniform p all others rise; \
         below ‖p‖² − p(y) all fall",
    ),
    (
        "Q4",
        "push-down: the deeper y's valley, the stronger. Of two classes, pushing the less likely leaves every third class \
         lower; at equal odds among the others a smaller p(y) lets none rise that fell, and y* takes a larger share",
    ),
    (
        "Q5",
        "push-down: a larger η′ amplifies it. p(y) ends lower, y* higher, none rises that fell, and y* takes a larger share",
    ),
];

/// A softmax and a step, and how the step is varied.
struct Case {
    logits: Vec<f64>,
    step: Step,
    /// A class other than y, for Q4's first reading.
    other: usize,
    /// Nats by which y is lowered against the others, for its second.
    deeper: f64,
    /// The factor of η′, for Q5.
    larger: f64,
}

impl Case {
    /// 2 to 1,000 classes, from nearly uniform to one peak, η′ from 0.01 to 100.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "1 to 1,000 classes")]
    fn random(rng: &mut ChaCha8Rng) -> Self {
        let mut between = |low: f64, high: f64| low + (high - low) * rng.random::<f64>();
        let classes = between(2.0_f64.ln(), 1001.0_f64.ln()).exp() as usize;
        let spread = between(0.01_f64.ln(), 4.0_f64.ln()).exp();
        let eta = between(0.01_f64.ln(), 100.0_f64.ln()).exp();
        let (deeper, larger) = (between(0.1, 6.0), between(1.05, 3.0));
        // Normal logits (Box & Muller, 1958).
        let logits = (0..classes)
            .map(|_| {
                let (u, v) = (1.0 - between(0.0, 1.0), between(0.0, std::f64::consts::TAU));
                spread * (-2.0 * u.ln()).sqrt() * v.cos()
            })
            .collect();
        let y = rng.random_range(0..classes);
        let other = (y + rng.random_range(1..classes.max(2))) % classes;
        Self { logits, step: Step { y, eta, push_down: true }, other, deeper, larger }
    }

    /// Which claims the case violates, and whether y* gains more mass from the less likely of two classes.
    fn check(&self) -> Result<([bool; 5], Option<bool>)> {
        let outcome = lab::take(&self.logits, self.step)?;
        let y = self.step.y;
        let (fourth, star_gains_more) = self.valley(&outcome)?;
        let larger = lab::take(&self.logits, Step { eta: self.step.eta * self.larger, ..self.step })?;
        let fifth = larger.log_ratios[y] > outcome.log_ratios[y] + NOISE
            || larger.log_ratios[outcome.star] < outcome.log_ratios[outcome.star] - NOISE
            || is_fairer(&larger, &outcome);
        let violated = [!outcome.fell(y), !outcome.rose(outcome.star), self.line(&outcome)?, fourth, fifth];
        Ok((violated, star_gains_more))
    }

    /// Whether Q3 is violated. Who rose is read off the softmax of the moved logits, and not off the line.
    fn line(&self, outcome: &Outcome) -> Result<bool> {
        let Outcome { step, before: p, .. } = outcome;
        let moved: Vec<f64> = self.logits.iter().zip(step.moves(p)).map(|(z, a)| z + a).collect();
        let collision: f64 = p.iter().map(|p| p * p).sum();
        let others = || (0..p.len()).filter(|&i| i != step.y);
        let after = lab::softmax(&moved);
        let wrong_side = others().any(|i| {
            let (above, rise) = (step.eta * (p[i] - outcome.break_even), (after[i] / p[i]).ln());
            above.abs() > NOISE && rise.abs() > NOISE && (above > 0.0) != (rise > 0.0)
        });
        let poor_rose = others().any(|i| p[i] < collision - p[step.y] && outcome.log_ratios[i] > NOISE);
        let uniform = lab::take(&vec![0.0; p.len()], *step)?;
        let uniform_fell = others().any(|i| !uniform.rose(i));
        Ok(wrong_side || poor_rose || uniform_fell)
    }

    /// Whether Q4 is violated, and whether y* gains more from the less likely of two classes, where it is neither.
    fn valley(&self, outcome: &Outcome) -> Result<(bool, Option<bool>)> {
        let y = self.step.y;
        let mut lowered = self.logits.clone();
        lowered[y] -= self.deeper;
        let deeper = lab::take(&lowered, self.step)?;
        let mut violated = is_fairer(&deeper, outcome);
        // With one class or two alike there is no less likely one.
        let p = &outcome.before;
        if self.other == y || p[self.other] == p[y] {
            return Ok((violated, None));
        }
        let beside = lab::take(&self.logits, Step { y: self.other, ..self.step })?;
        let (valley, peak) = if p[y] < p[self.other] { (outcome, &beside) } else { (&beside, outcome) };
        let thirds = || (0..p.len()).filter(|&i| i != y && i != self.other);
        violated |= thirds().any(|i| valley.log_ratios[i] > peak.log_ratios[i] + NOISE);
        let star = (valley.star == peak.star).then_some(valley.star);
        Ok((violated, star.map(|star| valley.change(star) > peak.change(star))))
    }
}

/// Whether a step lets a class rise that fell under another, or leaves y* a smaller share of all gains.
fn is_fairer(step: &Outcome, other: &Outcome) -> bool {
    let others = (0..step.before.len()).filter(|&i| i != step.step.y);
    let rises_again = |i: usize| step.log_ratios[i] > NOISE && other.log_ratios[i] < -NOISE;
    let (star, other_star) = (step.change(step.star), other.change(other.star));
    // The shares compared crosswise: gains can be next to nothing.
    let excess = other_star * step.flows().0 - star * other.flows().0;
    others.into_iter().any(rises_again) || excess > NOISE * star.max(other_star)
}

/// Checks Q1 to Q5 on [`CASES`] random cases a seed; `gates` names the claims that must hold. Each claim also says what
/// the lab's own settings show, pushed down.
pub fn check(settings: &LabSettings, gates: &[String], seeds: &[u64]) -> Vec<ClaimResult> {
    let counted = seeds.iter().map(|&seed| Ok((seed, violations(seed)?))).collect::<Result<Vec<_>>>();
    let here = lab::one_step(&LabSettings { push_down: true, ..settings.clone() });
    let outcome = counted.and_then(|counted| Ok((counted, here?))).map_err(|e| e.to_string());
    let judge = |(index, &(id, statement)): (usize, &(&'static str, &'static str))| {
        let measured: Measured = outcome.as_ref().map_err(Clone::clone).map(|(counted, here)| {
            let per_seed: Vec<(u64, f64)> =
                counted.iter().map(|&(seed, ref c)| (seed, float(c.violated[index]))).collect();
            let violated: usize = counted.iter().map(|(_, c)| c.violated[index]).sum();
            let mut figures = vec![count("violations", violated, CASES * seeds.len(), per_seed)];
            figures.extend(details(index, counted, here, settings));
            (violated == 0, figures)
        });
        result(id, statement, gates.iter().any(|g| g == id), measured)
    };
    CLAIMS.iter().enumerate().map(judge).collect()
}

/// What came of the cases of one seed.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    /// Cases that violate each claim.
    violated: [usize; 5],
    /// Cases in which y* is the same for two classes, and those in which it gains more from the less likely one.
    pairs: usize,
    star_gains_more: usize,
}

fn violations(seed: u64) -> Result<Counts> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut counts = Counts::default();
    for _ in 0..CASES {
        let (violated, star_gains_more) = Case::random(&mut rng).check()?;
        for (count, violated) in counts.violated.iter_mut().zip(violated) {
            *count += usize::from(violated);
        }
        counts.pairs += usize::from(star_gains_more.is_some());
        counts.star_gains_more += usize::from(star_gains_more == Some(true));
    }
    Ok(counts)
}

/// The numbers beside a claim's violations.
fn details(claim: usize, counted: &[(u64, Counts)], here: &Outcome, settings: &LabSettings) -> Vec<Figure> {
    let (all, _, fell) = here.counts();
    match claim {
        0 => vec![mass("p(y) here", here.change(here.step.y))],
        1 => vec![mass("p(y*) here", here.change(here.star))],
        2 => {
            let uniform = LabSettings { shape: LabShape::Uniform, push_down: true, ..settings.clone() };
            let fell_from_uniform = lab::one_step(&uniform).map_or(0, |o| o.counts().2);
            vec![
                count("bystanders that fall here", fell, all, Vec::new()),
                count("bystanders that fall from uniform", fell_from_uniform, all, Vec::new()),
            ]
        }
        3 => {
            let sum = |read: fn(&Counts) -> usize| counted.iter().map(|(_, c)| read(c)).sum();
            let label = "not claimed: y* gains more mass from the less likely of two classes";
            vec![
                count(label, sum(|c| c.star_gains_more), sum(|c| c.pairs), Vec::new()),
                mass("bystanders here, net", here.bystander_mass()),
            ]
        }
        _ => [0.5, 2.0]
            .iter()
            .filter_map(|by| {
                lab::one_step(&LabSettings { eta: settings.eta * by, push_down: true, ..settings.clone() }).ok()
            })
            .map(|o| count(format!("bystanders that fall here at η′ {}", o.step.eta), o.counts().2, all, Vec::new()))
            .collect(),
    }
}

fn count(label: impl Into<String>, hits: usize, n: usize, per_seed: Vec<(u64, f64)>) -> Figure {
    let pooled = Estimate { value: float(hits), low: f64::NAN, high: f64::NAN, n };
    Figure { label: label.into(), unit: Unit::Count, pooled, per_seed }
}

fn mass(label: &str, change: f64) -> Figure {
    let pooled = Estimate { value: change, low: f64::NAN, high: f64::NAN, n: 1 };
    Figure { label: label.to_owned(), unit: Unit::Mass, pooled, per_seed: Vec::new() }
}
