//! Mass flow: where the probability went, at the frozen prefixes of y⁺, between two measurements.
//!
//! At a position with distributions π before and π′ after, Δ = π′ − π sums to zero. y* is the argmax of π other than the
//! label y; S = (Δ(y*))₊ / Σ_v (Δ(v))₊ is the share of the freed mass that it took; the bystanders are everyone but y* and y.

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
    let vocab = before.vocab_size;
    let mut flow = MassFlow { since, ..MassFlow::default() };
    let mut per_pair = vec![Sums::default(); positions.pairs];
    let mut everyone = vec![0.0; vocab];
    let mut own = vec![0.0; vocab];
    for (row, (&pair, &label)) in positions.owner.iter().zip(&positions.labels).enumerate() {
        let span = row * vocab..(row + 1) * vocab;
        let (p, q) = (&before.probabilities[span.clone()], &after.probabilities[span]);
        let star = argmax_except(p, label as usize);
        let (mut gains, mut losses) = (0.0, 0.0);
        for (v, (&p, &q)) in p.iter().zip(q).enumerate() {
            let delta = f64::from(q) - f64::from(p);
            if delta > 0.0 {
                gains += delta;
            } else {
                losses -= delta;
            }
            own[v] += delta;
        }
        if (gains - losses).abs() > BALANCE {
            return Err(Error::failed(format!(
                "mass flow is out of balance at position {row}: {gains} gained, {losses} lost"
            )));
        }
        let delta = |v: usize| f64::from(q[v]) - f64::from(p[v]);
        let (star, label) = (delta(star), delta(label as usize));
        let sums = &mut per_pair[pair];
        sums.star_gain += star.max(0.0);
        sums.gain += gains;
        sums.star += star;
        sums.label += label;
        sums.entropy += f64::from(after.entropy[row]) - f64::from(before.entropy[row]);
        sums.positions += 1.0;
        // A pair's positions lie together, so its tokens are complete when the next pair begins.
        if positions.owner.get(row + 1) != Some(&pair) {
            let (gained, lost) = largest(&own, LISTED_PER_PAIR, text);
            flow.pairs.resize(pair, PairFlow::default());
            flow.pairs.push(PairFlow { gained, lost });
            for (all, own) in everyone.iter_mut().zip(&mut own) {
                *all += std::mem::take(own);
            }
        }
    }
    flow.pairs.resize(positions.pairs, PairFlow::default());
    (flow.gained, flow.lost) = largest(&everyone, LISTED, text);
    for sums in per_pair {
        sums.write(&mut flow);
    }
    Ok(flow)
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

/// The `count` tokens that gained most and those that lost most.
#[allow(clippy::cast_possible_truncation, reason = "recorded in single precision")]
fn largest(delta: &[f64], count: usize, text: &dyn Fn(u32) -> String) -> (Vec<TokenFlow>, Vec<TokenFlow>) {
    let mut order: Vec<u32> = (0..delta.len() as u32).collect();
    let listed = |order: &[u32], sign: f64| -> Vec<TokenFlow> {
        order
            .iter()
            .take(count)
            .filter(|&&v| delta[v as usize] * sign > 0.0)
            .map(|&v| TokenFlow { token: text(v), mass: delta[v as usize] as f32 })
            .collect()
    };
    order.sort_by(|&a, &b| delta[b as usize].total_cmp(&delta[a as usize]).then(a.cmp(&b)));
    let gained = listed(&order, 1.0);
    order.reverse();
    (gained, listed(&order, -1.0))
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
