//! The measures behind the verdict, and the optimiser's own numbers, each with its course so far.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Widget};

use super::frame::frame;
use super::measure::{Measure, RATE};
use crate::history::stats::{Chance, Estimate};
use crate::history::{Series, Standing, band};
use crate::protocol::MetricKey;
use crate::tui::app::App;
use crate::tui::panel::Panel;
use crate::tui::view::text::{change, left, number, percent, spark};

/// Columns of the names.
const NAME: usize = 16;
/// Columns of the values; a rate with its interval fits.
const VALUE: usize = 17;

/// Columns of what a measure means, where there is room for it.
const MEANING: usize = 62;

/// Draws the measures of a language model's run.
pub(in crate::tui) fn render(app: &App, area: Rect, buf: &mut Buffer) {
    table(app, Panel::Dynamics, &measures(app), area, buf);
}

/// Draws a panel of measures.
pub(super) fn table(app: &App, panel_of: Panel, measures: &[Measure], area: Rect, buf: &mut Buffer) {
    let theme = &app.view.theme;
    let (begun, until) = app.stage_span();
    let standing = app.standing().filter(|s| s.step > begun);
    let mut rest = standing.map_or_else(String::new, |w| format!("steps {} to {} · ", w.since, w.step));
    rest += &format!("bars from {begun}");
    let inner = frame(app, panel_of, rest, area, buf);
    let width = usize::from(inner.width);
    let meaning = width > NAME + VALUE + MEANING;
    let course = width.saturating_sub(NAME + VALUE + 3 + if meaning { MEANING } else { 0 }).min(60);
    let bars = |m: &Measure| spark(&m.course, (begun, until), m.bounds, course, app.view.glyphs);
    let lines: Vec<_> = measures
        .iter()
        .take(inner.height.into())
        .map(|m| {
            let mut spans = vec![
                Span::styled(format!(" {}", left(&m.name, NAME)), theme.dim()),
                Span::styled(left(&m.value, VALUE), theme.text()),
                Span::styled(format!(" {}", bars(m)), theme.dim()),
            ];
            if meaning {
                spans.push(Span::styled(format!("  {}", m.meaning), theme.dim()));
            }
            Line::from(spans)
        })
        .collect();
    Paragraph::new(lines).render(inner, buf);
}

fn measures(app: &App) -> Vec<Measure> {
    let mut all = Vec::new();
    let (begun, until) = app.stage_span();
    if let Some(standing) = app.standing().filter(|s| s.step > begun) {
        // In a stage that pushes nothing down no pair is said to be displaced or squeezed, and of means there are no pairs.
        let pairs = if app.pushes_down_in(standing.stage) && !standing.of_means { 0 } else { 2 };
        all.extend(of_the_detector(app, standing).into_iter().skip(pairs));
    }
    let scalars = [
        (MetricKey::LOSS, "loss", 4, "what the optimiser minimises"),
        (MetricKey::REWARDS_MARGINS, "reward margin", 3, "how much further y⁺ moved up than y⁻, times β"),
        (MetricKey::REWARDS_ACCURACIES, "reward accuracy", 2, "share of the batch with a positive margin"),
        (MetricKey::WEIGHT_REJECTED, "push-down w⁻", 4, "how hard y⁻ is pushed down"),
        (MetricKey::GRAD_NORM, "gradient norm", 3, "before clipping"),
        (MetricKey::LEARNING_RATE, "learning rate", 7, "warm-up included"),
    ];
    for (key, name, decimals, meaning) in scalars {
        let bounds = if key == MetricKey::REWARDS_ACCURACIES { RATE } else { None };
        all.extend(scalar(app, &key, name, decimals, bounds, meaning));
    }
    all.extend(band_of(app, begun, until));
    if all.is_empty() {
        let value = "nothing yet".to_owned();
        all.push(Measure { name: "".into(), value, course: Series::default(), bounds: None, meaning: "" });
    }
    all
}

/// A scalar as it stands and as it went since the stage began; `None` where the run has none of that name.
pub(super) fn scalar(
    app: &App,
    key: &MetricKey,
    name: &'static str,
    decimals: usize,
    bounds: Option<(f64, f64)>,
    meaning: &'static str,
) -> Option<Measure> {
    let (begun, until) = app.stage_span();
    let course = app.shown().metrics.get(key)?.within(begun, until);
    let (_, value) = course.last()?;
    Some(Measure { name: name.into(), value: number(value, decimals), course, bounds, meaning })
}

/// The band's warning: where its lower edge stands, and how well that has told the falls of y⁺ so far.
fn band_of(app: &App, begun: u64, until: u64) -> Option<Measure> {
    let history = app.shown();
    let within = |key: MetricKey| history.metrics.get(&key).map(|course| course.within(begun, until));
    let (ratios, weights) = (within(MetricKey::BAND_RATIO)?, within(MetricKey::BAND_WEIGHTS)?);
    let cosines = within(MetricKey::BAND_COSINE)?;
    let edge = |(step, a): (u64, f64)| Some((step, a * cosines.at(step)? / weights.at(step)?));
    let (steps, edges): (Vec<_>, Vec<_>) = ratios.iter().filter_map(edge).unzip();
    let course = Series::new(steps, edges);
    let (_, now) = course.last()?;
    let stage = history.stage_starts.partition_point(|&start| start < until).saturating_sub(1);
    let windows = band::windows(history, stage);
    let seen: Vec<_> = windows.into_iter().filter(|w| w.step <= until).collect();
    let area = band::judged(&seen);
    let value =
        if area.value.is_nan() { number(now, 2) } else { format!("{} AUROC {:.2}", number(now, 2), area.value) };
    Some(Measure { name: "band: ρa/r".into(), value, course, bounds: None, meaning: meaning_of(&area) })
}

/// How the band's warning did.
fn meaning_of(area: &Estimate) -> &'static str {
    match area.against_chance() {
        Chance::Better => "above 1 warns that y⁺ falls; better than chance so far",
        Chance::Worse => "above 1 warns that y⁺ falls; worse than chance so far",
        Chance::Alike => "above 1 warns that y⁺ falls; no better than chance so far",
        Chance::Untold => "above 1 warns that y⁺ falls; all windows ended alike so far",
    }
}

fn of_the_detector(app: &App, now: &Standing) -> [Measure; 5] {
    let detector = &app.shown().detector;
    // Stages follow one another, and so do their standings.
    let begin = detector.standings.partition_point(|s| s.stage < now.stage);
    let end = detector.standings.partition_point(|s| s.stage <= now.stage);
    let course = |all: &Series| all.part(begin..end);
    let courses = &detector.courses;
    let (low, high) = now.interval;
    [
        Measure {
            name: "displaced pairs".into(),
            value: format!("{} [{:.0}–{:.0}]", percent(now.displacement_rate), low * 100.0, high * 100.0),
            course: course(&courses.displacement_rate),
            bounds: RATE,
            meaning: "y⁺ and y⁻ both fell since the stage began; 95 % interval",
        },
        Measure {
            name: "squeezed pairs".into(),
            value: percent(now.squeezing_rate),
            course: course(&courses.squeezing_rate),
            bounds: RATE,
            meaning: "of these, the argmax y* took the freed probability",
        },
        Measure {
            name: "share to y*".into(),
            value: percent(now.star_share),
            course: course(&courses.star_share),
            bounds: RATE,
            meaning: "of all probability that any token gained",
        },
        Measure {
            name: "to bystanders".into(),
            value: change(now.bystanders, 4),
            course: course(&courses.bystanders),
            bounds: None,
            meaning: "net probability of every other token, per position",
        },
        Measure {
            name: "entropy".into(),
            value: format!("{} nats", change(now.entropy, 3)),
            course: course(&courses.entropy),
            bounds: None,
            meaning: "falling: peakier; rising: flattening out",
        },
    ]
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::protocol::TrainerEvent;
    use crate::tui::glyphs::Glyphs;
    use crate::tui::message::Message;
    use crate::tui::testing::{draw, plain, run_events, theme};

    /// The made-up run, told with a band in its second stage whose lower edge is so far above w⁺/w⁻.
    fn with_band(edge: impl Fn(u64) -> f64) -> App {
        let mut app = App::live("made_up", theme(), Glyphs::Braille);
        for mut event in run_events() {
            if let TrainerEvent::Step(step) = &mut event
                && step.stage == 1
            {
                let band = [(MetricKey::BAND_RATIO, 2.0 * edge(step.step)), (MetricKey::BAND_COSINE, 0.5)];
                step.metrics.extend(band);
                step.metrics.insert(MetricKey::BAND_WEIGHTS, 1.0);
            }
            app.update(Message::Trainer(Arc::new(event)));
        }
        app.view.focus = Panel::Dynamics;
        app
    }

    #[test]
    fn the_band_says_how_well_it_has_told_what_happened() {
        let app = with_band(|_| 0.75);
        let screen = plain(&draw(&app, 200, 60));
        assert!(screen.contains("band: ρa/r"), "{screen}");
        assert!(screen.contains("0.75"), "{screen}");
        // Every window was warned of alike: that tells nothing, whatever happened.
        let told = measures(&app).into_iter().find(|m| m.name == "band: ρa/r").map(|m| (m.value, m.meaning));
        let (value, meaning) = told.unwrap_or_default();
        assert!(value == "0.75 AUROC 0.50" || value == "0.75", "{value}");
        assert!(
            meaning.ends_with("no better than chance so far") || meaning.ends_with("ended alike so far"),
            "{meaning}"
        );
    }

    #[test]
    fn a_run_without_a_band_has_no_row_for_it() {
        let app = crate::tui::testing::live_at(100);
        assert!(measures(&app).iter().all(|m| m.name != "band: ρa/r"));
    }
}
