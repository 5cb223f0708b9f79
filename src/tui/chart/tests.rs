use std::borrow::Cow;

use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};
use ratatui::widgets::Widget;
use unicode_width::UnicodeWidthStr;

use super::*;
use crate::history::{CurveId, Series};
use crate::tui::theme::{ColorDepth, CurveLook, Dash, ThemeKind};

const THEME: Theme = Theme { kind: ThemeKind::Dark, depth: ColorDepth::True };

fn line(label: &str, values: &[f64]) -> ChartLine<'static> {
    let look = CurveLook { style: Style::new().fg(Color::Cyan), dash: Dash::Solid, marker: '●' };
    let series = Series::new((0..).step_by(10), values.iter().copied());
    ChartLine {
        label: label.into(),
        series: Cow::Owned(series),
        band: None,
        look,
        focused: false,
        weight: Weight::Plain,
    }
}

fn chart(lines: Vec<ChartLine<'static>>) -> Chart<'static> {
    Chart {
        title: "log p (nats, sum)".into(),
        lines,
        marks: Vec::new(),
        x: (0, 100),
        y: None,
        cursor: None,
        glyphs: Glyphs::Braille,
        hint: "every group is hidden: press 0",
        theme: &THEME,
    }
}

/// Every curve, falling at its own rate.
fn full(theme: &'static Theme) -> Chart<'static> {
    let lines = CurveId::all().enumerate().map(|(i, curve)| {
        let values: Vec<_> = (0..=10).map(|t| -1.0 - f64::from(t) * (i as f64) * 0.6).collect();
        let mut line = line(curve.symbol(), &values);
        line.look = theme.curve(curve);
        line.focused = i == 5;
        line.band = line.focused.then(|| {
            let moved = |by: f64| Cow::Owned(line.series.iter().map(|(step, x)| (step, x + by)).collect());
            (moved(-4.0), moved(2.0))
        });
        line
    });
    let marks = [(0, "SFT"), (40, "DPO"), (45, "squeezing")];
    let marks = marks.map(|(step, label)| ChartMark { step, label: label.into(), style: theme.warning() });
    Chart { marks: marks.into(), cursor: Some(52), theme, ..chart(lines.collect()) }
}

fn drawn(chart: Chart<'_>, width: u16, height: u16) -> Buffer {
    let area = Rect::new(0, 0, width, height);
    let mut buffer = Buffer::empty(area);
    chart.render(area, &mut buffer);
    buffer
}

fn rows(buffer: &Buffer) -> Vec<String> {
    crate::export::text::plain(buffer).lines().map(str::to_owned).collect()
}

#[test]
fn every_curve_at_80_by_24() {
    insta::assert_debug_snapshot!(drawn(full(&THEME), 80, 24));
}

#[test]
fn without_colour() {
    static MONO: Theme = Theme { kind: ThemeKind::Mono, depth: ColorDepth::True };
    let buffer = drawn(full(&MONO), 80, 24);
    assert!(buffer.content.iter().all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset));
    let text = rows(&buffer).join("\n");
    for curve in CurveId::all() {
        let label = format!("{} {}", MONO.curve(curve).marker, curve.symbol());
        assert!(text.contains(&label), "{label} has no label of its own in\n{text}");
    }
}

#[test]
fn the_other_glyphs() {
    let draw = |glyphs| rows(&drawn(Chart { glyphs, ..full(&THEME) }, 60, 16)).join("\n");
    insta::assert_snapshot!([Glyphs::Half, Glyphs::Dot, Glyphs::Ascii].map(draw).join("\n\n"));
}

#[test]
fn ascii_draws_nothing_but_ascii() {
    let mut chart = Chart { glyphs: Glyphs::Ascii, ..full(&THEME) };
    chart.lines.iter_mut().for_each(|l| l.label = "label".into());
    assert!(drawn(chart, 80, 24).content.iter().all(|cell| cell.symbol().is_ascii()));
}

#[test]
fn a_chart_without_lines_says_why() {
    let buffer = drawn(chart(vec![]), 60, 10);
    assert!(rows(&buffer)[5].contains("every group is hidden: press 0"));
    let gaps = drawn(chart(vec![line("nothing", &[f64::NAN; 3])]), 60, 10);
    assert_eq!(gaps, buffer);
}

#[test]
fn a_gap_stays_empty_and_an_infinity_has_a_mark() {
    let values = [-5.0, -5.0, f64::NAN, f64::NAN, f64::NAN, f64::NAN, -5.0, f64::NEG_INFINITY, -5.0, -6.0, -5.0];
    let chart = chart(vec![line("y", &values)]);
    let buffer = drawn(chart, 80, 20);
    let text = rows(&buffer);
    insta::assert_snapshot!(text.join("\n"));
    assert!(text[17].contains('▼'), "the mark stands on the floor");
    let cyan = |x: u16| (0..18).any(|y| buffer[(x, y)].fg == Color::Cyan);
    assert!(cyan(8) && !cyan(25) && !cyan(30));
}

#[test]
fn one_outlier_in_a_million_points_is_visible_at_forty_columns() {
    let values: Vec<f64> = (0..1_000_000).map(|i| if i == 123_456 { 50.0 } else { 0.0 }).collect();
    let mut chart =
        chart(vec![ChartLine { series: Cow::Owned(Series::new(0..1_000_000, values)), ..line("loss", &[]) }]);
    chart.x = (0, 999_999);
    let buffer = drawn(chart, 40, 12);
    let top: Vec<_> = (0..40).filter(|&x| buffer[(x, 2)].fg == Color::Cyan).collect();
    assert_eq!(top.len(), 1, "{}", rows(&buffer).join("\n"));
}

#[test]
fn the_focused_line_wins_its_cells_and_is_bold() {
    let mut first = line("first", &[-1.0; 11]);
    first.look.style = Style::new().fg(Color::Red);
    first.focused = true;
    let buffer = drawn(chart(vec![first, line("second", &[-1.0; 11])]), 60, 12);
    let inked: Vec<_> =
        buffer.content.iter().filter(|c| ('\u{2801}'..='\u{28ff}').any(|d| c.symbol().starts_with(d))).collect();
    let red = inked.iter().filter(|c| c.fg == Color::Red && c.modifier.contains(Modifier::BOLD)).count();
    assert!(red >= 30, "{}", rows(&buffer).join("\n"));
    assert!(inked.iter().all(|c| c.fg == Color::Red || c.modifier.contains(Modifier::DIM)), "only a leader is not red");
}

#[test]
fn the_cursor_shows_its_step() {
    let with = |cursor| rows(&drawn(Chart { cursor, ..chart(vec![line("y", &[-3.0; 11])]) }, 60, 12));
    assert!(with(Some(52))[11].contains(" 52 "));
    assert_eq!(with(Some(101)), with(None), "a cursor outside the view is not drawn");
}

fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        6 => -800.0..0.0f64,
        1 => Just(f64::NAN),
        1 => Just(f64::NEG_INFINITY),
        1 => Just(f64::INFINITY),
        1 => any::<f64>(),
    ]
}

fn any_line() -> impl Strategy<Value = ChartLine<'static>> {
    let series = prop::collection::vec((0u64..40, value()), 0..60);
    let weight = prop::sample::select(vec![Weight::Faint, Weight::Plain, Weight::Thick]);
    (series, 0usize..16, any::<bool>(), weight, "[a-z⁺漢]{0,14}").prop_map(|(points, curve, focused, weight, label)| {
        let mut series = Series::default();
        let mut at = 0;
        for (gap, value) in points {
            at += gap;
            series.push(at, value);
        }
        let look = CurveId::all().nth(curve).map_or(line("", &[]).look, |c| THEME.curve(c));
        let band = focused.then(|| (Cow::Owned(series.smoothed(0.5)), Cow::Owned(series.clone())));
        ChartLine { label, series: Cow::Owned(series), band, look, focused, weight }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_size_and_any_numbers_stay_inside_the_area(
        lines in prop::collection::vec(any_line(), 0..20),
        (left, top, width, height) in (0u16..4, 0u16..4, 0u16..140, 0u16..50),
        x in prop_oneof![Just((0u64, 0u64)), (0u64..900, 0u64..900), (any::<u64>(), any::<u64>())],
        y in prop::option::of((value(), value())),
        cursor in prop::option::of(0u64..900),
        marks in prop::collection::vec((0u64..900, "[a-z漢]{0,9}"), 0..6),
        glyphs in prop::sample::select(vec![Glyphs::Braille, Glyphs::Half, Glyphs::Dot, Glyphs::Ascii]),
    ) {
        let area = Rect::new(left, top, width, height);
        let whole = Rect::new(0, 0, left + width + 3, top + height + 3);
        let mut buffer = Buffer::empty(whole);
        for cell in &mut buffer.content {
            cell.set_symbol("~");
        }
        let marks = marks.into_iter().map(|(step, label)| ChartMark { step, label: label.into(), style: Style::new() }).collect();
        let chart = Chart { marks, x, y, cursor, glyphs, ..chart(lines) };
        chart.clone().render(area, &mut buffer);
        for y in 0..whole.height {
            for x in 0..whole.width {
                let cell = &buffer[(x, y)];
                let inside = area.contains((x, y).into());
                prop_assert!(inside || cell.symbol() == "~" && cell.fg == Color::Reset, "({}, {}) {:?}", x, y, cell);
                prop_assert!(!inside || x + cell.symbol().width() as u16 <= area.right());
            }
        }
        // An area that the buffer does not hold is cut, not an error.
        chart.render(Rect::new(whole.width / 2, whole.height / 2, 90, 90), &mut buffer);
    }
}
