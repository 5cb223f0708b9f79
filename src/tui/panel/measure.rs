//! One row of the dynamics panel.

use std::borrow::Cow;

use crate::history::Series;

/// The bounds of a rate.
pub(super) const RATE: Option<(f64, f64)> = Some((0.0, 1.0));

/// One measure: its name, its value now, its course, what it means.
pub(super) struct Measure {
    pub(super) name: Cow<'static, str>,
    pub(super) value: String,
    pub(super) course: Series,
    /// What the bars of its course span: a rate all of [`RATE`], anything else its own extremes.
    pub(super) bounds: Option<(f64, f64)>,
    pub(super) meaning: &'static str,
}
