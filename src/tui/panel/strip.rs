//! What the model believes of every token of an answer: a strip of shades, then and now, and the numbers.

use ratatui::style::{Modifier, Style};

use super::heatmap::{ASCII_SHADES, SHADES};
use crate::protocol::{Evaluation, PrefixReading};
use crate::text::Shown;
use crate::tui::app::App;
use crate::tui::glyphs::Glyphs;
use crate::tui::view::text::{Words, change, number};

/// The log-prob of certainty's opposite in the strip, nats: what is less likely has the darkest shade too, so that one
/// token that nobody expects does not make all others alike.
const DARKEST: f32 = 8.0;

/// Labels and lines of the prompt panel: for y⁺ and y⁻ a shade a token where changes are counted from and at what is
/// shown, the darker the less likely; then the tokens of each with log p and its change. Nothing where none was recorded.
pub(super) fn strips(
    app: &App,
    (then, now): (Option<&Evaluation>, Option<&Evaluation>),
    pair: usize,
) -> Vec<(&'static str, Words)> {
    let of = |reading: Option<&PrefixReading>| -> Vec<f32> {
        reading.and_then(|r| r.token_logps.get(pair)).map_or_else(Vec::new, |list| list.to_vec())
    };
    let chosen = [then, now].map(|e| of(e.map(|e| &e.chosen)));
    let rejected = [then, now].map(|e| of(e.and_then(|e| e.rejected.as_ref())));
    let mut lines = Vec::new();
    for (labels, [then, now]) in [(["y⁺ then", "y⁺ now"], &chosen), (["y⁻ then", "y⁻ now"], &rejected)] {
        let rows = labels.into_iter().zip([then, now]).filter(|(_, list)| !list.is_empty());
        lines.extend(rows.map(|(label, list)| (label, shaded(app, list))));
    }
    if let Some(probe) = app.shown().run.as_ref().and_then(|run| run.probes.get(pair)) {
        let answers = [("y⁺ log p", &probe.chosen_tokens, &chosen), ("y⁻ log p", &probe.rejected_tokens, &rejected)];
        let numbers = answers.map(|(label, tokens, lists)| (label, numbers(app, tokens, lists)));
        lines.extend(numbers.into_iter().filter(|(_, tokens)| !tokens.is_empty()));
    }
    lines
}

/// A shade of each log-prob, from 0 (blank) to 5.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to a few shades")]
fn shade(logp: f32) -> usize {
    (-logp * 5.0 / DARKEST).ceil().clamp(0.0, 5.0) as usize
}

/// One character a token, in words of ten so that places can be counted and long answers wrap.
fn shaded(app: &App, list: &[f32]) -> Words {
    let shades = if app.view.glyphs == Glyphs::Ascii { ASCII_SHADES } else { SHADES };
    // A blank would be lost between words: certainty is the lightest shade.
    let mark = |&x: &f32| if x.is_nan() { '?' } else { shades[shade(x).max(1)] };
    list.chunks(10).map(|ten| (ten.iter().map(mark).collect(), app.view.theme.text())).collect()
}

/// Every token of an answer with its log-prob, unless the token is all but certain, and how far that moved where it moved by a
/// tenth of a nat at least.
fn numbers(app: &App, tokens: &[String], [then, now]: &[Vec<f32>; 2]) -> Words {
    let theme = &app.view.theme;
    let mut words = Words::new();
    for (at, (token, &logp)) in tokens.iter().zip(now).enumerate() {
        words.push((Shown::new(token.trim()).to_string(), theme.text()));
        if logp < -0.05 || logp.is_nan() {
            words.push((number(logp.into(), 1), theme.dim()));
        }
        let moved = then.get(at).map_or(f64::NAN, |&before| f64::from(logp) - f64::from(before));
        if moved.abs() >= 0.1 {
            words.push((format!("({})", change(moved, 1)), emphasis(moved, app)));
        }
    }
    words
}

fn emphasis(moved: f64, app: &App) -> Style {
    let theme = &app.view.theme;
    let style = if moved < 0.0 { theme.loss() } else { theme.gain() };
    if moved.abs() >= 1.0 { style.add_modifier(Modifier::BOLD) } else { style }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_less_likely_the_darker() {
        assert_eq!([0.0, -0.1, -1.6, -3.3, -8.0, -800.0, f32::NEG_INFINITY].map(shade), [0, 1, 1, 3, 5, 5, 5]);
    }
}
