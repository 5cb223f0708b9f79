//! Screens. The snapshots hold characters and styles: after a change, `cargo insta review` (or `INSTA_UPDATE=always
//! cargo test tui::view`, then `git diff`) shows what moved.

mod told;

use std::sync::Arc;
use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use proptest::prelude::*;
use ratatui::style::{Color, Modifier};

use super::*;
use crate::history::DynamicsState;
use crate::protocol::{ProbeGroup, RunPhase, TrainerEvent};
use crate::tui::glyphs::Glyphs;
use crate::tui::keymap;
use crate::tui::message::Message;
use crate::tui::screenful::Screenful as _;
use crate::tui::testing::{
    class_events, classes_at, draw as drawn, live_at, mono, plain, run_events, squeezing, theme,
};

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 60)];

fn key(app: &mut App, c: char) {
    app.update(Message::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE)));
}

#[test]
fn a_live_run_at_three_sizes() {
    for (width, height) in SIZES {
        insta::assert_debug_snapshot!(format!("live_{width}x{height}"), drawn(&live_at(60), width, height));
    }
}

#[test]
fn a_squeeze_without_colour() {
    insta::assert_debug_snapshot!("squeeze_mono_80x24", drawn(&mono(squeezing()), 80, 24));
}

#[test]
fn a_classifiers_run_at_three_sizes() {
    for (width, height) in SIZES {
        let mut app = classes_at(40);
        key(&mut app, 'G');
        insta::assert_snapshot!(format!("classes_{width}x{height}"), plain(&drawn(&app, width, height)));
    }
    insta::assert_debug_snapshot!("classes_mono_80x24", drawn(&mono(classes_at(40)), 80, 24));
}

#[test]
fn a_classifiers_run_names_no_key_and_no_measure_that_it_does_not_have() {
    let mut app = classes_at(60);
    for (width, height) in SIZES {
        let screen = plain(&drawn(&app, width, height));
        assert!(screen.contains("accuracy 96.0 %"), "{screen}");
        for absent in ["answers", "solo", "filter", "displaced", "healthy", "prompt"] {
            assert!(!screen.contains(absent), "{absent} at {width}×{height}:\n{screen}");
        }
    }
    key(&mut app, '?');
    let help = plain(&drawn(&app, 100, 80));
    assert!(!help.contains("show or hide") && help.contains("screenshot"), "{help}");
    key(&mut app, '?');
    for inert in ['1', '!', '0', '/'] {
        key(&mut app, inert);
    }
    assert!(app.view.hidden.is_empty() && app.view.dialog.is_none());
}

#[test]
fn the_cursor_shows_the_matrices_of_its_step_and_the_lists_choose_a_class() {
    let mut app = classes_at(60);
    assert_eq!(app.class(), 4, "the class that the README tells about");
    let screen = |app: &App| plain(&drawn(app, 120, 40));
    assert!(screen(&app).contains("learning pulled pictures of 4 to 9 +300.0"), "{}", screen(&app));
    assert!(screen(&app).contains("most like 4: 9 50"), "{}", screen(&app));
    for _ in 0..3 {
        app.update(Message::Key(KeyEvent::new(KeyCode::Left, KeyModifiers::NONE)));
    }
    assert_eq!((app.step(), app.reading().map(|r| r.step)), (30, Some(30)));
    assert!(screen(&app).contains("learning pulled pictures of 4 to 9 +150.0"), "{}", screen(&app));
    key(&mut app, 'G');
    assert_eq!(app.class(), 9);
    key(&mut app, 'k');
    assert!(screen(&app).contains("what it says of pictures of 8"));
}

#[test]
fn without_colour_a_classifiers_signs_are_glyphs() {
    let mut app = mono(classes_at(60));
    let last = app.history_mut().classes.len() - 1;
    Arc::make_mut(&mut app.history_mut().classes[last]).influence[45] = -290.0;
    let frame = drawn(&app, 80, 24);
    assert!(frame.content.iter().all(|c| c.fg == Color::Reset && c.bg == Color::Reset));
    let screen = plain(&frame);
    assert!(screen.contains("-█") && screen.contains("+█"), "{screen}");
}

#[test]
fn the_help_names_every_key() {
    let mut app = live_at(60);
    key(&mut app, '?');
    let screen = plain(&drawn(&app, 100, 120));
    for binding in keymap::bindings(keymap::Context::Live) {
        assert!(screen.contains(binding.help), "{} is missing:\n{screen}", binding.help);
    }
    insta::assert_snapshot!("help_80x24", plain(&drawn(&app, 80, 24)));
}

#[test]
fn the_first_screen_says_what_it_waits_for() {
    let mut app = App::live("made_up", theme(), Glyphs::Braille);
    app.update(Message::Tick(Duration::from_millis(1234)));
    let phase = RunPhase::Starting("compiling kernels".to_owned());
    app.update(Message::Trainer(Arc::new(TrainerEvent::Phase { phase, step: 0 })));
    let screen = plain(&drawn(&app, 80, 24));
    assert!(screen.contains("compiling kernels  1.2 s"), "{screen}");
    insta::assert_snapshot!("waiting_80x24", screen);
}

#[test]
fn a_wait_within_the_run_is_counted_in_the_header() {
    let mut app = live_at(60);
    app.update(Message::Tick(Duration::from_secs(100)));
    let phase = RunPhase::Starting("reference log-probs".to_owned());
    app.update(Message::Trainer(Arc::new(TrainerEvent::Phase { phase, step: 60 })));
    assert!(app.tick_interval().is_some());
    app.update(Message::Tick(Duration::from_secs(103)));
    let screen = plain(&drawn(&app, 80, 24));
    assert!(screen.contains("reference log-probs, 3 s"), "{screen}");
}

#[test]
fn the_alarm_is_raised_with_its_reason_if_and_only_if_the_detector_says_so() {
    use DynamicsState as S;
    for state in [S::Healthy, S::Displacing, S::Flattening, S::Squeezing, S::Collapse] {
        for (width, height) in SIZES {
            let mut app = squeezing();
            app.history_mut().detector.state = state;
            let screen = plain(&drawn(&app, width, height));
            let banner = format!("! {}", state.title().to_uppercase());
            assert_eq!(screen.contains(&banner), state.is_alarm(), "{state:?} at {width}×{height}:\n{screen}");
            let words = screen.split_whitespace().collect::<Vec<_>>().join(" ");
            let [when, how] = if width < 100 {
                ["since step 70: 25 % of pairs then, 50 % now, worsening", "it took 38 % of the freed mass"]
            } else {
                ["began at step 70 with 25 % of pairs; now 50 %, worsening", "on 41 % of pairs y⁺ and y⁻ both fell"]
            };
            assert_eq!(words.contains(when), state.is_alarm(), "{screen}");
            assert_eq!(words.contains(how), state.is_alarm(), "{screen}");
        }
    }
}

#[test]
fn a_reason_with_hostile_text_is_shown_and_not_obeyed() {
    let mut app = squeezing();
    app.history_mut().detector.reason = "\u{1b}]52;c;AAAA\u{7}\u{202e}took".to_owned();
    let screen = plain(&drawn(&app, 120, 40));
    assert!(screen.contains("<U+001B>]52;c;AAAA<U+0007><U+202E>took"), "{screen}");
    assert!(!screen.contains('\u{1b}') && !screen.contains('\u{202e}'));
}

#[test]
fn every_group_is_shown_at_80_by_24_and_all_hidden_says_what_to_do() {
    let mut app = live_at(60);
    app.view.focus = Panel::Curves;
    let screen = plain(&drawn(&app, 80, 24));
    for (digit, group) in ('1'..='9').zip(ProbeGroup::ALL) {
        assert!(screen.contains(&format!("{digit} {}", group.title())), "{}:\n{screen}", group.title());
    }
    for curve in app.curves() {
        assert!(screen.contains(curve.id.symbol()), "{:?}:\n{screen}", curve.id);
    }
    let mut crowded = squeezing();
    crowded.view.focus = Panel::Curves;
    let crowded = plain(&drawn(&crowded, 80, 24));
    for curve in app.curves() {
        assert!(crowded.contains(curve.id.symbol()), "{:?} gives way to the alarm:\n{crowded}", curve.id);
    }
    for digit in "a123456".chars() {
        key(&mut app, digit);
    }
    assert_eq!(crate::tui::panel::chart::hint(&app), "every group is hidden: 0 shows them all");
    let screen = plain(&drawn(&app, 80, 24));
    assert!(screen.contains("1 answers") && screen.contains("6 not language"), "{screen}");
}

#[test]
fn without_colour_no_cell_has_one() {
    for app in [live_at(60), squeezing()] {
        let frame = drawn(&mono(app), 120, 40);
        assert!(frame.content.iter().all(|c| c.fg == Color::Reset && c.bg == Color::Reset));
        assert!(frame.content.iter().any(|c| c.modifier.contains(Modifier::BOLD)));
    }
}

#[test]
fn what_fell_since_the_stage_began_is_negative_beside_the_banner() {
    let mut app = squeezing();
    app.history_mut().detector.reason = "y⁺ and y⁻ both fell since step 64".to_owned();
    for (width, height) in SIZES {
        let screen = plain(&drawn(&app, width, height));
        assert!(screen.contains("Δ log p since the stage began (nats)"), "{width}×{height}:\n{screen}");
        assert!(screen.contains("y⁺ fell by 4.3, y⁻ fell by 24.0, y* rose by 2.5"), "{width}×{height}:\n{screen}");
        assert!(screen.contains("since DPO") && screen.contains("● y⁺ −4.3"), "{width}×{height}:\n{screen}");
    }
    key(&mut app, 'y');
    let screen = plain(&drawn(&app, 120, 40));
    assert!(screen.contains("Δ log p from step 0 (nats)") && screen.contains("y⁺ rose by 8.3"), "{screen}");
    (app.view.focus, app.view.maximised) = (Panel::Prompt, true);
    let screen = plain(&drawn(&app, 120, 40));
    assert!(screen.contains("(+8.3 from step 0)"), "the prompt counts with the table:\n{screen}");
    app.view.maximised = false;
    // An axis that has no room for its name leaves it to the panel's title.
    app.view.focus = Panel::Prompt;
    let low = plain(&drawn(&app, 80, 21));
    assert!(low.contains("Δ log p from step 0"), "{low}");
}

#[test]
fn labels_carry_the_step_that_was_measured() {
    let mut app = live_at(62);
    for (width, height) in SIZES {
        let screen = plain(&drawn(&app, width, height));
        let measured = screen.contains("at step 60") || screen.contains("at 60:");
        assert!(screen.contains("step 62/100") && measured, "{screen}");
        assert!(!screen.contains("at step 62"), "{width}×{height}:\n{screen}");
    }
    let (_, info) = app.screenshot_sized(80, 24);
    assert_eq!((info.step, info.view), (60, "dashboard"));
    app = App::live("made_up", theme(), Glyphs::Braille);
    for event in run_events().into_iter().take(4) {
        app.update(Message::Trainer(Arc::new(event)));
    }
    let screen = plain(&drawn(&app, 120, 40));
    assert!(screen.contains("nothing measured yet") && !screen.contains("at step"), "{screen}");
    assert_eq!(app.screenshot_sized(80, 24).1.view, "waiting");
}

#[test]
fn the_chart_says_over_how_many_prompts_its_curves_are_means() {
    let events = |change: &dyn Fn(&mut crate::protocol::RunStarted)| {
        let mut app = App::live("made_up", theme(), Glyphs::Braille);
        for mut event in run_events() {
            if let TrainerEvent::RunStarted(run) = &mut event {
                change(run);
            }
            app.update(Message::Trainer(Arc::new(event)));
        }
        key(&mut app, 'a');
        plain(&drawn(&app, 120, 40))
    };
    assert!(events(&|_| {}).contains("mean of 8 prompts"));
    let fewer = events(&|run| {
        run.probes.iter_mut().take(3).for_each(|p| drop(p.responses.remove(&crate::protocol::ProbeKind::IrrHum)));
    });
    assert!(fewer.contains("mean of 5–8 prompts"), "{fewer}");
    let means = events(&|run| {
        run.means = true;
        run.probes.truncate(1);
    });
    assert!(means.contains("means, of how many prompts is not recorded"), "{means}");
    assert!(!means.contains("1 prompt") && !means.contains("one prompt") && !means.contains("1/1"), "{means}");
}

#[test]
fn a_stage_that_pushes_nothing_down_has_no_squeezed_pairs() {
    let mut app = squeezing();
    app.view.focus = Panel::Dynamics;
    let named = |app: &App| {
        let screen = plain(&drawn(app, 120, 40));
        (screen.contains("squeezed pairs"), screen.contains("share to y*"), screen.contains("─ squeezed "))
    };
    assert_eq!(named(&app), (true, true, true));
    app.history_mut().detector.standings.iter_mut().for_each(|s| Arc::make_mut(s).stage = 0);
    assert_eq!(named(&app), (false, true, false));
    app.history_mut().detector.standings.iter_mut().for_each(|s| Arc::make_mut(s).step = 40);
    assert_eq!(named(&app), (false, false, false), "another stage's standings say nothing of this one");
}

#[test]
fn too_small_a_screen_says_what_it_needs() {
    let screen = plain(&drawn(&live_at(60), 39, 24));
    assert_eq!(screen.trim_end(), "40×12 needed, this is 39×24");
    assert!(!plain(&drawn(&live_at(60), MIN_WIDTH, MIN_HEIGHT)).contains("needed"));
    assert_eq!(plain(&drawn(&live_at(60), 1, 1)), "4\n");
}

#[test]
fn the_footer_names_only_keys_that_work() {
    let mut app = live_at(100);
    let footer = |app: &App| plain(&drawn(app, 200, 24)).lines().last().unwrap_or_default().to_owned();
    assert!(!footer(&app).contains("Space"), "a trainer that is done cannot be paused: {}", footer(&app));
    assert!(footer(&live_at(60)).contains("Space pause"));
    for dialog in [Dialog::Help(0), Dialog::Quit, Dialog::Filter] {
        app.view.dialog = Some(dialog);
        for binding in footer::hints(&app) {
            assert!(binding.context.reaches(app.mode()), "{:?} in {dialog:?}", binding.action);
        }
    }
}

#[test]
fn numbers_that_are_none_and_infinite_are_drawn() {
    let mut app = App::live("made_up", theme(), Glyphs::Braille);
    for (index, mut event) in run_events().into_iter().enumerate() {
        if let TrainerEvent::Evaluation(evaluation) = &mut event {
            for (_, values) in Arc::make_mut(evaluation).logps.iter_mut() {
                let bad = [f32::NAN, f32::NEG_INFINITY, f32::INFINITY, -1e30][index % 4];
                values.iter_mut().for_each(|v| *v = bad);
            }
        }
        app.update(Message::Trainer(Arc::new(event)));
        drawn(&app, 80, 24);
    }
    for (width, height) in SIZES {
        drawn(&app, width, height);
    }
}

/// Rows of the plot: those of the y axis above the corner where the axes meet.
fn plot_rows(screen: &str) -> usize {
    let rows: Vec<Vec<char>> = screen.lines().map(|line| line.chars().collect()).collect();
    let corner =
        |row: &[char]| (0..row.len()).find(|&x| row[x] == '└' && row.get(x + 1).is_some_and(|c| "─┬".contains(*c)));
    let (bottom, x) =
        rows.iter().enumerate().find_map(|(y, row)| Some((y, corner(row)?))).unwrap_or_else(|| panic!("{screen}"));
    rows[..bottom].iter().rev().take_while(|row| row.get(x).is_some_and(|c| "│┤".contains(*c))).count()
}

#[test]
fn the_chart_has_room_at_every_size() {
    for app in [live_at(60), live_at(100), squeezing()] {
        for (width, height) in [(80, 24), (100, 30), (120, 40), (160, 50), (200, 60)] {
            let screen = plain(&drawn(&app, width, height));
            assert!(plot_rows(&screen) >= 12, "{width}×{height}:\n{screen}");
            let area = ratatui::layout::Rect::new(0, 0, width, height);
            let places = layout::places(&app, area);
            let chart = places.panels.iter().find(|(panel, _)| *panel == Panel::Chart).map_or(0, |(_, at)| at.area());
            assert!(width < 120 || 2 * chart >= area.area(), "{chart} of {} cells at {width}×{height}", area.area());
            // Panels lie in the body, side by side.
            for (at, (one, place)) in places.panels.iter().enumerate() {
                assert!(places.body.union(*place) == places.body && !place.is_empty(), "{one:?}");
                for (other, there) in &places.panels[at + 1..] {
                    assert!(place.intersection(*there).is_empty() && one != other, "{one:?} {other:?}");
                }
            }
        }
    }
}

#[test]
fn the_focused_panel_is_on_the_screen_at_any_size() {
    for app in [live_at(100), classes_at(40)] {
        let all: Vec<Panel> = Panel::all(app.shows()).collect();
        for (width, height) in
            [(40, 12), (72, 20), (80, 24), (100, 30), (120, 40), (150, 45), (170, 50), (200, 60), (300, 100)]
        {
            for &panel in &all {
                let mut app = app.clone();
                app.view.focus_on(panel);
                let places = layout::places(&app, ratatui::layout::Rect::new(0, 0, width, height));
                assert!(places.panels.iter().any(|(there, _)| *there == panel), "{panel:?} at {width}×{height}");
            }
        }
    }
}

#[test]
fn what_was_looked_at_last_stays_beside_the_prompt() {
    let mut app = live_at(100);
    let beside = |app: &App| {
        let places = layout::places(app, ratatui::layout::Rect::new(0, 0, 120, 40));
        places.panels.iter().map(|(panel, _)| *panel).collect::<Vec<_>>()
    };
    assert_eq!(beside(&app), [Panel::Chart, Panel::Prompt, Panel::Pairs]);
    app.view.focus_on(Panel::Curves);
    app.view.focus_on(Panel::Prompt);
    assert_eq!(beside(&app), [Panel::Chart, Panel::Prompt, Panel::Curves]);
}

#[test]
fn the_story_stands_out_and_a_key_shows_all_curves() {
    let mut app = live_at(100);
    for (width, height) in SIZES {
        let story = plain(&drawn(&app, width, height));
        for told in ["● y⁺ −4.3", "■ y⁻ −24.0", "★ y* on y⁺ +2.5"] {
            assert!(story.contains(told), "{told} at {width}×{height}:\n{story}");
        }
    }
    let chart = |app: &App| {
        let mut app = app.clone();
        app.view.maximised = true;
        plain(&drawn(&app, 120, 40))
    };
    let story = chart(&app);
    assert!(!story.contains("irr train") && !story.contains('▲'), "background has neither label nor markers:\n{story}");
    key(&mut app, '4');
    assert!(chart(&app).contains("▲ irr train") && !chart(&app).contains("◆ irr hum"), "{}", chart(&app));
    key(&mut app, '4');
    assert!(!chart(&app).contains("irr train"));
    key(&mut app, 'a');
    assert!(chart(&app).contains("▲ irr train") && chart(&app).contains("◆ irr hum"));
    key(&mut app, 'a');
    assert_eq!(chart(&app), story);
}

#[test]
fn without_colour_every_curve_keeps_its_label() {
    for mut app in [mono(live_at(100)), mono(squeezing())] {
        key(&mut app, 'a');
        let screen = plain(&drawn(&app, 120, 40));
        for curve in app.curves() {
            let label = format!("{} {}", app.view.theme.curve(curve.id).marker, curve.id.symbol());
            assert!(screen.contains(&label), "{label}:\n{screen}");
        }
    }
}

#[test]
fn one_far_value_flattens_nothing_where_the_axis_leaves_it_out() {
    let mut app = App::live("made_up", theme(), Glyphs::Braille);
    for mut event in run_events() {
        if let TrainerEvent::Evaluation(evaluation) = &mut event
            && evaluation.step == 80
        {
            let values = Arc::make_mut(evaluation).logps.get_mut(crate::protocol::ProbeKind::Rejected);
            values.into_iter().flatten().for_each(|v| *v = -760.0);
        }
        app.update(Message::Trainer(Arc::new(event)));
    }
    let (flat, top) =
        (plain(&drawn(&app, 80, 24)), |screen: &str| screen.lines().filter(|l| l.contains("-600")).count());
    assert!(top(&flat) > 0, "{flat}");
    key(&mut app, 'z');
    let screen = plain(&drawn(&app, 80, 24));
    assert!(top(&screen) == 0 && screen.contains("far values left out (z)") && screen.contains('▼'), "{screen}");
}

/// Anything that can happen at the keyboard.
fn any_key() -> impl Strategy<Value = KeyEvent> {
    let code = prop_oneof![
        6 => any::<prop::sample::Index>().prop_map(|i| {
            let keys: Vec<char> = "?q .ef123456!0+-[]rym/nNjkgGst,<>ynaczxXwoiv".chars().collect();
            KeyCode::Char(*i.get(&keys))
        }),
        1 => any::<char>().prop_map(KeyCode::Char),
        3 => prop::sample::select(vec![
            KeyCode::Tab, KeyCode::BackTab, KeyCode::Enter, KeyCode::Esc, KeyCode::Left, KeyCode::Right, KeyCode::Up,
            KeyCode::Down, KeyCode::Home, KeyCode::End, KeyCode::Backspace, KeyCode::F(5),
        ]),
    ];
    let modifiers = prop::sample::select(vec![KeyModifiers::NONE, KeyModifiers::NONE, KeyModifiers::SHIFT]);
    (code, modifiers).prop_map(|(code, modifiers)| KeyEvent::new(code, modifiers))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_keys_at_no_size_panic(
        keys in prop::collection::vec((any_key(), 1_u16..=300, 1_u16..=100, 0_usize..400), 1..24),
        recorded in any::<bool>(),
        classes in any::<bool>(),
    ) {
        let events = if classes { class_events() } else { run_events() };
        let mut app = if recorded {
            App::replay(events.clone(), theme(), Glyphs::Braille)
        } else {
            App::live("made_up", theme(), Glyphs::Braille)
        };
        let mut said = 0;
        for (index, (key, width, height, more)) in keys.into_iter().enumerate() {
            if !recorded {
                let until = (said + more / 8).min(events.len());
                for event in &events[said..until] {
                    app.update(Message::Trainer(Arc::new(event.clone())));
                }
                said = until;
            }
            app.update(Message::Key(key));
            app.update(Message::Tick(Duration::from_millis(100 * index as u64)));
            app.update(Message::Resize);
            drawn(&app, width, height);
        }
    }
}
