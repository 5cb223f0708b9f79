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

    #[test]
    fn no_two_curves_look_alike() {
        let curves: Vec<_> = CurveId::all().collect();
        let looks: BTreeSet<_> = hues(&curves).into_iter().map(|hue| (hue.light, hue.dash)).collect();
        assert_eq!(looks.len(), curves.len());
    }
}
