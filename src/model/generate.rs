//! Free-running answers, with the prompts' keys and values kept.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::transformer::{KeyValues, Transformer, int_tensor};

/// Greedy answers, one a row of `past`. `first` holds the logits `[rows, V]` at each prompt's last token. An answer ends with
/// `eos` (kept) or after `max_new_tokens`.
pub fn greedy<B: Backend>(
    model: &Transformer<B>,
    mut past: KeyValues<B>,
    first: Tensor<B, 2>,
    eos: Option<u32>,
    max_new_tokens: usize,
) -> Vec<Vec<u32>> {
    let rows = first.dims()[0];
    let device = first.device();
    let mut answers = vec![Vec::new(); rows];
    let mut open = vec![true; rows];
    let mut logits = first;
    for _ in 0..max_new_tokens {
        let choice: Vec<i64> = logits.argmax(1).into_data().iter::<i64>().collect();
        for (row, &token) in choice.iter().enumerate() {
            if open[row] {
                #[allow(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "an index into the vocabulary"
                )]
                let token = token as u32;
                answers[row].push(token);
                open[row] = Some(token) != eos;
            }
        }
        if !open.contains(&true) {
            break;
        }
        let tokens = int_tensor(choice, &device).reshape([rows, 1]);
        logits = model.logits(model.forward_after(tokens, &mut past, true));
    }
    answers
}
