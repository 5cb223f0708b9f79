//! The curves as they are drawn, worked out when the history or the scale changes and not at every frame.

use super::viewstate::ViewState;
use crate::history::{CurveId, RunHistory, Series};

/// One curve on the current scale: the mean over the probe prompts.
#[derive(Debug, Clone)]
pub struct Curve {
    /// Which.
    pub id: CurveId,
    /// As measured.
    pub raw: Series,
    /// Smoothed; absent while smoothing is off.
    pub smooth: Option<Series>,
    /// Quartiles over the prompts; only of the selected curve.
    pub band: Option<(Series, Series)>,
}

impl Curve {
    /// The series that the chart draws.
    pub fn drawn(&self) -> &Series {
        self.smooth.as_ref().unwrap_or(&self.raw)
    }

    /// The raw value at `step`.
    pub fn at(&self, step: u64) -> Option<f64> {
        self.raw.at(step)
    }

    /// Change of the raw value since the first evaluation.
    pub fn delta(&self, step: u64) -> Option<f64> {
        Some(self.raw.at(step)? - self.raw.values.first()?)
    }
}

/// Every curve that the run has, in the order of the legend.
pub(super) fn curves(history: &RunHistory, view: &ViewState) -> Vec<Curve> {
    CurveId::all()
        .filter_map(|id| {
            let raw = history.curve(id, view.scale, None);
            if raw.is_empty() {
                return None;
            }
            let smooth = view.smoothing.weight().map(|w| raw.smoothed(w));
            let band = (view.curve == Some(id)).then(|| history.quartiles(id, view.scale));
            Some(Curve { id, raw, smooth, band })
        })
        .collect()
}
