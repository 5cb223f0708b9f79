//! Colours, dashes and markers: the only file that names colours.
//!
//! The hues are those of Okabe & Ito (2008), lightened on the dark ground and darkened on the light one until every
//! curve has a contrast of at least 4.5 : 1 against it (WCAG AA; held by a test). One hue a group; within a group the
//! first curve is the most saturated, and dash *and* marker differ. The three curves that tell the story stay apart
//! for readers with any colour vision: y⁺ blue, y⁻ vermilion, y* yellow (black on a light ground), all three bold.
//! No curve shares its marker with another in any theme, so that [`ThemeKind::Mono`] loses nothing.

use ratatui::style::{Color, Modifier, Style};

use crate::history::{CurveId, DynamicsState};
use crate::protocol::ProbeKind;

/// Which palette.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
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

/// The dash of a line: how it is told apart without colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Dash {
    /// ────────
    #[default]
    Solid,
    /// ── ── ──
    Dashed,
    /// · · · ·
    Dotted,
    /// ── · ── ·
    DashDot,
    /// ───── ─────
    LongDash,
}

impl Dash {
    /// Dots drawn and dots left out, in turn, along the line. A solid line has no pattern.
    pub fn pattern(self) -> &'static [u8] {
        match self {
            Self::Solid => &[],
            Self::Dashed => &[4, 4],
            Self::Dotted => &[1, 3],
            Self::DashDot => &[5, 3, 1, 3],
            Self::LongDash => &[10, 4],
        }
    }
}

/// How a curve is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CurveLook {
    /// Its colour. Bold curves are drawn over the others.
    pub style: Style,
    /// Its dash.
    pub dash: Dash,
    /// The marker at its points and in the legend.
    pub marker: char,
}

/// A colour in 24 bits, `0xRRGGBB`, and its stand-in among the 16 of ANSI.
#[derive(Debug, Clone, Copy)]
struct Ink(u32, Color);

/// A palette at a colour depth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Theme {
    /// Which palette.
    pub kind: ThemeKind,
    /// At which depth.
    pub depth: ColorDepth,
}

impl Theme {
    /// The look of a curve.
    pub fn curve(&self, curve: CurveId) -> CurveLook {
        let (dash, marker, dark, light) = row(curve);
        let mut style = self.ink(dark, light);
        if leads(curve) {
            style = style.add_modifier(Modifier::BOLD);
        }
        CurveLook { style, dash, marker }
    }

    /// The look of an arm of a comparison: hue and marker differ among the first [`ARMS`](Self::ARMS), the dash between
    /// neighbours; further arms repeat them.
    pub fn arm(&self, index: usize) -> CurveLook {
        use Dash::{DashDot, Dashed, Dotted, LongDash, Solid};
        use ProbeKind as P;
        const HUES: [CurveId; 8] = [
            CurveId::Probe(P::Chosen),
            CurveId::Probe(P::Rejected),
            CurveId::Probe(P::IrrTrain),
            CurveId::Probe(P::IrrHum),
            CurveId::ArgmaxChosen,
            CurveId::Probe(P::RandomPermute),
            CurveId::Probe(P::ChosenInitial),
            CurveId::Probe(P::RejectGptsemantic),
        ];
        const DASHES: [Dash; 5] = [Solid, Dashed, LongDash, DashDot, Dotted];
        let look = self.curve(HUES[index % HUES.len()]);
        CurveLook { style: look.style.remove_modifier(Modifier::BOLD), dash: DASHES[index % DASHES.len()], ..look }
    }

    /// Arms that can be told apart.
    pub const ARMS: usize = 8;

    /// The look of what is said of a class: ten hues and dashes of the curves above, and the class's number for a marker.
    pub fn class(&self, index: usize) -> CurveLook {
        use ProbeKind as P;
        const HUES: [CurveId; 10] = [
            CurveId::Probe(P::RandomPermute),
            CurveId::Probe(P::IrrTest),
            CurveId::Probe(P::IrrHum),
            CurveId::Probe(P::ChosenGptsemantic),
            CurveId::Probe(P::Rejected),
            CurveId::Probe(P::IrrTrain),
            CurveId::ArgmaxRejected,
            CurveId::Probe(P::RejectGptsemantic),
            CurveId::Probe(P::ChosenInitial),
            CurveId::Probe(P::Chosen),
        ];
        let (dash, _, dark, light) = row(HUES[index % HUES.len()]);
        let marker = u32::try_from(index % 36).ok().and_then(|i| char::from_digit(i, 36)).unwrap_or('?');
        CurveLook { style: self.ink(dark, light), dash, marker }
    }

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

/// The curves that tell the story: drawn bold and over the others.
fn leads(curve: CurveId) -> bool {
    matches!(curve, CurveId::Probe(ProbeKind::Chosen | ProbeKind::Rejected) | CurveId::ArgmaxChosen)
}

/// Dash, marker, ink on the dark ground, ink on the light one: a row a curve.
fn row(curve: CurveId) -> (Dash, char, Ink, Ink) {
    use Color as C;
    use Dash::{DashDot, Dashed, Dotted, LongDash, Solid};
    use ProbeKind as P;
    let probe = match curve {
        CurveId::Probe(kind) => kind,
        CurveId::ArgmaxChosen => return (Solid, '★', Ink(0xFF_E83D, C::LightYellow), Ink(0x00_0000, C::Black)),
        CurveId::ArgmaxRejected => return (Dashed, '☆', Ink(0xCF_BF5A, C::Yellow), Ink(0x4A_4436, C::Black)),
    };
    match probe {
        // Blue.
        P::Chosen => (Solid, '●', Ink(0x4F_B9F7, C::LightCyan), Ink(0x00_5FA8, C::Blue)),
        P::ChosenInitial => (Dotted, '○', Ink(0x94_B7D6, C::Cyan), Ink(0x4B_6F93, C::Blue)),
        P::ChosenSelfr => (DashDot, '◎', Ink(0x7F_A6D9, C::Cyan), Ink(0x3B_66A0, C::Blue)),
        P::ChosenGptsemantic => (Dashed, '◐', Ink(0x63_A0CC, C::Cyan), Ink(0x1F_6C9E, C::Blue)),
        P::ChosenGptformat => (LongDash, '◒', Ink(0x6F_93C4, C::Cyan), Ink(0x41_5F8C, C::Blue)),
        // Vermilion.
        P::Rejected => (Solid, '■', Ink(0xFF_7A33, C::LightRed), Ink(0xC2_4100, C::Red)),
        P::RejectGptsemantic => (Dashed, '□', Ink(0xDB_9067, C::Red), Ink(0x9A_5530, C::Red)),
        P::RejectGptformat => (Dotted, '▪', Ink(0xC9_8466, C::Red), Ink(0x8A_5A44, C::Red)),
        // Bluish green.
        P::IrrTrain => (Solid, '▲', Ink(0x2E_C29A, C::LightGreen), Ink(0x00_7355, C::Green)),
        P::IrrTest => (Dashed, '△', Ink(0x7C_C4AE, C::Green), Ink(0x2F_7563, C::Green)),
        P::Repeater => (Dotted, '▸', Ink(0x5B_A98F, C::Green), Ink(0x47_7060, C::Green)),
        // Reddish purple.
        P::IrrHum => (Dashed, '◆', Ink(0xDD_8CBB, C::LightMagenta), Ink(0x9C_3F77, C::Magenta)),
        // Grey.
        P::RandomPermute => (Dashed, '✕', Ink(0xA4_ABB3, C::Gray), Ink(0x5E_646B, C::DarkGray)),
        P::RandomNonhum => (Dotted, '+', Ink(0x8C_949D, C::Gray), Ink(0x6E_7379, C::DarkGray)),
    }
}

/// The nearest of xterm's 216 cube colours and 24 greys.
fn nearest_indexed(rgb: u32) -> u8 {
    let distance = |i: &u8| {
        indexed_rgb(*i)
            .to_be_bytes()
            .iter()
            .zip(rgb.to_be_bytes())
            .map(|(&a, b)| u32::from(a.abs_diff(b)).pow(2))
            .sum::<u32>()
    };
    (16..=255).min_by_key(distance).unwrap_or(15)
}

/// What xterm paints for entry 16 to 255 of its palette.
fn indexed_rgb(index: u8) -> u32 {
    const LEVELS: [u32; 6] = [0x00, 0x5F, 0x87, 0xAF, 0xD7, 0xFF];
    let i = u32::from(index.saturating_sub(16));
    if i >= 216 {
        return (8 + (i - 216) * 10) * 0x01_0101;
    }
    let level = |x: u32| LEVELS[(x % 6) as usize];
    (level(i / 36) << 16) | (level(i / 6) << 8) | level(i)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn rgb(color: Option<Color>) -> Option<u32> {
        match color {
            Some(Color::Rgb(r, g, b)) => Some(u32::from_be_bytes([0, r, g, b])),
            _ => None,
        }
    }

    fn linear(rgb: u32) -> [f64; 3] {
        let [_, r, g, b] = rgb.to_be_bytes();
        [r, g, b].map(|x| {
            let x = f64::from(x) / 255.0;
            if x <= 0.04045 { x / 12.92 } else { ((x + 0.055) / 1.055).powf(2.4) }
        })
    }

    /// WCAG 2 contrast ratio.
    fn contrast(a: u32, b: u32) -> f64 {
        let luminance = |c| {
            let [r, g, b] = linear(c);
            0.2126 * r + 0.7152 * g + 0.0722 * b
        };
        let (a, b): (f64, f64) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    /// CIELAB (D65) of linear sRGB.
    fn lab([r, g, b]: [f64; 3]) -> [f64; 3] {
        let f = |t: f64| if t > 0.008_856 { t.cbrt() } else { 7.787 * t + 16.0 / 116.0 };
        let x = f((0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505);
        let y = f(0.2126 * r + 0.7152 * g + 0.0722 * b);
        let z = f((0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089);
        [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
    }

    /// Full dichromacy after Machado, Oliveira & Fernandes (2009): none, protan, deutan, tritan.
    const VISION: [[[f64; 3]; 3]; 4] = [
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
        [[0.152_286, 1.052_583, -0.204_868], [0.114_503, 0.786_281, 0.099_216], [-0.003_882, -0.048_116, 1.051_998]],
        [[0.367_322, 0.860_646, -0.227_968], [0.280_085, 0.672_501, 0.047_413], [-0.011_820, 0.042_940, 0.968_881]],
        [[1.255_528, -0.076_749, -0.178_779], [-0.078_411, 0.930_809, 0.147_602], [0.004_733, 0.691_367, 0.303_900]],
    ];

    fn seen(vision: &[[f64; 3]; 3], color: u32) -> [f64; 3] {
        let c = linear(color);
        lab(vision.map(|row| row.iter().zip(c).map(|(m, x)| m * x).sum::<f64>().clamp(0.0, 1.0)))
    }

    fn themes() -> impl Iterator<Item = Theme> {
        ThemeKind::ALL.into_iter().flat_map(|kind| {
            [ColorDepth::True, ColorDepth::Indexed, ColorDepth::Ansi].map(|depth| Theme { kind, depth })
        })
    }

    #[test]
    fn no_two_curves_share_dash_and_marker() {
        for theme in themes() {
            let looks: BTreeSet<_> = CurveId::all().map(|c| theme.curve(c).marker).collect();
            assert_eq!(looks.len(), CurveId::all().count());
        }
    }

    #[test]
    fn within_a_group_dashes_differ_and_lines_share_their_hue() {
        for a in CurveId::all() {
            for b in CurveId::all().filter(|&b| b != a && b.group() == a.group()) {
                assert_ne!(Theme::default().curve(a).dash, Theme::default().curve(b).dash, "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn arms_are_told_apart_by_marker_and_by_hue() {
        let theme = Theme::default();
        let looks: Vec<_> = (0..Theme::ARMS).map(|i| theme.arm(i)).collect();
        for (i, a) in looks.iter().enumerate() {
            for b in &looks[i + 1..] {
                assert_ne!(a.marker, b.marker);
                assert_ne!(a.style, b.style);
            }
        }
        assert_eq!(theme.arm(Theme::ARMS).marker, looks[0].marker);
    }

    #[test]
    fn mono_emits_no_colour() {
        use DynamicsState as S;
        for theme in themes().filter(|t| t.kind == ThemeKind::Mono) {
            let states = [S::Healthy, S::Displacing, S::Flattening, S::Squeezing, S::Collapse].map(|s| theme.state(s));
            let curves = CurveId::all().map(|c| theme.curve(c).style);
            let rest = [
                theme.text(),
                theme.dim(),
                theme.faint(),
                theme.accent(),
                theme.border(true),
                theme.border(false),
                theme.selection(),
                theme.warning(),
                theme.gain(),
                theme.loss(),
            ];
            for style in states.into_iter().chain(curves).chain(rest) {
                assert_eq!((style.fg, style.bg, style.underline_color), (None, None, None));
            }
        }
    }

    #[test]
    fn every_curve_stands_out_from_the_ground() {
        for kind in [ThemeKind::Dark, ThemeKind::Light] {
            let theme = Theme { kind, depth: ColorDepth::True };
            let (fg, bg) = theme.ground();
            assert!(contrast(fg, bg) > 7.0);
            for curve in CurveId::all() {
                let ratio = rgb(theme.curve(curve).style.fg).map(|c| contrast(c, bg));
                assert!(ratio.is_some_and(|r| r >= 4.5), "{kind:?} {curve:?}: {ratio:?}");
            }
            for style in [theme.dim(), theme.warning(), theme.gain(), theme.loss(), theme.accent()] {
                let ratio = rgb(style.fg).map(|c| contrast(c, bg));
                assert!(ratio.is_some_and(|r| r >= 4.5), "{kind:?} {style:?}: {ratio:?}");
            }
        }
    }

    #[test]
    fn the_three_leading_curves_differ_for_every_colour_vision() {
        let leading = [CurveId::Probe(ProbeKind::Chosen), CurveId::Probe(ProbeKind::Rejected), CurveId::ArgmaxChosen];
        for kind in [ThemeKind::Dark, ThemeKind::Light] {
            let theme = Theme { kind, depth: ColorDepth::True };
            for vision in &VISION {
                let colors = leading.map(|c| rgb(theme.curve(c).style.fg).map(|c| seen(vision, c)));
                for (i, a) in colors.iter().enumerate() {
                    for b in &colors[i + 1..] {
                        let distance =
                            a.zip(*b).map(|(a, b)| a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt());
                        assert!(distance.is_some_and(|d| d > 25.0), "{kind:?} {vision:?} {distance:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn depths_hold_their_promise() {
        for theme in themes().filter(|t| t.kind != ThemeKind::Mono) {
            for curve in CurveId::all() {
                let fg = theme.curve(curve).style.fg;
                let kept = match theme.depth {
                    ColorDepth::True => matches!(fg, Some(Color::Rgb(..))),
                    ColorDepth::Indexed => matches!(fg, Some(Color::Indexed(16..))),
                    ColorDepth::Ansi => !matches!(fg, None | Some(Color::Rgb(..) | Color::Indexed(_))),
                };
                assert!(kept, "{theme:?} {fg:?}");
            }
        }
    }

    #[test]
    fn the_nearest_of_256_is_exact_where_it_exists() {
        assert_eq!(nearest_indexed(0x00_0000), 16);
        assert_eq!(nearest_indexed(0xFF_FFFF), 231);
        assert_eq!(nearest_indexed(0x5F_87AF), 67);
        assert_eq!(nearest_indexed(0x08_0808), 232);
    }
}
