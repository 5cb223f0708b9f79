//! Colours, dashes and markers: the only file that names colours.

use ratatui::style::Style;

use crate::history::{CurveId, DynamicsState};

/// Which palette.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ThemeKind {
    /// Colour-blind-safe on a dark ground.
    #[default]
    Dark,
    /// Colour-blind-safe on a light ground.
    Light,
    /// No colour at all: markers, dashes, bold and reverse.
    Mono,
}

/// How many colours the terminal has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ColorDepth {
    /// 24 bits.
    #[default]
    True,
    /// The 256-colour cube.
    Indexed,
    /// The 16 ANSI colours.
    Ansi,
}

/// The dash of a line: how it is told apart without colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dash {
    /// ────
    #[default]
    Solid,
    /// ─ ─ ─
    Dashed,
    /// · · ·
    Dotted,
}

/// How a curve is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CurveLook {
    /// Its colour.
    pub style: Style,
    /// Its dash.
    pub dash: Dash,
    /// The marker at its points and in the legend.
    pub marker: char,
}

/// A palette at a colour depth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Theme {
    /// Which palette.
    pub kind: ThemeKind,
    /// At which depth.
    pub depth: ColorDepth,
}

impl Theme {
    /// The look of a curve.
    pub fn curve(&self, _curve: CurveId) -> CurveLook {
        CurveLook { style: Style::new(), dash: Dash::Solid, marker: '•' }
    }
    /// Plain text and the screen's ground.
    pub fn text(&self) -> Style {
        Style::new()
    }
    /// Secondary text.
    pub fn dim(&self) -> Style {
        Style::new().dim()
    }
    /// Titles and keys.
    pub fn accent(&self) -> Style {
        Style::new().bold()
    }
    /// A panel's border.
    pub fn border(&self, focused: bool) -> Style {
        if focused { Style::new().bold() } else { Style::new().dim() }
    }
    /// A selected row.
    pub fn selection(&self) -> Style {
        Style::new().reversed()
    }
    /// The word for a state of the dynamics, and its banner.
    pub fn state(&self, state: DynamicsState) -> Style {
        if state.is_alarm() { Style::new().bold().reversed() } else { Style::new() }
    }
    /// A warning.
    pub fn warning(&self) -> Style {
        Style::new().bold()
    }
    /// A number that rose.
    pub fn gain(&self) -> Style {
        Style::new()
    }
    /// A number that fell.
    pub fn loss(&self) -> Style {
        Style::new()
    }
}
