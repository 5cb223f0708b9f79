//! Colours, dashes and markers: the only file that names colours.
//!
//! The hues are those of Okabe & Ito (2008), lightened on the dark ground and darkened on the light one until every
//! curve has a contrast of at least 4.5 : 1 against it (WCAG AA). One hue a group; within a group the first curve is the
//! most saturated, and dash *and* marker differ. Two curves of one dash are at least ΔE 20 (CIE 1976) apart for readers
//! with any colour vision. The three that tell the story differ by colour alone: y⁺ blue, y⁻ vermilion, y* yellow (black
//! on a light ground), all three bold. No curve shares its marker with another in any theme, so that [`ThemeKind::Mono`]
//! loses nothing. Tests hold all of this.

mod depth;
mod look;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vision;

use ratatui::style::{Color, Modifier, Style};

use self::depth::nearest_indexed;
pub use self::look::{CurveLook, Dash, leads};
use crate::history::DynamicsState;

/// Which palette.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThemeKind {
    /// Colour-blind-safe on a dark ground.
    #[default]
    Dark,
    /// Colour-blind-safe on a light ground.
    Light,
    /// No colour at all: markers, dashes, bold and reverse.
    Mono,
}

impl ThemeKind {
    /// Every palette, in the order in which the key cycles.
    pub const ALL: [Self; 3] = [Self::Dark, Self::Light, Self::Mono];

    /// The palette after this one.
    pub fn next(self) -> Self {
        match self {
            Self::Dark => Self::Light,
            Self::Light => Self::Mono,
            Self::Mono => Self::Dark,
        }
    }
}

/// How many colours the terminal has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ColorDepth {
    /// 24 bits.
    #[default]
    True,
    /// The 256-colour cube.
    Indexed,
    /// The 16 ANSI colours.
    Ansi,
}

/// A colour in 24 bits, `0xRRGGBB`, and its stand-in among the 16 of ANSI.
#[derive(Debug, Clone, Copy)]
struct Ink(u32, Color);

/// A palette at a colour depth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Theme {
    /// Which palette.
    pub kind: ThemeKind,
    /// The colour depth of the terminal.
    pub depth: ColorDepth,
}

impl Theme {
    /// Plain text and the screen's ground.
    pub fn text(&self) -> Style {
        let (fg, bg) = self.ground();
        // Sixteen colours are the user's own, ground included.
        if self.kind == ThemeKind::Mono || self.depth == ColorDepth::Ansi {
            return Style::new();
        }
        Style::new().fg(self.color(Ink(fg, Color::Reset))).bg(self.color(Ink(bg, Color::Reset)))
    }

    /// Default foreground and background, `0xRRGGBB`: what a screenshot paints where a cell names no colour.
    pub fn ground(&self) -> (u32, u32) {
        match self.kind {
            ThemeKind::Dark => (0xD5_DAE1, 0x0F_141A),
            ThemeKind::Light => (0x24_292F, 0xFD_FCF9),
            ThemeKind::Mono => (0xD8_D8D8, 0x10_1010),
        }
    }

    /// Secondary text.
    pub fn dim(&self) -> Style {
        if self.kind == ThemeKind::Mono {
            return Style::new().add_modifier(Modifier::DIM);
        }
        self.ink(Ink(0x87_929E, Color::DarkGray), Ink(0x5F_6770, Color::DarkGray))
    }

    /// Grid lines and other marks that must not compete with a curve.
    pub fn faint(&self) -> Style {
        if self.kind == ThemeKind::Mono {
            return Style::new().add_modifier(Modifier::DIM);
        }
        self.ink(Ink(0x3A_434D, Color::DarkGray), Ink(0xC9_CBCC, Color::Gray))
    }

    /// Titles and keys.
    pub fn accent(&self) -> Style {
        self.ink(Ink(0xF2_F4F7, Color::Reset), Ink(0x00_0000, Color::Reset)).add_modifier(Modifier::BOLD)
    }

    /// A panel's border.
    pub fn border(&self, focused: bool) -> Style {
        match (focused, self.kind) {
            (true, _) => {
                self.ink(Ink(0x9F_B8CC, Color::Reset), Ink(0x2F_5D8A, Color::Reset)).add_modifier(Modifier::BOLD)
            }
            (false, ThemeKind::Mono) => Style::new().add_modifier(Modifier::DIM),
            (false, _) => self.ink(Ink(0x4A_5561, Color::DarkGray), Ink(0xA9_AEB3, Color::DarkGray)),
        }
    }

    /// A selected row.
    pub fn selection(&self) -> Style {
        self.filled(Ink(0x2A_3B4D, Color::Reset), Ink(0xD6_E4F2, Color::Reset))
    }

    /// The word for a state of the dynamics, and its banner.
    pub fn state(&self, state: DynamicsState) -> Style {
        use DynamicsState as S;
        let style = match state {
            S::Healthy => self.gain(),
            S::Displacing => self.ink(Ink(0xF0_E442, Color::Yellow), Ink(0x7A_5C00, Color::Reset)),
            S::Flattening => self.ink(Ink(0xE6_9F00, Color::Yellow), Ink(0x8F_5300, Color::Reset)),
            S::Squeezing | S::Collapse => self.ink(Ink(0xFF_8A4C, Color::LightRed), Ink(0xB3_3A00, Color::Red)),
        };
        if state.is_alarm() {
            return style.add_modifier(Modifier::BOLD | Modifier::REVERSED);
        }
        if state == S::Healthy { style } else { style.add_modifier(Modifier::BOLD) }
    }

    /// A warning.
    pub fn warning(&self) -> Style {
        self.ink(Ink(0xE6_9F00, Color::Yellow), Ink(0x8F_5300, Color::Red)).add_modifier(Modifier::BOLD)
    }

    /// A number that rose.
    pub fn gain(&self) -> Style {
        self.ink(Ink(0x5F_C9A4, Color::Green), Ink(0x00_6B4F, Color::Green))
    }

    /// A number that fell.
    pub fn loss(&self) -> Style {
        self.ink(Ink(0xF0_8A5D, Color::LightRed), Ink(0xA8_3A00, Color::Red))
    }

    /// The foreground of this theme, at its depth.
    fn ink(&self, dark: Ink, light: Ink) -> Style {
        match self.kind {
            ThemeKind::Dark => Style::new().fg(self.color(dark)),
            ThemeKind::Light => Style::new().fg(self.color(light)),
            ThemeKind::Mono => Style::new(),
        }
    }

    /// A background, or reverse where the depth has no quiet one.
    fn filled(&self, dark: Ink, light: Ink) -> Style {
        match (self.kind, self.depth) {
            (ThemeKind::Mono, _) | (_, ColorDepth::Ansi) => Style::new().add_modifier(Modifier::REVERSED),
            (ThemeKind::Dark, _) => Style::new().bg(self.color(dark)),
            (ThemeKind::Light, _) => Style::new().bg(self.color(light)),
        }
    }

    fn color(&self, Ink(rgb, ansi): Ink) -> Color {
        match self.depth {
            ColorDepth::True => Color::from_u32(rgb),
            ColorDepth::Indexed => Color::Indexed(nearest_indexed(rgb)),
            ColorDepth::Ansi => ansi,
        }
    }
}
