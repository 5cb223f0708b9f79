//! Preference pairs about the world, with every probe response that needs no model.

use std::collections::{BTreeMap, HashSet};

use super::render::{Format, Length};
use super::sample::{Source, Zipf};
use super::{LONGEST, PREDICATE_SLOTS, QUESTIONS, Question, SUBJECT_SLOTS, TOPICS, World};
use crate::data::{Dataset, Form, PreferenceExample};
use crate::experiment::WorldTask;
use crate::protocol::ProbeKind;
use crate::{Error, Result};

const WORDINGS: [f64; 3] = [0.60, 0.25, 0.15];
/// Sentences of an unrelated response.
const STORY_SENTENCES: usize = 3;
/// Redraws before an answer that must be new is given up.
const ATTEMPTS: usize = 100;

/// Preference pairs of `seed`: training questions and held-out ones, no question in both and no answer in both.
///
/// y⁻ has the clause order and the wordings of y⁺ but words of its own, drawn by `rejected_exponent`, save for those
/// copied from y⁺ (`overlap`).
///
/// # Errors
/// When the settings ask for more questions than there are ([`QUESTIONS`]), are not numbers of a sensible range, or
/// leave so little choice that y⁻ cannot differ from y⁺ or held-out answers from training answers.
pub fn task(seed: u64, settings: &WorldTask) -> Result<Dataset> {
    check(settings)?;
    let world = World::new();
    let mut source = Source::new("task", seed);
    let mut questions = world.questions();
    source.shuffle(&mut questions);
    let writer = Writer {
        chosen: Zipf::new(settings.chosen_exponent, LONGEST),
        rejected: Zipf::new(settings.rejected_exponent, LONGEST),
        overlap: settings.overlap,
        world,
    };
    let mut train = Vec::with_capacity(settings.train);
    let mut trained = HashSet::new();
    for question in &questions[..settings.train] {
        let example = writer.example(&mut source, question, &HashSet::new())?;
        trained.extend(example.responses.values().cloned());
        train.push(example);
    }
    let held_out: Vec<_> = questions[settings.train..settings.train + settings.held_out]
        .iter()
        .map(|question| writer.example(&mut source, question, &trained))
        .collect::<Result<_>>()?;
    let mut dataset = Dataset { train, held_out };
    crate::data::example::derive_probes(&mut dataset, seed);
    Ok(dataset)
}

fn check(settings: &WorldTask) -> Result<()> {
    let WorldTask { train, held_out, chosen_exponent, rejected_exponent, overlap } = *settings;
    if train == 0 {
        return Err(Error::usage("data: train is 0; a task needs at least one training question"));
    }
    if train.saturating_add(held_out) > QUESTIONS {
        return Err(Error::usage(format!(
            "data: train + held_out is {}, but the world has {QUESTIONS} questions; ask for fewer",
            train.saturating_add(held_out)
        )));
    }
    for (name, exponent) in [("chosen_exponent", chosen_exponent), ("rejected_exponent", rejected_exponent)] {
        if !(0.0..=8.0).contains(&exponent) {
            return Err(Error::usage(format!("data: {name} is {exponent}; give a number from 0 (flat) to 8 (peaky)")));
        }
    }
    if !(0.0..=1.0).contains(&overlap) {
        return Err(Error::usage(format!("data: overlap is {overlap}; give a probability from 0 to 1")));
    }
    Ok(())
}

struct Writer {
    world: World,
    chosen: Zipf,
    rejected: Zipf,
    overlap: f64,
}

impl Writer {
    /// A question with its answers, redrawn until none is `taken` and y⁻ differs from y⁺.
    fn example(&self, source: &mut Source, question: &Question, taken: &HashSet<String>) -> Result<PreferenceExample> {
        let prompt = question.prompt(source);
        for _ in 0..ATTEMPTS {
            let responses = self.responses(source, question);
            let same = responses[&ProbeKind::Chosen] == responses[&ProbeKind::Rejected];
            if !same && !responses.values().any(|response| taken.contains(response)) {
                return Ok(PreferenceExample { prompt, responses, form: Form::Plain });
            }
        }
        Err(Error::usage(
            "data: these settings leave the answers no choice of words; lower the exponents or the overlap",
        ))
    }

    fn responses(&self, source: &mut Source, question: &Question) -> BTreeMap<ProbeKind, String> {
        let Self { world, chosen, rejected, overlap } = self;
        let &Question { name, topic, .. } = question;
        let good = world.content(source, name, topic, chosen);
        let format = Format::draw(source, WORDINGS);
        let mut bad = world.content(source, name, topic, rejected);
        for (word, good) in bad.words.iter_mut().zip(good.words) {
            if source.unit() < *overlap {
                *word = good;
            }
        }
        for [first, second] in [SUBJECT_SLOTS, PREDICATE_SLOTS] {
            if bad.words[first] == bad.words[second] {
                bad.words[second] = good.words[if good.words[second] == bad.words[first] { first } else { second }];
            }
        }
        let elsewhere = (topic + 1 + source.below(TOPICS.len() - 1)) % TOPICS.len();
        let good_elsewhere = world.content(source, name, elsewhere, chosen);
        let bad_elsewhere = world.content(source, name, elsewhere, rejected);
        let chosen = good.render(format);
        let length = Length::Words(chosen.split_whitespace().count());
        BTreeMap::from([
            (ProbeKind::Rejected, bad.render(format)),
            (ProbeKind::ChosenGptsemantic, good.render(format.rephrased(source))),
            (ProbeKind::ChosenGptformat, good_elsewhere.render(format)),
            (ProbeKind::RejectGptsemantic, bad.render(format.rephrased(source))),
            (ProbeKind::RejectGptformat, bad_elsewhere.render(format)),
            (ProbeKind::IrrHum, world.story(source, STORY_SENTENCES)),
            (ProbeKind::Repeater, good.repeated(source, length)),
            (ProbeKind::Chosen, chosen),
        ])
    }
}
