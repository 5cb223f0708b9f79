//! The looks of curves, arms of a comparison and classes: a row each of dash, marker and colour.

use ratatui::style::{Color as C, Modifier, Style};

use self::Dash::{Alternating, Dashed, Dotted, Long, Solid, Sparse, TwoDots};
use super::{Ink, Theme};
use crate::history::CurveId;
use crate::protocol::ProbeKind as P;

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
    Alternating,
    /// ───── ─────
    Long,
    /// ── · · ── · ·
    TwoDots,
    /// ·   ·   ·
    Sparse,
}

impl Dash {
    /// Every dash, those that differ most first.
    const ALL: [Self; 7] = [Solid, Dashed, Long, Alternating, Dotted, TwoDots, Sparse];

    /// Dots drawn and dots left out, in turn, along the line. A solid line has no pattern.
    pub fn pattern(self) -> &'static [u8] {
        match self {
            Self::Solid => &[],
            Self::Dashed => &[4, 4],
            Self::Dotted => &[1, 3],
            Self::Alternating => &[5, 3, 1, 3],
            Self::Long => &[10, 4],
            Self::TwoDots => &[6, 2, 1, 2, 1, 2],
            Self::Sparse => &[1, 7],
        }
    }
}

/// How a curve is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CurveLook {
    /// The colour of the curve. Bold curves are drawn over the others.
    pub style: Style,
    /// The dash of its line.
    pub dash: Dash,
    /// The marker at its points and in the legend.
    pub marker: char,
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
        let look = self.curve(HUES[index % HUES.len()]);
        CurveLook {
            style: look.style.remove_modifier(Modifier::BOLD),
            dash: Dash::ALL[index % Dash::ALL.len()],
            ..look
        }
    }

    /// Arms that can be told apart.
    pub const ARMS: usize = 8;

    /// The look of what is said of a class: ten hues and dashes of the curves above, and the class's number for a marker.
    pub fn class(&self, index: usize) -> CurveLook {
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
}

/// The curves that tell the story: drawn bold and over the others.
pub fn leads(curve: CurveId) -> bool {
    matches!(curve, CurveId::Probe(P::Chosen | P::Rejected) | CurveId::ArgmaxChosen)
}

/// Dash, marker, ink on the dark ground, ink on the light one.
type Look = (Dash, char, Ink, Ink);

/// Looks that were chosen, a row a curve. A kind of answer without one takes what its group has left.
#[rustfmt::skip]
const LOOKS: [(CurveId, Dash, char, Ink, Ink); 16] = [
    // Blue.
    (CurveId::Probe(P::Chosen), Solid, '●', Ink(0x4F_B9F7, C::LightCyan), Ink(0x00_5FA8, C::Blue)),
    (CurveId::Probe(P::ChosenInitial), Dotted, '○', Ink(0x94_B7D6, C::Cyan), Ink(0x4B_6F93, C::Blue)),
    (CurveId::Probe(P::ChosenSelfr), Alternating, '◎', Ink(0x7F_A6D9, C::Cyan), Ink(0x3B_66A0, C::Blue)),
    (CurveId::Probe(P::ChosenGptsemantic), Dashed, '◐', Ink(0x63_A0CC, C::Cyan), Ink(0x1F_6C9E, C::Blue)),
    (CurveId::Probe(P::ChosenGptformat), TwoDots, '◒', Ink(0x6F_93C4, C::Cyan), Ink(0x47_5A80, C::Blue)),
    // Vermilion.
    (CurveId::Probe(P::Rejected), Solid, '■', Ink(0xFF_7A33, C::LightRed), Ink(0xC2_4100, C::Red)),
    (CurveId::Probe(P::RejectGptsemantic), Dashed, '□', Ink(0xDB_9067, C::Red), Ink(0x9A_5530, C::Red)),
    (CurveId::Probe(P::RejectGptformat), Dotted, '▪', Ink(0xC9_8466, C::Red), Ink(0x8A_5A44, C::Red)),
    // Bluish green.
    (CurveId::Probe(P::IrrTrain), Long, '▲', Ink(0x32_C38C, C::LightGreen), Ink(0x00_7355, C::Green)),
    (CurveId::Probe(P::IrrTest), TwoDots, '△', Ink(0x6F_CBB3, C::Green), Ink(0x1F_8355, C::Green)),
    (CurveId::Probe(P::Repeater), Sparse, '▸', Ink(0x5B_A98F, C::Green), Ink(0x47_7060, C::Green)),
    // Reddish purple.
    (CurveId::Probe(P::IrrHum), Long, '◆', Ink(0xDD_8CBB, C::LightMagenta), Ink(0x9B_3E82, C::Magenta)),
    // Grey.
    (CurveId::Probe(P::RandomPermute), Dashed, '✕', Ink(0xA4_ABB3, C::Gray), Ink(0x5E_646B, C::DarkGray)),
    (CurveId::Probe(P::RandomNonhum), Alternating, '+', Ink(0x8C_949D, C::Gray), Ink(0x6E_7379, C::DarkGray)),
    // Yellow, which on a light ground is black.
    (CurveId::ArgmaxChosen, Solid, '★', Ink(0xFF_E83D, C::LightYellow), Ink(0x00_0000, C::Black)),
    (CurveId::ArgmaxRejected, TwoDots, '☆', Ink(0xCF_BF5A, C::Yellow), Ink(0x42_3D30, C::Black)),
];

/// Markers of curves without a row.
const SPARE: [char; 6] = ['▼', '▽', '◇', '◁', '▷', '◌'];

/// The look of a curve.
fn row(curve: CurveId) -> Look {
    let chosen = LOOKS.iter().find(|(of, ..)| *of == curve);
    chosen.map_or_else(|| left(curve), |&(_, dash, marker, dark, light)| (dash, marker, dark, light))
}

/// What its group has left for a curve without a row: its hue, a dash that no other of its curves has, and a marker that no
/// curve has at all.
fn left(curve: CurveId) -> Look {
    let without = || CurveId::all().filter(|c| LOOKS.iter().all(|(of, ..)| of != c));
    let of_group = || LOOKS.iter().filter(|(of, ..)| of.group() == curve.group());
    if let CurveId::Probe(P::Other(unlisted)) = curve {
        // As many as a run file has: looks repeat, names do not.
        let (dash, marker) = (Dash::ALL[unlisted.place() % Dash::ALL.len()], SPARE[unlisted.place() % SPARE.len()]);
        return (dash, marker, GREY.0, GREY.1);
    }
    let nth = without().filter(|c| c.group() == curve.group()).position(|c| c == curve).unwrap_or(0);
    let dash = Dash::ALL.into_iter().filter(|dash| of_group().all(|(_, taken, ..)| taken != dash)).nth(nth);
    let marker = without().position(|c| c == curve).unwrap_or(0);
    let (dark, light) = of_group().next().map_or((GREY.0, GREY.1), |&(.., dark, light)| (dark, light));
    (dash.unwrap_or_default(), SPARE[marker % SPARE.len()], dark, light)
}

/// The hue of a group in which no curve has a row.
const GREY: (Ink, Ink) = (Ink(0xA4_ABB3, C::Gray), Ink(0x5E_646B, C::DarkGray));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_without_a_row_takes_what_its_group_has_left() {
        for (curve, dash, ..) in LOOKS {
            let (left, marker, ..) = left(curve);
            let of_group = || LOOKS.iter().filter(|(of, ..)| of.group() == curve.group());
            assert!(of_group().all(|(_, taken, ..)| *taken != left) && dash != left, "{curve:?}");
            assert!(LOOKS.iter().all(|(_, _, taken, ..)| *taken != marker), "{curve:?}");
        }
    }
}
