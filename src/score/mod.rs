//! Log-probs of given responses under a model.

mod job;
mod rows;

use std::path::Path;

use serde::Serialize;

use crate::backend::BackendChoice;
use crate::data::Sequence;
use crate::data::tokenizer::boundary;
use crate::error::{Error, Location, Result};
use crate::model::{Checkpoint, hub};
use crate::protocol::floats;

pub(crate) use rows::parse as parse_rows;

/// A row to score, and the line that it stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScoreRow {
    /// Line in the file, from 1.
    pub line: usize,
    /// What is scored.
    pub input: ScoreInput,
}

/// A prompt and a response; neither is empty where it is given as ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScoreInput {
    /// Prompt and response as text; the two are tokenised together, and cut where the prompt ends.
    Text {
        /// The prompt.
        prompt: String,
        /// The response.
        response: String,
    },
    /// Prompt and response as token ids.
    Ids {
        /// The prompt.
        prompt_ids: Vec<u32>,
        /// The response.
        ids: Vec<u32>,
    },
}

/// How rows are scored.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Whether the tokenizer puts before a prompt what it puts before any text.
    pub add_special_tokens: bool,
    /// What computes.
    pub backend: BackendChoice,
}

/// A scored row; nats, f32.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Scored {
    /// The prompt's tokens.
    pub prompt_ids: Vec<u32>,
    /// The response's tokens.
    pub ids: Vec<u32>,
    /// log π of every response token, given what precedes it.
    #[serde(with = "floats::list")]
    pub logps: Vec<f32>,
    /// The sum of the tokens' log-probs.
    pub sum: f64,
    /// max_v log π(v) at every response position.
    #[serde(with = "floats::list")]
    pub argmax_logps: Vec<f32>,
}

/// Scores every row with the model `model` (a folder, a GGUF file or a name on the hub) and hands the results over in the rows' order. `file` is where
/// the rows stand, for errors about them (an id outside the vocabulary, a row too long).
///
/// # Errors
/// A model that cannot be loaded, a row that it cannot score, or an error of `each`.
pub fn score(
    model: &Path,
    file: &Path,
    rows: &[ScoreRow],
    options: Options,
    each: &mut dyn FnMut(Scored) -> Result<()>,
) -> Result<()> {
    let checkpoint = Checkpoint::read(&hub::locate(model)?)?;
    let sequences = rows
        .iter()
        .map(|row| {
            sequence(row, &checkpoint, options.add_special_tokens)
                .map_err(|(problem, advice)| Error::input(Location::line(file, row.line), problem, advice))
        })
        .collect::<Result<Vec<_>>>()?;
    let scored = job::score(&checkpoint, &sequences, options.backend)?;
    for (sequence, logps) in sequences.into_iter().zip(scored) {
        let sum = logps.sum();
        let Sequence { prompt_ids, completion_ids: ids } = sequence;
        each(Scored {
            prompt_ids: prompt_ids.to_vec(),
            ids,
            logps: logps.logps,
            sum,
            argmax_logps: logps.argmax_logps,
        })?;
    }
    Ok(())
}

/// A row as tokens, as training has them but for the token that ends an answer. What is wrong with it, and the way out, otherwise.
fn sequence(row: &ScoreRow, checkpoint: &Checkpoint, special: bool) -> Result<Sequence, (String, &'static str)> {
    let sequence = match &row.input {
        ScoreInput::Ids { prompt_ids, ids } => {
            Sequence { prompt_ids: prompt_ids.as_slice().into(), completion_ids: ids.clone() }
        }
        ScoreInput::Text { prompt, response } => {
            let parted = boundary::pair(&checkpoint.tokenizer, prompt, response, special);
            let (prompt, response) =
                parted.map_err(|e| (e.to_string(), "the model's tokenizer must know the text's characters"))?;
            Sequence { prompt_ids: prompt.into(), completion_ids: response }
        }
    };
    if sequence.prompt_ids.is_empty() {
        return Err((
            "the prompt has no token: the first response token would have nothing to follow".to_owned(),
            "give a prompt, or ids with a token to begin with",
        ));
    }
    let vocab = checkpoint.config.vocab_size;
    if let Some(id) = sequence.prompt_ids.iter().chain(&sequence.completion_ids).find(|&&id| id as usize >= vocab) {
        return Err((
            format!("token id {id} is outside the vocabulary of {vocab}"),
            "tokenise with the model's own tokenizer",
        ));
    }
    let longest = checkpoint.config.max_position_embeddings;
    if sequence.tokens() > longest {
        return Err((format!("{} tokens, and the model reads {longest}", sequence.tokens()), "shorten the row"));
    }
    Ok(sequence)
}
