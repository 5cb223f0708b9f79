//! Numbers, words and lines as the panels write them.

use std::time::Duration;

use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::history::Series;
use crate::tui::chart::Glyphs;
use crate::tui::theme::Theme;

/// The frame of a panel.
pub(in crate::tui) fn panel<'a>(title: impl Into<Line<'a>>, focused: bool, theme: &Theme, glyphs: Glyphs) -> Block<'a> {
    let kind = match (glyphs, focused) {
        (Glyphs::Ascii, _) => BorderType::Plain,
        (_, true) => BorderType::Thick,
        _ => BorderType::Rounded,
    };
    let block = Block::bordered().border_type(kind).border_style(theme.border(focused)).style(theme.text());
    let block = if glyphs == Glyphs::Ascii { block.border_set(ASCII_BORDER) } else { block };
    block.title_top(title)
}

const ASCII_BORDER: ratatui::symbols::border::Set<'_> = ratatui::symbols::border::Set {
    top_left: "+",
    top_right: "+",
    bottom_left: "+",
    bottom_right: "+",
    vertical_left: "|",
    vertical_right: "|",
    horizontal_top: "-",
    horizontal_bottom: "-",
};

/// A title: a word and what it teaches.
pub(in crate::tui) fn title<'a>(word: &'a str, rest: impl Into<String>, focused: bool, theme: &Theme) -> Line<'a> {
    let style = if focused { theme.accent().add_modifier(Modifier::BOLD) } else { theme.accent() };
    let rest: String = rest.into();
    let gap = if rest.is_empty() { "" } else { " · " };
    Line::from(vec![Span::raw(" "), Span::styled(word, style), Span::styled(format!("{gap}{rest} "), theme.dim())])
}

/// A number with a true minus sign; `–` for what was not measured.
pub(in crate::tui) fn number(x: f64, decimals: usize) -> String {
    if x.is_nan() {
        "–".to_owned()
    } else if x.is_infinite() {
        if x > 0.0 { "∞".to_owned() } else { "−∞".to_owned() }
    } else if x.abs() >= 1e7 {
        minus(&format!("{x:.2e}"))
    } else {
        minus(&format!("{x:.decimals$}"))
    }
}

/// A number with as many decimals as fit into `width` columns, flush right.
pub(in crate::tui) fn fitted(x: f64, decimals: usize, width: usize, write: fn(f64, usize) -> String) -> String {
    let fits = (0..=decimals).rev().map(|d| write(x, d)).find(|text| text.width() <= width);
    right(&fits.unwrap_or_else(|| minus(&format!("{x:.0e}"))), width)
}

/// A change, always with its sign.
pub(in crate::tui) fn change(x: f64, decimals: usize) -> String {
    let text = number(x, decimals);
    // What rounds to nothing has no direction.
    if text.chars().all(|c| !c.is_ascii_digit() || c == '0') {
        text.trim_start_matches('−').to_owned()
    } else if x > 0.0 {
        format!("+{text}")
    } else {
        text
    }
}

fn minus(text: &str) -> String {
    text.replacen('-', "−", 1)
}

/// A share as a percentage.
pub(super) fn percent(x: f64) -> String {
    if x.is_finite() { format!("{:.0} %", x * 100.0) } else { "–".to_owned() }
}

/// Minutes and seconds, or seconds alone.
pub(super) fn clock(time: Duration) -> String {
    let s = time.as_secs();
    match s {
        0..60 => format!("{s} s"),
        60..3600 => format!("{}:{:02} min", s / 60, s % 60),
        _ => format!("{}:{:02} h", s / 3600, s % 3600 / 60),
    }
}

/// The text in at most `width` columns; what does not fit ends in `…`.
pub(in crate::tui) fn fit(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 1;
    for c in text.chars() {
        let w = c.width().unwrap_or(0);
        if used + w > width {
            break;
        }
        used += w;
        out.push(c);
    }
    if width > 0 {
        out.push('…');
    }
    out
}

/// The text in exactly `width` columns, flush left.
pub(in crate::tui) fn left(text: &str, width: usize) -> String {
    let text = fit(text, width);
    let pad = width.saturating_sub(text.width());
    text + &" ".repeat(pad)
}

/// The text in exactly `width` columns, flush right.
pub(in crate::tui) fn right(text: &str, width: usize) -> String {
    let text = fit(text, width);
    " ".repeat(width.saturating_sub(text.width())) + &text
}

/// Words, each with its style.
pub(in crate::tui) type Words = Vec<(String, Style)>;

/// The words of a text in one style.
pub(in crate::tui) fn words(text: &str, style: Style) -> Words {
    text.split_whitespace().map(|w| (w.to_owned(), style)).collect()
}

/// The words in lines of at most `width` columns; a word that is too long is cut.
pub(in crate::tui) fn wrap(words: &Words, width: usize) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    let mut line: Vec<Span<'static>> = Vec::new();
    let mut used = 0;
    for (word, style) in words {
        let word = fit(word, width);
        let gap = usize::from(used > 0);
        if used + gap + word.width() > width && used > 0 {
            lines.push(Line::from(std::mem::take(&mut line)));
            used = 0;
        }
        if used > 0 {
            line.push(Span::raw(" "));
            used += 1;
        }
        used += word.width();
        line.push(Span::styled(word, *style));
    }
    if !line.is_empty() {
        lines.push(Line::from(line));
    }
    lines
}

/// Which words of `now` are not in `before`, in order (a longest common subsequence), and the other way round.
pub(super) fn changed<T: PartialEq>(before: &[T], now: &[T]) -> (Vec<bool>, Vec<bool>) {
    let (n, m) = (before.len(), now.len());
    let mut common = vec![vec![0_u32; m + 1]; n + 1];
    for i in (0..n).rev() {
        for j in (0..m).rev() {
            common[i][j] =
                if before[i] == now[j] { common[i + 1][j + 1] + 1 } else { common[i + 1][j].max(common[i][j + 1]) };
        }
    }
    let (mut lost, mut new) = (vec![true; n], vec![true; m]);
    let (mut i, mut j) = (0, 0);
    while i < n && j < m {
        if before[i] == now[j] {
            (lost[i], new[j]) = (false, false);
            (i, j) = (i + 1, j + 1);
        } else if common[i + 1][j] >= common[i][j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    (lost, new)
}

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const ASCII_BARS: [char; 5] = ['_', '.', '-', '=', '#'];

/// A line of bars, one a column: in each the value farthest from the mean, so that spikes survive. Gaps stay gaps.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "columns of a screen and values scaled to 0..1"
)]
pub(super) fn spark(series: &Series, until: u64, width: usize, glyphs: Glyphs) -> String {
    let values = &series.values[..series.steps.partition_point(|&s| s <= until)];
    let finite = || values.iter().copied().filter(|x| x.is_finite());
    let (count, sum) = finite().fold((0.0, 0.0), |(n, sum), x| (n + 1.0, sum + x));
    let (low, high) = finite().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), x| (a.min(x), b.max(x)));
    let columns = width.min(values.len());
    if count == 0.0 || columns == 0 {
        return " ".repeat(width);
    }
    let mean: f64 = sum / count;
    let bars: &[char] = if glyphs == Glyphs::Ascii { &ASCII_BARS } else { &BARS };
    let bar = |column: usize| {
        let (from, to) = (column * values.len() / columns, (column + 1) * values.len() / columns);
        let farthest = values[from..to]
            .iter()
            .copied()
            .filter(|x| x.is_finite())
            .max_by(|a, b| (a - mean).abs().total_cmp(&(b - mean).abs()));
        farthest.map_or(' ', |x| {
            let share = if high > low { (x - low) / (high - low) } else { 0.5 };
            bars[((share * bars.len() as f64) as usize).min(bars.len() - 1)]
        })
    };
    let line: String = (0..columns).map(bar).collect();
    left(&line, width)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_align_and_never_invent_a_zero() {
        assert_eq!(number(-37.126, 1), "−37.1");
        assert_eq!(number(f64::NAN, 1), "–");
        assert_eq!(number(f64::NEG_INFINITY, 1), "−∞");
        assert_eq!(change(12.04, 1), "+12.0");
        assert_eq!(change(-0.01, 1), "0.0");
        assert_eq!(change(-0.1, 1), "−0.1");
        assert_eq!(right("−37.1", 8), "   −37.1");
        assert_eq!(fitted(-12345.67, 2, 7, number), " −12346");
        assert_eq!(fitted(-1.5, 1, 6, number), "  −1.5");
        assert_eq!(fitted(-1_234_567.0, 1, 6, change), "  −1e6");
    }

    #[test]
    fn text_fits_in_columns_not_in_bytes() {
        assert_eq!(fit("漢字漢字", 5), "漢字…");
        assert_eq!(fit("abc", 3), "abc");
        assert_eq!(fit("abc", 2), "a…");
        assert_eq!(fit("abc", 0), "");
        assert_eq!(left("y⁺", 4), "y⁺  ");
    }

    #[test]
    fn changed_words_are_those_outside_the_longest_common_subsequence() {
        let (lost, new) = changed(&["she", "sold", "apples", "today"], &["she", "grew", "apples", "here", "today"]);
        assert_eq!(lost, [false, true, false, false]);
        assert_eq!(new, [false, true, false, true, false]);
    }

    #[test]
    fn a_spike_survives_and_a_gap_stays() {
        let mut series = Series::default();
        for step in 0..1000_u32 {
            series.push(u64::from(step), if step == 501 { 9.0 } else { 1.0 });
        }
        let line = spark(&series, 1000, 10, Glyphs::Braille);
        assert_eq!(line.chars().filter(|&c| c == '█').count(), 1);
        let mut gap = Series::default();
        for (step, x) in [1.0, f64::NAN, 2.0].into_iter().enumerate() {
            gap.push(step as u64, x);
        }
        assert_eq!(spark(&gap, 9, 3, Glyphs::Braille), "▁ █");
    }

    #[test]
    fn words_wrap_within_the_width() {
        let lines = wrap(&words("the quick brown extraordinarily fox", Style::new()), 10);
        assert!(lines.iter().all(|l| l.width() <= 10));
        assert_eq!(lines.len(), 4);
    }
}
