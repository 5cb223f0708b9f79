//! The curves as they are drawn, worked out when the history or the scale changes and not at every frame.

use super::viewstate::ViewState;
use crate::history::{CurveId, RunHistory, Scale, Series};

/// Readings of a stretch that its band is drawn from, at most: more than a screen has columns.
const BAND: usize = 2048;

/// One curve on the current scale: the mean over the probe prompts.
#[derive(Debug, Clone)]
pub struct Curve {
    /// Which.
    pub id: CurveId,
    /// Prompts that the mean is over; `None` where the run records means alone and not of how many.
    pub prompts: Option<usize>,
    /// The values as they were measured, one an evaluation.
    pub raw: Series,
    /// The level that a change is a change of: log-probs where the scale shows changes, else the same as `raw`.
    pub level: Series,
    /// Smoothed, a value an evaluation; absent while smoothing is off.
    pub smooth: Option<Series>,
    /// What the chart draws, smoothed or not: one line, or one a stage where every stage counts anew.
    pub lines: Vec<Line>,
}

/// A stretch of a curve without a break.
#[derive(Debug, Clone)]
pub struct Line {
    /// The values of the curve.
    pub series: Series,
    /// Quartiles over the prompts; only of the selected curve.
    pub band: Option<(Series, Series)>,
}

impl Curve {
    /// The raw value at `step`.
    pub fn at(&self, step: u64) -> Option<f64> {
        self.raw.at(step)
    }

    /// The smoothed level at `step`: smoothing a change is smoothing the level that it is a change of.
    pub fn smooth_level(&self, step: u64) -> Option<f64> {
        let smooth = self.smooth.as_ref()?.at(step)?;
        let (level, raw) = (self.level.at(step)?, self.raw.at(step)?);
        // Without the difference where there is none, so that an infinity does not become a gap.
        Some(if level == raw { smooth } else { smooth + (level - raw) })
    }
}

/// Every curve that the run has on a scale, in the order of the legend.
pub(super) fn curves(history: &RunHistory, view: &ViewState, scale: Scale) -> Vec<Curve> {
    let of_means = history.run.as_ref().is_some_and(|run| run.means);
    history
        .curves()
        .filter_map(|id| {
            let mut raw = history.curve(id, scale, None);
            if raw.is_empty() {
                return None;
            }
            let level = if scale.is_change() { history.curve(id, Scale::LogProb, None) } else { raw.clone() };
            if let Some(anchor) = view.anchor {
                let from = level.at(anchor).unwrap_or(f64::NAN);
                raw = level.iter().map(|(step, value)| (step, value - from)).collect();
            }
            let weight = view.smoothing.weight();
            let mut smooth = weight.map(|_| Series::default());
            let mut lines = Vec::new();
            for stretch in history.stretches(id, scale) {
                let mut series = stretch.of(&raw);
                if let (Some(weight), Some(smooth)) = (weight, &mut smooth) {
                    series = series.smoothed(weight);
                    stretch.collect(&series, smooth);
                }
                // Quartiles are those of changes since a start that the history knows.
                let band =
                    (view.curve == Some(id) && view.anchor.is_none()).then(|| stretch.band(history, id, scale, BAND));
                lines.push(Line { series, band });
            }
            let prompts = (!of_means).then(|| history.prompts(id)).filter(|&n| n > 0);
            Some(Curve { id, prompts, raw, level, smooth, lines })
        })
        .collect()
}
