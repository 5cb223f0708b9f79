//! The reading of one position's distribution.

use crate::backend::wide;
use crate::error::{Error, Result};
use crate::model::{Exponentials, exponentials};

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

/// Reads one row of logits, over which it writes; writes its distribution to `keep`, which is as long.
///
/// # Errors
/// When a logit is not finite: the model has diverged.
#[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a vocabulary fits u32 and f64")]
pub fn read(logits: &mut [f32], label: u32, keep: Option<&mut [f32]>) -> Result<Reading> {
    if logits.is_empty() {
        return Err(Error::failed("a model without vocabulary cannot be read"));
    }
    let of_label = logits[label as usize];
    let Exponentials { largest, argmax, sum, squares, weighted } = exponentials(logits);
    if !sum.is_finite() || !largest.is_finite() {
        return Err(Error::failed("the model's logits are no longer finite: lower the learning rate"));
    }
    let normaliser = sum.ln();
    let label_logp = f64::from(of_label - largest) - normaliser;
    let label_p = label_logp.exp();
    let squares = squares / (sum * sum);
    let vocab = logits.len() as f64;
    if let Some(keep) = keep {
        wide(
            #[inline(always)]
            || keep.iter_mut().zip(&*logits).for_each(|(p, &e)| *p = (f64::from(e) / sum) as f32),
        );
    }
    let reading = Reading {
        label_logp,
        argmax_logp: -normaliser,
        argmax: argmax as u32,
        p_e: (squares - 2.0 * label_p + 1.0).max(0.0).sqrt(),
        energy: 1.0 - label_p,
        a_frobenius: (vocab * squares + vocab - 2.0).max(0.0).sqrt(),
        entropy: normaliser - weighted / sum,
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
        let mut logits = [2f32.ln(), 0.0, 0.0];
        let mut keep = [0.0; 3];
        let r = read(&mut logits, 1, Some(&mut keep))?;
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-6, "{a} is not {b}");
        near(r.label_logp, 0.25f64.ln());
        near(r.argmax_logp, 0.5f64.ln());
        assert_eq!(r.argmax, 0);
        near(r.p_e, (0.25f64 + 0.5625 + 0.0625).sqrt());
        near(r.energy, 0.75);
        // A = I − 1πᵀ: rows (1/2, −1/4, −1/4), (−1/2, 3/4, −1/4), (−1/2, −1/4, 3/4).
        near(r.a_frobenius, (0.375f64 + 0.875 + 0.875).sqrt());
        near(r.entropy, 1.5 * 2f64.ln());
        keep.iter().zip([0.5, 0.25, 0.25]).for_each(|(&p, expected)| near(f64::from(p), expected));
        Ok(())
    }

    #[test]
    fn diverged_logits_are_refused() {
        assert!(read(&mut [0.0, f32::NAN], 0, None).is_err());
        assert!(read(&mut [f32::INFINITY, 0.0], 0, None).is_err());
    }
}
