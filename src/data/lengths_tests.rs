//! What is cut, what is left out, what is refused.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::data::Form;
use crate::data::tokenizer::EOS;

const KINDS: [ProbeKind; 2] = [ProbeKind::Chosen, ProbeKind::Rejected];

/// A token a byte, and the two special ones.
fn bytes() -> Tokenizer {
    Tokenizer::train(&[], 258).unwrap()
}

fn example(prompt: &str, chosen: &str, rejected: &str) -> PreferenceExample {
    let responses = [(ProbeKind::Chosen, chosen), (ProbeKind::Rejected, rejected)];
    PreferenceExample {
        prompt: prompt.to_owned(),
        responses: responses.map(|(kind, text)| (kind, text.to_owned())).into(),
        form: Form::Plain,
    }
}

fn lengths(max_length: usize, max_prompt_length: usize, positions: usize) -> Lengths {
    let limit = |n| (n > 0).then_some(n);
    Lengths { max_length: limit(max_length), max_prompt_length: limit(max_prompt_length), positions: limit(positions) }
}

/// Prompt, chosen and rejected as text (`.` for the end), and what was done.
fn cut(lengths: Lengths, prompt: &str, chosen: &str, rejected: &str) -> Result<(Vec<String>, Truncation), Untrainable> {
    let tokenizer = bytes();
    let text = |ids: &[u32]| ids.iter().map(|&id| tokenizer.token(id)).collect::<String>().replace(EOS, ".");
    let tokenised =
        lengths.tokenise(&tokenizer, &example(prompt, chosen, rejected), &KINDS).unwrap().or_refuse(|unfit| unfit)?;
    let mut texts = vec![text(&tokenised.prompt)];
    texts.extend(tokenised.responses.iter().map(|(_, ids)| text(ids)));
    Ok((texts, tokenised.truncation))
}

#[test]
fn prompts_keep_their_end_and_answers_their_beginning() {
    let both = |p, c| Truncation { truncated_prompt: p, truncated_completion: c, merged: false };
    for (limits, expected, truncation) in [
        (lengths(0, 0, 0), ["abcdef", "12345.", "xy."], both(false, false)),
        (lengths(0, 4, 0), ["cdef", "12345.", "xy."], both(true, false)),
        (lengths(8, 4, 0), ["cdef", "1234", "xy."], both(true, true)),
        (lengths(12, 6, 12), ["abcdef", "12345.", "xy."], both(false, false)),
        (lengths(11, 6, 0), ["abcdef", "12345", "xy."], both(false, true)),
        (lengths(7, 0, 0), ["abcdef", "1", "x"], both(false, true)),
    ] {
        assert_eq!(
            cut(limits, "abcdef", "12345", "xy").unwrap(),
            (expected.map(str::to_owned).into(), truncation),
            "{limits:?}"
        );
    }
    assert_eq!(cut(lengths(6, 0, 0), "abcdef", "1", "x").unwrap_err(), Untrainable::Dropped(NO_ROOM));
    let refused = Untrainable::Refused("\"chosen\" and its prompt have 12 tokens, and the model reads 11".to_owned());
    assert_eq!(cut(lengths(0, 0, 11), "abcdef", "12345", "xy").unwrap_err(), refused);
}

#[test]
fn an_end_that_the_template_wrote_is_not_written_again() {
    let tokenizer = bytes();
    let eos = tokenizer.eos().unwrap();
    for (text, ends) in [("ab", 1), ("ab<eos>", 1), ("ab<eos>\n", 1), ("ab<eos>c", 2), ("<eos>", 1), ("", 1)] {
        let ids = tokenizer.encode_completion(text).unwrap();
        assert_eq!(ids.iter().filter(|&&id| id == eos).count(), ends, "{text:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn what_is_kept_is_within_the_limits_and_as_it_was(
        texts in prop::array::uniform3("[a-zé ]{1,30}"),
        max_length in 1_usize..40,
        max_prompt_length in 1_usize..40,
    ) {
        let tokenizer = bytes();
        let [prompt, chosen, rejected] = &texts;
        let example = example(prompt, chosen, rejected);
        let limits = lengths(max_length, max_prompt_length, 0);
        let whole = tokenizer.encode(prompt).unwrap();
        match limits.tokenise(&tokenizer, &example, &KINDS).unwrap() {
            Trainable::Yes(tokenised) => {
                prop_assert!(tokenised.prompt.len() <= max_prompt_length && whole.ends_with(&tokenised.prompt));
                prop_assert_eq!(tokenised.truncation.truncated_prompt, whole.len() > max_prompt_length);
                let answers: BTreeMap<_, _> = tokenised.responses.into_iter().collect();
                for (kind, text) in &example.responses {
                    let ids = &answers[kind];
                    prop_assert!(!ids.is_empty() && tokenised.prompt.len() + ids.len() <= max_length);
                    prop_assert!(tokenizer.encode_completion(text).unwrap().starts_with(ids));
                }
            }
            Trainable::No(unfit) => {
                prop_assert_eq!(unfit, Untrainable::Dropped(NO_ROOM));
                prop_assert!(whole.len().min(max_prompt_length) >= max_length);
            }
        }
    }
}
