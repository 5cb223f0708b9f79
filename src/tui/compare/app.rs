//! The state of a comparison, and what keys make of it. No I/O, no clock: the same messages give the same screens.

use std::sync::Arc;

use crossterm::event::KeyEvent;

use crate::history::{Aligned, Arm, By, CurveId, Difference, Scale, Series};
use crate::tui::glyphs::Glyphs;
use crate::tui::keymap::{self, Action, Context, Rows};
use crate::tui::message::{Effect, Ending};
use crate::tui::notice::Notice;
use crate::tui::paper::Paper;
use crate::tui::theme::{Theme, ThemeKind};
use crate::tui::upkeep::Upkeep;

/// How the comparison is looked at.
#[derive(Debug, Clone)]
pub struct CompareView {
    /// The measure that runs are aligned by.
    pub by: By,
    /// The curve on the chart.
    pub curve: CurveId,
    /// What the y axis shows.
    pub scale: Scale,
    /// The arm in the panel of differences; the baseline is arm 0.
    pub arm: usize,
    /// The point of the axis at which differences are read; `None` for its end.
    pub cursor: Option<usize>,
    /// The help overlay, scrolled down by this many rows.
    pub help: Option<u16>,
    /// The palette.
    pub theme: Theme,
    /// The glyphs of the screen.
    pub glyphs: Glyphs,
    /// The look of files.
    pub paper: Paper,
}

/// A curve in the panel of differences.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Which.
    pub curve: CurveId,
    /// Mean of the baseline.
    pub baseline: f64,
    /// Mean of the arm.
    pub arm: f64,
    /// Arm less baseline.
    pub difference: Difference,
}

/// An arm's line on the chart.
#[derive(Debug, Clone)]
pub(super) struct Overlay {
    pub(super) mean: Series,
    /// Quartiles over the prompts; only of the arm in the panel.
    pub(super) band: Option<(Series, Series)>,
}

/// The state of a comparison.
#[derive(Debug, Clone)]
pub struct Compare {
    /// Leaves out what depends on a clock: for screenshots.
    pub hide_clock: bool,
    /// How it is looked at.
    pub view: CompareView,
    arms: Arc<[Arm]>,
    aligned: Result<Aligned, String>,
    theme_locked: bool,
    overlays: Vec<Overlay>,
    rows: Vec<Row>,
    pub(super) upkeep: Upkeep,
}

impl Compare {
    /// A comparison of at least two arms, the baseline first.
    pub fn new(arms: Arc<[Arm]>, view: CompareView) -> Self {
        let mut app = Self {
            hide_clock: false,
            theme_locked: view.theme.kind == ThemeKind::Mono,
            aligned: Aligned::new(Arc::clone(&arms), view.by),
            view,
            arms,
            overlays: Vec::new(),
            rows: Vec::new(),
            upkeep: Upkeep::default(),
        };
        app.refresh();
        app
    }

    /// The arms, the baseline first.
    pub fn arms(&self) -> &[Arm] {
        &self.arms
    }

    /// The arms on one axis, or why they cannot be.
    pub fn aligned(&self) -> Result<&Aligned, &str> {
        self.aligned.as_ref().map_err(String::as_str)
    }

    /// The panel of differences.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The lines of the chart, one an arm.
    pub(super) fn overlays(&self) -> &[Overlay] {
        &self.overlays
    }

    /// The line in the footer.
    pub(super) fn notice(&self) -> Option<&Notice> {
        self.upkeep.notice().filter(|_| !self.hide_clock)
    }

    /// The point at which differences are read.
    pub fn point(&self) -> usize {
        let end = self.aligned.as_ref().map_or(0, Aligned::end);
        self.view.cursor.map_or(end, |at| at.min(end))
    }

    /// Why the screen was left.
    pub fn ending(&self) -> Ending {
        self.upkeep.ending()
    }

    /// Works out the lines and the panel again.
    fn refresh(&mut self) {
        self.upkeep.touch();
        self.overlays.clear();
        self.rows.clear();
        let Ok(aligned) = &self.aligned else { return };
        let CompareView { curve, scale, arm, .. } = self.view;
        let series = |values: Vec<f64>| Series::new(places(aligned), values);
        self.overlays = (0..self.arms.len())
            .map(|at| {
                let band = (at == arm).then(|| aligned.quartiles(at, curve, scale));
                Overlay {
                    mean: series(aligned.mean(at, curve, scale)),
                    band: band.map(|(low, high)| (series(low), series(high))),
                }
            })
            .collect();
        self.refresh_rows();
    }

    fn refresh_rows(&mut self) {
        self.upkeep.touch();
        let Ok(aligned) = &self.aligned else { return };
        let (CompareView { scale, arm, .. }, point) = (&self.view, self.point());
        let row = |curve| Row {
            curve,
            baseline: aligned.mean_at(0, curve, *scale, point),
            arm: aligned.mean_at(*arm, curve, *scale, point),
            difference: aligned.difference(*arm, curve, *scale, point),
        };
        self.rows = aligned.curves().into_iter().map(row).collect();
    }

    pub(super) fn key(&mut self, key: KeyEvent) -> Vec<Effect> {
        let mode = if self.view.help.is_some() { Context::Help } else { Context::Compare };
        let Some(action) = keymap::lookup(mode, key) else { return Vec::new() };
        self.upkeep.touch();
        match action {
            Action::Help => self.view.help = Some(0),
            Action::Cancel => self.view.help = None,
            Action::List(by) => self.list(by),
            Action::Cursor(by) => self.move_cursor(by),
            Action::ResetView => {
                self.view.cursor = None;
                self.refresh_rows();
            }
            Action::FocusNext => self.next_arm(1),
            Action::FocusPrevious => self.next_arm(self.arms.len().saturating_sub(2)),
            Action::NextAlignment => {
                let at = By::ALL.iter().position(|&by| by == self.view.by).unwrap_or(0);
                self.view.by = By::ALL[(at + 1) % By::ALL.len()];
                self.view.cursor = None;
                self.aligned = Aligned::new(Arc::clone(&self.arms), self.view.by);
                self.refresh();
            }
            Action::NextScale => {
                self.view.scale = self.view.scale.next();
                self.refresh();
            }
            Action::NextTheme => {
                let chosen = self.view.paper.next_theme(&mut self.view.theme, self.theme_locked);
                self.upkeep.refused(chosen);
            }
            _ => return action.effect(),
        }
        Vec::new()
    }

    fn list(&mut self, by: Rows) {
        if let Some(row) = self.view.help {
            self.view.help = Some(by.scrolled(row, keymap::bindings(Context::Compare).count()));
            return;
        }
        let curves: Vec<CurveId> = self.rows.iter().map(|row| row.curve).collect();
        let at = curves.iter().position(|&c| c == self.view.curve);
        if let Some(at) = by.moved(at, curves.len()) {
            self.view.curve = curves[at];
            self.refresh();
        }
    }

    fn move_cursor(&mut self, by: i32) {
        let Ok(aligned) = &self.aligned else { return };
        self.view.cursor = Some(self.point().saturating_add_signed(by as isize).min(aligned.end()));
        self.refresh_rows();
    }

    /// Another arm but the baseline.
    fn next_arm(&mut self, by: usize) {
        let others = self.arms.len().saturating_sub(1).max(1);
        self.view.arm = 1 + (self.view.arm.saturating_sub(1) + by) % others;
        self.refresh();
    }
}

/// The places of the axis' points on the chart: steps are themselves, losses and margins are spaced evenly.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "steps")]
pub(super) fn places(aligned: &Aligned) -> Vec<u64> {
    match aligned.by() {
        By::Step => aligned.axis().map(|step| step as u64).collect(),
        By::Loss | By::Margin => (0..=aligned.end() as u64).collect(),
    }
}
