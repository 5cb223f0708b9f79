//! `kernel`: the three factors of Prop. 1 between something observed and something learnt, as numbers.

use super::again::Again;
use crate::cli::{KernelArgs, say, tell};
use crate::dynamics::alike::Alike;
use crate::error::{Error, Location, Result};
use crate::history::RunHistory;
use crate::history::classes::entry;
use crate::protocol::{ProbeKind, Question, TrainerEvent};
use crate::record::{self, RunDirectory};
use crate::text::{Shown, fit};
use crate::train;

/// Columns of a map.
const WIDTH: usize = 160;
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
    match args.observed.zip(args.learnt) {
        Some(pair) => say(&one(&directory, &history, args, pair)?),
        None => {
            let last = || history.evaluations.last().map_or(0, |e| e.step);
            let (step, size) =
                (args.step.unwrap_or_else(last), Size { prompts: args.prompts, examples: args.examples });
            let alike = ask(&directory, &history, (args.probe, step), size, &mut |_: &TrainerEvent| Ok(()))?;
            if args.json {
                let json = serde_json::to_string_pretty(&alike);
                return say(&(json.map_err(|e| Error::failed(format!("the map cannot be written: {e}")))? + "\n"));
            }
            say(&alike.lines(WIDTH).iter().map(|line| format!("{line}\n")).collect::<String>())
        }
    }
}

/// The sizes of a map, at most.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    prompts: usize,
    examples: usize,
}

impl Default for Size {
    fn default() -> Self {
        Self { prompts: KernelArgs::PROMPTS, examples: KernelArgs::EXAMPLES }
    }
}

/// Takes the kernel between the observed answers of a kind and what was learnt last, after so many steps.
pub(super) fn ask(
    directory: &RunDirectory,
    history: &RunHistory,
    (kind, step): (ProbeKind, u64),
    Size { prompts, examples }: Size,
    events: &mut dyn train::EventSink,
) -> Result<Alike> {
    let Again { experiment, backend, saved } = Again::of(directory, history, step)?;
    if experiment.has_pictures() {
        return Err(Error::usage("the run has not measured its classes yet"));
    }
    let asked = train::Asked { experiment: &experiment, history, saved };
    train::alike(asked, train::Map { kind, step, prompts, examples }, backend, events)
}

/// The factors between one observed answer and one example, both counted from 1.
fn one(
    directory: &RunDirectory,
    history: &RunHistory,
    args: &KernelArgs,
    (observed, learnt): (u64, u64),
) -> Result<String> {
    let index = |number: u64| usize::try_from(number.saturating_sub(1)).unwrap_or(usize::MAX);
    if observed == 0 || learnt == 0 {
        return Err(Error::usage("prompts and training examples count from 1: name --observed 1, --learnt 1"));
    }
    let step = args.step.unwrap_or(0);
    let question = Question { kind: args.probe, prompt: Some(index(observed)), since: step, until: step };
    let Again { experiment, backend, saved } = Again::of(directory, history, step)?;
    if experiment.has_pictures() {
        return Err(Error::usage("the run has not measured its classes yet"));
    }
    let asked = train::Asked { experiment: &experiment, history, saved };
    let told = train::kernel(asked, question, index(learnt), backend, &mut |_: &TrainerEvent| Ok(()))?;
    let mut lines = format!(
        "after {step} steps, {} ({}) of prompt {}\n  {}\n",
        args.probe.symbol(),
        args.probe,
        observed,
        said(&told.observed)
    );
    for ((texts, f), which) in told.learnt.iter().zip(["y⁺", "y⁻"]) {
        lines += &format!("\nlearning {which} of example {}\n  {}\n", learnt, said(texts));
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
    Ok(lines)
}

/// A prompt and its answer in a line.
fn said([prompt, answer]: &[String; 2]) -> String {
    fit(&format!("{} ← {}", Shown::new(prompt), Shown::new(answer)), TEXT)
}

/// The factors between two classes, at a reading of a classifier: exact, from the Jacobians of the observed pictures.
fn classes(history: &RunHistory, args: &KernelArgs) -> std::result::Result<String, String> {
    let names = history.run.as_ref().map_or(&[][..], |run| &run.classes);
    let at = |number: Option<u64>| number.and_then(|n| usize::try_from(n).ok()).filter(|&class| class < names.len());
    let (observed, learnt) = match (at(args.observed), at(args.learnt)) {
        (None, None) if args.observed.is_none() => {
            return Err("is of a classifier, whose map is on the screen (replay) and in the CSV".to_owned());
        }
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
