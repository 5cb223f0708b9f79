//! The mouse and the clipboard: what keys do, by other means, and only where that is asked for.

use ratatui::layout::Rect;

use super::*;
use crate::tui::message::{Gesture, Pointer};

const AREA: Rect = Rect { x: 0, y: 0, width: 120, height: 40 };

fn point(app: &mut App, did: Gesture, column: u16, row: u16) {
    let done = app.update(Message::Pointer(Pointer { did, column, row }, AREA));
    assert!(done.is_empty());
}

/// Where a text stands on the screen.
fn place_of(app: &App, text: &str) -> (u16, u16) {
    let screen = plain(&draw(app, AREA.width, AREA.height));
    let found = screen.lines().enumerate().find_map(|(row, line)| {
        let at = line.find(text)?;
        Some((u16::try_from(line[..at].chars().count()).ok()?, u16::try_from(row).ok()?))
    });
    found.unwrap_or_else(|| panic!("{text} is not on the screen:\n{screen}"))
}

#[test]
fn a_click_focuses_a_panel_sets_the_cursor_and_toggles_a_group() {
    let mut app = squeezing();
    let (column, row) = place_of(&app, "pairs ·");
    point(&mut app, Gesture::Click, column, row + 2);
    assert_eq!(app.focus(), Panel::Pairs);
    // The steps increase from left to right, and the cursor is always at one that was measured.
    let mut seen = Vec::new();
    for column in [20, 50, 80] {
        point(&mut app, Gesture::Click, column, 12);
        assert_eq!(app.focus(), Panel::Chart);
        seen.push(app.view.cursor.unwrap());
    }
    assert!(seen.is_sorted() && seen[0] < seen[2], "{seen:?}");
    assert!(
        seen.iter().all(|step| (0..app.shown().measurements()).any(|at| app.shown().measured_at(at) == Some(*step))),
        "{seen:?}"
    );
    // What the cursor's column shows is the step: its label stands below it.
    let label = format!(" {} ", app.view.cursor.unwrap());
    let (at, _) = place_of(&app, &label);
    assert!(at.abs_diff(80) <= 6, "{label} at {at}");
    let (column, row) = place_of(&app, "3 argmax");
    point(&mut app, Gesture::Click, column + 3, row);
    assert!(app.view.lit.contains(&ProbeGroup::Argmax), "as the digit does in the story");
    let before = plain(&draw(&app, AREA.width, AREA.height));
    point(&mut app, Gesture::Click, 119, 39);
    assert_eq!(plain(&draw(&app, AREA.width, AREA.height)), before, "the footer is no button");
}

#[test]
fn the_wheel_moves_in_the_list_under_it_and_in_what_covers_it() {
    let mut app = squeezing();
    let (column, row) = place_of(&app, "pairs ·");
    let first = app.view.prompt;
    point(&mut app, Gesture::WheelDown, column, row + 2);
    let second = app.view.prompt;
    point(&mut app, Gesture::WheelUp, column, row + 2);
    assert!(second != first && app.focus() == Panel::Pairs);
    press(&mut app, '?');
    point(&mut app, Gesture::WheelDown, 5, 5);
    assert_eq!(app.view.dialog, Some(Dialog::Help(1)));
    let mut waiting = App::live("x", theme(), Glyphs::Braille);
    for did in [Gesture::Click, Gesture::WheelDown] {
        point(&mut waiting, did, 60, 20);
    }
}

#[test]
fn the_clipboard_is_written_only_where_that_is_allowed() {
    let mut app = squeezing();
    assert!(press(&mut app, 'C').is_empty());
    assert!(app.notice().is_some_and(|notice| notice.failure && notice.text.as_str().contains("copy: true")));
    app.view.copies = true;
    assert_eq!(press(&mut app, 'C'), [Effect::Copy]);
    let value =
        app.curves().iter().find(|c| c.id == CurveId::Probe(ProbeKind::Chosen)).unwrap().at(app.step()).unwrap();
    assert_eq!(app.to_copy().unwrap().as_str(), format!("{value:.4}"));
    app.view.focus_on(Panel::Prompt);
    let run = std::sync::Arc::make_mut(app.history_mut().run.as_mut().unwrap());
    run.probes.iter_mut().for_each(|probe| probe.prompt = "a\u{1b}]52;c;AAAA\u{7}b".to_owned());
    assert_eq!(app.to_copy().unwrap().as_str(), "a<U+001B>]52;c;AAAA<U+0007>b");
}
