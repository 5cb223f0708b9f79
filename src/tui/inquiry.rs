//! Questions that the screen asks and somebody else answers in their own time: who moved an answer.

use crossbeam_channel::{Receiver, Sender};

use crate::protocol::{Influence, Question};
use crate::text::Shown;

/// Where questions go and answers come from. Whoever answers never makes the screen wait.
#[derive(Debug)]
pub struct Inquiry {
    /// Questions, each answered in its turn.
    pub questions: Sender<Question>,
    /// An answer for each, or why there is none.
    pub answers: Receiver<Result<Influence, Shown>>,
}
