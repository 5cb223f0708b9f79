//! Free-running answers, with the prompts' keys and values kept.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::attention::KeyValues;
use super::transformer::Transformer;
use crate::backend::{floats, int_tensor};

/// How the next token is chosen.
pub enum Decoding<'a> {
    /// The likeliest.
    Greedy,
    /// Drawn from softmax(z/temperature), restricted to the nucleus of mass `top_p`.
    Sample {
        /// Above 0; 1 leaves the model's own probabilities.
        temperature: f64,
        /// Above 0; 1 keeps every token.
        top_p: f64,
        /// Uniform draws in [0, 1).
        unit: &'a mut dyn FnMut() -> f64,
    },
}

impl Decoding<'_> {
    /// The next token of every row of logits `[rows, V]`.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index into the vocabulary")]
    fn choose<B: Backend>(&mut self, logits: Tensor<B, 2>) -> Vec<u32> {
        match self {
            Self::Greedy => logits.argmax(1).into_data().iter::<i64>().map(|token| token as u32).collect(),
            Self::Sample { temperature, top_p, unit } => {
                let vocab = logits.dims()[1];
                floats(logits).chunks_exact(vocab).map(|row| draw(row, *temperature, *top_p, unit())).collect()
            }
        }
    }
}

/// The token at which the cumulative probability of the nucleus passes `unit`.
#[allow(clippy::cast_possible_truncation, reason = "a vocabulary fits u32")]
fn draw(logits: &[f32], temperature: f64, top_p: f64, unit: f64) -> u32 {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut weights: Vec<f64> = logits.iter().map(|&z| (f64::from(z - largest) / temperature).exp()).collect();
    if top_p < 1.0 {
        cut_to_nucleus(&mut weights, top_p);
    }
    let mut left = unit * weights.iter().sum::<f64>();
    let mut last = 0;
    for (token, &weight) in weights.iter().enumerate() {
        if weight > 0.0 {
            last = token;
            left -= weight;
            if left < 0.0 {
                break;
            }
        }
    }
    last as u32
}

/// Sets to zero whatever is outside the smallest set of likeliest tokens that holds the share `top_p`.
fn cut_to_nucleus(weights: &mut [f64], top_p: f64) {
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by(|&a, &b| weights[b].total_cmp(&weights[a]).then(a.cmp(&b)));
    let enough = top_p * weights.iter().sum::<f64>();
    let mut held = 0.0;
    for token in order {
        if held >= enough {
            weights[token] = 0.0;
        } else {
            held += weights[token];
        }
    }
}

/// Answers, one a row of `past`. `first` holds the logits `[rows, V]` at each prompt's last token. An answer ends with
/// a token that `stops` (kept), after `max_new_tokens`, or where the model's positions end. Rows that have ended are dropped from the
/// batch once they are the half of it.
pub fn generate<B: Backend>(
    model: &Transformer<B>,
    mut past: KeyValues<B>,
    first: Tensor<B, 2>,
    stops: impl Fn(u32) -> bool,
    max_new_tokens: usize,
    mut decoding: Decoding<'_>,
) -> Vec<Vec<u32>> {
    let device = first.device();
    let prompts = past.lengths();
    let mut answers = vec![Vec::new(); first.dims()[0]];
    // The answer that each row of the batch writes, and whether it is still being written.
    let mut rows: Vec<(usize, bool)> = (0..answers.len()).map(|answer| (answer, true)).collect();
    let mut logits = first;
    for written in 1..=max_new_tokens {
        let mut tokens = decoding.choose(logits.clone());
        for ((answer, open), &token) in rows.iter_mut().zip(&tokens) {
            if *open {
                answers[*answer].push(token);
                *open = !stops(token) && prompts[*answer] + written < model.max_positions();
            }
        }
        let open: Vec<usize> = (0..rows.len()).filter(|&row| rows[row].1).collect();
        if open.is_empty() || written == max_new_tokens {
            break;
        }
        if open.len() * 2 <= rows.len() {
            past = past.select(&open);
            tokens = open.iter().map(|&row| tokens[row]).collect();
            rows = open.iter().map(|&row| rows[row]).collect();
        }
        let tokens = int_tensor(tokens.iter().map(|&t| i64::from(t)).collect(), &device).reshape([rows.len(), 1]);
        logits = model.logits(model.forward_after(tokens, &mut past, true));
    }
    answers
}

#[cfg(test)]
mod tests {
    use super::{cut_to_nucleus, draw};

    /// Draws at evenly spaced points of the unit interval: the shares are the probabilities to within one point.
    fn shares(logits: &[f32], temperature: f64, top_p: f64) -> Vec<f64> {
        let mut counts = vec![0.0; logits.len()];
        for i in 0..10_000 {
            counts[draw(logits, temperature, top_p, (f64::from(i) + 0.5) / 10_000.0) as usize] += 1e-4;
        }
        counts
    }

    #[test]
    fn tokens_are_drawn_with_their_probabilities() {
        let logits = [0.5f32, 0.2, 0.3].map(f32::ln);
        for (share, p) in shares(&logits, 1.0, 1.0).iter().zip([0.5, 0.2, 0.3]) {
            assert!((share - p).abs() < 2e-4, "{share} is not {p}");
        }
        // π² normalised: a temperature of one half.
        for (share, p) in shares(&logits, 0.5, 1.0).iter().zip([0.25 / 0.38, 0.04 / 0.38, 0.09 / 0.38]) {
            assert!((share - p).abs() < 2e-4, "{share} is not {p}");
        }
        assert!(shares(&logits, 1.0, 0.79)[1] == 0.0);
        assert_eq!(shares(&[f32::NEG_INFINITY, 0.0], 1.0, 1.0), [0.0, shares(&[0.0], 1.0, 1.0)[0]]);
    }

    #[test]
    fn a_nucleus_is_the_smallest_set_that_holds_enough() {
        let cut = |top_p| {
            let mut weights = [1.0, 4.0, 2.0, 3.0];
            cut_to_nucleus(&mut weights, top_p);
            weights
        };
        assert_eq!(cut(0.1), [0.0, 4.0, 0.0, 0.0]);
        assert_eq!(cut(0.41), [0.0, 4.0, 0.0, 3.0]);
        assert_eq!(cut(1.0), [1.0, 4.0, 2.0, 3.0]);
    }
}
