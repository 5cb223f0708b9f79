//! What the terminal can show changes the screen and no file, on every screen alike.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

use super::app::{App, Dialog};
use super::panel::Panel;

use super::glyphs::Glyphs;
use super::lab::Lab;
use super::message::{Effect, Message};
use super::paper::Paper;
use super::screenful::Screenful;
use super::testing::{class_events, classes_at, live_at, plain, run_events, squeezing, theme};
use super::theme::{ColorDepth, Theme, ThemeKind};
use crate::experiment::LabSettings;

const SIZES: [(u16, u16); 6] = [(40, 12), (80, 24), (72, 20), (120, 40), (200, 60), (30, 5)];

fn render(screen: &impl Screenful, (width, height): (u16, u16)) -> Buffer {
    let area = Rect::new(0, 0, width, height);
    let mut buf = Buffer::empty(area);
    screen.render(area, &mut buf);
    buf
}

fn press(screen: &mut impl Screenful, code: KeyCode) -> Vec<Effect> {
    screen.update(Message::Key(KeyEvent::new(code, KeyModifiers::NONE)))
}

fn lab(theme: Theme, glyphs: Glyphs) -> Lab {
    Lab::new("squeeze_lab", &LabSettings::default(), theme, glyphs).unwrap()
}

/// Dashboards in every state that has a look of its own, in these glyphs.
fn dashboards(glyphs: Glyphs) -> Vec<App> {
    let mut apps = vec![App::live("waiting…", theme(), glyphs), live_at(60), squeezing(), classes_at(40)];
    apps.push(App::replay(run_events(), theme(), glyphs));
    let mut all = live_at(100);
    press(&mut all, KeyCode::Char('a'));
    apps.push(all);
    for panel in [Panel::Prompt, Panel::Pairs, Panel::Curves, Panel::Events, Panel::Dynamics, Panel::Chart] {
        let mut app = squeezing();
        (app.view.focus, app.view.maximised) = (panel, true);
        app.view.cursor = Some(60);
        apps.push(app);
    }
    for dialog in [Dialog::Help(0), Dialog::Help(30), Dialog::Glossary(0), Dialog::Quit, Dialog::Filter] {
        let mut app = live_at(60);
        app.view.dialog = Some(dialog);
        apps.push(app);
    }
    for app in &mut apps {
        app.view.glyphs = glyphs;
    }
    apps
}

/// Cells of every screen that break the rule, with the screen.
fn offenders(glyphs: Glyphs, rule: fn(&str) -> bool) -> Vec<(String, String)> {
    let mut frames = Vec::new();
    for size in SIZES {
        frames.extend(dashboards(glyphs).iter().map(|app| render(app, size)));
        let mut lab = lab(theme(), glyphs);
        frames.push(render(&lab, size));
        press(&mut lab, KeyCode::Char('?'));
        frames.push(render(&lab, size));
    }
    let broken = |buf: &Buffer| buf.content.iter().find(|cell| !rule(cell.symbol())).map(|c| c.symbol().to_owned());
    frames.iter().filter_map(|buf| Some((broken(buf)?, plain(buf)))).collect()
}

#[test]
fn in_ascii_nothing_else_is_drawn_anywhere() {
    let offenders = offenders(Glyphs::Ascii, str::is_ascii);
    assert!(offenders.is_empty(), "{} on\n{}", offenders[0].0, offenders[0].1);
}

#[test]
fn narrow_glyphs_are_as_wide_in_every_locale() {
    let offenders = offenders(Glyphs::Narrow, |symbol| symbol.width() == symbol.width_cjk());
    assert!(offenders.is_empty(), "{} on\n{}", offenders[0].0, offenders[0].1);
}

#[test]
fn the_table_and_the_chart_mark_a_curve_alike() {
    for (glyphs, markers) in
        [(Glyphs::Ascii, ["@ y+", "# y-", "* y* on y+"]), (Glyphs::Braille, ["● y⁺", "■ y⁻", "★ y* on y⁺"])]
    {
        let mut app = live_at(60);
        app.view.glyphs = glyphs;
        let mut drawn = |panel| {
            (app.view.focus, app.view.maximised) = (panel, true);
            plain(&render(&app, (120, 40)))
        };
        let (chart, table) = (drawn(Panel::Chart), drawn(Panel::Curves));
        for marker in markers {
            assert!(chart.contains(marker), "{marker} at the end of a line:\n{chart}");
            assert!(table.contains(marker), "{marker} in the table:\n{table}");
        }
    }
}

#[test]
fn a_screenshot_does_not_know_the_terminal() {
    let area = Rect::new(0, 0, 120, 40);
    let terminals = [
        (Theme::default(), Glyphs::Braille),
        (Theme { kind: ThemeKind::Mono, depth: ColorDepth::Ansi }, Glyphs::Ascii),
        (Theme { kind: ThemeKind::Dark, depth: ColorDepth::Indexed }, Glyphs::Narrow),
    ];
    for paper in [Paper::default(), Paper { kind: ThemeKind::Light, glyphs: Glyphs::Half }] {
        let shots = terminals.map(|(theme, glyphs)| {
            let app = App::replay(run_events(), theme, glyphs).on_paper(paper);
            (app.screenshot(area), lab(theme, glyphs).on_paper(paper).screenshot(area))
        });
        assert_eq!(shots[0], shots[1]);
        assert_eq!(shots[0], shots[2]);
        let ((frame, info), _) = &shots[0];
        assert_eq!(info.ground, paper.theme().ground());
        assert!(frame.content.iter().all(|c| !matches!(c.fg, ratatui::style::Color::Indexed(_))));
    }
}

#[test]
fn a_theme_that_is_chosen_by_hand_is_that_of_the_files() {
    let area = Rect::new(0, 0, 80, 24);
    let mut app = App::replay(run_events(), theme(), Glyphs::Braille);
    let mut lab = lab(theme(), Glyphs::Braille);
    press(&mut app, KeyCode::Char('t'));
    press(&mut lab, KeyCode::Char('t'));
    let light = Theme { kind: ThemeKind::Light, depth: ColorDepth::True }.ground();
    assert_eq!((app.screenshot(area).1.ground, Screenful::screenshot(&lab, area).1.ground), (light, light));
    // Where there is no colour the key says so, and the files keep theirs.
    let mono = Theme { kind: ThemeKind::Mono, depth: ColorDepth::True };
    let mut app = App::replay(run_events(), mono, Glyphs::Braille).on_paper(Paper::default());
    press(&mut app, KeyCode::Char('t'));
    assert_eq!(app.screenshot(area).1.ground, Theme::default().ground());
}

#[test]
fn the_help_wraps_scrolls_to_its_end_and_is_not_covered() {
    for (mut app, width) in [(live_at(60), 80), (App::replay(class_events(), theme(), Glyphs::Braille), 44)] {
        press(&mut app, KeyCode::Char('s'));
        app.update(Message::ScreenshotFailed(crate::text::Shown::new("no room")));
        assert!(plain(&render(&app, (width, 24))).contains("no screenshot"));
        press(&mut app, KeyCode::Char('?'));
        let mut seen = String::new();
        for _ in 0..20 {
            let help = plain(&render(&app, (width, 24)));
            assert!(!help.contains("no screenshot"), "{help}");
            seen += &help;
            press(&mut app, KeyCode::PageDown);
        }
        for binding in app.offered_keys() {
            let last = binding.help.split_whitespace().last().unwrap();
            assert!(seen.contains(last), "{last:?} of {:?} is cut:\n{seen}", binding.help);
        }
        press(&mut app, KeyCode::Char('g'));
        assert_eq!(app.view.dialog, Some(Dialog::Help(0)));
    }
}

#[test]
fn without_arrows_their_keys_have_names() {
    let mut app = App::replay(run_events(), theme(), Glyphs::Ascii);
    assert!(plain(&render(&app, (120, 40))).contains("Left/Right cursor"));
    press(&mut app, KeyCode::Char('?'));
    let help = plain(&render(&app, (100, 80)));
    for row in ["Right         cursor to the next", "Shift-Left    ten evaluations back", "j Down        next row"] {
        assert!(help.contains(row), "{row}:\n{help}");
    }
    assert_eq!(help.matches("| >  ").count(), 1, "> plays faster and is nothing else:\n{help}");
}

#[test]
fn control_l_draws_every_screen_anew() {
    let control_l = || Message::Key(KeyEvent::new(KeyCode::Char('l'), KeyModifiers::CONTROL));
    assert_eq!(live_at(60).update(control_l()), [Effect::Redraw]);
    assert_eq!(lab(theme(), Glyphs::Braille).update(control_l()), [Effect::Redraw]);
    let mut typing = live_at(60);
    press(&mut typing, KeyCode::Char('/'));
    assert_eq!(typing.update(control_l()), [Effect::Redraw]);
    assert_eq!(typing.filter(), "", "the key is no letter of the filter");
}

#[test]
fn a_filter_finds_signs_as_a_keyboard_types_them() {
    for (typed, found, missed) in [("y+", "y⁺", "y⁻"), ("Y-", "y⁻", "irr train"), ("y*", "y* on y⁺", "y⁺ sem")]
    {
        let mut app = live_at(60);
        press(&mut app, KeyCode::Char('/'));
        typed.chars().for_each(|c| drop(press(&mut app, KeyCode::Char(c))));
        let shown: Vec<_> = app.visible_curves().map(|c| c.id.symbol()).collect();
        assert!(shown.contains(&found) && !shown.contains(&missed), "{typed}: {shown:?}");
    }
}
