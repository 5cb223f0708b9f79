#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::*;
use crate::history::{Arm, By, Course, CurveId, Scale};
use crate::protocol::{ProbeKind, TrainerEvent};
use crate::text::Shown;
use crate::tui::glyphs::Glyphs;
use crate::tui::message::{Effect, Message};
use crate::tui::paper::Paper;
use crate::tui::screenful::Screenful as _;
use crate::tui::testing::{plain, run_events, theme};
use crate::tui::theme::{Theme, ThemeKind};

/// The made-up run with another seed, in which y⁺ falls less in DPO, the more so the later, and the margin grows more
/// slowly.
fn course(seed: u64, mercy: f32, slower: f64, stage: Option<&str>) -> Course {
    let mut history = crate::history::RunHistory::default();
    for mut event in run_events() {
        match &mut event {
            TrainerEvent::RunStarted(run) => run.seed = seed,
            TrainerEvent::Evaluation(e) if e.step > 40 => {
                let late = f32::from(u16::try_from(e.step - 40).unwrap()) / 60.0;
                for (pair, x) in Arc::make_mut(e).logps.get_mut(ProbeKind::Chosen).unwrap().iter_mut().enumerate() {
                    *x += mercy * late * (1.0 + f32::from(u8::try_from(pair % 3).unwrap()) / 4.0);
                }
            }
            TrainerEvent::Step(step) => {
                step.metrics.entry(crate::protocol::MetricKey::REWARDS_MARGINS).and_modify(|m| *m *= slower);
            }
            _ => {}
        }
        history.apply(&event);
    }
    Course::of(&history, stage).unwrap()
}

fn arms(stage: Option<&str>) -> Vec<Arm> {
    let arm = |label: &str, mercy, slower| Arm {
        label: Shown::new(label),
        courses: [7, 8].map(|seed| course(seed, mercy, slower, stage)).to_vec(),
    };
    vec![arm("dpo_offpolicy", 0.0, 1.0), arm("dpo_onpolicy", 4.0, 0.6), arm("dpo_extended\u{202e}", -2.0, 0.9)]
}

fn compare(arms: Vec<Arm>, by: By, theme: Theme) -> Compare {
    let view = CompareView {
        by,
        curve: CurveId::Probe(ProbeKind::Chosen),
        scale: Scale::StageDelta,
        arm: 1,
        cursor: None,
        help: None,
        theme,
        glyphs: Glyphs::Braille,
        paper: Paper::of(theme, Glyphs::Braille),
    };
    Compare::new(arms.into(), view)
}

fn screen(app: &Compare, columns: u16, rows: u16) -> String {
    plain(&app.screenshot_sized(columns, rows).0)
}

fn press(app: &mut Compare, code: KeyCode) -> Vec<Effect> {
    app.update(Message::Key(KeyEvent::new(code, KeyModifiers::NONE)))
}

#[test]
fn by_step_80x24() {
    insta::assert_snapshot!(screen(&compare(arms(None), By::Step, theme()), 80, 24));
}

#[test]
fn by_margin_120x40() {
    let mut app = compare(arms(None), By::Margin, Theme { kind: ThemeKind::Mono, ..theme() });
    press(&mut app, KeyCode::Left);
    insta::assert_snapshot!(screen(&app, 120, 40));
}

#[test]
fn a_small_multiple_of_two_curves() {
    let aligned = crate::history::Aligned::new(arms(None).into(), By::Step).unwrap();
    let curves = [CurveId::Probe(ProbeKind::Chosen), CurveId::ArgmaxChosen];
    insta::assert_snapshot!(plain(&figure(
        &aligned,
        "made_up · 3 cells",
        &curves,
        (&theme(), Glyphs::Braille),
        (80, 24)
    )));
}

#[test]
fn the_differences_are_those_at_the_cursor() {
    let mut app = compare(arms(None), By::Step, theme());
    let chosen = |app: &Compare| app.rows().iter().find(|r| r.curve == app.view.curve).unwrap().difference;
    let end = chosen(&app);
    // Pairs 0 to 7 gain 1, 1.25 and 1.5 times 4 nats: 39 quarters over 8 pairs.
    assert!((end.estimate.value - 4.0 * 9.75 / 8.0).abs() < 1e-4, "{end:?}");
    assert!(end.paired && end.excludes_zero() && end.estimate.n == 16);
    for _ in 0..6 {
        press(&mut app, KeyCode::Left);
    }
    let half = chosen(&app).estimate.value;
    assert!((half * 2.0 - end.estimate.value).abs() < 1e-4, "half way it is half of it: {half}");
    press(&mut app, KeyCode::Char('r'));
    assert_eq!(chosen(&app), end);
}

#[test]
fn keys_choose_curve_arm_scale_and_measure() {
    let mut app = compare(arms(None), By::Step, theme());
    press(&mut app, KeyCode::Char('j'));
    assert_eq!(app.view.curve, CurveId::Probe(ProbeKind::ChosenInitial));
    press(&mut app, KeyCode::Char('G'));
    assert_eq!(app.view.curve, CurveId::ArgmaxRejected);
    press(&mut app, KeyCode::Char('g'));
    let arm = |app: &Compare| app.view.arm;
    for (code, want) in [(KeyCode::Tab, 2), (KeyCode::Tab, 1), (KeyCode::BackTab, 2), (KeyCode::BackTab, 1)] {
        press(&mut app, code);
        assert_eq!(arm(&app), want, "the baseline is passed over");
    }
    for by in [By::Loss, By::Margin, By::Step] {
        press(&mut app, KeyCode::Char('b'));
        assert_eq!(app.view.by, by);
        assert!(app.aligned().is_ok());
    }
    press(&mut app, KeyCode::Char('y'));
    assert!(screen(&app, 100, 30).contains("Δ log p from step 0"));
    press(&mut app, KeyCode::Char('y'));
    assert_eq!(app.view.scale, Scale::LogProb);
    assert!(screen(&app, 100, 30).contains("log p (nats, sum)"));
    assert!(app.take_dirty());
    assert_eq!(press(&mut app, KeyCode::Char('s')), [Effect::Screenshot]);
    assert_eq!(press(&mut app, KeyCode::Char('q')), [Effect::Quit]);
    press(&mut app, KeyCode::Char('?'));
    let mut frame = ratatui::buffer::Buffer::empty(ratatui::layout::Rect::new(0, 0, 100, 30));
    app.render(frame.area, &mut frame);
    assert!(plain(&frame).contains("align the runs by step, by training loss, by training margin"));
    assert!(press(&mut app, KeyCode::Char('q')).is_empty(), "q closes the help");
}

#[test]
fn runs_that_cannot_be_aligned_say_why_and_what_to_do() {
    let app = compare(arms(Some("SFT")), By::Margin, theme());
    let screen = screen(&app, 120, 30);
    for said in ["the training margin of stage SFT", "never grows, or is not recorded; b aligns by another"] {
        assert!(screen.contains(said), "{screen}");
    }
}

#[test]
fn no_size_and_no_key_panics() {
    let mut app = compare(arms(None), By::Loss, theme());
    for (columns, rows) in [(1, 1), (39, 11), (40, 12), (41, 13), (75, 12), (76, 12), (80, 24), (104, 12), (300, 100)] {
        for code in ["j", "b", "y", "k", "t", "?"].map(|c| KeyCode::Char(c.chars().next().unwrap())) {
            press(&mut app, code);
            press(&mut app, KeyCode::Right);
            let mut frame = ratatui::buffer::Buffer::empty(ratatui::layout::Rect::new(0, 0, columns, rows));
            app.render(frame.area, &mut frame);
            assert!(!plain(&frame).contains('\u{202e}'));
        }
        press(&mut app, KeyCode::Esc);
    }
}

#[test]
fn without_colour_the_theme_stays() {
    let mut app = compare(arms(None), By::Step, Theme { kind: ThemeKind::Mono, ..theme() });
    press(&mut app, KeyCode::Char('t'));
    assert_eq!(app.view.theme.kind, ThemeKind::Mono);
    let (frame, _) = app.screenshot_sized(100, 30);
    assert!(frame.content.iter().all(|cell| cell.fg == ratatui::style::Color::Reset));
    let marks = (0..3).map(|arm| theme().arm(arm).marker.to_string());
    let shown = plain(&frame);
    marks.for_each(|mark| assert!(shown.matches(&mark).count() > 1, "{mark} in\n{shown}"));
}

/// Pictures to look at: `LDYN_PICTURES=folder cargo test --lib pictures_of_a_comparison`.
#[test]
fn pictures_of_a_comparison() {
    let Some(folder) = std::env::var_os("LDYN_PICTURES") else { return };
    for (by, columns, rows) in [(By::Step, 80, 24), (By::Margin, 120, 40), (By::Loss, 60, 30)] {
        let (frame, info) = compare(arms(None), by, theme()).screenshot_sized(columns, rows);
        let (fg, bg) = info.ground;
        let view = format!("{}-{columns}", info.view);
        let meta = crate::export::ScreenshotMeta { run_id: "c".to_owned(), seed: 0, step: 0, view, fg, bg };
        crate::export::screenshot(&frame, &meta, std::path::Path::new(&folder)).unwrap();
    }
}
