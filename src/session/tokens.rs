//! `tokens`: one observed answer of a recorded run, token by token, at both ends of a window; and one position of it under
//! the microscope.

use super::again::Again;
use crate::cli::{Steps, TokensArgs, say, tell};
use crate::dynamics::lab::wording::{change, probability};
use crate::dynamics::microscope::{Look, most_lost};
use crate::error::{Error, Result};
use crate::history::stats::float;
use crate::protocol::{Question, TrainerEvent};
use crate::record::{self, RunDirectory};
use crate::text::{Shown, fit};
use crate::train::{self, Tokens};

/// Columns of a token.
const TOKEN: usize = 16;
/// Cells of the scale from the smallest probability that is drawn to 1.
const CELLS: usize = 36;
/// The smallest probability that is drawn, a power of ten.
const FLOOR: f64 = -8.0;

/// Shows where the probability went at the positions of an observed answer.
///
/// # Errors
/// When the run cannot be read or taken up again, or the question is not about it.
pub fn tokens(args: &TokensArgs) -> Result<()> {
    let directory = RunDirectory::open(&args.run)?;
    let recording = record::read(directory.events())?;
    recording.warnings.iter().for_each(tell);
    let history = recording.history();
    let prompt = usize::try_from(args.prompt - 1).unwrap_or(usize::MAX);
    let Steps { since, until } = match args.window {
        Some(steps) => steps,
        None => super::influence::steepest(&history, args.probe, Some(prompt))?,
    };
    let question = Question { kind: args.probe, prompt: Some(prompt), since, until };
    let Again { experiment, backend, saved } = Again::of(&directory, &history, since)?;
    let asked = train::Asked { experiment: &experiment, history: &history, saved };
    let seen = train::tokens(asked, question, backend, &mut |_: &TrainerEvent| Ok(()))?;
    let at = match args.position {
        None => most_lost(&seen.looks).ok_or_else(|| Error::usage("the answer has no token"))?,
        Some(position) => usize::try_from(position - 1).unwrap_or(usize::MAX),
    };
    let Some(look) = seen.looks.get(at) else {
        return Err(Error::usage(format!(
            "--position {}: the answer has {} tokens",
            at.saturating_add(1),
            seen.looks.len()
        )));
    };
    let mut lines = overview(&seen, &question, at);
    lines.extend(microscope(&seen, look, at, args.position.is_none(), args.top));
    say(&lines.iter().map(|line| format!("{}\n", line.trim_end())).collect::<String>())
}

/// A token between quotes, as it may be shown.
fn named(seen: &Tokens, token: usize) -> String {
    let text = seen.tokenizer.token(u32::try_from(token).unwrap_or(u32::MAX));
    fit(&format!("\"{}\"", Shown::new(&text)), TOKEN)
}

/// Every position of the answer.
fn overview(seen: &Tokens, question: &Question, at: usize) -> Vec<String> {
    let sum: f64 = seen.looks.iter().map(|look| look.change).sum();
    let mut lines = vec![
        format!(
            "{} ({}) of prompt {}, steps {} to {}: log p moved by {sum:+.3} nats",
            question.kind.symbol(),
            question.kind,
            question.prompt.map_or(0, |prompt| prompt + 1),
            question.since,
            question.until
        ),
        format!("  {}", fit(Shown::new(&seen.prompt).as_str(), 100)),
        String::new(),
        format!("{:>9}  {:TOKEN$}{:>10}{:>10}{:>10}", "position", "token", "before", "after", "log p"),
    ];
    lines.extend(seen.looks.iter().enumerate().map(|(position, look)| {
        let [before, after] = [look.before[look.label], look.after[look.label]].map(probability);
        let mark = if position == at { "▶" } else { " " };
        let name = named(seen, look.label);
        format!("{mark}{:>8}  {}{before:>10}{after:>10}{:>+10.3}", position + 1, padded(&name, TOKEN), look.change)
    }));
    lines
}

/// One position: who gained, who lost, and what one step on its token would have done.
fn microscope(seen: &Tokens, look: &Look, at: usize, offered: bool, top: usize) -> Vec<String> {
    let where_from = if offered { " (where most was lost; --position N looks elsewhere)" } else { "" };
    let first_order = probability(look.first_order);
    let line = probability(look.break_even);
    let told = match look.step {
        None => format!("the token's own probability did not move; to first order the line is p = {first_order}"),
        Some(step) if step.push_down => format!(
            "one step of η′ = {:.3} that pushes it down moves it as far, and raises what lies above the line p = ln Z/η′ = \
             {line} (to first order {first_order})",
            step.eta
        ),
        Some(step) => format!(
            "one step of η′ = {:.3} that pulls it up moves it as far, and raises what lies below the line p = −ln Z/η′ = \
             {line} (to first order {first_order})",
            step.eta
        ),
    };
    let mut lines = vec![
        String::new(),
        format!("position {}, {}{where_from}", at + 1, named(seen, look.label)),
        format!("  {told}"),
    ];
    if look.as_predicted.is_finite() {
        lines.push(format!(
            "  of the probability that other tokens gained or lost, {:.0} % went as the line says",
            100.0 * look.as_predicted
        ));
    }
    for (title, gains) in [("gained", true), ("lost", false)] {
        lines.push(String::new());
        lines.push(format!("  {title:<19}{:>10}{:>10}{:>10}  {}", "before", "after", "change", scale(look)));
        for token in look.largest(gains, top) {
            lines.push(row(seen, look, token, gains));
        }
    }
    lines.push(String::new());
    lines.push("  ○ before, ● after, ┊ the line; logarithmic; * went against the line".to_owned());
    lines
}

/// A token that moved.
fn row(seen: &Tokens, look: &Look, token: usize, gains: bool) -> String {
    let who = match token {
        token if token == look.label => "y ",
        token if token == look.star => "y*",
        _ => "  ",
    };
    let against = if token != look.label && look.said_to_rise(token) != gains { "*" } else { " " };
    let [before, after] = [look.before[token], look.after[token]].map(probability);
    let moved = change(look.moved(token));
    let name = padded(&named(seen, token), TOKEN);
    format!("  {who} {name}{before:>10}{after:>10}{moved:>10}{against} {}", course(look, token))
}

/// The ends of the scale.
fn scale(look: &Look) -> String {
    let ends = format!("1e{FLOOR}");
    let marks = if look.break_even > 0.0 { "┊ the line" } else { "" };
    format!("{ends}{marks:^width$}1", width = CELLS - ends.len() - 1)
}

/// The cell of a probability.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cell of a short scale")]
fn cell(p: f64) -> usize {
    let share = if p > 0.0 { (1.0 - p.log10() / FLOOR).clamp(0.0, 1.0) } else { 0.0 };
    (share * float(CELLS - 1)).round() as usize
}

/// A token's way on the scale.
fn course(look: &Look, token: usize) -> String {
    let (from, to) = (cell(look.before[token]), cell(look.after[token]));
    let way = from.min(to)..from.max(to);
    let mut cells: Vec<char> = (0..CELLS).map(|at| if way.contains(&at) { '─' } else { '·' }).collect();
    if look.break_even > 0.0 {
        cells[cell(look.break_even)] = '┊';
    }
    cells[from] = '○';
    cells[to] = '●';
    cells.into_iter().collect()
}

/// Text with spaces up to so many columns.
fn padded(text: &str, width: usize) -> String {
    let columns = unicode_width::UnicodeWidthStr::width(text);
    format!("{text}{}", " ".repeat(width.saturating_sub(columns)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail")]

    use super::*;
    use crate::model::Checkpoint;
    use crate::protocol::ProbeKind;

    #[test]
    fn a_position_is_told_with_its_line_and_its_movers() {
        let tokenizer = Checkpoint::base().unwrap().tokenizer;
        let of = |p: [f64; 4]| p.map(f64::ln);
        let looks = vec![
            Look::new(&of([0.4, 0.3, 0.2, 0.1]), &of([0.4, 0.3, 0.2, 0.1]), 1).unwrap(),
            Look::new(&of([0.4, 0.3, 0.2, 0.1]), &of([0.5, 0.1, 0.25, 0.15]), 1).unwrap(),
        ];
        let seen = Tokens { prompt: "Q:\u{1b}[2J".to_owned(), looks, tokenizer };
        let question = Question { kind: ProbeKind::Rejected, prompt: Some(2), since: 8, until: 16 };
        let mut lines = overview(&seen, &question, 1);
        lines.extend(microscope(&seen, &seen.looks[1], 1, true, 5));
        let text = lines.join("\n");
        assert!(!text.contains('\u{1b}'), "{text}");
        for part in [
            "of prompt 3, steps 8 to 16: log p moved by -1.099 nats",
            "▶       2",
            "pushes it down",
            "75 % went as the line says",
            "y* ",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        // The poorest token rose against the line, and nobody else went against it.
        assert_eq!(lines.iter().filter(|line| line.contains("* ") && line.contains("0.1500")).count(), 1, "{text}");
        let told = microscope(&seen, &seen.looks[0], 0, false, 5).join("\n");
        assert!(told.contains("did not move") && !told.contains("--position"), "{told}");
    }

    #[test]
    fn the_scale_ends_where_it_says() {
        assert_eq!((cell(1.0), cell(1e-8), cell(0.0), cell(1e-300)), (CELLS - 1, 0, 0, 0));
        assert!(cell(1e-2) > cell(1e-3));
    }
}
