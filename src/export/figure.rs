//! A run as a figure for a paper: small multiples at the width of a column (88 mm), a panel for each group of answers, in
//! colours that keep their contrast on white and with a dash for each curve of a panel, so that grey is enough.
//!
//! It is made of numbers and not of a screen, so that text stays text and lines stay lines. Every panel shows the means over
//! prompts of sums of log-probs, nats, over optimiser steps, as the paper's figures do.

use super::hue::{Hue, hues};
use super::sheet::present;
use super::svg::escaped;
use super::thin::places;
use crate::error::{Error, Result};
use crate::history::columns::nice;
use crate::history::stats::float;
use crate::history::{CurveId, RunHistory, Scale, Series};
use crate::protocol::ProbeGroup;

/// Points to the width: 88 mm.
const WIDTH: f64 = 249.4;
/// Panels side by side.
const COLUMNS: usize = 2;
/// Between a panel's left edge and its plot: the numbers of the axis.
const LEFT: f64 = 24.0;
/// Between a plot's right edge and the next panel.
const RIGHT: f64 = 5.0;
/// Height of a plot.
const PLOT: f64 = 64.0;
/// Height of a line of text.
const LINE: f64 = 7.6;
/// Between the names of the curves and a plot, where the names of stages stand.
const ABOVE: f64 = 7.0;
/// Below a plot: the numbers of the axis.
const BELOW: f64 = 13.0;
/// Below the last row: the axis's title.
const FOOT: f64 = 9.0;
/// Length of a dash in the legend.
const SAMPLE: f64 = 13.0;
/// Width of a character in the bundled font; those that stand in for Helvetica are narrower.
const CHARACTER: f64 = 3.62;
/// Most points of a line.
const POINTS: usize = 400;

/// One panel.
struct Panel {
    group: ProbeGroup,
    /// Symbol, look and means of each curve.
    curves: Vec<(String, Hue, Series)>,
}

/// The figure as SVG.
///
/// # Errors
/// When the run observed no answers: a classifier, or a run that measured nothing.
pub(super) fn figure(history: &RunHistory) -> Result<String> {
    let all = present(history);
    if all.is_empty() {
        let problem = "--format figure: the run measured no answers; `--format csv` writes what it has";
        return Err(Error::usage(problem));
    }
    let looks = hues(&all);
    let panel = |group: ProbeGroup| {
        let of_group = all.iter().zip(&looks).filter(|(curve, _)| curve.group() == group);
        let curves: Vec<_> = of_group.map(|(&curve, &hue)| (label(curve), hue, means(history, curve))).collect();
        (!curves.is_empty()).then_some(Panel { group, curves })
    };
    let panels: Vec<_> = ProbeGroup::ALL.into_iter().filter_map(panel).collect();
    let steps = || history.evaluations.iter().map(|e| float_step(e.step));
    let (first, last) = (steps().next().unwrap_or(0.0), steps().next_back().unwrap_or(1.0));
    let x = (first, if last > first { last } else { first + 1.0 });
    let stages: Vec<_> = history
        .run
        .iter()
        .flat_map(|run| &run.stages)
        .zip(&history.stage_starts)
        .map(|(stage, &start)| (float_step(start), escaped(stage.name.trim())))
        .collect();

    let mut body = String::new();
    let mut top = 1.0;
    for (row, side_by_side) in panels.chunks(COLUMNS).enumerate() {
        let legends: Vec<_> = side_by_side.iter().map(|panel| legend(&panel.curves)).collect();
        let lines = legends.iter().map(Vec::len).max().unwrap_or(0);
        for (column, (panel, legend)) in side_by_side.iter().zip(&legends).enumerate() {
            let place = Place {
                left: float(column) * WIDTH / float(COLUMNS),
                top,
                plot: top + LINE * float(lines + 1) + ABOVE,
                letter: (b'a'..=b'z').nth(row * COLUMNS + column).map_or('?', char::from),
            };
            body += &place.drawn(panel, legend, x, &stages);
        }
        top += LINE * float(lines + 1) + ABOVE + PLOT + BELOW;
    }
    let height = top + FOOT;
    body += &format!(
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">optimiser steps · log p: sums, nats, means over prompts</text>\n",
        WIDTH / 2.0,
        top + 4.0
    );
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"88mm\" height=\"{:.2}mm\" viewBox=\"0 0 {WIDTH} {height:.1}\" \
         font-family=\"Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif\" font-size=\"6\" fill=\"#000\">\n\
         <title>{}</title>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n{body}</svg>\n",
        height * 88.0 / WIDTH,
        escaped(&title(history)),
    ))
}

/// What the figure is of: the run's name.
pub(super) fn title(history: &RunHistory) -> String {
    history.run.as_ref().map_or_else(|| "run".to_owned(), |run| run.run_id.clone())
}

fn label(curve: CurveId) -> String {
    curve.symbol().trim().to_owned()
}

/// The means of a curve, as many as a line can show.
fn means(history: &RunHistory, curve: CurveId) -> Series {
    let all = history.curve(curve, Scale::LogProb, None);
    places(all.len(), POINTS, |_| false).into_iter().filter_map(|at| all.get(at)).collect()
}

#[allow(clippy::cast_precision_loss, reason = "steps are far below 2^52")]
fn float_step(step: u64) -> f64 {
    step as f64
}

/// Which curves are named in which line: places in the panel, with the distance from its left.
fn legend(curves: &[(String, Hue, Series)]) -> Vec<Vec<(usize, f64)>> {
    let room = WIDTH / float(COLUMNS) - RIGHT;
    let mut lines: Vec<Vec<(usize, f64)>> = vec![Vec::new()];
    let mut at = 0.0;
    for (index, (symbol, ..)) in curves.iter().enumerate() {
        let wide = SAMPLE + 2.0 + CHARACTER * float(symbol.chars().count()) + 5.0;
        if at > 0.0 && at + wide > room {
            lines.push(Vec::new());
            at = 0.0;
        }
        if let Some(line) = lines.last_mut() {
            line.push((index, at));
        }
        at += wide;
    }
    lines
}

/// Round numbers that divide a range into about `count` parts.
fn ticks((low, high): (f64, f64), count: f64) -> Vec<f64> {
    let raw = (high - low) / count;
    if !(raw > 0.0 && raw.is_finite()) {
        return Vec::new();
    }
    let step = nice(raw);
    let first = (low / step).ceil() * step;
    (0..20).map(|i| first + float(i) * step).take_while(|t| *t <= high + step * 1e-9).collect()
}

/// The number at a tick; not `-0`.
fn spelled(tick: f64) -> String {
    let rounded = (tick * 1e6).round() / 1e6 + 0.0;
    rounded.to_string().replace('-', "−")
}

/// Where a panel lies, in points.
struct Place {
    left: f64,
    top: f64,
    /// The upper edge of the plot.
    plot: f64,
    letter: char,
}

impl Place {
    fn drawn(&self, panel: &Panel, legend: &[Vec<(usize, f64)>], x: (f64, f64), stages: &[(f64, String)]) -> String {
        let (left, right) = (self.left + LEFT, self.left + WIDTH / float(COLUMNS) - RIGHT);
        let bottom = self.plot + PLOT;
        let finite = panel.curves.iter().flat_map(|(.., means)| means.values()).filter(|v| v.is_finite());
        let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)));
        let (low, high) = if low <= high { (low, high) } else { (-1.0, 0.0) };
        let air = ((high - low) * 0.06).max(0.05);
        let y = (low - air, high + air);
        let across = |step: f64| left + (step - x.0) / (x.1 - x.0) * (right - left);
        let up = |value: f64| bottom - (value - y.0) / (y.1 - y.0) * PLOT;

        let mut out = format!(
            "<text x=\"{:.1}\" y=\"{:.1}\"><tspan font-weight=\"bold\">{}</tspan> {}</text>\n",
            self.left + 2.0,
            self.top + 6.0,
            self.letter,
            panel.group.title()
        );
        for (line, named) in legend.iter().enumerate() {
            let middle = self.top + LINE * float(line + 1) + 4.0;
            for &(index, at) in named {
                let Some((symbol, hue, _)) = panel.curves.get(index) else { continue };
                let from = self.left + 2.0 + at;
                out += &format!(
                    "<path d=\"M{from:.1} {middle:.1}h{SAMPLE}\"{}/><text x=\"{:.1}\" y=\"{:.1}\">{}</text>\n",
                    stroke(hue),
                    from + SAMPLE + 2.0,
                    middle + 2.0,
                    escaped(symbol)
                );
            }
        }
        for tick in ticks(y, 4.0) {
            let at = up(tick);
            out += &format!(
                "<path d=\"M{left:.1} {at:.2}H{right:.1}\" stroke=\"#ddd\" stroke-width=\".35\"/>\
                 <text x=\"{:.1}\" y=\"{:.2}\" text-anchor=\"end\">{}</text>\n",
                left - 2.0,
                at + 2.0,
                spelled(tick)
            );
        }
        for tick in ticks(x, 4.0) {
            let at = across(tick);
            out += &format!(
                "<path d=\"M{at:.2} {bottom:.1}v2\" stroke=\"#000\" stroke-width=\".4\"/>\
                 <text x=\"{at:.2}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\n",
                bottom + 8.0,
                spelled(tick)
            );
        }
        for (start, name) in stages.iter().filter(|(start, _)| *start >= x.0 && *start < x.1) {
            let at = across(*start);
            out += &format!(
                "<path d=\"M{at:.2} {:.1}V{bottom:.1}\" stroke=\"#777\" stroke-width=\".4\" stroke-dasharray=\"1.5 1.5\"/>\
                 <text x=\"{:.2}\" y=\"{:.1}\" font-size=\"5\" fill=\"#555\">{name}</text>\n",
                self.plot,
                at + 1.5,
                self.plot - 1.0
            );
        }
        out += &format!(
            "<path d=\"M{left:.1} {:.1}V{bottom:.1}H{right:.1}\" fill=\"none\" stroke=\"#000\" stroke-width=\".5\"/>\n",
            self.plot
        );
        for (_, hue, means) in panel.curves.iter().rev() {
            let (mut line, mut pen) = (String::new(), false);
            for (step, value) in means.iter() {
                if value.is_finite() {
                    let draw = if pen { 'L' } else { 'M' };
                    line += &format!("{draw}{:.2} {:.2}", across(float_step(step)), up(value));
                }
                pen = value.is_finite();
            }
            out += &format!("<path class=\"curve\" d=\"{line}\"{}/>\n", stroke(hue));
        }
        out
    }
}

fn stroke(hue: &Hue) -> String {
    let dash = if hue.dash.is_empty() { String::new() } else { format!(" stroke-dasharray=\"{}\"", hue.dash) };
    format!(" fill=\"none\" stroke=\"{}\" stroke-width=\".9\" stroke-linejoin=\"round\"{dash}", hue.light)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::fixture::{evaluation, run, stage};
    use crate::protocol::{ProbeKind, TrainerEvent};

    #[test]
    fn every_curve_is_a_line_and_every_group_a_panel() -> Result<(), Box<dyn std::error::Error>> {
        let mut history = RunHistory::default();
        let stages = vec![stage("SFT", false, 8), stage("D<P>O\u{202e}", true, 32)];
        history.apply(&TrainerEvent::RunStarted(Box::new(run(4, 1, stages))));
        for step in 0..=40u8 {
            if step == 0 || step == 8 {
                let stage = usize::from(step == 8);
                history.apply(&TrainerEvent::StageStarted { stage, step: step.into() });
            }
            let logps = [(ProbeKind::Chosen, -30.0 - f32::from(step)), (ProbeKind::IrrTrain, f32::NAN)];
            history.apply(&TrainerEvent::from(evaluation(4, usize::from(step > 8), step.into(), &logps, -20.0)));
        }
        let drawn = figure(&history)?;
        assert_eq!(drawn.matches("class=\"curve\"").count(), present(&history).len());
        assert_eq!(drawn.matches("font-weight=\"bold\"").count(), ProbeGroup::ALL.len());
        assert!(drawn.contains("D&lt;P&gt;O&lt;U+202E&gt;") && drawn.contains("width=\"88mm\""));
        assert!(!drawn.contains("NaN") && !drawn.contains("inf"));
        resvg::usvg::Tree::from_str(&drawn, &resvg::usvg::Options::default())?;
        assert!(figure(&RunHistory::default()).is_err());
        Ok(())
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(ticks((-31.0, 9.0), 4.0), [-30.0, -20.0, -10.0, 0.0]);
        assert_eq!(ticks((0.0, 0.4), 4.0).len(), 5);
        assert!(ticks((1.0, 1.0), 4.0).is_empty());
        assert_eq!((spelled(-0.0), spelled(-2.5)), ("0".to_owned(), "−2.5".to_owned()));
    }
}
