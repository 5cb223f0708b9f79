//! Questions that the screen asks and somebody else answers in their own time: who moved an answer, where it lost, how alike
//! the model takes prompts and examples to be.

use crossbeam_channel::{Receiver, Sender};

use crate::dynamics::alike::Alike;
use crate::dynamics::sight::Sight;
use crate::protocol::{Influence, ProbeKind, Question};
use crate::text::Shown;

/// A question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Query {
    /// Who moved an answer?
    Who(Question),
    /// Where did an answer lose? It names a prompt.
    Where(Question),
    /// How alike does the model take the observed answers of a kind and what it learnt last to be, after so many steps?
    Alike(ProbeKind, u64),
}

/// What comes of a question.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    /// Of [`Query::Who`].
    Who(Box<Influence>),
    /// Of [`Query::Where`].
    Where(Box<Sight>),
    /// Of [`Query::Alike`].
    Alike(Box<Alike>),
}

/// Where questions go and answers come from. Whoever answers never makes the screen wait.
#[derive(Debug)]
pub struct Inquiry {
    /// Questions, each answered in its turn.
    pub questions: Sender<Query>,
    /// What comes of each: word of what is being done, then an answer or why there is none.
    pub answers: Receiver<Reply>,
}

/// A word about a question that was asked.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// What is being done for it, and for how long; the answer is still to come.
    UnderWay(Shown),
    /// The answer.
    Answer(Told),
    /// There is no answer, and why.
    Unknown(Shown),
}

impl Query {
    /// The last step that is taken again for it.
    pub fn until(self) -> u64 {
        match self {
            Self::Who(question) | Self::Where(question) => question.until,
            Self::Alike(_, step) => step,
        }
    }
}

impl Told {
    /// The question that it answers.
    pub fn query(&self) -> Query {
        match self {
            Self::Who(influence) => Query::Who(influence.question),
            Self::Where(sight) => Query::Where(sight.question),
            Self::Alike(alike) => Query::Alike(alike.kind, alike.step),
        }
    }
}
