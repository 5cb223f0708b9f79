//! What one position's distribution says.

use crate::dynamics::massflow::Distributions;
use crate::error::{Error, Result};

/// One position under teacher forcing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// log π(label), nats.
    pub label_logp: f64,
    /// max_v log π(v), nats; never below `label_logp`.
    pub argmax_logp: f64,
    /// The greedy token.
    pub argmax: u32,
    /// ‖π − e_y‖₂.
    pub p_e: f64,
    /// 1 − π_y.
    pub energy: f64,
    /// ‖A‖_F with A = I − 1·πᵀ: √(V‖π‖² + V − 2).
    pub a_frobenius: f64,
    /// −Σ π log π, nats.
    pub entropy: f64,
}

/// Reads one row of logits and appends its distribution to `keep`.
///
/// # Errors
/// When a logit is not finite: the model has diverged.
#[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a vocabulary fits u32 and f64")]
pub fn read(logits: &[f32], label: u32, keep: Option<&mut Distributions>) -> Result<Reading> {
    let Some((argmax, &largest)) = logits.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1).then(b.0.cmp(&a.0)))
    else {
        return Err(Error::failed("a model without vocabulary cannot be read"));
    };
    let exponentials: Vec<f64> = logits.iter().map(|&z| f64::from(z - largest).exp()).collect();
    let sum: f64 = exponentials.iter().sum();
    if !sum.is_finite() || !largest.is_finite() {
        return Err(Error::failed("the model's logits are no longer finite: lower the learning rate"));
    }
    let normaliser = sum.ln();
    let (mut squares, mut entropy) = (0.0, 0.0);
    for (&z, &e) in logits.iter().zip(&exponentials) {
        let p = e / sum;
        squares += p * p;
        if p > 0.0 {
            entropy -= p * (f64::from(z - largest) - normaliser);
        }
    }
    let label_logp = f64::from(logits[label as usize] - largest) - normaliser;
    let label_p = label_logp.exp();
    let vocab = logits.len() as f64;
    if let Some(keep) = keep {
        keep.probabilities.extend(exponentials.iter().map(|e| (e / sum) as f32));
        keep.entropy.push(entropy as f32);
    }
    let reading = Reading {
        label_logp,
        argmax_logp: -normaliser,
        argmax: argmax as u32,
        p_e: (squares - 2.0 * label_p + 1.0).max(0.0).sqrt(),
        energy: 1.0 - label_p,
        a_frobenius: (vocab * squares + vocab - 2.0).max(0.0).sqrt(),
        entropy,
    };
    if reading.argmax_logp < reading.label_logp {
        return Err(Error::failed("the argmax lies below the label: the measurement is broken"));
    }
    Ok(reading)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_distribution_reads_as_computed_by_hand() -> Result<()> {
        // π = (1/2, 1/4, 1/4)
        let logits = [2f32.ln(), 0.0, 0.0];
        let mut keep = Distributions { vocab_size: 3, ..Distributions::default() };
        let r = read(&logits, 1, Some(&mut keep))?;
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-6, "{a} is not {b}");
        near(r.label_logp, 0.25f64.ln());
        near(r.argmax_logp, 0.5f64.ln());
        assert_eq!(r.argmax, 0);
        near(r.p_e, (0.25f64 + 0.5625 + 0.0625).sqrt());
        near(r.energy, 0.75);
        // A = I − 1πᵀ: rows (1/2, −1/4, −1/4), (−1/2, 3/4, −1/4), (−1/2, −1/4, 3/4).
        near(r.a_frobenius, (0.375f64 + 0.875 + 0.875).sqrt());
        near(r.entropy, 1.5 * 2f64.ln());
        near(keep.probabilities.iter().map(|&p| f64::from(p)).sum(), 1.0);
        Ok(())
    }

    #[test]
    fn diverged_logits_are_refused() {
        assert!(read(&[0.0, f32::NAN], 0, None).is_err());
        assert!(read(&[f32::INFINITY, 0.0], 0, None).is_err());
    }
}
