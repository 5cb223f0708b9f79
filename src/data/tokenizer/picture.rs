//! A picture of a training row in tokens, around the place where its prompt ends.

use std::fmt;

use super::Tokenizer;
use super::boundary::{Parted, part};
use crate::Result;
use crate::data::PreferenceExample;
use crate::protocol::ProbeKind;
use crate::text::Shown;

/// Tokens that are shown of a prompt and of an answer.
const SHOWN: usize = 8;

/// The end of a prompt and the beginning and end of its answers, as tokens. Shown in a few lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenPicture {
    prompt: Vec<String>,
    answers: Vec<(ProbeKind, Vec<String>)>,
    remarks: Vec<String>,
}

impl TokenPicture {
    /// The picture of a training example, before it is cut to any length.
    ///
    /// # Errors
    /// When a text cannot be tokenised.
    pub fn new(tokenizer: &Tokenizer, example: &PreferenceExample) -> Result<Self> {
        let spell = |ids: &[u32]| ids.iter().map(|&id| tokenizer.token(id)).collect::<Vec<_>>();
        let Parted { prompt, answers, merged } = part(tokenizer, example, &[ProbeKind::Chosen, ProbeKind::Rejected])?;
        let mut remarks = Vec::new();
        if !example.is_turn() && !tokenizer.begins().is_empty() {
            let begins = spell(tokenizer.begins());
            remarks.push(format!("{} stands before every prompt, once, and before no answer", row(&begins)));
        }
        if tokenizer.eos().is_none() {
            remarks.push("nothing ends an answer: no file of the model names an end token (eos_token)".to_owned());
        }
        if merged {
            remarks
                .push("the end of the prompt is not what it is alone: the answer begins where the two part".to_owned());
        }
        for (kind, ids) in &answers {
            let Some(text) = example.responses.get(kind) else { continue };
            let apart = tokenizer.encode(text)?;
            if !ids.starts_with(&apart) {
                let first = spell(&apart[..apart.len().min(3)]);
                remarks.push(format!("apart from its prompt, {kind} would begin with {} instead", row(&first)));
            }
        }
        if remarks.is_empty() {
            remarks.push("tokenised apart, prompt and answers have the same tokens".to_owned());
        }
        let answers = answers.into_iter().map(|(kind, ids)| (kind, spell(&ids))).collect();
        Ok(Self { prompt: spell(&prompt), answers, remarks })
    }
}

/// Tokens in brackets, so that every space is seen.
fn row(tokens: &[String]) -> String {
    tokens.iter().map(|token| format!("[{token}]")).collect()
}

impl fmt::Display for TokenPicture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |text: String| Shown::new(&text).to_string();
        let tail = &self.prompt[self.prompt.len().saturating_sub(SHOWN)..];
        let more = if tail.len() < self.prompt.len() { "…" } else { "" };
        write!(
            f,
            "tokens of the first row ({} of the prompt):\n  prompt   {more}{}",
            self.prompt.len(),
            shown(row(tail))
        )?;
        for (kind, tokens) in &self.answers {
            let written = if tokens.len() <= 2 * SHOWN {
                row(tokens)
            } else {
                format!("{}…{}", row(&tokens[..SHOWN]), row(&tokens[tokens.len() - 3..]))
            };
            write!(f, "\n  {:8} {} ({})", kind.key(), shown(written), tokens.len())?;
        }
        for remark in &self.remarks {
            write!(f, "\n  {}", shown(remark.clone()))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::collections::BTreeMap;

    use super::*;
    use crate::data::Form;

    #[test]
    fn the_boundary_is_shown_and_what_differs_is_said() {
        let documents = ["the sky the sky the sky is blue is blue is blue".to_owned()];
        let tokenizer = Tokenizer::train(&documents, 300).unwrap();
        let picture = |prompt: &str, chosen: &str| {
            let responses = BTreeMap::from([(ProbeKind::Chosen, chosen.to_owned())]);
            let example = PreferenceExample { prompt: prompt.to_owned(), responses, form: Form::Plain };
            TokenPicture::new(&tokenizer, &example).unwrap().to_string()
        };
        let plain = picture("the sky is", " blue\u{202e}");
        assert!(
            plain.starts_with("tokens of the first row (3 of the prompt):\n  prompt   [the][ sky][ is]"),
            "{plain}"
        );
        assert!(plain.contains("\n  chosen   [ blue]") && plain.contains("[<eos>]"), "{plain}");
        assert!(plain.ends_with("tokenised apart, prompt and answers have the same tokens"), "{plain}");
        assert!(!plain.contains('\u{202e}'), "{plain}");
        let merged = picture("the sky is ", "blue");
        for part in [
            "[the][ sky][ is]\n",
            "chosen   [ blue][<eos>] (2)",
            "begins where the two part",
            "chosen would begin with [bl]",
        ] {
            assert!(merged.contains(part), "{part}: {merged}");
        }
    }
}
