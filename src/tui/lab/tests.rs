//! Keys and screens of the lab. The snapshots hold characters, and one holds styles.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Color;

use super::*;
use crate::dynamics::lab::{FIGURES, logits, one_step};
use crate::experiment::{LabSettings, LabShape};
use crate::text::Shown;
use crate::tui::glyphs::Glyphs;
use crate::tui::keymap;
use crate::tui::message::{Effect, Ending, Message};
use crate::tui::screenful::Screenful as _;
use crate::tui::testing::plain;
use crate::tui::theme::{Theme, ThemeKind};

fn lab() -> Lab {
    Lab::new("squeeze_lab", &LabSettings::default(), Theme::default(), Glyphs::Braille).unwrap()
}

fn mono() -> Lab {
    let theme = Theme { kind: ThemeKind::Mono, ..Theme::default() };
    Lab::new("squeeze_lab", &LabSettings::default(), theme, Glyphs::Braille).unwrap()
}

fn named(lab: &mut Lab, code: KeyCode, modifiers: KeyModifiers) -> Vec<Effect> {
    lab.update(Message::Key(KeyEvent::new(code, modifiers)))
}

fn press(lab: &mut Lab, keys: &str) -> Vec<Effect> {
    keys.chars().flat_map(|c| named(lab, KeyCode::Char(c), KeyModifiers::NONE)).collect()
}

fn drawn(lab: &Lab, width: u16, height: u16) -> Buffer {
    let area = Rect::new(0, 0, width, height);
    let mut buffer = Buffer::empty(area);
    lab.render(area, &mut buffer);
    buffer
}

fn screen(lab: &Lab, width: u16, height: u16) -> String {
    plain(&drawn(lab, width, height))
}

#[test]
fn the_valley_at_three_sizes() {
    for (width, height) in [(80, 24), (120, 40), (200, 60)] {
        insta::assert_snapshot!(format!("valley_{width}x{height}"), screen(&lab(), width, height));
    }
    insta::assert_debug_snapshot!("valley_styles_80x24", drawn(&lab(), 80, 24));
}

#[test]
fn without_colour_and_in_ascii() {
    let mut lab = mono();
    insta::assert_snapshot!("valley_log_mono_80x24", screen(&lab, 80, 24));
    assert!(drawn(&lab, 120, 40).content.iter().all(|c| c.fg == Color::Reset && c.bg == Color::Reset));
    lab.glyphs = Glyphs::Ascii;
    let bars = screen(&lab, 120, 40);
    assert!(bars.contains('#') && bars.contains("* ^ ^ ^ v v v v") && !bars.contains('█'), "{bars}");
}

#[test]
fn a_thousand_classes_fit_and_a_peak_survives() {
    let settings = LabSettings { classes: 1000, shape: LabShape::OnePeak, rank: 700, eta: 5.0, push_down: false };
    let mut lab = Lab::new("x", &settings, Theme::default(), Glyphs::Braille).unwrap();
    // Pulled up far enough, class 700 becomes a peak among its neighbours.
    for _ in 0..3 {
        press(&mut lab, " ");
    }
    assert!(lab.outcome().before[700] > 0.4);
    insta::assert_snapshot!("thousand_80x24", screen(&lab, 80, 24));
}

#[test]
fn a_step_is_taken_taken_back_and_forgotten() {
    let mut lab = lab();
    let first = lab.outcome().clone();
    press(&mut lab, " ");
    assert_eq!(lab.steps(), 1);
    assert!(
        (lab.outcome().before[0] - first.after[0]).abs() < 1e-12,
        "the step that was shown is the one that was taken"
    );
    named(&mut lab, KeyCode::Enter, KeyModifiers::NONE);
    assert!(lab.outcome().before[0] > first.after[0] && lab.steps() == 2);
    press(&mut lab, "u");
    press(&mut lab, "u");
    assert_eq!((lab.steps(), lab.outcome()), (0, &first));
    press(&mut lab, "u");
    assert!(lab.notice().is_some_and(|n| n.text.as_str().contains("no step")));
    press(&mut lab, "  r");
    assert_eq!((lab.steps(), lab.outcome()), (0, &first));
    press(&mut lab, &" ".repeat(600));
    assert!(lab.outcome().before[0] > 0.99999, "y* ends with everything");
    press(&mut lab, &"u".repeat(600));
    assert_eq!(lab.steps(), 100, "as far back as is remembered");
}

#[test]
fn every_setting_has_its_key() {
    let mut lab = lab();
    named(&mut lab, KeyCode::Home, KeyModifiers::NONE);
    named(&mut lab, KeyCode::Left, KeyModifiers::NONE);
    assert_eq!(lab.outcome().step.y, 0);
    named(&mut lab, KeyCode::Right, KeyModifiers::SHIFT);
    named(&mut lab, KeyCode::Left, KeyModifiers::NONE);
    assert_eq!(lab.outcome().step.y, 9);
    named(&mut lab, KeyCode::End, KeyModifiers::NONE);
    named(&mut lab, KeyCode::Right, KeyModifiers::SHIFT);
    assert_eq!(lab.outcome().step.y, 49);
    press(&mut lab, "]");
    assert_eq!((lab.settings().classes, lab.outcome().step.y), (60, 59), "the last class stays the last");
    press(&mut lab, "[[+");
    assert_eq!((lab.settings().classes, lab.settings().eta), (40, 6.0));
    press(&mut lab, "--");
    assert_eq!(lab.settings().eta, 4.0);
    press(&mut lab, "x");
    assert!(!lab.settings().push_down && lab.outcome().rose(39));
    press(&mut lab, "p");
    assert_eq!(lab.settings().shape, LabShape::Peaks(9));
    let mut shapes = Vec::new();
    for _ in 0..4 {
        press(&mut lab, "d");
        shapes.push(lab.settings().shape);
    }
    assert_eq!(shapes, [LabShape::OnePeak, LabShape::Uniform, LabShape::Flat, LabShape::Peaks(9)]);
    press(&mut lab, &"P".repeat(20));
    assert_eq!(lab.settings().shape, LabShape::Peaks(1));
    press(&mut lab, "dpp");
    assert_eq!(lab.settings().shape, LabShape::Peaks(2), "p shows the peaks, then adds one");
    press(&mut lab, &"]".repeat(40));
    assert_eq!(lab.settings().classes, 1000);
    press(&mut lab, &"[".repeat(60));
    assert_eq!(lab.settings().classes, 2);
    assert_eq!(lab.outcome().before.len(), 2);
}

#[test]
fn what_is_set_is_what_is_shown() {
    for (_, settings) in &FIGURES {
        let lab = Lab::new("x", settings, Theme::default(), Glyphs::Braille).unwrap();
        assert_eq!(lab.outcome(), &one_step(settings).unwrap());
        let fell = lab.outcome().counts().2;
        for (width, height) in [(80, 24), (120, 40)] {
            let text = screen(&lab, width, height);
            assert!(text.contains(&format!("{fell} of 48 fall ")), "{text}");
            assert!(text.contains("rise, ") && text.contains(" fall ─"), "the counts are whole:\n{text}");
        }
    }
    let text = screen(&lab(), 80, 24);
    for number in ["0.1509", "0.1829", "+0.0320", "0.0022", "−0.0298", "0.1124", "45 of 48"] {
        assert!(text.contains(number), "{number} is missing:\n{text}");
    }
    assert_eq!(logits(LabShape::Uniform, 3).len(), 3);
}

#[test]
fn help_theme_screenshot_suspend_and_the_ways_out() {
    let mut lab = lab();
    press(&mut lab, "?");
    let help = screen(&lab, 100, 60);
    for binding in keymap::bindings(keymap::Context::Lab) {
        assert!(help.contains(binding.help), "{} is missing:\n{help}", binding.help);
    }
    assert_eq!(press(&mut lab, "jkq"), [], "q closes the help");
    assert_eq!(lab.help, None);
    press(&mut lab, "t");
    assert_eq!(lab.theme.kind, ThemeKind::Light);
    let mut locked = mono();
    press(&mut locked, "t");
    assert!(locked.theme.kind == ThemeKind::Mono && locked.notice().is_some_and(|n| n.failure));
    assert_eq!(press(&mut lab, "s"), [Effect::Screenshot]);
    lab.update(Message::ScreenshotWritten(vec!["a.svg".into()]));
    assert!(screen(&lab, 80, 24).contains("written: a.svg") && lab.tick_interval().is_some());
    let (frame, info) = lab.screenshot(Rect::new(0, 0, 80, 24));
    assert!(!plain(&frame).contains("written"));
    assert_eq!((info.run_id.as_str(), info.step, info.view), ("squeeze_lab", 0, "lab"));
    lab.update(Message::Tick(Duration::from_secs(60)));
    assert!(lab.notice().is_none() && lab.tick_interval().is_none());
    lab.update(Message::ScreenshotFailed(Shown::new("no room")));
    assert!(screen(&lab, 80, 24).contains("no screenshot: no room"));
    assert_eq!(named(&mut lab, KeyCode::Char('z'), KeyModifiers::CONTROL), [Effect::Suspend]);
    assert_eq!(press(&mut lab, "q"), [Effect::Quit]);
    assert_eq!(named(&mut lab, KeyCode::Char('c'), KeyModifiers::CONTROL), [Effect::Quit]);
    assert_eq!(lab.ending(), Ending::Quit);
    assert_eq!(lab.update(Message::Terminate), [Effect::Quit]);
    assert_eq!(lab.ending(), Ending::Signal);
}

#[test]
fn nothing_is_drawn_anew_while_nothing_happens() {
    let mut lab = lab();
    assert!(lab.take_dirty());
    lab.update(Message::Tick(Duration::from_secs(1)));
    press(&mut lab, "~");
    assert!(!lab.take_dirty());
    press(&mut lab, "+");
    assert!(lab.take_dirty());
}

#[test]
fn the_footer_names_the_keys_and_a_small_screen_says_what_it_needs() {
    let footer = screen(&lab(), 200, 24).lines().last().unwrap().to_owned();
    for hint in ["? help", "Space step", "u undo", "r reset", "←→ class", "+- η′", "x flip", "d shape", "pP peaks"]
    {
        assert!(footer.contains(hint), "{hint} is missing: {footer}");
    }
    assert_eq!(screen(&lab(), 39, 24).trim_end(), "40×12 needed, this is 39×24");
    assert!(!screen(&lab(), 40, 12).contains("needed"));
    assert_eq!(screen(&lab(), 1, 1), "4\n");
}

#[test]
fn a_hostile_name_is_shown_and_not_obeyed() {
    let lab = Lab::new("a\u{1b}]0;x\u{7}", &LabSettings::default(), Theme::default(), Glyphs::Braille).unwrap();
    assert!(screen(&lab, 120, 40).contains("a<U+001B>]0;x<U+0007>"));
    assert!(lab.subject().as_str().contains("<U+001B>"));
}

/// Anything that can happen at the keyboard.
fn any_key() -> impl Strategy<Value = KeyEvent> {
    let code = prop_oneof![
        8 => any::<prop::sample::Index>().prop_map(|i| {
            let keys: Vec<char> = "  ur+-xdpP[][]yty?jk".chars().collect();
            KeyCode::Char(*i.get(&keys))
        }),
        1 => any::<char>().prop_map(KeyCode::Char),
        4 => prop::sample::select(vec![
            KeyCode::Left, KeyCode::Right, KeyCode::Home, KeyCode::End, KeyCode::Enter, KeyCode::Esc, KeyCode::Backspace,
        ]),
    ];
    let modifiers = prop::sample::select(vec![KeyModifiers::NONE, KeyModifiers::NONE, KeyModifiers::SHIFT]);
    (code, modifiers).prop_map(|(code, modifiers)| KeyEvent::new(code, modifiers))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_keys_at_no_size_panic(
        keys in prop::collection::vec((any_key(), 1_u16..=300, 1_u16..=100), 1..60),
        classes in 2_usize..=1000,
        eta in prop::sample::select(vec![1e-300, 0.01, 5.0, 1000.0]),
        glyphs in prop::sample::select(vec![Glyphs::Braille, Glyphs::Ascii]),
        kind in prop::sample::select(ThemeKind::ALL.to_vec()),
    ) {
        let settings = LabSettings { classes, rank: classes - 1, eta, ..LabSettings::default() };
        let theme = Theme { kind, ..Theme::default() };
        let mut lab = Lab::new("x", &settings, theme, glyphs).unwrap();
        for (key, width, height) in keys {
            lab.update(Message::Key(key));
            drawn(&lab, width, height);
            drawn(&lab, width.min(44), height.min(13));
            let sum: f64 = lab.outcome().after.iter().sum();
            prop_assert!((sum - 1.0).abs() < 1e-12 && lab.notice().is_none_or(|n| !n.text.as_str().contains("sums")));
        }
    }
}
