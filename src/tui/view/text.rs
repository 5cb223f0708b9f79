//! Numbers, words and lines as the panels write them.

use std::ops::Range;
use std::time::Duration;

use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType};
use unicode_width::UnicodeWidthStr as _;

use crate::history::Series;
use crate::text::{broken, minus};
use crate::tui::glyphs::Glyphs;
use crate::tui::theme::Theme;

pub(in crate::tui) use crate::text::fit;

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

/// The style of a change as it is written: a gain, a loss, or neither where it rounds to nothing.
pub(in crate::tui) fn direction(written: &str, theme: &Theme) -> Style {
    match written.trim_start().chars().next() {
        Some('+') => theme.gain(),
        Some('−') => theme.loss(),
        _ => theme.dim(),
    }
}

/// A share as a percentage.
pub(in crate::tui) fn percent(x: f64) -> String {
    if x.is_finite() { format!("{:.0} %", x * 100.0) } else { "–".to_owned() }
}

/// Minutes and seconds, or seconds alone.
pub(in crate::tui) fn clock(time: Duration) -> String {
    let s = time.as_secs();
    match s {
        0..60 => format!("{s} s"),
        60..3600 => format!("{}:{:02} min", s / 60, s % 60),
        _ => format!("{}:{:02} h", s / 3600, s % 3600 / 60),
    }
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
    let words: Words = words.iter().map(|(word, style)| (fit(word, width), *style)).collect();
    let widths: Vec<usize> = words.iter().map(|(word, _)| word.width()).collect();
    let line = |range: Range<usize>| {
        let mut spans = Vec::new();
        for (word, style) in &words[range] {
            if !spans.is_empty() {
                spans.push(Span::raw(" "));
            }
            spans.push(Span::styled(word.clone(), *style));
        }
        Line::from(spans)
    };
    broken(&widths, width).into_iter().map(line).collect()
}

/// Which words of `now` are not in `before`, in order (a longest common subsequence), and the other way round.
pub(in crate::tui) fn changed<T: PartialEq>(before: &[T], now: &[T]) -> (Vec<bool>, Vec<bool>) {
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

/// A line of bars over the steps `from` to `to`, so that the rows of a panel are aligned in time. A bar is the mean of the
/// values in its column; a value stands for the steps since the one before it. Bars span `bounds`, or their own extremes.
/// Gaps stay gaps.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "columns of a screen and values scaled to 0..1"
)]
pub(in crate::tui) fn spark(
    series: &Series,
    (from, to): (u64, u64),
    bounds: Option<(f64, f64)>,
    width: usize,
    glyphs: Glyphs,
) -> String {
    let bins = bins(series, (from, to), width);
    let finite = || bins.iter().copied().filter(|x| x.is_finite());
    let (low, high) =
        bounds.unwrap_or_else(|| finite().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), x| (a.min(x), b.max(x))));
    let bars: &[char] = if glyphs == Glyphs::Ascii { &ASCII_BARS } else { &BARS };
    let bar = |x: f64| {
        let share = if high > low { ((x - low) / (high - low)).clamp(0.0, 1.0) } else { 0.5 };
        bars[((share * bars.len() as f64) as usize).min(bars.len() - 1)]
    };
    bins.iter().map(|&x| if x.is_finite() { bar(x) } else { ' ' }).collect()
}

/// The mean of the finite values of each of `width` columns over the steps `from` to `to`; NaN is a gap. A column between
/// two values has the later one, which stands for the steps up to it; after the last there is nothing.
fn bins(series: &Series, (from, to): (u64, u64), width: usize) -> Vec<f64> {
    let span = u128::from(to.saturating_sub(from).max(1));
    // The last step of a column.
    let until = |column: usize| {
        let steps = (column as u128 + 1) * span / width as u128;
        u64::try_from(u128::from(from) + steps).unwrap_or(u64::MAX).min(to)
    };
    let mut begin = series.before(from);
    let columns = (0..width).map(|column| {
        let places = begin..series.up_to(until(column)).max(begin);
        begin = places.end;
        (!places.is_empty()).then(|| series.summary(places).mean())
    });
    let columns: Vec<Option<f64>> = columns.collect();
    let mut next = f64::NAN;
    let mut bins: Vec<f64> = columns
        .into_iter()
        .rev()
        .map(|measured| {
            next = measured.unwrap_or(next);
            next
        })
        .collect();
    bins.reverse();
    bins
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
    fn bars_are_means_of_their_columns() {
        let noise: Vec<f64> = (0..1000).map(|i| if i % 2 == 0 { 1.0 } else { 3.0 } + f64::from(i / 500)).collect();
        let series = Series::new(1..=1000, noise);
        assert_eq!(bins(&series, (0, 1000), 4), [2.0, 2.0, 3.0, 3.0]);
        assert_eq!(spark(&series, (0, 1000), None, 4, Glyphs::Braille), "▁▁██");
    }

    #[test]
    fn a_rate_is_read_off_the_height_of_its_bar() {
        let rate = |x: f64| spark(&Series::new([1], [x]), (0, 1), Some((0.0, 1.0)), 1, Glyphs::Braille);
        assert_eq!([0.0, 0.08, 0.5, 0.92, 1.0].map(rate), ["▁", "▁", "▅", "█", "█"]);
    }

    #[test]
    fn rows_are_aligned_in_time_and_gaps_stay() {
        let dense = Series::new(1..=12, [1.0; 12]);
        let sparse = Series::new([4, 8, 10], [2.0, f64::NAN, 4.0]);
        assert_eq!(spark(&dense, (0, 12), None, 6, Glyphs::Braille), "▅▅▅▅▅▅");
        assert_eq!(
            spark(&sparse, (0, 12), None, 6, Glyphs::Braille),
            "▁▁  █ ",
            "each value in the columns of its steps"
        );
        assert_eq!(spark(&sparse, (4, 10), None, 3, Glyphs::Braille), "▁ █");
        assert_eq!(spark(&Series::default(), (3, 3), None, 3, Glyphs::Ascii), "   ");
        assert_eq!(spark(&sparse, (0, u64::MAX), None, 0, Glyphs::Ascii), "");
    }

    #[test]
    fn the_colour_of_a_change_is_that_of_what_is_written() {
        let theme = Theme::default();
        let style = |x: f64| direction(&fitted(x, 1, 6, change), &theme);
        assert_eq!(style(0.06), theme.gain());
        assert_eq!(style(-0.06), theme.loss());
        assert_eq!([0.04, -0.04, f64::NAN].map(style), [theme.dim(); 3]);
    }

    #[test]
    fn words_wrap_within_the_width() {
        let lines = wrap(&words("the quick brown extraordinarily fox", Style::new()), 10);
        assert!(lines.iter().all(|l| l.width() <= 10));
        assert_eq!(lines.len(), 4);
    }
}
