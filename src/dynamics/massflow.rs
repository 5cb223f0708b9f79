//! Mass flow: where the probability went, at the frozen prefixes of y⁺, between two measurements.
//!
//! At a position with distributions π before and π′ after, Δ = π′ − π sums to zero. y* is the argmax of π other than the
//! label y; S = (Δ(y*))₊ / Σ_v (Δ(v))₊ is the share of the freed mass that it took; the bystanders are everyone but y* and y.

use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::protocol::{MassFlow, PairFlow, TokenFlow};

/// Distributions over the vocabulary at every position of every pair's y⁺.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Distributions {
    /// Entries of the vocabulary, V.
    pub vocab_size: usize,
    /// π, `[positions, V]` in row-major order; every row sums to one.
    pub probabilities: Vec<f32>,
    /// Entropy of each row, nats.
    pub entropy: Vec<f32>,
}

/// Which pair a position belongs to and which token y⁺ has there; the same for all measurements of a run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Positions {
    /// Pair of each position.
    pub owner: Vec<usize>,
    /// y⁺'s token at each position.
    pub labels: Vec<u32>,
    /// Number of pairs.
    pub pairs: usize,
}

/// Tokens listed over all pairs.
const LISTED: usize = 8;
/// Tokens listed per pair.
const LISTED_PER_PAIR: usize = 5;
/// Pairs whose changes exist at the same time.
const PAIRS_AT_ONCE: usize = 64;
/// How far the changes at one position may be from cancelling.
const BALANCE: f64 = 1e-6;

/// The flow from `before` to `after`; `text` gives a token's raw text.
///
/// # Errors
/// When gains and losses at a position do not cancel to 1e-6: a measurement is broken.
pub fn between(
    before: &Distributions,
    after: &Distributions,
    positions: &Positions,
    since: u64,
    text: &dyn Fn(u32) -> String,
) -> Result<MassFlow> {
    let mut flow = MassFlow { since, ..MassFlow::default() };
    let mut sums = vec![Sums::default(); positions.pairs];
    let mut everyone = vec![0.0; before.vocab_size];
    let named =
        |tokens: Vec<(u32, f32)>| tokens.into_iter().map(|(v, mass)| TokenFlow { token: text(v), mass }).collect();
    flow.pairs.resize(positions.pairs, PairFlow::default());
    // A pair's positions lie together.
    let rows: Vec<usize> = (0..positions.owner.len()).collect();
    let pairs: Vec<&[usize]> = rows.chunk_by(|&a, &b| positions.owner[a] == positions.owner[b]).collect();
    for pairs in pairs.chunks(PAIRS_AT_ONCE) {
        let of_pairs: Vec<OfPair> =
            pairs.par_iter().map(|rows| OfPair::read(before, after, positions, rows)).collect::<Result<_>>()?;
        for (rows, OfPair { sums: of_pair, own, gained, lost }) in pairs.iter().zip(of_pairs) {
            let pair = positions.owner[rows[0]];
            sums[pair] = of_pair;
            flow.pairs[pair] = PairFlow { gained: named(gained), lost: named(lost) };
            everyone.iter_mut().zip(own).for_each(|(all, own)| *all += own);
        }
    }
    let [gained, lost] = largest(&everyone, LISTED);
    (flow.gained, flow.lost) = (named(gained), named(lost));
    for sums in sums {
        sums.write(&mut flow);
    }
    Ok(flow)
}

/// What one pair gives.
struct OfPair {
    sums: Sums,
    /// Σ over positions of Δ, one entry a token.
    own: Vec<f64>,
    /// The tokens that gained and lost most.
    gained: Vec<(u32, f32)>,
    lost: Vec<(u32, f32)>,
}

impl OfPair {
    /// Reads a pair's positions.
    fn read(before: &Distributions, after: &Distributions, positions: &Positions, rows: &[usize]) -> Result<Self> {
        let vocab = before.vocab_size;
        let (mut sums, mut own) = (Sums::default(), vec![0.0; vocab]);
        for &row in rows {
            let span = row * vocab..(row + 1) * vocab;
            let (p, q) = (&before.probabilities[span.clone()], &after.probabilities[span]);
            let (gains, losses) = gains_and_losses(p, q, &mut own);
            if (gains - losses).abs() > BALANCE {
                return Err(Error::failed(format!(
                    "mass flow is out of balance at position {row}: {gains} gained, {losses} lost"
                )));
            }
            let label = positions.labels[row] as usize;
            let delta = |v: usize| f64::from(q[v]) - f64::from(p[v]);
            let star = delta(argmax_except(p, label));
            sums.star_gain += star.max(0.0);
            sums.gain += gains;
            sums.star += star;
            sums.label += delta(label);
            sums.entropy += f64::from(after.entropy[row]) - f64::from(before.entropy[row]);
            sums.positions += 1.0;
        }
        let [gained, lost] = largest(&own, LISTED_PER_PAIR);
        Ok(Self { sums, own, gained, lost })
    }
}

/// Σ (Δ)₊ and Σ (−Δ)₊ of one position; adds Δ to `own`.
fn gains_and_losses(p: &[f32], q: &[f32], own: &mut [f64]) -> (f64, f64) {
    /// Sums side by side: in one chain each would wait for the one before.
    const LANES: usize = 8;
    let (mut gains, mut losses) = ([0.0; LANES], [0.0; LANES]);
    for ((p, q), own) in p.chunks(LANES).zip(q.chunks(LANES)).zip(own.chunks_mut(LANES)) {
        for (((&p, &q), own), (gain, loss)) in p.iter().zip(q).zip(own).zip(gains.iter_mut().zip(&mut losses)) {
            let delta = f64::from(q) - f64::from(p);
            *gain += if delta > 0.0 { delta } else { 0.0 };
            *loss -= if delta > 0.0 { 0.0 } else { delta };
            *own += delta;
        }
    }
    (gains.iter().sum(), losses.iter().sum())
}

/// One pair's sums over positions.
#[derive(Debug, Clone, Default)]
struct Sums {
    star_gain: f64,
    gain: f64,
    star: f64,
    label: f64,
    entropy: f64,
    positions: f64,
}

impl Sums {
    #[allow(clippy::cast_possible_truncation, reason = "recorded in single precision")]
    fn write(&self, flow: &mut MassFlow) {
        flow.star_gain.push(self.star_gain as f32);
        flow.gain.push(self.gain as f32);
        flow.star.push(self.star as f32);
        flow.label.push(self.label as f32);
        flow.bystanders.push(-(self.star + self.label) as f32);
        flow.entropy.push((self.entropy / self.positions.max(1.0)) as f32);
    }
}

/// The likeliest token other than `label`; the first one where several are equal.
fn argmax_except(p: &[f32], label: usize) -> usize {
    let mut best = usize::from(label == 0).min(p.len() - 1);
    for (v, &x) in p.iter().enumerate() {
        if v != label && x > p[best] {
            best = v;
        }
    }
    best
}

/// The `count` tokens that gained most and those that lost most, with what they did.
#[allow(clippy::cast_possible_truncation, reason = "recorded in single precision")]
fn largest(delta: &[f64], count: usize) -> [Vec<(u32, f32)>; 2] {
    let mut order: Vec<u32> = (0..delta.len() as u32).collect();
    let listed = |order: &[u32], sign: f64| {
        let moved = order.iter().take(count).filter(|&&v| delta[v as usize] * sign > 0.0);
        moved.map(|&v| (v, delta[v as usize] as f32)).collect()
    };
    order.sort_unstable_by(|&a, &b| delta[b as usize].total_cmp(&delta[a as usize]).then(a.cmp(&b)));
    let gained = listed(&order, 1.0);
    order.reverse();
    [gained, listed(&order, -1.0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn distributions(rows: &[[f32; 4]]) -> Distributions {
        let entropy = rows.iter().map(|r| -r.iter().map(|&p| if p > 0.0 { p * p.ln() } else { 0.0 }).sum::<f32>());
        Distributions { vocab_size: 4, probabilities: rows.concat(), entropy: entropy.collect() }
    }

    #[test]
    fn the_argmax_takes_what_the_label_loses() -> Result<()> {
        let positions = Positions { owner: vec![0, 0, 1], labels: vec![0, 1, 2], pairs: 2 };
        let before = distributions(&[[0.2, 0.5, 0.2, 0.1], [0.7, 0.1, 0.1, 0.1], [0.25; 4]]);
        let after = distributions(&[[0.1, 0.7, 0.1, 0.1], [0.8, 0.05, 0.05, 0.1], [0.25; 4]]);
        let flow = between(&before, &after, &positions, 7, &|v| format!("t{v}"))?;
        let near = |a: f32, b: f32| assert!((a - b).abs() < 1e-6, "{a} is not {b}");
        assert_eq!(flow.since, 7);
        near(flow.star_gain[0], 0.3);
        near(flow.gain[0], 0.3);
        near(flow.label[0], -0.15);
        near(flow.bystanders[0], -0.15);
        near(flow.star[0] + flow.label[0] + flow.bystanders[0], 0.0);
        near(flow.gain[1], 0.0);
        assert_eq!(flow.pairs[0].gained[0].token, "t1");
        near(flow.pairs[0].gained[0].mass, 0.15);
        assert!(flow.pairs[1].gained.is_empty());
        assert_eq!(flow.lost[0].token, "t2");
        Ok(())
    }

    #[test]
    fn a_broken_measurement_is_refused() {
        let positions = Positions { owner: vec![0], labels: vec![0], pairs: 1 };
        let before = distributions(&[[0.25; 4]]);
        let after = distributions(&[[0.25, 0.25, 0.25, 0.3]]);
        assert!(between(&before, &after, &positions, 0, &|_| String::new()).is_err());
    }

    #[test]
    fn the_label_is_never_its_own_rival() {
        assert_eq!(argmax_except(&[0.9, 0.05, 0.05], 0), 1);
        assert_eq!(argmax_except(&[0.1, 0.2, 0.7], 2), 1);
        assert_eq!(argmax_except(&[0.5, 0.2, 0.3], 1), 0);
    }
}
