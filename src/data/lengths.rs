//! How long a prompt and its answers may be, in tokens: TRL's `max_length` and `max_prompt_length`.

use std::sync::Arc;

use super::PreferenceExample;
use super::tokenizer::Tokenizer;
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
    /// What was done to it.
    pub fate: Fate,
}

/// What became of a row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fate {
    /// Whether its prompt lost tokens.
    pub truncated_prompt: bool,
    /// Whether one of its answers did.
    pub truncated_completion: bool,
}

/// Why a row is not trained on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unfit {
    /// It is left out, and counted.
    Dropped(&'static str),
    /// It is an error: the problem.
    Refused(String),
}

/// What to do about a row that is too long for the model.
pub(super) const TOO_LONG: &str = "shorten it, or cut rows with max_length and max_prompt_length in the data";

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
    ) -> Result<Result<Tokenised, Unfit>> {
        let mut fate = Fate::default();
        let mut prompt = tokenizer.encode(&example.prompt)?;
        if let Some(over) = self.max_prompt_length.and_then(|max| prompt.len().checked_sub(max)).filter(|&n| n > 0) {
            prompt.drain(..over);
            fate.truncated_prompt = true;
        }
        let room = self.max_length.map(|max| max.saturating_sub(prompt.len()));
        if room == Some(0) {
            return Ok(Err(Unfit::Dropped(NO_ROOM)));
        }
        let mut responses = Vec::with_capacity(kinds.len());
        for &kind in kinds {
            let Some(text) = example.responses.get(&kind) else { continue };
            let mut ids = tokenizer.encode_completion(text)?;
            if let Some(room) = room.filter(|&room| ids.len() > room) {
                ids.truncate(room);
                ids.shrink_to_fit();
                fate.truncated_completion = true;
            }
            let length = prompt.len() + ids.len();
            if let Some(positions) = self.positions.filter(|&positions| length > positions) {
                let problem =
                    format!("\"{kind}\" and its prompt have {length} tokens, and the model reads {positions}");
                return Ok(Err(Unfit::Refused(problem)));
            }
            responses.push((kind, ids));
        }
        Ok(Ok(Tokenised { prompt: prompt.into(), responses, fate }))
    }
}

#[cfg(test)]
#[path = "lengths_tests.rs"]
mod tests;
