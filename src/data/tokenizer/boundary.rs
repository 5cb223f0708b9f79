//! The boundary between a prompt and its answers, in tokens.
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::collections::BTreeMap;

    use super::*;
    use crate::data::{Form, world};
    use crate::experiment::WorldTask;
    use crate::model::Checkpoint;

    #[test]
    fn the_shipped_world_has_the_same_ids_together_as_apart() {
        let tokenizer = Checkpoint::base().unwrap().tokenizer;
        let mut task = WorldTask::default();
        (task.train, task.held_out) = (40, 8);
        for example in world::task(3, &task).unwrap().train {
            let kinds: Vec<ProbeKind> = example.responses.keys().copied().collect();
            let parted = part(&tokenizer, &example, &kinds).unwrap();
            assert_eq!((&parted.prompt, parted.merged), (&tokenizer.encode(&example.prompt).unwrap(), false));
            for (kind, ids) in parted.answers {
                assert_eq!(ids, tokenizer.encode_completion(&example.responses[&kind]).unwrap(), "{kind}");
            }
        }
    }

    #[test]
    fn a_prompt_that_merges_ends_where_its_answers_part_from_it() {
        let tokenizer = Tokenizer::train(&["is blue is blue is green is green".to_owned()], 290).unwrap();
        let ids = |text: &str| tokenizer.encode(text).unwrap();
        let responses = [(ProbeKind::Chosen, "blue"), (ProbeKind::Rejected, "!"), (ProbeKind::IrrHum, "?")];
        let responses: BTreeMap<_, _> = responses.map(|(kind, text)| (kind, text.to_owned())).into();
        let example = PreferenceExample { prompt: "is ".to_owned(), responses, form: Form::Plain };
        let kinds = [ProbeKind::Chosen, ProbeKind::Rejected, ProbeKind::IrrHum];
        let Parted { prompt, answers, merged } = part(&tokenizer, &example, &kinds).unwrap();
        assert!(merged);
        assert_eq!(prompt, ids("is"));
        let end = tokenizer.eos().unwrap();
        let answers: Vec<Vec<u32>> = answers.into_iter().map(|(_, ids)| ids).collect();
        assert_eq!(
            answers,
            [[ids(" blue"), vec![end]], [ids(" !"), vec![end]], [ids(" ?"), vec![end]]].map(|a| a.concat())
        );
        assert_eq!(pair(&tokenizer, "is ", "blue", false).unwrap(), (ids("is"), ids(" blue")));
    }
}
