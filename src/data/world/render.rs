//! Sentences made of content: four clauses, five orders, three wordings a clause.

use super::sample::Source;
use super::{Content, SLOTS};

/// What a clause says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clause {
    Habit,
    Reason,
    Advice,
    Past,
}

use Clause::{Advice, Habit, Past, Reason};

/// Every clause.
pub(super) const CLAUSES: [Clause; 4] = [Habit, Reason, Advice, Past];

/// The wordings of every clause. Words of the content stand in braces: a quality (`a`), thing (`o`), preposition (`p`), place (`l`),
/// time (`t`), person (`m`), subject (`s`), what it does (`w`) and the verb of an advice (`v`).
pub(super) const PATTERNS: [[&str; WORDINGS]; 4] = [
    [
        "{name} {does} {a1} {o1} {p1} the {l1} every {t1}.",
        "Every {t1}, {p1} the {l1}, it is {a1} {o1}.",
        "You will see {a1} {o1} {p1} the {l1} each {t1}.",
    ],
    [
        "It is because the {s1} {w1} and the {s2} {w2}.",
        "The {s1} {w1}, so the {s2} {w2}.",
        "They say the {s2} {w2} because the {s1} {w1}.",
    ],
    [
        "If you {v} {a2} {o2}, ask {m1} {p2} the {l2}.",
        "{m1} can {v} {a2} {o2} {p2} the {l2}.",
        "Go {p2} the {l2} to {v} {a2} {o2} with {m1}.",
    ],
    ["{m2} first saw {a3} {o3} one {t2}.", "One {t2} {m2} had {a3} {o3}.", "But {a3} {o3} came to {m2} one {t2}."],
];

/// What the words of a content are called in [`PATTERNS`], in their order.
const SLOT_NAMES: [&str; SLOTS] =
    ["a1", "a2", "a3", "o1", "o2", "o3", "p1", "p2", "l1", "l2", "t1", "t2", "m1", "m2", "s1", "s2", "w1", "w2", "v"];

/// A part of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece {
    Literal(&'static str),
    /// The person who is asked about.
    Name,
    /// What they do, third person.
    Does,
    /// A word of the content.
    Slot(usize),
}

/// The parts of a pattern, in order.
pub(super) fn pieces(pattern: &'static str) -> impl Iterator<Item = Piece> {
    pattern.split('{').enumerate().flat_map(|(i, part)| {
        let (word, literal) =
            if i == 0 { (None, part) } else { part.split_once('}').map_or((None, part), |(w, l)| (Some(w), l)) };
        let piece = word.and_then(|word| match word {
            "name" => Some(Piece::Name),
            "does" => Some(Piece::Does),
            _ => SLOT_NAMES.iter().position(|&name| name == word).map(Piece::Slot),
        });
        let literal = (!literal.is_empty()).then_some(Piece::Literal(literal));
        piece.into_iter().chain(literal)
    })
}

const ORDERS: [[Clause; 4]; 5] = [
    [Habit, Reason, Advice, Past],
    [Habit, Advice, Reason, Past],
    [Habit, Reason, Past, Advice],
    [Reason, Habit, Advice, Past],
    [Habit, Past, Reason, Advice],
];
const ORDER_WEIGHTS: [f64; 5] = [0.4, 0.2, 0.2, 0.1, 0.1];
const WORDINGS: usize = 3;

/// How an answer is put: the order of its clauses and the wording of each, independent of what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Format {
    order: usize,
    /// The wording of every clause, by clause and not by position.
    wordings: [usize; 4],
}

impl Format {
    /// A random format; `weights` are those of the three wordings.
    pub(super) fn draw(source: &mut Source, weights: [f64; WORDINGS]) -> Self {
        let order = source.weighted(&ORDER_WEIGHTS);
        Self { order, wordings: std::array::from_fn(|_| source.weighted(&weights)) }
    }

    /// Another wording for every clause, and half the time another order.
    pub(super) fn rephrased(self, source: &mut Source) -> Self {
        let order = if source.unit() < 0.5 {
            (self.order + 1 + source.below(ORDERS.len() - 1)) % ORDERS.len()
        } else {
            self.order
        };
        let wordings = self.wordings.map(|wording| (wording + 1 + usize::from(source.unit() < 0.3)) % WORDINGS);
        Self { order, wordings }
    }
}

impl Content {
    /// The answer, with the space that separates it from its prompt.
    pub(super) fn render(&self, format: Format) -> String {
        ORDERS[format.order]
            .iter()
            .map(|&clause| format!(" {}", self.clause(clause, format.wordings[clause as usize])))
            .collect()
    }

    fn clause(&self, clause: Clause, wording: usize) -> String {
        pieces(PATTERNS[clause as usize][wording])
            .map(|piece| match piece {
                Piece::Literal(text) => text,
                Piece::Name => self.name,
                Piece::Does => self.topic.verb_third_person,
                Piece::Slot(slot) => self.words[slot],
            })
            .collect()
    }

    /// A short phrase of the content, over and over: `times`, or as often as `words` words take.
    pub(super) fn repeated(&self, source: &mut Source, length: Length) -> String {
        let [a1, _, _, o1, o2, _, p1, _, l1, _, t1, _, m1, _, s1, _, w1, ..] = self.words;
        let phrase = match source.below(6) {
            0 => format!(" {a1} {o1}"),
            1 => format!(" the {s1} {w1} and"),
            2 => format!(" {o1} and {o2},"),
            3 => format!(" {p1} the {l1}"),
            4 => format!(" ask {m1},"),
            _ => format!(" every {t1},"),
        };
        let times = match length {
            Length::Times(times) => times,
            Length::Words(words) => words.div_ceil(phrase.split_whitespace().count()),
        };
        phrase.repeat(times)
    }
}

/// How long a repetition is.
pub(super) enum Length {
    Times(usize),
    Words(usize),
}
