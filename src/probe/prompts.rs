//! Prompts that were read once, for everything that follows them.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use crate::backend::int_tensor;
use crate::model::batch;
use crate::model::generate::{Decoding, generate, write};
use crate::model::{KeyValues, Plain, Prompt, Transformer};

/// Prompts that were read: their keys and values and the hidden state at each one's last token.
pub(crate) enum Prompts<'a, B: Backend> {
    /// Prompts read by the model over plain numbers.
    Plain(&'a Plain, Vec<Prompt>),
    /// Prompts read on the model's device.
    OnDevice {
        /// Keys and values.
        past: KeyValues<B>,
        /// `[prompts, d]`.
        last: Tensor<B, 2>,
    },
}

impl<'a, B: Backend> Prompts<'a, B> {
    /// Reads prompts: with `plain`, which is the same model, where there is one.
    pub(crate) fn read(model: &Transformer<B>, plain: Option<&'a Plain>, prompts: &[&[u32]], pad: u32) -> Self {
        if let Some(plain) = plain {
            return Self::Plain(plain, plain.read_prompts(prompts));
        }
        let device = model.device();
        let (tokens, lengths) = batch::prompts(prompts, pad, &device);
        let width = tokens.dims()[1];
        let ends = lengths.iter().enumerate().map(|(row, n)| (row * width + n - 1) as i64).collect();
        let (hidden, past) = model.read_prompts(tokens, lengths);
        Self::OnDevice { past, last: hidden.select(0, int_tensor(ends, &device)) }
    }

    /// Keeps the first so many.
    pub(crate) fn first(self, count: usize) -> Self {
        match self {
            Self::Plain(plain, mut prompts) => {
                prompts.truncate(count);
                Self::Plain(plain, prompts)
            }
            Self::OnDevice { past, last } => {
                let rows: Vec<usize> = (0..count).collect();
                Self::OnDevice { past: past.select(&rows), last: last.slice(0..count) }
            }
        }
    }

    /// Answers them; see [`write`].
    pub(crate) fn answer(
        self,
        model: &Transformer<B>,
        stops: impl Fn(u32) -> bool,
        max_new_tokens: usize,
        decoding: Decoding<'_>,
    ) -> Vec<Vec<u32>> {
        match self {
            Self::Plain(plain, prompts) => {
                write(plain.continuing(prompts), model.max_positions(), stops, max_new_tokens, decoding)
            }
            Self::OnDevice { past, last } => generate(model, past, model.logits(last), stops, max_new_tokens, decoding),
        }
    }
}
