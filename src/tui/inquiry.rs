//! Questions that the screen asks and somebody else answers in their own time: who moved an answer.

use crossbeam_channel::{Receiver, Sender};

use crate::protocol::{Influence, Question};
use crate::text::Shown;

/// Where questions go and answers come from. Whoever answers never makes the screen wait.
#[derive(Debug)]
pub struct Inquiry {
    /// Questions, each answered in its turn.
    pub questions: Sender<Question>,
    /// What comes of each: word of what is being done, then an answer or why there is none.
    pub answers: Receiver<Reply>,
}

/// A word about a question that was asked.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// What is being done for it, and for how long; the answer is still to come.
    UnderWay(Shown),
    /// The answer.
    Answer(Box<Influence>),
    /// There is no answer, and why.
    Unknown(Shown),
}
