//! An observed answer under the microscope, as lines of text: its positions, and one of them with its line and its movers.

use super::lab::wording::{change, probability};
use super::microscope::{Look, most_lost};
use crate::history::stats::float;
use crate::protocol::Question;
use crate::text::{Shown, fit};

/// Columns of a token.
const TOKEN: usize = 16;
/// Columns of a number.
const NUMBER: usize = 10;
/// Columns before the scale: who a token is, the token, three numbers, a mark.
const BEFORE: usize = 5 + TOKEN + 3 * NUMBER + 2;
/// Cells of the scale from the smallest probability that is drawn to 1, at most and at least.
const MOST_CELLS: usize = 60;
const LEAST_CELLS: usize = 8;
/// The smallest probability that is drawn, a power of ten.
const FLOOR: f64 = -8.0;

/// An observed answer, token by token, at both ends of a window.
#[derive(Debug, Clone, PartialEq)]
pub struct Sight {
    /// What was asked; it names a prompt.
    pub question: Question,
    /// The prompt's text, raw.
    pub prompt: String,
    /// One position a token of the answer.
    pub looks: Vec<Look>,
    /// The vocabulary as text, raw.
    pub names: Vec<String>,
}

/// The sense of a line, for whoever has colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// A sentence or a number.
    Plain,
    /// What explains the others.
    Dim,
    /// The position that is looked at.
    Chosen,
    /// A token that gained.
    Gain,
    /// A token that lost.
    Loss,
}

/// A line and its sense.
pub type Said = (Tone, String);

/// The part of an answer that is told, and in how much room.
#[derive(Debug, Clone, Copy)]
pub struct View {
    /// The position, from 0; the one where most was lost if absent.
    pub position: Option<usize>,
    /// Positions that are listed, at most: those around the one that is looked at.
    pub listed: usize,
    /// Tokens that are named of those that gained, and of those that lost, at most.
    pub top: usize,
    /// Columns.
    pub width: usize,
}

impl Sight {
    /// The position that a view is of; `None` where the answer has no such one.
    pub fn position(&self, view: &View) -> Option<usize> {
        view.position.or_else(|| most_lost(&self.looks)).filter(|&at| at < self.looks.len())
    }

    /// The answer as lines: what moved, its positions, and the one that is looked at.
    pub fn lines(&self, view: &View) -> Vec<Said> {
        let mut lines = self.heading();
        if let Some(at) = self.position(view) {
            lines.extend(self.positions(at, view.listed));
            lines.extend(self.microscope(at, view));
        }
        lines.into_iter().map(|(tone, line)| (tone, fit(line.trim_end(), view.width))).collect()
    }

    fn heading(&self) -> Vec<Said> {
        let sum: f64 = self.looks.iter().map(|look| look.change).sum();
        let Question { kind, prompt, since, until } = self.question;
        let prompt = prompt.map_or(0, |prompt| prompt + 1);
        let moved = format!(
            "{} ({kind}) of prompt {prompt}, steps {since} to {until}: log p moved by {sum:+.3} nats",
            kind.symbol()
        );
        vec![(Tone::Plain, moved), (Tone::Dim, format!("  {}", Shown::new(&self.prompt))), (Tone::Plain, String::new())]
    }

    /// A token between quotes, as it may be shown, in its columns.
    fn named(&self, token: usize) -> String {
        let text = self.names.get(token).map_or("", String::as_str);
        padded(&fit(&format!("\"{}\"", Shown::new(text)), TOKEN), TOKEN)
    }

    /// The positions around `at`.
    fn positions(&self, at: usize, listed: usize) -> Vec<Said> {
        let all = self.looks.len();
        let listed = listed.min(all);
        let first = at.saturating_sub(listed / 2).min(all - listed);
        let heading = format!(
            "{:>9}  {:TOKEN$}{:>NUMBER$}{:>NUMBER$}{:>NUMBER$}",
            "position", "token", "before", "after", "log p"
        );
        let mut lines = vec![(Tone::Dim, heading)];
        lines.extend(self.looks.iter().enumerate().skip(first).take(listed).map(|(position, look)| {
            let [before, after] = [look.before[look.label], look.after[look.label]].map(probability);
            let mark = if position == at { "▶" } else { " " };
            let row = format!(
                "{mark}{:>8}  {}{before:>NUMBER$}{after:>NUMBER$}{:>+NUMBER$.3}",
                position + 1,
                self.named(look.label),
                look.change
            );
            (if position == at { Tone::Chosen } else { Tone::Plain }, row)
        }));
        lines
    }

    /// One position: who gained, who lost, and what one step on its token would have done.
    fn microscope(&self, at: usize, view: &View) -> Vec<Said> {
        let look = &self.looks[at];
        let where_from = if view.position.is_none() { ", where most was lost" } else { "" };
        let [line, first_order] = [look.break_even, look.first_order].map(probability);
        let mut lines = vec![
            (Tone::Plain, String::new()),
            (
                Tone::Plain,
                format!(
                    "position {} of {}, {}{where_from}",
                    at + 1,
                    self.looks.len(),
                    self.named(look.label).trim_end()
                ),
            ),
        ];
        match look.step {
            None => lines.push((
                Tone::Dim,
                format!("  its own probability did not move; to first order the line is p = {first_order}"),
            )),
            Some(step) => {
                let (way, side, formula) = if step.push_down {
                    ("pushes it down", "above", "ln Z/η′")
                } else {
                    ("pulls it up", "below", "−ln Z/η′")
                };
                lines.push((
                    Tone::Dim,
                    format!("  one step of η′ = {:.3} that {way} moves it as far, and raises", step.eta),
                ));
                lines.push((
                    Tone::Dim,
                    format!("  what lies {side} the line p = {formula} = {line} (to first order {first_order})"),
                ));
            }
        }
        if look.as_predicted.is_finite() {
            let told = 100.0 * look.as_predicted;
            lines.push((
                Tone::Dim,
                format!("  of the probability that other tokens gained or lost, {told:.0} % went as the line says"),
            ));
        }
        let cells = view.width.saturating_sub(BEFORE).clamp(LEAST_CELLS, MOST_CELLS);
        for (title, gains, tone) in [("gained", true, Tone::Gain), ("lost", false, Tone::Loss)] {
            let scale = scale(look, cells);
            let heading =
                format!("  {title:<19}{:>NUMBER$}{:>NUMBER$}{:>NUMBER$}  {scale}", "before", "after", "change");
            lines.push((Tone::Dim, heading));
            lines.extend(
                look.largest(gains, view.top).into_iter().map(|token| (tone, self.row(look, token, gains, cells))),
            );
        }
        lines.push((Tone::Dim, "  ○ before, ● after, ┊ the line; logarithmic; * went against the line".to_owned()));
        lines
    }

    /// A token that moved.
    fn row(&self, look: &Look, token: usize, gains: bool, cells: usize) -> String {
        let who = match token {
            token if token == look.label => "y ",
            token if token == look.star => "y*",
            _ => "  ",
        };
        let against = if token != look.label && look.said_to_rise(token) != gains { "*" } else { " " };
        let [before, after] = [look.before[token], look.after[token]].map(probability);
        let moved = change(look.moved(token));
        let name = self.named(token);
        let course = course(look, token, cells);
        format!("  {who} {name}{before:>NUMBER$}{after:>NUMBER$}{moved:>NUMBER$}{against} {course}")
    }
}

/// The ends of the scale.
fn scale(look: &Look, cells: usize) -> String {
    let ends = format!("1e{FLOOR}");
    let marks = if look.break_even > 0.0 && cells > 24 { "┊ the line" } else { "" };
    format!("{ends}{marks:^width$}1", width = cells.saturating_sub(ends.len() + 1))
}

/// The cell of a probability.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cell of a short scale")]
fn cell(p: f64, cells: usize) -> usize {
    let share = if p > 0.0 { (1.0 - p.log10() / FLOOR).clamp(0.0, 1.0) } else { 0.0 };
    (share * float(cells - 1)).round() as usize
}

/// A token's way on the scale.
fn course(look: &Look, token: usize, cells: usize) -> String {
    let (from, to) = (cell(look.before[token], cells), cell(look.after[token], cells));
    let way = from.min(to)..from.max(to);
    let mut drawn: Vec<char> = (0..cells).map(|at| if way.contains(&at) { '─' } else { '·' }).collect();
    if look.break_even > 0.0 {
        drawn[cell(look.break_even, cells)] = '┊';
    }
    drawn[from] = '○';
    drawn[to] = '●';
    drawn.into_iter().collect()
}

/// Text with spaces up to so many columns.
fn padded(text: &str, width: usize) -> String {
    let columns = unicode_width::UnicodeWidthStr::width(text);
    format!("{text}{}", " ".repeat(width.saturating_sub(columns)))
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail")]

    use unicode_width::UnicodeWidthStr as _;

    use super::*;
    use crate::protocol::ProbeKind;

    /// An answer of two tokens, of which the second lost.
    pub(crate) fn example(question: Question) -> Sight {
        let of = |p: [f64; 4]| p.map(f64::ln);
        let looks = vec![
            Look::new(&of([0.4, 0.3, 0.2, 0.1]), &of([0.4, 0.3, 0.2, 0.1]), 1).unwrap(),
            Look::new(&of([0.4, 0.3, 0.2, 0.1]), &of([0.5, 0.1, 0.25, 0.15]), 1).unwrap(),
        ];
        let names = ["the", " miller", "\u{6f22}\u{1b}[2J", " lamp"].map(str::to_owned).to_vec();
        Sight { question, prompt: "Q:\u{1b}[2J".to_owned(), looks, names }
    }

    fn told(position: Option<usize>, width: usize) -> Vec<Said> {
        let question = Question { kind: ProbeKind::Rejected, prompt: Some(2), since: 8, until: 16 };
        example(question).lines(&View { position, listed: 9, top: 5, width })
    }

    #[test]
    fn a_position_is_told_with_its_line_and_its_movers() {
        let lines = told(None, 100);
        let text = lines.iter().map(|(_, line)| line.as_str()).collect::<Vec<_>>().join("\n");
        assert!(!text.contains('\u{1b}'), "{text}");
        for part in [
            "of prompt 3, steps 8 to 16: log p moved by -1.099 nats",
            "▶       2  \" miller\"",
            "pushes it down",
            "where most was lost",
            "75 % went as the line says",
            "y* ",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        // The poorest token rose against the line, and nobody else went against it.
        assert_eq!(
            lines.iter().filter(|(_, line)| line.contains("* ") && line.contains("0.1500")).count(),
            1,
            "{text}"
        );
        let gained = lines.iter().filter(|(tone, _)| *tone == Tone::Gain).count();
        let lost = lines.iter().filter(|(tone, _)| *tone == Tone::Loss).count();
        assert_eq!((gained, lost), (3, 1), "{text}");
        let still: Vec<String> = told(Some(0), 100).into_iter().map(|(_, line)| line).collect();
        assert!(still.iter().any(|line| line.contains("did not move")), "{still:?}");
        assert!(!still.iter().any(|line| line.contains("most was lost")), "{still:?}");
    }

    #[test]
    fn every_width_is_kept_and_no_position_beyond_the_last_is_told() {
        for width in [0, 1, 20, 53, 77, 90, 200] {
            assert!(told(None, width).iter().all(|(_, line)| line.width() <= width), "{width}");
        }
        assert_eq!(told(Some(2), 80).len(), 3, "the heading alone");
    }

    #[test]
    fn the_scale_ends_where_it_says() {
        assert_eq!([1.0, 1e-8, 0.0, 1e-300].map(|p| cell(p, 36)), [35, 0, 0, 0]);
        assert!(cell(1e-2, 36) > cell(1e-3, 36));
    }
}
