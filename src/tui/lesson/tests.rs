#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::path::Path;
use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::desk::{Desk, Phase};
use crate::lesson::{Ask, Kept, LESSONS, Opened, open};
use crate::tui::glyphs::Glyphs;
use crate::tui::message::{Effect, Message};
use crate::tui::paper::Paper;
use crate::tui::screenful::Screenful as _;
use crate::tui::testing::plain;
use crate::tui::theme::{ColorDepth, Theme, ThemeKind};

fn opened(name: &str) -> Arc<Opened> {
    Arc::new(open(Path::new(name)).unwrap())
}

fn desk(opened: &Arc<Opened>) -> Desk {
    Desk::new(Arc::clone(opened), 0, Theme::default(), Glyphs::Braille, Paper::default()).unwrap()
}

fn press(desk: &mut Desk, code: KeyCode) -> Vec<Effect> {
    desk.update(Message::Key(KeyEvent::new(code, KeyModifiers::NONE)))
}

fn drawn(desk: &Desk, width: u16, height: u16) -> String {
    let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
    desk.render(buffer.area, &mut buffer);
    plain(&buffer)
}

/// Gives an answer that is right, or one that is wrong, to whatever the step asks.
fn answer(desk: &mut Desk, right: bool) {
    let opened = Arc::new(desk.opened().clone());
    match &opened.lesson.steps[desk.at()].ask {
        None => {}
        Some(Ask::Choice { answers, lab, .. }) => {
            let outcome = lab.as_ref().map(|lab| crate::dynamics::lab::one_step(lab).unwrap());
            let holds = |at: &usize| opened.holds(&answers[*at].when, outcome.as_ref()) == Ok(true);
            let chosen = (0..answers.len()).find(|at| holds(at) == right).unwrap();
            press(desk, KeyCode::Char(char::from_digit(u32::try_from(chosen).unwrap() + 1, 10).unwrap()));
        }
        Some(Ask::Sketch { curve, to, of, .. }) => {
            let step = &opened.lesson.steps[desk.at()];
            let whole = &opened.recording(of.as_deref().or(step.recording.as_deref())).unwrap().whole;
            let level = whole.curve(crate::lesson::curve_named(curve).unwrap(), crate::history::Scale::LogProb, None);
            let rises = level.at(*to).unwrap() > level.at(step.at.unwrap()).unwrap();
            for _ in 0..6 {
                press(desk, if rises == right { KeyCode::Up } else { KeyCode::Down });
            }
            press(desk, KeyCode::Enter);
        }
        Some(Ask::Task { .. }) if !right => drop(press(desk, KeyCode::Tab)),
        Some(Ask::Task { .. }) => {
            // What the two tasks that ship ask for: steps, or a uniform distribution.
            for key in [" ", " ", " ", " ", " ", " ", " ", " ", " ", " ", "d", "d", "d"] {
                if desk.phase() == Phase::Asking {
                    press(desk, KeyCode::Char(key.chars().next().unwrap()));
                }
            }
        }
    }
}

#[test]
fn every_lesson_is_gone_through_with_right_answers_and_with_wrong_ones() {
    for (path, _) in LESSONS {
        for right in [true, false] {
            let opened = opened(path);
            let mut desk = desk(&opened);
            let mut questions = 0;
            loop {
                let before = drawn(&desk, 80, 24);
                if desk.phase() == Phase::Asking {
                    questions += 1;
                    answer(&mut desk, right);
                    assert_eq!(desk.phase(), Phase::Told, "{path} at {}: {before}", desk.at());
                    let told = drawn(&desk, 80, 24);
                    assert!(told.contains("what happened"), "{path}: {told}");
                    assert_eq!(
                        told.contains('✗'),
                        !right && told.contains("You said")
                            || told.contains("wrong side")
                            || told[..told.find('\n').unwrap()].contains('✗'),
                        "{told}"
                    );
                }
                let at = desk.at();
                if press(&mut desk, KeyCode::Enter) == [Effect::Quit] {
                    break;
                }
                assert_eq!(desk.at(), at + 1, "{path}");
            }
            assert!(desk.is_done() && questions >= 2, "{path}: {questions}");
            let kept = desk.kept(Kept::default());
            assert!(kept.done && kept.at == 0, "{kept:?}");
            assert_eq!(kept.right, if right { questions } else { 0 }, "{path}: {kept:?}");
        }
    }
}

#[test]
fn what_happens_is_not_shown_before_it_is_asked() {
    let opened = opened("winner_falls");
    let mut desk = desk(&opened);
    press(&mut desk, KeyCode::Enter);
    let asked = drawn(&desk, 80, 24);
    assert!(asked.contains("Draw y⁺") && !asked.contains("y⁺ fell"), "{asked}");
    // The recording's keys are dead while the question is open.
    press(&mut desk, KeyCode::End);
    assert_eq!(drawn(&desk, 80, 24), asked);
    press(&mut desk, KeyCode::Up);
    assert!(drawn(&desk, 80, 24).contains("you +"), "the sketch is drawn");
    press(&mut desk, KeyCode::Enter);
    let told = drawn(&desk, 80, 24);
    assert!(told.contains("you +") && told.contains("y⁺ fell by") && told.contains("wrong side"), "{told}");
    press(&mut desk, KeyCode::Char('R'));
    assert_eq!((desk.phase(), drawn(&desk, 80, 24)), (Phase::Asking, asked), "asked again");
}

#[test]
fn it_looks_as_it_should() {
    let opened = opened("winner_falls");
    let mut desk = desk(&opened);
    press(&mut desk, KeyCode::Enter);
    (0..5).for_each(|_| drop(press(&mut desk, KeyCode::Up)));
    insta::assert_snapshot!("sketch_80x24", drawn(&desk, 80, 24));
    press(&mut desk, KeyCode::Enter);
    insta::assert_snapshot!("told_80x24", drawn(&desk, 80, 24));
    press(&mut desk, KeyCode::Enter);
    insta::assert_snapshot!("choice_120x40", drawn(&desk, 120, 40));
    let lab = super::tests::opened("softmax");
    insta::assert_snapshot!("lab_80x24", drawn(&self::desk(&lab), 80, 24));
}

#[test]
fn a_presenter_has_fewer_curves() {
    let opened = opened("winner_falls");
    let plain = desk(&opened);
    let presenting = desk(&opened).presenting(true);
    let dots = |desk: &Desk| {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 120, 40));
        desk.render(buffer.area, &mut buffer);
        let faint = desk.theme.faint().fg;
        buffer.content.iter().filter(|cell| cell.symbol() != " " && Some(cell.fg) == faint).count()
    };
    assert!(dots(&presenting) < dots(&plain), "{} {}", dots(&presenting), dots(&plain));
}

#[test]
fn a_presenter_has_large_numbers_where_there_is_room() {
    let opened = opened("winner_falls");
    let mut desk = desk(&opened).presenting(true);
    press(&mut desk, KeyCode::Enter);
    answer(&mut desk, true);
    assert!(drawn(&desk, 120, 40).contains("y⁻ fell by 24.6"));
    let letters = |desk: &Desk, (width, height)| drawn(desk, width, height).matches('▟').count();
    assert!(letters(&desk, (120, 40)) > 3, "{}", drawn(&desk, 120, 40));
    assert_eq!(letters(&desk, (80, 24)), 0, "the curves need the room");
    press(&mut desk, KeyCode::Char('p'));
    assert_eq!(letters(&desk, (120, 40)), 0);
}

#[test]
fn it_can_be_drawn_at_any_size_without_colour_and_in_ascii() {
    for (path, _) in LESSONS {
        let opened = opened(path);
        let mono = Theme { kind: ThemeKind::Mono, depth: ColorDepth::Ansi };
        let mut desk = Desk::new(Arc::clone(&opened), 0, mono, Glyphs::Ascii, Paper::default()).unwrap();
        for _ in 0..opened.lesson.steps.len() {
            for (width, height) in [(1, 1), (40, 12), (72, 20), (80, 24), (120, 40), (300, 100)] {
                let text = drawn(&desk, width, height);
                assert!(text.is_ascii(), "{path} at {}: {text}", desk.at());
            }
            answer(&mut desk, true);
            press(&mut desk, KeyCode::Enter);
        }
    }
}
