//! Colours and dashes of curves where there is no terminal: on paper and in a browser.

use crate::history::CurveId;
use crate::protocol::ProbeGroup;

/// How a curve is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hue {
    /// On a dark ground, `#rrggbb`.
    pub(super) dark: &'static str,
    /// On a light one and on paper.
    pub(super) light: &'static str,
    /// The dash, as SVG writes it; empty for a solid line.
    pub(super) dash: &'static str,
}

/// Dashes within a group, those that differ most first.
const DASHES: [&str; 7] = ["", "4 2", "1 1.6", "6 2 1 2", "9 2.5", "3 1 1 1 1 1", "1 4"];

/// The looks of a run's curves, in their order: the hue is the group's, the dash tells its members apart without colour.
pub(super) fn hues(curves: &[CurveId]) -> Vec<Hue> {
    let nth = |at: usize| curves[..at].iter().filter(|c| c.group() == curves[at].group()).count();
    let of = |(at, curve): (usize, &CurveId)| {
        let (dark, light) = ground(curve.group());
        Hue { dark, light, dash: DASHES[nth(at) % DASHES.len()] }
    };
    curves.iter().enumerate().map(of).collect()
}

/// Okabe and Ito's hues, made to stand out on either ground.
fn ground(group: ProbeGroup) -> (&'static str, &'static str) {
    match group {
        ProbeGroup::Answers => ("#4fb9f7", "#005fa8"),
        ProbeGroup::Rejected => ("#ff7a33", "#c24100"),
        ProbeGroup::Argmax => ("#ffe83d", "#000000"),
        ProbeGroup::Hallucination => ("#32c38c", "#007355"),
        ProbeGroup::Unrelated => ("#dd8cbb", "#9b3e82"),
        ProbeGroup::NotLanguage => ("#a4abb3", "#5e646b"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The contrast of two colours, 1 to 21: WCAG 2.1's ratio of relative luminances.
    fn contrast(a: &str, b: &str) -> f64 {
        let luminance = |colour: &str| -> f64 {
            let channel = |at: usize| {
                let x = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap_or_default()) / 255.0;
                if x <= 0.040_45 { x / 12.92 } else { ((x + 0.055) / 1.055).powf(2.4) }
            };
            0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
        };
        let (a, b) = (luminance(a) + 0.05, luminance(b) + 0.05);
        f64::max(a / b, b / a)
    }

    #[test]
    fn colours_stand_out_on_their_ground() {
        assert!((contrast("#000000", "#ffffff") - 21.0).abs() < 1e-9);
        for hue in hues(&CurveId::all().collect::<Vec<_>>()) {
            assert!(contrast(hue.light, "#ffffff") >= 3.0, "{} on paper", hue.light);
            assert!(contrast(hue.dark, "#0f141a") >= 3.0, "{} on a dark page", hue.dark);
        }
    }

    #[test]
    fn no_two_curves_look_alike() {
        let curves: Vec<_> = CurveId::all().collect();
        let looks: BTreeSet<_> = hues(&curves).into_iter().map(|hue| (hue.light, hue.dash)).collect();
        assert_eq!(looks.len(), curves.len());
    }
}
