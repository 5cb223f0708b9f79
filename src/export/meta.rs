//! The metadata of a screenshot.

/// The metadata that a screenshot carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScreenshotMeta {
    /// The run's id, raw.
    pub run_id: String,
    /// The run's seed.
    pub seed: u64,
    /// Optimiser steps taken at what is shown.
    pub step: u64,
    /// The view's name ("main").
    pub view: String,
    /// Painted where a cell names no foreground, `0xRRGGBB`.
    pub fg: u32,
    /// Painted where a cell names no background, `0xRRGGBB`.
    pub bg: u32,
}
