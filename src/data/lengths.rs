//! Limits of the lengths of prompts and answers, in tokens: TRL's `max_length` and `max_prompt_length`.

use std::sync::Arc;

use super::PreferenceExample;
use super::tokenizer::Tokenizer;
use super::tokenizer::boundary::{self, Parted};
use crate::error::Result;
use crate::protocol::ProbeKind;

/// Why a row is left out whose prompt alone fills `max_length`.
const NO_ROOM: &str = "the prompt leaves no room for an answer";

/// Limits in tokens. A prompt keeps its end, an answer its beginning: TRL's `truncation_mode="keep_start"`. A probe set
/// shares a prompt among its answers, so what a prompt loses must not depend on the answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lengths {
    /// Prompt and answer together; longer answers lose their end.
    pub max_length: Option<usize>,
    /// The prompt; longer ones lose their beginning.
    pub max_prompt_length: Option<usize>,
    /// What the model reads; a row longer than that, after the limits above, is an error.
    pub positions: Option<usize>,
}

/// A prompt and the answers that were asked for, as tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokenised {
    /// The prompt.
    pub prompt: Arc<[u32]>,
    /// The answers, with the token that ends them where they were not cut.
    pub responses: Vec<(ProbeKind, Vec<u32>)>,
    /// What it lost or merged.
    pub truncation: Truncation,
}

/// What a row lost or merged on its way to tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Truncation {
    /// Whether its prompt lost tokens.
    pub truncated_prompt: bool,
    /// Whether one of its answers did.
    pub truncated_completion: bool,
    /// Whether the end of its prompt and the beginning of an answer are one token, which counts as the answer's.
    pub merged: bool,
}

/// Why a row is not trained on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Untrainable {
    /// The row is left out, and counted.
    Dropped(&'static str),
    /// The row is an error: the problem.
    Refused(String),
    /// The row holds a token that the model does not have: the problem.
    Unknown(String),
}

/// Whether a row can be trained on: what was made of it, or why it is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trainable<T> {
    /// What was made of it.
    Yes(T),
    /// Why it is not trained on.
    No(Untrainable),
}

impl<T> Trainable<T> {
    /// What was made of it; otherwise what `refuse` makes of the reason.
    ///
    /// # Errors
    /// What `refuse` says.
    pub fn or_refuse<E>(self, refuse: impl FnOnce(Untrainable) -> E) -> Result<T, E> {
        match self {
            Self::Yes(made) => Ok(made),
            Self::No(unfit) => Err(refuse(unfit)),
        }
    }
}

/// What to do about a row that is too long for the model.
pub(super) const TOO_LONG: &str = "shorten it, or cut rows with max_length and max_prompt_length in the data";

/// What to do about a row with a token that is the tokenizer's alone.
pub(super) const UNKNOWN: &str = "leave the token out, or use a model whose embedding was resized to its tokenizer";

impl Lengths {
    /// Tokenises an example's prompt and those of its answers that are of `kinds`.
    ///
    /// # Errors
    /// When a text cannot be tokenised.
    pub fn tokenise(
        &self,
        tokenizer: &Tokenizer,
        example: &PreferenceExample,
        kinds: &[ProbeKind],
    ) -> Result<Trainable<Tokenised>> {
        let Parted { mut prompt, answers, merged } = boundary::part(tokenizer, example, kinds)?;
        let mut truncation = Truncation { merged, ..Truncation::default() };
        if let Some(over) = self.max_prompt_length.and_then(|max| prompt.len().checked_sub(max)).filter(|&n| n > 0) {
            prompt.drain(..over);
            truncation.truncated_prompt = true;
        }
        let room = self.max_length.map(|max| max.saturating_sub(prompt.len()));
        if room == Some(0) {
            return Ok(Trainable::No(Untrainable::Dropped(NO_ROOM)));
        }
        let mut responses = Vec::with_capacity(answers.len());
        for (kind, mut ids) in answers {
            if let Some(room) = room.filter(|&room| ids.len() > room) {
                ids.truncate(room);
                ids.shrink_to_fit();
                truncation.truncated_completion = true;
            }
            let length = prompt.len() + ids.len();
            if let Some(positions) = self.positions.filter(|&positions| length > positions) {
                let problem =
                    format!("\"{kind}\" and its prompt have {length} tokens, and the model reads {positions}");
                return Ok(Trainable::No(Untrainable::Refused(problem)));
            }
            if let Some(id) = tokenizer.beyond_the_model(&prompt).or_else(|| tokenizer.beyond_the_model(&ids)) {
                let token = tokenizer.token(id);
                let problem = format!("has the token {token:?} ({id}), for which the model has no embedding");
                return Ok(Trainable::No(Untrainable::Unknown(problem)));
            }
            responses.push((kind, ids));
        }
        Ok(Trainable::Yes(Tokenised { prompt: prompt.into(), responses, truncation }))
    }
}

#[cfg(test)]
#[path = "lengths_tests.rs"]
mod tests;
