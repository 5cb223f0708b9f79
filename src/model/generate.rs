//! Free-running answers, with the prompts' keys and values kept.

use std::borrow::Cow;

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use rayon::prelude::*;

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

/// Answers that are being written, a row each: where they stand, and how they go on.
pub(crate) trait Writing {
    /// Tokens of each row so far, the prompt's included.
    fn lengths(&self) -> Vec<usize>;
    /// The likeliest next token of every row; the first of equals.
    fn likeliest(&self) -> Vec<u32>;
    /// The logits of every row's next token, `[rows, V]`.
    fn logits(&self) -> Cow<'_, [f32]>;
    /// Goes on by one token a row.
    fn read(&mut self, tokens: &[u32]);
    /// Keeps the given rows, whose order stays; to be followed by [`Self::read`].
    fn select(&mut self, rows: &[usize]);
}

/// Rows on whatever device the model is on.
struct OnDevice<'a, B: Backend> {
    model: &'a Transformer<B>,
    past: KeyValues<B>,
    /// `[rows, V]`.
    logits: Tensor<B, 2>,
}

impl<B: Backend> Writing for OnDevice<'_, B> {
    fn lengths(&self) -> Vec<usize> {
        self.past.lengths()
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index into the vocabulary")]
    fn likeliest(&self) -> Vec<u32> {
        self.logits.clone().argmax(1).into_data().iter::<i64>().map(|token| token as u32).collect()
    }

    fn logits(&self) -> Cow<'_, [f32]> {
        floats(self.logits.clone()).into()
    }

    fn read(&mut self, tokens: &[u32]) {
        let ids = tokens.iter().map(|&t| i64::from(t)).collect();
        let tokens = int_tensor(ids, &self.model.device()).reshape([tokens.len(), 1]);
        self.logits = self.model.logits(self.model.forward_after(tokens, &mut self.past, true));
    }

    fn select(&mut self, rows: &[usize]) {
        self.past = self.past.select(rows);
    }
}

impl Decoding<'_> {
    /// The next token of every row.
    fn choose(&mut self, rows: &impl Writing, count: usize) -> Vec<u32> {
        match self {
            Self::Greedy => rows.likeliest(),
            Self::Sample { temperature, top_p, unit } => {
                let logits = rows.logits();
                // Drawn before anything is shared out: the numbers belong to the rows in their order.
                let units: Vec<f64> = (0..count).map(|_| unit()).collect();
                let (temperature, top_p) = (*temperature, *top_p);
                let rows = logits.par_chunks((logits.len() / count.max(1)).max(1)).zip(units);
                rows.map(|(row, unit)| draw(row, temperature, top_p, unit)).collect()
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

/// Answers, one a row of `past`, as of [`write`]; `first` holds the logits `[rows, V]` at each prompt's last token.
pub fn generate<B: Backend>(
    model: &Transformer<B>,
    past: KeyValues<B>,
    first: Tensor<B, 2>,
    stops: impl Fn(u32) -> bool,
    max_new_tokens: usize,
    decoding: Decoding<'_>,
) -> Vec<Vec<u32>> {
    let rows = OnDevice { model, past, logits: first };
    write(rows, model.max_positions(), stops, max_new_tokens, decoding)
}

/// Answers, one a row. An answer ends with a token that `stops` (kept), after `max_new_tokens`, or where the model's positions
/// end. Rows that have ended are dropped once they are the half of all.
pub(crate) fn write(
    mut writing: impl Writing,
    max_positions: usize,
    stops: impl Fn(u32) -> bool,
    max_new_tokens: usize,
    mut decoding: Decoding<'_>,
) -> Vec<Vec<u32>> {
    let prompts = writing.lengths();
    let mut answers = vec![Vec::new(); prompts.len()];
    // The answer that each row writes, and whether it is still being written.
    let mut rows: Vec<(usize, bool)> = (0..answers.len()).map(|answer| (answer, true)).collect();
    for written in 1..=max_new_tokens {
        let mut tokens = decoding.choose(&writing, rows.len());
        for ((answer, open), &token) in rows.iter_mut().zip(&tokens) {
            if *open {
                answers[*answer].push(token);
                *open = !stops(token) && prompts[*answer] + written < max_positions;
            }
        }
        let open: Vec<usize> = (0..rows.len()).filter(|&row| rows[row].1).collect();
        if open.is_empty() || written == max_new_tokens {
            break;
        }
        if open.len() * 2 <= rows.len() {
            writing.select(&open);
            tokens = open.iter().map(|&row| tokens[row]).collect();
            rows = open.iter().map(|&row| rows[row]).collect();
        }
        writing.read(&tokens);
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
