//! Rows of tokens, padded, with the mask of what is to be predicted.

use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor, TensorData};

use crate::backend::int_tensor;
use crate::data::Sequence;

/// Right-padded rows and where in them the completions lie.
#[derive(Debug, Clone)]
pub struct Batch<B: Backend> {
    /// `[rows, positions]`.
    pub tokens: Tensor<B, 2, Int>,
    /// The completion mask as indices: into the flattened `rows · positions`, those whose next token belongs to a completion.
    pub predicting: Vec<usize>,
    /// The token that each of them is to predict.
    pub labels: Vec<u32>,
    /// The row that each of them belongs to.
    pub owner: Vec<usize>,
}

impl<B: Backend> Batch<B> {
    /// Whole sequences: each row reads the prompt and the completion but for its last token.
    pub fn whole(sequences: &[&Sequence], pad: u32, device: &B::Device) -> Self {
        let rows: Vec<Vec<u32>> =
            sequences.iter().map(|s| [&s.prompt_ids[..], &s.completion_ids[..]].concat()).collect();
        let starts: Vec<usize> = sequences.iter().map(|s| s.prompt_ids.len()).collect();
        Self::of_rows(&rows, &starts, pad, device)
    }

    /// Completions alone, to be read after their prompts' keys and values: each row reads the completion but for its last
    /// token; the completion's first token is predicted by the prompt's last position, which is not in this batch.
    pub fn completions(completions: &[&[u32]], pad: u32, device: &B::Device) -> Self {
        let rows: Vec<Vec<u32>> = completions.iter().map(|c| c.to_vec()).collect();
        Self::of_rows(&rows, &vec![1; rows.len()], pad, device)
    }

    /// `starts[row]` is the index of the first token that is to be predicted; at least 1.
    fn of_rows(rows: &[Vec<u32>], starts: &[usize], pad: u32, device: &B::Device) -> Self {
        let positions = rows.iter().map(|r| r.len().saturating_sub(1)).max().unwrap_or(0).max(1);
        let mut tokens = vec![i64::from(pad); rows.len() * positions];
        let (mut predicting, mut labels, mut owner) = (Vec::new(), Vec::new(), Vec::new());
        for (row, ids) in rows.iter().enumerate() {
            for (t, &id) in ids.iter().take(ids.len().saturating_sub(1)).enumerate() {
                tokens[row * positions + t] = i64::from(id);
                if t + 1 >= starts[row] {
                    predicting.push(row * positions + t);
                    labels.push(ids[t + 1]);
                    owner.push(row);
                }
            }
        }
        let tokens = Tensor::from_data(TensorData::new(tokens, [rows.len(), positions]), device);
        Self { tokens, predicting, labels, owner }
    }

    /// [`Self::predicting`] as a tensor.
    pub fn predicting_tensor(&self, device: &B::Device) -> Tensor<B, 1, Int> {
        int_tensor(self.predicting.iter().map(|&i| i as i64).collect(), device)
    }
}

/// Right-padded prompts and their lengths.
pub fn prompts<B: Backend>(prompts: &[&[u32]], pad: u32, device: &B::Device) -> (Tensor<B, 2, Int>, Vec<usize>) {
    let width = prompts.iter().map(|p| p.len()).max().unwrap_or(0).max(1);
    let mut tokens = vec![i64::from(pad); prompts.len() * width];
    for (row, prompt) in prompts.iter().enumerate() {
        for (t, &id) in prompt.iter().enumerate() {
            tokens[row * width + t] = i64::from(id);
        }
    }
    let tokens = Tensor::from_data(TensorData::new(tokens, [prompts.len(), width]), device);
    (tokens, prompts.iter().map(|p| p.len()).collect())
}
