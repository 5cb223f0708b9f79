//! A prompt and its completion as tokens.

use std::sync::Arc;

/// A prompt and its completion, as token ids. The completion ends with the end-of-text token where the text does.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sequence {
    /// Read, not learnt. The answers to a prompt share it.
    pub prompt_ids: Arc<[u32]>,
    /// Learnt and measured.
    pub completion_ids: Vec<u32>,
}

impl Sequence {
    /// A model needs a token to begin with: where the prompt is empty, the completion's first token is read and not learnt.
    pub fn new(prompt_ids: impl Into<Arc<[u32]>>, mut completion_ids: Vec<u32>) -> Self {
        let prompt_ids = prompt_ids.into();
        if prompt_ids.is_empty() && !completion_ids.is_empty() {
            let rest = completion_ids.split_off(1);
            return Self { prompt_ids: completion_ids.into(), completion_ids: rest };
        }
        Self { prompt_ids, completion_ids }
    }

    /// Tokens of prompt and completion together.
    pub fn tokens(&self) -> usize {
        self.prompt_ids.len() + self.completion_ids.len()
    }
}
