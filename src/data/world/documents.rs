//! Text to pretrain on: mostly good answers, with enough of everything else that no kind of text is beyond belief.
//! Without shuffled and repeated text here, such text would *gain* probability in SFT, as it does in no real model.

use super::render::{Format, Length};
use super::sample::{Source, Zipf};
use super::{LONGEST, TOPICS, USUAL_EXPONENT, World};
use crate::experiment::WorldDocuments;

const FLAT_EXPONENT: f64 = 0.9;
const ANSWER_WORDINGS: [f64; 3] = [0.45, 0.30, 0.25];
const NOISE_WORDINGS: [f64; 3] = [0.34, 0.33, 0.33];

/// Documents to train on and held-out ones. More documents of a seed begin with the same ones.
///
/// An answer follows its prompt after one space; a story stands alone.
pub fn documents(seed: u64, settings: &WorldDocuments) -> (Vec<String>, Vec<String>) {
    let writer = Writer::new();
    let write = |purpose: &str, count: usize| {
        let mut source = Source::new(purpose, seed);
        (0..count).map(|_| writer.document(&mut source)).collect()
    };
    (write("documents", settings.train), write("documents held out", settings.held_out))
}

struct Writer {
    world: World,
    usual: Zipf,
    flat: Zipf,
}

impl Writer {
    fn new() -> Self {
        Self { world: World::new(), usual: Zipf::new(USUAL_EXPONENT, LONGEST), flat: Zipf::new(FLAT_EXPONENT, LONGEST) }
    }

    fn document(&self, source: &mut Source) -> String {
        let Self { world, usual, flat } = self;
        let kind = source.weighted(&[0.08, 0.78, 0.04, 0.03, 0.04, 0.03]);
        if kind == 0 {
            let sentences = 2 + source.below(3);
            return world.story(source, sentences).trim_start().to_owned();
        }
        let question = world.question(source);
        let prompt = question.prompt(source);
        let law = if source.below(4) == 0 { flat } else { usual };
        let content = world.content(source, question.name, question.topic, law);
        let response = match kind {
            1 => content.render(Format::draw(source, ANSWER_WORDINGS)),
            2 => world.story(source, 3),
            3 => {
                let name = source.pick(&world.names);
                let topic = source.below(TOPICS.len());
                let elsewhere = world.content(source, name, topic, law);
                elsewhere.render(Format::draw(source, NOISE_WORDINGS))
            }
            4 => {
                let answer = content.render(Format::draw(source, NOISE_WORDINGS));
                source.shuffle_words(&answer)
            }
            _ => {
                let times = 5 + source.below(8);
                content.repeated(source, Length::Times(times))
            }
        };
        prompt + &response
    }
}
