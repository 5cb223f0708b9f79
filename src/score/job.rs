//! Scoring on whichever backend is chosen.

use burn::tensor::backend::{AutodiffBackend, Backend};

use crate::backend::{BackendChoice, Work, find_sound, on};
use crate::data::Sequence;
use crate::error::Result;
use crate::model::Checkpoint;
use crate::probe::score::{self, CompletionLogps};

/// Scores completions on the chosen backend.
///
/// # Errors
/// When the backend is not to be had or the checkpoint cannot be loaded.
pub(crate) fn score(
    checkpoint: &Checkpoint,
    sequences: &[Sequence],
    choice: BackendChoice,
) -> Result<Vec<CompletionLogps>> {
    struct Score<'a>(&'a Checkpoint, &'a [Sequence]);
    impl Work for Score<'_> {
        type Output = Result<Vec<CompletionLogps>>;
        fn with<B: AutodiffBackend>(self, device: &B::Device, _: &str) -> Self::Output {
            run::<B::InnerBackend>(self.0, self.1, device)
        }
    }
    fn run<B: Backend>(
        checkpoint: &Checkpoint,
        sequences: &[Sequence],
        device: &B::Device,
    ) -> Result<Vec<CompletionLogps>> {
        let model = checkpoint.load::<B>(device)?;
        let sequences: Vec<&Sequence> = sequences.iter().collect();
        Ok(score::completions(&model, &sequences, checkpoint.tokenizer.pad()))
    }
    on(find_sound(choice)?.0, Score(checkpoint, sequences))
}
