//! Where a prompt ends and its answers begin, in tokens.
//!
//! Prompt and answer are tokenised together and cut after the tokens that both texts, the prompt alone and the whole, have
//! in common, as TRL's trainers and lm-eval do: a model that answers writes the tokens of the whole, and a tokenizer that
//! puts something before every text (a space, a token that begins it) puts it there once.

use super::Tokenizer;
use crate::Result;
use crate::data::PreferenceExample;
use crate::protocol::ProbeKind;

/// A prompt and its answers as tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parted {
    /// The prompt; where its end merges with what follows, what is left before that.
    pub(crate) prompt: Vec<u32>,
    /// The answers, with the token that ends them.
    pub(crate) answers: Vec<(ProbeKind, Vec<u32>)>,
    /// Whether the end of the prompt and the beginning of an answer that is learnt from have a token in common, or are
    /// otherwise not what they are alone.
    pub(crate) merged: bool,
}

/// Parts an example's prompt from those of its answers that are of `kinds`. The answers share the prompt, so what is
/// learnt from (chosen and rejected) decides where it ends; an answer that is only observed and does not fit that is
/// tokenised apart.
///
/// # Errors
/// When a text cannot be tokenised.
pub(crate) fn part(tokenizer: &Tokenizer, example: &PreferenceExample, kinds: &[ProbeKind]) -> Result<Parted> {
    let is_turn = example.is_turn();
    let encode = |text: &str| if is_turn { tokenizer.encode(text) } else { tokenizer.encode_begun(text) };
    let mut prompt = encode(example.opened())?;
    let texts = kinds.iter().filter_map(|&kind| Some((kind, example.responses.get(&kind)?)));
    let wholes = texts
        .map(|(kind, text)| {
            let whole = format!("{}{text}", example.prompt);
            Ok((kind, text, tokenizer.ended(&whole, encode(&whole)?, is_turn)?))
        })
        .collect::<Result<Vec<_>>>()?;
    let learnt = wholes.iter().filter(|(kind, ..)| matches!(kind, ProbeKind::Chosen | ProbeKind::Rejected));
    let common = learnt.map(|(.., whole)| common(&prompt, whole)).min().unwrap_or(prompt.len());
    let merged = common < prompt.len();
    // A model needs something to begin with.
    let cut = if common == 0 { prompt.len() } else { common };
    let answer = |(kind, text, whole): (ProbeKind, &String, Vec<u32>)| {
        if whole.len() > cut && whole.starts_with(&prompt[..cut]) {
            return Ok((kind, whole[cut..].to_vec()));
        }
        let apart = tokenizer.ended(text, tokenizer.encode(text)?, is_turn)?;
        Ok((kind, [&prompt[cut..], &apart].concat()))
    };
    let answers = wholes.into_iter().map(answer).collect::<Result<_>>()?;
    prompt.truncate(cut);
    Ok(Parted { prompt, answers, merged })
}

/// Parts a prompt from one answer that is not ended; `begun` says whether the tokenizer puts before the prompt what it puts
/// before any text.
///
/// # Errors
/// When a text cannot be tokenised.
pub(crate) fn pair(tokenizer: &Tokenizer, prompt: &str, answer: &str, begun: bool) -> Result<(Vec<u32>, Vec<u32>)> {
    let encode = |text: &str| if begun { tokenizer.encode_begun(text) } else { tokenizer.encode(text) };
    let (mut ids, whole) = (encode(prompt)?, encode(&format!("{prompt}{answer}"))?);
    let cut = common(&ids, &whole);
    if cut == 0 || cut == whole.len() {
        return Ok((ids, tokenizer.encode(answer)?));
    }
    ids.truncate(cut);
    Ok((ids, whole[cut..].to_vec()))
}

/// Tokens that two sequences begin with.
fn common(a: &[u32], b: &[u32]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}
