//! The squeeze lab: a screen where there is one, else a table; its claims. Nothing is trained and nothing is recorded.

use std::time::Instant;

use super::display::look;
use super::export::screenshots;
use super::target::is_experiment;
use crate::claims::{self, Checked};
use crate::cli::{DisplayOptions, VerifyArgs, say};
use crate::dynamics::lab::wording::{change, name, probability};
use crate::dynamics::lab::{FIGURES, one_step};
use crate::error::{Error, Result};
use crate::experiment::{DataSource, Experiment, LabSettings};
use crate::tui::lab::Lab;
use crate::tui::message::Ending;
use crate::tui::run::Source;

/// Opens the lab on the terminal.
///
/// # Errors
/// When the terminal breaks; [`Error::Interrupted`] after a signal.
pub fn lab(experiment: &Experiment, settings: &LabSettings, display: &DisplayOptions) -> Result<()> {
    let (theme, glyphs) = look(display);
    let lab = Lab::new(&experiment.name, settings, theme, glyphs)?.on_paper(display.paper());
    let pictures = screenshots(experiment.output.directory.join("screenshots"));
    let left = crate::tui::show(lab, Source::Nothing, None, Instant::now(), pictures)?;
    if left.ending() == Ending::Signal { Err(Error::Interrupted) } else { Ok(()) }
}

/// Prints the figures of one step that the lab is held to, and the step of the settings.
///
/// # Errors
/// When the settings allow no step, or stdout is closed.
pub fn lab_table(settings: &LabSettings) -> Result<()> {
    let heading = ["distribution", "V", "η′", "y", "p(y)", "p(y*)", "bystanders fall", "net", "break-even"];
    let mut rows = vec![heading.map(str::to_owned)];
    for (_, figure) in &FIGURES {
        rows.push(row(figure)?);
    }
    rows.push(row(settings)?);
    let columns: Vec<usize> = (0..heading.len())
        .map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for (n, row) in rows.iter().enumerate() {
        if n + 1 == rows.len() {
            text += "\nthis experiment:\n";
        }
        let cells: Vec<String> = row.iter().zip(&columns).map(|(cell, &width)| format!("{cell:width$}")).collect();
        text += cells.join("  ").trim_end();
        text.push('\n');
    }
    text += &one_step(settings)?.story();
    say(&(text + "\n"))
}

fn row(settings: &LabSettings) -> Result<[String; 9]> {
    let outcome = one_step(settings)?;
    let moves = |i: usize| format!("{} → {}", probability(outcome.before[i]), probability(outcome.after[i]));
    let (all, _, fell) = outcome.counts();
    let does = if settings.push_down { "down" } else { "up" };
    Ok([
        name(settings.shape),
        settings.classes.to_string(),
        settings.eta.to_string(),
        format!("{} {does}", outcome.step.y),
        moves(outcome.step.y),
        moves(outcome.star),
        format!("{fell} of {all}"),
        change(outcome.bystander_mass()),
        probability(outcome.break_even),
    ])
}

/// The claims about the lab, where that is what is to be verified.
///
/// # Errors
/// When the experiment cannot be read.
pub(super) fn verified(args: &VerifyArgs) -> Result<Option<Checked>> {
    let [target] = args.targets.as_slice() else { return Ok(None) };
    if !is_experiment(target) {
        return Ok(None);
    }
    let experiment = args.options.experiment(target)?;
    let DataSource::Lab(settings) = &experiment.data else { return Ok(None) };
    let seeds = (0..args.seeds).map(|i| experiment.seed.checked_add(i));
    let seeds = seeds.collect::<Option<Vec<u64>>>().ok_or_else(|| Error::usage("the seeds end at 2⁶⁴ − 1"))?;
    let claims = claims::lab::check(settings, &experiment.claims, &seeds);
    Ok(Some(Checked { experiment: experiment.name, seeds, baseline: None, claims }))
}
