use std::collections::BTreeSet;

use ratatui::style::Color;

use super::vision::{VISIONS, contrast, delta_e};
use super::*;
use crate::history::CurveId;
use crate::protocol::ProbeKind;

fn rgb(color: Option<Color>) -> Option<u32> {
    match color {
        Some(Color::Rgb(r, g, b)) => Some(u32::from_be_bytes([0, r, g, b])),
        _ => None,
    }
}

fn themes() -> impl Iterator<Item = Theme> {
    ThemeKind::ALL
        .into_iter()
        .flat_map(|kind| [ColorDepth::True, ColorDepth::Indexed, ColorDepth::Ansi].map(|depth| Theme { kind, depth }))
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

/// Least ΔE (CIE 1976) between two lines of one dash, for any colour vision.
const TOLD_APART: f64 = 20.0;

/// Every pair of looks of one dash, as each reader sees it: the ones nearer than [`TOLD_APART`].
fn confused(looks: &[(String, CurveLook)]) -> Vec<String> {
    let mut confused = Vec::new();
    for (i, (a, look)) in looks.iter().enumerate() {
        for (b, other) in looks[i + 1..].iter().filter(|(_, other)| other.dash == look.dash) {
            let (Some(x), Some(y)) = (rgb(look.style.fg), rgb(other.style.fg)) else { panic!("{a} has no colour") };
            for (vision, matrix) in &VISIONS {
                let distance = delta_e(matrix, x, y);
                if distance < TOLD_APART {
                    confused.push(format!("{vision}: {a} and {b} have one dash and ΔE {distance:.1}"));
                }
            }
        }
    }
    confused
}

#[test]
fn every_pair_of_lines_differs_in_dash_or_in_colour_for_every_colour_vision() {
    for kind in [ThemeKind::Dark, ThemeKind::Light] {
        let theme = Theme { kind, depth: ColorDepth::True };
        let curves: Vec<_> = CurveId::all().map(|c| (c.key().to_owned(), theme.curve(c))).collect();
        let arms: Vec<_> = (0..Theme::ARMS).map(|i| (format!("arm {i}"), theme.arm(i))).collect();
        let classes: Vec<_> = (0..10).map(|i| (format!("class {i}"), theme.class(i))).collect();
        for looks in [curves, arms, classes] {
            assert_eq!(confused(&looks), Vec::<String>::new(), "{kind:?}");
        }
    }
}

#[test]
fn the_three_leading_curves_differ_by_colour_alone() {
    let leading = [CurveId::Probe(ProbeKind::Chosen), CurveId::Probe(ProbeKind::Rejected), CurveId::ArgmaxChosen];
    for kind in [ThemeKind::Dark, ThemeKind::Light] {
        let theme = Theme { kind, depth: ColorDepth::True };
        let looks: Vec<_> =
            leading.map(|c| (c.key().to_owned(), CurveLook { dash: Dash::Solid, ..theme.curve(c) })).into();
        assert_eq!(confused(&looks), Vec::<String>::new(), "{kind:?}");
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
