//! The panels of a classifier's run: what it says of one class, what learning from each class did to the others, and how
//! alike it finds them. They take the places that a language model's run gives to curves and prompts.

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Line;
use ratatui::widgets::{Paragraph, Widget};

use super::chart;
use super::dynamics;
use super::frame::frame;
use super::heatmap::{HeatMap, largest_off_diagonal};
use super::measure::{Measure, RATE};
use crate::history::classes::entry;
use crate::history::{Scale, Series};
use crate::protocol::{ClassReading, MetricKey};
use crate::text::Shown;
use crate::tui::app::App;
use crate::tui::chart::{Chart, ChartLine, Weight};
use crate::tui::panel::Panel;
use crate::tui::theme::{CurveLook, Dash};
use crate::tui::view::text::{change, number, percent, words, wrap};

/// Answers whose curves are drawn: the likeliest at the cursor, and the right one.
const ANSWERS: usize = 5;
/// Rows of the chart of accuracy, where there is room for it.
const ACCURACY: u16 = 7;
/// Names of the classes, displayable.
fn names(app: &App) -> Vec<String> {
    let run = app.shown().run.as_ref();
    run.map_or_else(Vec::new, |run| run.classes.iter().map(|name| Shown::new(name).to_string()).collect())
}

/// The likeliest answers about pictures of class `o` at the cursor, likeliest first, the right one among them.
fn answers(reading: &ClassReading, classes: usize, o: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..classes).collect();
    let log_prob = |v: usize| entry(&reading.log_probs, classes, o, v);
    order.sort_by(|&a, &b| log_prob(b).total_cmp(&log_prob(a)));
    let mut others = 0;
    order.retain(|&v| {
        others += usize::from(v != o);
        v == o || others < ANSWERS
    });
    order
}

/// Draws the chart: what the model says of pictures of the chosen class.
pub(in crate::tui) fn chart(app: &App, area: Rect, buf: &mut Buffer) {
    let view = &app.view;
    let theme = &view.theme;
    let (names, o) = (names(app), app.class());
    let name = names.get(o).cloned().unwrap_or_default();
    let mut rest = format!("what it says of pictures of {name} · j k choose");
    if let Some(weight) = view.smoothing.weight() {
        rest += &format!(" · smoothed {weight}");
    }
    let inner = frame(app, Panel::Answers, rest, area, buf);
    if inner.is_empty() {
        return;
    }
    let x = app.range();
    let whole = Chart {
        title: String::new(),
        lines: Vec::new(),
        marks: chart::marks(app, x),
        x,
        y: None,
        cursor: view.cursor,
        glyphs: view.glyphs,
        hint: "waiting for the first reading of the classes",
        theme,
    };
    let [above, below] = if inner.height >= 2 * ACCURACY + 4 {
        Layout::vertical([Constraint::Length(ACCURACY), Constraint::Fill(1)]).areas(inner)
    } else {
        [Rect { height: 0, ..inner }, inner]
    };
    if !above.is_empty() {
        let look = CurveLook { style: theme.accent(), dash: Dash::Solid, marker: '●' };
        let series = drawn(app, app.shown().over_readings(|r| r.accuracy));
        let line = ChartLine {
            label: "accuracy".to_owned(),
            series: Cow::Owned(series),
            band: None,
            look,
            focused: false,
            weight: Weight::Plain,
        };
        let title = "share of held-out pictures that are told right".to_owned();
        Chart { title, lines: vec![line], marks: Vec::new(), ..whole.clone() }.render(above, buf);
    }
    let (title, lines) = (scale_title(app.scale()).to_owned(), lines(app, &names, o));
    Chart { title, lines, ..whole }.render(below, buf);
}

fn scale_title(scale: Scale) -> &'static str {
    match scale {
        Scale::LogProb | Scale::PerToken => "log π of each answer (nats)",
        Scale::Probability => "π of each answer (geometric mean)",
        Scale::Delta | Scale::StageDelta => "Δ log π of each answer from step 0 (nats)",
    }
}

fn drawn(app: &App, series: Series) -> Series {
    app.view.smoothing.weight().map_or_else(|| series.clone(), |weight| series.smoothed(weight))
}

fn lines(app: &App, names: &[String], o: usize) -> Vec<ChartLine<'static>> {
    let (history, classes) = (app.shown(), names.len());
    let Some(now) = app.reading() else { return Vec::new() };
    let start = history.classes.first().map(AsRef::as_ref);
    let line = |v: usize| {
        let log_prob = |reading: &ClassReading| entry(&reading.log_probs, classes, o, v);
        let first = start.map_or(f64::NAN, log_prob);
        let series = history.over_readings(|reading| match app.scale() {
            Scale::LogProb | Scale::PerToken => log_prob(reading),
            Scale::Probability => log_prob(reading).exp(),
            Scale::Delta | Scale::StageDelta => log_prob(reading) - first,
        });
        let (label, look) = (format!("says {}", names[v]), app.view.theme.class(v));
        ChartLine {
            label,
            series: Cow::Owned(drawn(app, series)),
            band: None,
            look,
            focused: v == o,
            weight: Weight::Plain,
        }
    };
    answers(now, classes, o).into_iter().map(line).collect()
}

/// Draws the accumulated influence.
pub(in crate::tui) fn influence(app: &App, area: Rect, buf: &mut Buffer) {
    let names = names(app);
    let (n, o) = (names.len(), app.class());
    let values = app.reading().map_or(&[][..], |r| &r.influence);
    // Who pulls the chosen class, strongest first.
    let on = |u: usize| entry(values, n, u, o);
    let mut pullers: Vec<usize> = (0..n).filter(|&u| u != o && !on(u).is_nan()).collect();
    pullers.sort_by(|&a, &b| on(b).abs().total_cmp(&on(a).abs()));
    let name = |u: usize| names.get(u).map_or("", String::as_str);
    let pulls: Vec<String> = pullers.iter().take(3).map(|&u| format!("to {} {}", name(u), change(on(u), 1))).collect();
    let said = match pulls.is_empty() {
        true => String::new(),
        false => format!("learning pulled pictures of {} {}", name(o), pulls.join(", ")),
    };
    let explained =
        "row: learnt from; column: looked at. Nats that the updates on the row's class added to its log π there.";
    map(app, area, buf, Map { panel: Panel::Influence, corner: "u→o", values, signed: true, said, explained });
}

/// Draws the kernel's norms.
pub(in crate::tui) fn kernel(app: &App, area: Rect, buf: &mut Buffer) {
    let names = names(app);
    let (n, o) = (names.len(), app.class());
    let values = app.reading().map_or(&[][..], |r| &r.kernel);
    let with = |u: usize| entry(values, n, o, u);
    let mut alike: Vec<usize> = (0..n).filter(|&u| u != o && !with(u).is_nan()).collect();
    alike.sort_by(|&a, &b| with(b).total_cmp(&with(a)));
    let name = |u: usize| names.get(u).map_or("", String::as_str);
    let alike: Vec<String> = alike.iter().take(3).map(|&u| format!("{} {}", name(u), number(with(u), 0))).collect();
    let said = if alike.is_empty() { String::new() } else { format!("most like {}: {}", name(o), alike.join(", ")) };
    let explained = "‖K‖ between pictures of two classes: how alike the model finds them, and how hard learning one moves the other.";
    map(app, area, buf, Map { panel: Panel::Kernel, corner: "‖K‖", values, signed: false, said, explained });
}

/// What a panel with a map shows.
struct Map<'a> {
    panel: Panel,
    corner: &'a str,
    values: &'a [f32],
    signed: bool,
    /// What it says of the chosen class.
    said: String,
    /// What it is.
    explained: &'a str,
}

fn map(app: &App, area: Rect, buf: &mut Buffer, map: Map<'_>) {
    let theme = &app.view.theme;
    let names = names(app);
    let largest = largest_off_diagonal(map.values, names.len());
    let mut rest = format!("step {}", app.reading().map_or(0, |r| r.step));
    if let Some(every) = app.reading().map(|r| r.examined_every).filter(|&every| every > 1 && map.signed) {
        rest += &format!(" · from 1 in {every} steps");
    }
    rest += &format!(" · darkest {}", number(largest, if largest < 10.0 { 2 } else { 0 }));
    let inner = frame(app, map.panel, rest, area, buf);
    if map.values.is_empty() {
        Line::styled(" not read yet", theme.dim()).render(inner, buf);
        return;
    }
    let (corner, glyphs) = (map.corner, app.view.glyphs);
    let cells = HeatMap {
        corner,
        rows: &names,
        columns: &names,
        values: map.values,
        signed: map.signed,
        largest,
        selected: (app.class(), app.class()),
        glyphs,
        theme,
    };
    let height = u16::try_from(cells.height()).unwrap_or(u16::MAX).min(inner.height);
    let inner = Rect { x: inner.x + 1, width: inner.width.saturating_sub(1), ..inner };
    cells.render(Rect { height, ..inner }, buf);
    let below = Rect { y: inner.y + height, height: inner.height - height, ..inner };
    let mut lines = wrap(&words(&map.said, theme.text()), below.width.into());
    // What it is gives way before what it says.
    let explained = wrap(&words(map.explained, theme.dim()), below.width.into());
    if lines.len() + explained.len() <= usize::from(below.height) {
        lines.extend(explained);
    }
    Paragraph::new(lines).render(below, buf);
}

/// Share of right answers at the latest reading, for the header.
pub(in crate::tui) fn verdict(app: &App) -> String {
    let accuracy = app.history().classes.last().map(|r| number(100.0 * r.accuracy, 1));
    accuracy.map_or_else(String::new, |accuracy| format!(" accuracy {accuracy} % "))
}

/// Draws the measures of the run.
pub(in crate::tui) fn learning(app: &App, area: Rect, buf: &mut Buffer) {
    dynamics::table(app, Panel::Learning, &measures(app), area, buf);
}

fn measures(app: &App) -> Vec<Measure> {
    let (history, o) = (app.shown(), app.class());
    let name = names(app).get(o).cloned().unwrap_or_default();
    let at = |course: &Series| course.at(app.step()).unwrap_or(f64::NAN);
    let measure = |name: String, course: Series, write: fn(f64) -> String, meaning: &'static str| {
        let value = write(at(&course));
        Measure { name: name.into(), value, course, bounds: None, meaning }
    };
    let metric = |key: &MetricKey| history.metrics.get(key).cloned().unwrap_or_default();
    let of_class = |read: fn(&ClassReading) -> &Vec<f32>| {
        history.over_readings(|r| read(r).get(o).map_or(f64::NAN, |&x| f64::from(x)))
    };
    let accuracy = measure(
        "accuracy".to_owned(),
        history.over_readings(|r| r.accuracy),
        |x| format!("{} %", number(100.0 * x, 1)),
        "share of held-out pictures that are told right",
    );
    vec![
        Measure { bounds: RATE, ..accuracy },
        measure("loss".to_owned(), metric(&MetricKey::LOSS), |x| number(x, 4), "cross entropy of the batch"),
        measure("gradient norm".to_owned(), metric(&MetricKey::GRAD_NORM), |x| number(x, 3), "before clipping"),
        measure(
            "prediction err.".to_owned(),
            history.prediction_errors(),
            percent,
            "of what log π moved since the reading before: first order, plain SGD",
        ),
        measure(
            format!("‖G‖ on {name}"),
            of_class(|r| &r.residual),
            |x| number(x, 3),
            "how wrong it still is about the chosen class",
        ),
        measure(
            format!("‖A‖ on {name}"),
            of_class(|r| &r.adaptation),
            |x| number(x, 3),
            "how far its belief about the chosen class can still move",
        ),
        measure("learning rate".to_owned(), metric(&MetricKey::LEARNING_RATE), |x| number(x, 5), "warm-up included"),
    ]
}
