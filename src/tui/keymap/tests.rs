use std::collections::HashSet;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::Context::{Choice, Compare, Filter, Help, Lab, Lesson, Live, Menu, Microscope, Quit, Replay, Sketch};
use super::Key::{Char, Ctrl, Named, Shift};
use super::*;
use crate::protocol::ProbeGroup;

const MODES: [Context; 12] = [Live, Replay, Compare, Help, Microscope, Quit, Filter, Lab, Menu, Lesson, Choice, Sketch];

fn press(key: Key) -> KeyEvent {
    match key {
        Char(c) => KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE),
        Ctrl(c) => KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL),
        Named(code) => KeyEvent::new(code, KeyModifiers::NONE),
        Shift(code) => KeyEvent::new(code, KeyModifiers::SHIFT),
    }
}

#[test]
fn every_row_is_reached_by_each_of_its_keys_in_every_mode_it_claims() {
    for binding in all() {
        let modes: Vec<_> = MODES.into_iter().filter(|&m| binding.context.reaches(m)).collect();
        assert!(!modes.is_empty(), "{:?} works nowhere", binding.action);
        assert!(!binding.keys.is_empty() && !binding.help.is_empty(), "{:?} says nothing", binding.action);
        for mode in modes {
            for &key in binding.keys.iter() {
                assert_eq!(lookup(mode, press(key)), Some(binding.action), "{} in {mode:?}", key.name());
            }
        }
    }
}

#[test]
fn no_key_is_bound_twice_in_a_mode() {
    for mode in MODES {
        let mut seen = HashSet::new();
        for key in bindings(mode).flat_map(|b| b.keys.iter()) {
            assert!(seen.insert(*key), "{} twice in {mode:?}", key.name());
        }
    }
}

#[test]
fn the_digits_follow_the_order_of_the_groups() {
    for (digit, group) in ('1'..='9').zip(ProbeGroup::ALL) {
        assert_eq!(lookup(Live, press(Char(digit))), Some(Action::Toggle(group)));
    }
}

#[test]
fn only_a_trainer_is_asked_about() {
    for mode in MODES {
        let tells = |what: &str| bindings(mode).any(|b| b.help.contains(what));
        assert_eq!(tells("asks while training"), mode == Live, "{mode:?}");
        assert_eq!(tells("a second time without waiting"), mode == Live, "{mode:?}");
    }
}

#[test]
fn a_list_is_moved_through_row_by_row_and_page_by_page() {
    use Rows::{First, Last, Next, PageDown, PageUp, Previous};
    for (rows, at, to) in
        [(Next, 3, 4), (Previous, 3, 2), (PageDown, 3, 11), (PageUp, 11, 3), (PageUp, 3, 0), (PageDown, 19, 19)]
    {
        assert_eq!(rows.moved(Some(at), 20), Some(to), "{rows:?}");
    }
    assert_eq!([First, Last, Next].map(|rows| rows.moved(None, 5)), [Some(0), Some(4), Some(0)]);
    assert_eq!(Next.moved(Some(0), 0), None);
    assert_eq!((PageDown.scrolled(0, 10), Last.scrolled(3, 10), Next.scrolled(0, 0)), (8, 9, 0));
}

#[test]
fn shift_and_alt_are_told_apart() {
    let key = |code, modifiers| lookup(Live, KeyEvent::new(code, modifiers));
    assert_eq!(key(KeyCode::Right, KeyModifiers::SHIFT), Some(Action::Cursor(10)));
    assert_eq!(key(KeyCode::Right, KeyModifiers::NONE), Some(Action::Cursor(1)));
    assert_eq!(key(KeyCode::Char('G'), KeyModifiers::SHIFT), Some(Action::List(Rows::Last)));
    assert_eq!(key(KeyCode::Char('!'), KeyModifiers::SHIFT), Some(Action::Solo));
    assert_eq!(key(KeyCode::Char('q'), KeyModifiers::ALT), None);
    assert_eq!(key(KeyCode::Char('s'), KeyModifiers::CONTROL), None);
    assert_eq!(key(KeyCode::BackTab, KeyModifiers::SHIFT), Some(Action::FocusPrevious));
}

#[test]
fn every_key_can_be_written_as_it_is_named() {
    for key in all().iter().flat_map(|row| row.keys.iter()) {
        assert_eq!(Key::spelled(&key.plain_name()), Ok(*key));
    }
    for wrong in ["", "Ctrl-", "Ctrl-xy", "Shift-x", "F13", "Hyper", "\u{1b}", " "] {
        assert!(Key::spelled(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn every_name_can_be_mapped_to_a_free_key() {
    for row in all() {
        let table = remapped([(row.name, "F9")]).unwrap_or_else(|mistake| panic!("{}: {mistake:?}", row.name));
        for mapped in table.iter().filter(|other| other.name == row.name) {
            assert_eq!(mapped.keys.as_ref(), [Named(KeyCode::F(9))]);
        }
        assert!(
            table
                .iter()
                .filter(|other| other.name != row.name)
                .all(|other| !other.keys.contains(&Named(KeyCode::F(9))))
        );
    }
}

#[test]
fn texts_name_keys_as_they_are_mapped() {
    assert_eq!(told("{play} plays on, {narration} no longer stops."), "Space plays on, v no longer stops.");
    assert_eq!(scrolling(), "j k PgDn PgUp scroll, Esc closes");
    assert_eq!(told("nothing to name"), "nothing to name");
}
