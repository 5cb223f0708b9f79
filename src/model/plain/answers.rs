//! Prompts that are read once, answers that are read after them, and answers that are written.

use std::borrow::Cow;
use std::ops::Range;

use rayon::prelude::*;

use super::super::architecture::Architecture;
use super::super::generate::Writing;
use super::{After, Buffers, Piece, Plain, Prefix, ROWS};

/// Answers that are written on one thread, at least, unless there are fewer.
const WRITTEN: usize = 8;

/// A prompt that was read.
#[derive(Debug, Clone)]
pub(crate) struct Prompt {
    prefix: Prefix,
    /// The last token's hidden state, not normalised yet, `[d]`.
    last: Vec<f32>,
}

/// An answer that is to be read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answer<'a> {
    /// Index of its prompt.
    pub(crate) prompt: usize,
    /// The tokens of the answer.
    pub(crate) tokens: &'a [u32],
}

impl Plain {
    /// Reads prompts, none of which is empty.
    pub(crate) fn read_prompts(&self, prompts: &[&[u32]]) -> Vec<Prompt> {
        let parts = parts(prompts.iter().map(|prompt| prompt.len()));
        let read = |part: &Range<usize>| {
            let prompts = &prompts[part.clone()];
            let mut prefixes = vec![Prefix::default(); prompts.len()];
            self.with_buffers(|buffers| {
                let after = prefixes.iter_mut().map(After::Extended);
                let mut pieces: Vec<_> =
                    prompts.iter().zip(after).map(|(tokens, after)| Piece { tokens, after }).collect();
                self.read(&mut pieces, buffers);
                let d = self.architecture.hidden_size;
                let mut end = 0;
                let last = prompts.iter().map(|prompt| {
                    end += prompt.len();
                    buffers.x[(end - 1) * d..end * d].to_vec()
                });
                last.collect::<Vec<_>>()
            })
            .into_iter()
            .zip(prefixes)
            .map(|(last, prefix)| Prompt { prefix, last })
            .collect::<Vec<_>>()
        };
        parts.par_iter().flat_map_iter(read).collect()
    }

    /// Reads answers, those to the same prompt best one after the other. `each` is told which answer it is, the logits from
    /// which a token is predicted, over which it may write, and the token; in the order of the tokens. Returns what it
    /// gives, token by token.
    pub(crate) fn read_answers<T: Send>(
        &self,
        prompts: &[Prompt],
        answers: &[Answer<'_>],
        each: impl Fn(usize, &mut [f32], u32) -> T + Sync,
    ) -> Vec<Vec<T>> {
        let parts = parts(answers.iter().map(|answer| answer.tokens.len()));
        let read = |part: &Range<usize>| {
            self.with_buffers(|buffers| {
                self.read_part(prompts, &answers[part.clone()], buffers, |answer, logits, token| {
                    each(part.start + answer, logits, token)
                })
            })
        };
        parts.par_iter().flat_map_iter(read).collect()
    }

    /// Reads answers side by side.
    fn read_part<T>(
        &self,
        prompts: &[Prompt],
        answers: &[Answer<'_>],
        buffers: &mut Buffers,
        each: impl Fn(usize, &mut [f32], u32) -> T,
    ) -> Vec<Vec<T>> {
        let d = self.architecture.hidden_size;
        // The last token of an answer predicts nothing that is asked about.
        let inside = |answer: &Answer<'_>| answer.tokens.len().saturating_sub(1);
        let mut pieces = Vec::new();
        for answer in answers.iter().filter(|answer| inside(answer) > 0) {
            let after = After::Shared(&prompts[answer.prompt].prefix);
            pieces.push(Piece { tokens: &answer.tokens[..inside(answer)], after });
        }
        self.read(&mut pieces, buffers);
        let Buffers { x, hidden, logits, .. } = buffers;
        let mut read: Vec<Vec<T>> = answers.iter().map(|answer| Vec::with_capacity(answer.tokens.len())).collect();
        // The first token of an answer is predicted by its prompt's last one: the same distribution for all of a prompt.
        let mut rest = 0..answers.len();
        while let Some(first) = rest.next() {
            let prompt = answers[first].prompt;
            let same = first..first + answers[first..].iter().take_while(|answer| answer.prompt == prompt).count();
            rest.start = same.end;
            self.logits(&prompts[prompt].last, hidden, logits, |_, logits| {
                let mut copy = Vec::new();
                for answer in same.clone() {
                    let Some(&token) = answers[answer].tokens.first() else { continue };
                    copy.clear();
                    copy.extend_from_slice(logits);
                    read[answer].push(each(answer, &mut copy, token));
                }
            });
        }
        let mut predicted =
            answers.iter().enumerate().flat_map(|(i, answer)| answer.tokens.iter().skip(1).map(move |&t| (i, t)));
        let rows: usize = answers.iter().map(inside).sum();
        self.logits(&x[..rows * d], hidden, logits, |_, logits| {
            if let Some((answer, token)) = predicted.next() {
                read[answer].push(each(answer, logits, token));
            }
        });
        read
    }

    /// Begins to write an answer to each prompt.
    pub(crate) fn continuing(&self, prompts: Vec<Prompt>) -> Continuing<'_> {
        let mut this = Continuing { model: self, logits: Vec::new(), rows: prompts };
        this.predict(None);
        this
    }
}

/// Answers that are being written.
pub(crate) struct Continuing<'a> {
    model: &'a Plain,
    rows: Vec<Prompt>,
    /// `[rows, V]`.
    logits: Vec<f32>,
}

impl Continuing<'_> {
    /// Reads one token a row, if any are given, and makes the logits of the next ones.
    fn predict(&mut self, tokens: Option<&[u32]>) {
        let Architecture { hidden_size: d, vocab_size: vocab, .. } = self.model.architecture;
        // Four parts, whatever the number of threads.
        let at_once = self.rows.len().div_ceil(4).max(WRITTEN);
        self.logits.resize(self.rows.len() * vocab, 0.0);
        let parts = self.rows.par_chunks_mut(at_once).zip(self.logits.par_chunks_mut(at_once * vocab)).enumerate();
        parts.for_each(|(part, (rows, out))| {
            self.model.with_buffers(|buffers| {
                if let Some(tokens) = tokens {
                    let tokens = tokens[part * at_once..].chunks(1);
                    let after = rows.iter_mut().map(|row| After::Extended(&mut row.prefix));
                    let mut pieces: Vec<_> = tokens.zip(after).map(|(tokens, after)| Piece { tokens, after }).collect();
                    self.model.read(&mut pieces, buffers);
                    for (row, x) in rows.iter_mut().zip(buffers.x.chunks_exact(d)) {
                        row.last.copy_from_slice(x);
                    }
                }
                let last: Vec<f32> = rows.iter().flat_map(|row| &row.last).copied().collect();
                self.model.logits(&last, &mut buffers.hidden, &mut buffers.logits, |row, logits| {
                    out[row * vocab..(row + 1) * vocab].copy_from_slice(logits);
                });
            });
        });
    }
}

impl Writing for Continuing<'_> {
    fn lengths(&self) -> Vec<usize> {
        self.rows.iter().map(|row| row.prefix.tokens).collect()
    }

    fn likeliest(&self) -> Vec<u32> {
        let first_largest = |row: &[f32]| {
            let better = |best: usize, v: usize| if row[v] > row[best] { v } else { best };
            #[allow(clippy::cast_possible_truncation, reason = "an index into the vocabulary")]
            let token = (0..row.len()).fold(0, better) as u32;
            token
        };
        self.logits.par_chunks(self.model.architecture.vocab_size).map(first_largest).collect()
    }

    fn logits(&self) -> Cow<'_, [f32]> {
        (&self.logits).into()
    }

    fn read(&mut self, tokens: &[u32]) {
        self.predict(Some(tokens));
    }

    fn select(&mut self, rows: &[usize]) {
        let mut all: Vec<Option<Prompt>> = std::mem::take(&mut self.rows).into_iter().map(Some).collect();
        self.rows = rows.iter().filter_map(|&row| all[row].take()).collect();
    }
}

/// Splits rows of so many tokens into parts that are read together: each as long as [`ROWS`] allows, and one row at least.
fn parts(lengths: impl Iterator<Item = usize>) -> Vec<Range<usize>> {
    let (mut parts, mut tokens) = (Vec::<Range<usize>>::new(), 0);
    for (row, length) in lengths.enumerate() {
        match parts.last_mut() {
            Some(part) if tokens + length <= ROWS => {
                part.end = row + 1;
                tokens += length;
            }
            _ => {
                parts.push(row..row + 1);
                tokens = length;
            }
        }
    }
    parts
}
