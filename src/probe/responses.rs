//! Reading every response. Along y⁺ and y⁻ every position's whole distribution is read; of the other responses only the
//! log-probs.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::completions::Completions;
use super::headway::Headway;
use super::prompts::Prompts;
use super::reading::{self, Reading};
use super::set::ProbeSet;
use crate::dynamics::massflow::Distributions;
use crate::error::Result;
use crate::model::{self, Answer, KeyValues, Plain, Prompt, Transformer};
use crate::protocol::ProbeKind;

/// What is being done here, for whoever waits.
const READING: &str = "measuring answers";
/// So many tokens are read between two counts.
const COUNTED: usize = 64;

/// What was read of the responses.
pub(super) struct Responses {
    /// Sums of log-probs, one entry a prompt, of the kinds of which no more is read; NaN for a prompt without such a response.
    pub(super) sums: BTreeMap<ProbeKind, Vec<f32>>,
    /// What was read position by position.
    pub(super) along: BTreeMap<ProbeKind, Along>,
    /// The distributions along y⁺.
    pub(super) distributions: Distributions,
}

/// What was read at one position.
enum Position {
    /// log π of the token there.
    Logp(f32),
    /// The whole distribution.
    Whole(Result<Reading>),
}

/// Readings along one kind of response, and the prompt that each belongs to.
#[derive(Default)]
pub(super) struct Along {
    pub(super) readings: Vec<Reading>,
    pub(super) owner: Vec<usize>,
}

impl Responses {
    /// Reads the responses to prompts that were read. y⁺ has so many `positions` over all prompts; `spare` is memory for its
    /// distributions.
    ///
    /// # Errors
    /// When the model has diverged.
    pub(super) fn read<B: Backend>(
        model: &Transformer<B>,
        prompts: &Prompts<'_, B>,
        set: &ProbeSet,
        mut spare: Vec<f32>,
        (positions, pad): (usize, u32),
        headway: &Headway<'_>,
    ) -> Result<Self> {
        let mut this = match prompts {
            Prompts::Plain(plain, prompts) => {
                spare.resize(positions * model.vocab_size(), 0.0);
                Self::plain(plain, prompts, set, (spare, model.vocab_size()), headway)?
            }
            Prompts::OnDevice { past, last } => Self::on_device(model, (past, last), set, pad, headway)?,
        };
        #[allow(clippy::cast_possible_truncation, reason = "recorded in single precision")]
        let entropy = this.along.get(&ProbeKind::Chosen).map(|along| along.readings.iter().map(|r| r.entropy as f32));
        this.distributions.entropy = entropy.map_or_else(Vec::new, Iterator::collect);
        this.distributions.vocab_size = model.vocab_size();
        Ok(this)
    }

    /// Reads all responses to a prompt one after the other, so that they share it; y⁺'s distributions are written to
    /// `probabilities`, `[positions, V]`.
    fn plain(
        plain: &Plain,
        prompts: &[Prompt],
        set: &ProbeSet,
        (mut probabilities, vocab): (Vec<f32>, usize),
        headway: &Headway<'_>,
    ) -> Result<Self> {
        let (mut answers, mut kinds) = (Vec::new(), Vec::new());
        for (prompt, probe) in set.probes.iter().enumerate() {
            for (&kind, (_, tokens)) in &probe.responses {
                answers.push(Answer { prompt, tokens });
                kinds.push(kind);
            }
        }
        // Where each answer's distributions go.
        let mut rest = probabilities.as_mut_slice();
        let places: Vec<Mutex<&mut [f32]>> = answers
            .iter()
            .zip(&kinds)
            .map(|(answer, &kind)| {
                let taken = if kind == ProbeKind::Chosen { answer.tokens.len() * vocab } else { 0 };
                rest.split_off_mut(..taken).unwrap_or_default().into()
            })
            .collect();
        let (tokens, done) = (answers.iter().map(|answer| answer.tokens.len()).sum(), AtomicUsize::new(0));
        let read = plain.read_answers(prompts, &answers, |answer, logits, label| {
            let before = done.fetch_add(1, Ordering::Relaxed);
            if before.is_multiple_of(COUNTED) {
                headway.count(READING, before, tokens);
            }
            match kinds[answer] {
                ProbeKind::Chosen => {
                    let mut place = places[answer].lock().unwrap_or_else(PoisonError::into_inner);
                    Position::Whole(reading::read(logits, label, place.split_off_mut(..logits.len())))
                }
                ProbeKind::Rejected => Position::Whole(reading::read(logits, label, None)),
                _ => Position::Logp(model::label_and_largest(logits, label).0),
            }
        });
        drop(places);
        let mut this = Self::of_kinds(set);
        for ((read, answer), kind) in read.into_iter().zip(&answers).zip(kinds) {
            let mut sum = 0.0;
            for position in read {
                match position {
                    Position::Logp(logp) => sum += f64::from(logp),
                    Position::Whole(reading) => this.add_reading(kind, answer.prompt, reading?),
                }
            }
            if !answer.tokens.is_empty() {
                this.set_sum(kind, answer.prompt, sum);
            }
        }
        this.distributions.probabilities = probabilities;
        Ok(this)
    }

    /// Reads one kind of response after the other.
    fn on_device<B: Backend>(
        model: &Transformer<B>,
        prompts: (&KeyValues<B>, &Tensor<B, 2>),
        set: &ProbeSet,
        pad: u32,
        headway: &Headway<'_>,
    ) -> Result<Self> {
        let mut this = Self::of_kinds(set);
        for (done, &kind) in ProbeKind::ALL.iter().enumerate() {
            headway.count(READING, done, ProbeKind::ALL.len());
            let having = set.probes.iter().enumerate();
            let (having, completions): (Vec<usize>, Vec<&[u32]>) =
                having.filter_map(|(pair, p)| Some((pair, p.responses.get(&kind)?.1.as_slice()))).unzip();
            if having.is_empty() {
                continue;
            }
            let completions = Completions::read(model, prompts, &having, &completions, pad);
            match kind {
                ProbeKind::Chosen | ProbeKind::Rejected => {
                    let keep = (kind == ProbeKind::Chosen).then_some(&mut this.distributions.probabilities);
                    for (reading, &pair) in completions.readings(model, keep)?.into_iter().zip(&completions.owner) {
                        this.add_reading(kind, pair, reading);
                    }
                }
                _ => {
                    let mut sums = BTreeMap::<usize, f64>::new();
                    for (&pair, logp) in completions.owner.iter().zip(completions.logps(model)) {
                        *sums.entry(pair).or_default() += f64::from(logp);
                    }
                    sums.into_iter().for_each(|(pair, sum)| this.set_sum(kind, pair, sum));
                }
            }
        }
        Ok(this)
    }

    /// Nothing read yet of the kinds that there are.
    fn of_kinds(set: &ProbeSet) -> Self {
        let mut this = Self { sums: BTreeMap::new(), along: BTreeMap::new(), distributions: Distributions::default() };
        for &kind in set.probes.iter().flat_map(|probe| probe.responses.keys()) {
            match kind {
                ProbeKind::Chosen | ProbeKind::Rejected => {
                    this.along.entry(kind).or_default();
                }
                _ => {
                    this.sums.entry(kind).or_insert_with(|| vec![f32::NAN; set.probes.len()]);
                }
            }
        }
        this
    }

    fn add_reading(&mut self, kind: ProbeKind, prompt: usize, reading: Reading) {
        let along = self.along.entry(kind).or_default();
        along.readings.push(reading);
        along.owner.push(prompt);
    }

    #[allow(clippy::cast_possible_truncation, reason = "recorded in single precision")]
    fn set_sum(&mut self, kind: ProbeKind, prompt: usize, sum: f64) {
        if let Some(sums) = self.sums.get_mut(&kind) {
            sums[prompt] = sum as f32;
        }
    }
}
