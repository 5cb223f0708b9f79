//! The synthetic world: people, what they do, and plain English about it.
//!
//! A question names a person, a topic and a circumstance; an answer says in four clauses what is done where and when,
//! why, what to do about it, and what happened once. Every content word is drawn from a list by Zipf's law, and each
//! topic and slot ranks its list in its own way. So a model of this text believes in many words at once, with a clear
//! peak: the shape that a real model's conditionals have, and on which the dynamics of finetuning depend. A chosen
//! answer is drawn from peaky lists, a rejected one in the same format from flatter ones.
//!
//! The world itself (words, rankings) is fixed; seeds only choose questions and draw answers.

mod documents;
mod judge;
mod lexicon;
mod render;
mod sample;
mod task;

#[cfg(test)]
mod tests;

pub use documents::documents;
pub use judge::Judge;
pub(crate) use sample::Source;
pub use task::task;

use lexicon::{
    ADJECTIVES, ADVICE_VERBS, ASPECTS, NAMES, PLACES, PREDICATES, PREPOSITIONS, STORY_ADJECTIVES, SUBJECTS, TIMES,
    TOPICS, Topic,
};
use sample::Zipf;

/// Words that make up the content of an answer.
const SLOTS: usize = 19;
/// Slots of the subjects and of what they do: the latter is ranked by the former.
const SUBJECT_SLOTS: [usize; 2] = [14, 15];
const PREDICATE_SLOTS: [usize; 2] = [16, 17];
const NOUN_SLOTS: std::ops::Range<usize> = 3..6;

/// Zipf exponent of the words of an ordinary good answer.
const USUAL_EXPONENT: f64 = 1.4;
/// How often a noun belongs to any topic, and how flat those are.
const STRAY_NOUN_RATE: f64 = 0.12;
const STRAY_NOUN_EXPONENT: f64 = 0.6;
const STORY_EXPONENT: f64 = 0.8;
/// The longest list: the nouns of all topics.
const LONGEST: usize = 128;

/// How many questions there are: people × topics × circumstances.
pub const QUESTIONS: usize = 60 * 8 * 8;

/// What an answer says, independent of how it is put. The order of the words is that of the pattern in `clause`.
#[derive(Clone)]
struct Content {
    name: &'static str,
    topic: &'static Topic,
    words: [&'static str; SLOTS],
}

/// A question: who, what, and under which circumstance.
#[derive(Clone, Copy)]
struct Question {
    name: &'static str,
    topic: usize,
    aspect: &'static str,
}

impl Question {
    /// The prompt in one of three phrasings.
    fn prompt(&self, source: &mut Source) -> String {
        let Self { name, topic, aspect } = self;
        let Topic { verb, verb_third_person: does, .. } = &TOPICS[*topic];
        match source.below(3) {
            0 => format!("Q: What does {name} {verb} {aspect}? A:"),
            1 => format!("Q: Tell me what {name} {does} {aspect}. A:"),
            _ => format!("Q: Do you know what {name} {does} {aspect}? A:"),
        }
    }
}

/// The fixed part of the world: lists and their rankings.
struct World {
    names: Vec<&'static str>,
    aspects: Vec<&'static str>,
    subjects: Vec<&'static str>,
    /// Words ranked by topic and slot, best first; empty for predicates.
    rankings: Vec<[Vec<&'static str>; SLOTS]>,
    /// Nouns of all topics ranked by topic, best first.
    stray_nouns: Vec<Vec<&'static str>>,
    /// Predicates ranked by subject and slot, best first.
    predicates: Vec<[Vec<&'static str>; 2]>,
    story: StoryRankings,
    stray_noun_law: Zipf,
    story_law: Zipf,
}

struct StoryRankings {
    adjectives: Vec<&'static str>,
    prepositions: Vec<&'static str>,
    places: Vec<&'static str>,
    times: Vec<&'static str>,
    subjects: Vec<&'static str>,
}

impl World {
    fn new() -> Self {
        let mut source = Source::new("world", 0);
        let mut ranked = |words: &[&'static str]| {
            let mut words = words.to_vec();
            source.shuffle(&mut words);
            words
        };
        let list = |words: &'static str| words.split_whitespace().collect::<Vec<_>>();
        let all_nouns: Vec<_> = TOPICS.iter().flat_map(|topic| topic.nouns.split_whitespace()).collect();
        let predicates: Vec<_> = PREDICATES.split('|').collect();
        let subjects = list(SUBJECTS);
        let rankings = TOPICS
            .iter()
            .map(|topic| {
                std::array::from_fn(|slot| match slot {
                    0..=2 => ranked(&[list(ADJECTIVES), list(topic.adjectives)].concat()),
                    3..=5 => ranked(&list(topic.nouns)),
                    6 | 7 => ranked(&list(PREPOSITIONS)),
                    8 | 9 => ranked(&list(PLACES)),
                    10 | 11 => ranked(&list(TIMES)),
                    12 | 13 => ranked(&list(NAMES)),
                    14 | 15 => ranked(&subjects),
                    16 | 17 => Vec::new(),
                    _ => ranked(&list(ADVICE_VERBS)),
                })
            })
            .collect();
        Self {
            names: list(NAMES),
            aspects: ASPECTS.split('|').collect(),
            rankings,
            stray_nouns: TOPICS.iter().map(|_| ranked(&all_nouns)).collect(),
            predicates: subjects.iter().map(|_| std::array::from_fn(|_| ranked(&predicates))).collect(),
            story: StoryRankings {
                adjectives: ranked(&list(STORY_ADJECTIVES)),
                prepositions: ranked(&list(PREPOSITIONS)),
                places: ranked(&list(PLACES)),
                times: ranked(&list(TIMES)),
                subjects: ranked(&subjects),
            },
            subjects,
            stray_noun_law: Zipf::new(STRAY_NOUN_EXPONENT, LONGEST),
            story_law: Zipf::new(STORY_EXPONENT, LONGEST),
        }
    }

    /// Every question once, in a fixed order.
    fn questions(&self) -> Vec<Question> {
        let mut questions = Vec::with_capacity(QUESTIONS);
        for &name in &self.names {
            for topic in 0..TOPICS.len() {
                questions.extend(self.aspects.iter().map(|&aspect| Question { name, topic, aspect }));
            }
        }
        questions
    }

    fn question(&self, source: &mut Source) -> Question {
        Question {
            name: source.pick(&self.names),
            topic: source.below(TOPICS.len()),
            aspect: source.pick(&self.aspects),
        }
    }

    /// Content about `name` and `topic`, its words drawn by `law`.
    fn content(&self, source: &mut Source, name: &'static str, topic: usize, law: &Zipf) -> Content {
        let mut words = [""; SLOTS];
        for slot in 0..SLOTS {
            words[slot] = if NOUN_SLOTS.contains(&slot) && source.unit() < STRAY_NOUN_RATE {
                self.stray_noun_law.draw(source, &self.stray_nouns[topic])
            } else if let Some(which) = PREDICATE_SLOTS.iter().position(|&predicate| predicate == slot) {
                let subject = words[SUBJECT_SLOTS[which]];
                let subject = self.subjects.iter().position(|&known| known == subject).unwrap_or(0);
                let other = if which == 0 { "" } else { words[PREDICATE_SLOTS[0]] };
                draw_other(source, law, &self.predicates[subject][which], other)
            } else {
                let other = if slot == SUBJECT_SLOTS[1] { words[SUBJECT_SLOTS[0]] } else { "" };
                draw_other(source, law, &self.rankings[topic][slot], other)
            };
        }
        Content { name, topic: &TOPICS[topic], words }
    }

    /// `sentences` sentences that answer no question, the first with a leading space like the others.
    fn story(&self, source: &mut Source, sentences: usize) -> String {
        (0..sentences).map(|_| self.story_sentence(source)).collect()
    }

    fn story_sentence(&self, source: &mut Source) -> String {
        let law = &self.story_law;
        let quality = law.draw(source, &self.story.adjectives);
        let near = law.draw(source, &self.story.prepositions);
        let place = law.draw(source, &self.story.places);
        let time = law.draw(source, &self.story.times);
        let who = law.draw(source, &self.story.subjects);
        match source.below(8) {
            0 => format!(" The {quality} dog ran {near} the {place} and slept until {time}."),
            1 => format!(" Rain fell {near} the {place} while the {quality} moon rose."),
            2 => format!(" A {quality} train left one {time} and everyone waved."),
            3 => {
                let name = source.pick(&self.names);
                format!(" That night {name} walked {near} the {place} with a {quality} lantern and said nothing.")
            }
            4 => format!(" Two {quality} friends sat {near} the {place} and talked about the sea."),
            5 => format!(" The {who} lost a {quality} ring {near} the {place} long ago."),
            6 => format!(" Snow covered the {quality} town one {time}."),
            _ => {
                let others: Vec<_> = self.story.subjects.iter().copied().filter(|&other| other != who).collect();
                let partner = law.draw(source, &others);
                format!(" The {who} and the {partner} danced until {time}.")
            }
        }
    }
}

/// An entry of `ranking` other than `other`: two subjects in one sentence are two people. Where a peaky law insists on
/// `other`, the next in rank serves.
fn draw_other(source: &mut Source, law: &Zipf, ranking: &[&'static str], other: &str) -> &'static str {
    let word = law.draw(source, ranking);
    if word != other {
        return word;
    }
    let word = law.draw(source, ranking);
    if word == other { ranking[usize::from(ranking[0] == other)] } else { word }
}
