//! `kernel`: the three factors of Prop. 1 between something observed and something learnt, as numbers.

use super::again::Again;
use crate::cli::{KernelArgs, say, tell};
use crate::error::{Error, Location, Result};
use crate::history::RunHistory;
use crate::history::classes::entry;
use crate::protocol::{Question, TrainerEvent};
use crate::record::{self, RunDirectory};
use crate::text::{Shown, fit};
use crate::train;

/// Columns of a text.
const TEXT: usize = 96;

/// Tells the factors: of a language model's run by taking its steps again, of a classifier's as they were recorded.
///
/// # Errors
/// When the run cannot be read or taken up again, or the question is not about it.
pub fn kernel(args: &KernelArgs) -> Result<()> {
    let directory = RunDirectory::open(&args.run)?;
    let recording = record::read(directory.events())?;
    recording.warnings.iter().for_each(tell);
    let history = recording.history();
    if history.class_count() > 0 {
        let lines = classes(&history, args).map_err(|problem| {
            let advice = "name classes and a step at which they were measured";
            Error::input(Location::file(&args.run), problem, advice)
        })?;
        return say(&lines);
    }
    let index = |number: u64| usize::try_from(number.saturating_sub(1)).unwrap_or(usize::MAX);
    if args.observed == 0 || args.learnt == 0 {
        return Err(Error::usage("prompts and training examples count from 1: name --observed 1, --learnt 1"));
    }
    let step = args.step.unwrap_or(0);
    let question = Question { kind: args.probe, prompt: Some(index(args.observed)), since: step, until: step };
    let Again { experiment, backend, saved } = Again::of(&directory, &history, step)?;
    if experiment.has_pictures() {
        return Err(Error::usage("the run has not measured its classes yet"));
    }
    let asked = train::Asked { experiment: &experiment, history: &history, saved };
    let told = train::kernel(asked, question, index(args.learnt), backend, &mut |_: &TrainerEvent| Ok(()))?;
    let mut lines = format!(
        "after {step} steps, {} ({}) of prompt {}\n  {}\n",
        args.probe.symbol(),
        args.probe,
        args.observed,
        said(&told.observed)
    );
    for ((texts, f), which) in told.learnt.iter().zip(["y⁺", "y⁻"]) {
        lines += &format!("\nlearning {which} of example {}\n  {}\n", args.learnt, said(texts));
        lines += &format!("  ‖A‖ {:>12.4}   how peaky the belief about what is observed is\n", f.adaptation);
        lines += &format!(
            "  ‖K‖ {:>12.4}   how alike the model takes the two to be; 95 % interval [{:.4}, {:.4}] of an estimate\n",
            f.kernel.value, f.kernel.low, f.kernel.high
        );
        lines += &format!("  ‖G‖ {:>12.4}   how hard the learnt answer pulls\n", f.residual);
        lines += &format!(
            "  −A·K·G {:>+9.4}   nats of log p a unit of learning rate of plain gradient descent on −log p of it; its gradient \
             and the observed answer's have the cosine {:+.4}\n",
            f.slope, f.cosine
        );
    }
    say(&lines)
}

/// A prompt and its answer in a line.
fn said([prompt, answer]: &[String; 2]) -> String {
    fit(&format!("{} ← {}", Shown::new(prompt), Shown::new(answer)), TEXT)
}

/// The factors between two classes, at a reading of a classifier: exact, from the Jacobians of the observed pictures.
fn classes(history: &RunHistory, args: &KernelArgs) -> std::result::Result<String, String> {
    let names = history.run.as_ref().map_or(&[][..], |run| &run.classes);
    let at = |number: u64| usize::try_from(number).ok().filter(|&class| class < names.len());
    let (observed, learnt) = match (at(args.observed), at(args.learnt)) {
        (Some(observed), Some(learnt)) => (observed, learnt),
        _ => return Err(format!("has the classes 0 to {}", names.len().saturating_sub(1))),
    };
    let reading = match args.step {
        None => history.classes.last(),
        Some(step) => history.classes.iter().find(|reading| reading.step == step),
    };
    let reading = reading.ok_or("has no measurement there")?;
    let of = |values: &[f32], at: usize| values.get(at).map_or(f64::NAN, |&x| f64::from(x));
    Ok(format!(
        "after {} steps, pictures of {} observed, one of {} learnt\n  \
         ‖A‖ {:>12.4}   how peaky the belief about what is observed is\n  \
         ‖K‖ {:>12.4}   how alike the model takes the two to be, exactly: the mean over pairs of observed pictures\n  \
         ‖G‖ {:>12.4}   how hard the learnt class pulls\n",
        reading.step,
        Shown::new(&names[observed]),
        Shown::new(&names[learnt]),
        of(&reading.adaptation, observed),
        entry(&reading.kernel, names.len(), observed, learnt),
        of(&reading.residual, learnt)
    ))
}
