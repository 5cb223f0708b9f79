//! What every key does, and that a replay is the live run again.

mod arriving;
mod narrated;
mod pointed;
mod scale;

use std::sync::Arc;
use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;

use super::*;
use crate::history::{CurveId, Scale};
use crate::protocol::{ProbeGroup, ProbeKind, TrainerEvent};
use crate::tui::message::{Effect, Message};
use crate::tui::testing::{class_events, classes_at, draw, live_at, plain, run_events, squeezing, theme};
use crate::tui::theme::ThemeKind;

fn press(app: &mut App, c: char) -> Vec<Effect> {
    app.update(Message::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE)))
}

fn named(app: &mut App, code: KeyCode) -> Vec<Effect> {
    app.update(Message::Key(KeyEvent::new(code, KeyModifiers::NONE)))
}

fn with(app: &mut App, code: KeyCode, modifiers: KeyModifiers) -> Vec<Effect> {
    app.update(Message::Key(KeyEvent::new(code, modifiers)))
}

fn say(app: &mut App, phase: RunPhase) -> Vec<Effect> {
    let step = app.history().step;
    app.update(Message::Trainer(Arc::new(TrainerEvent::Phase { phase, step })))
}

fn type_in(app: &mut App, keys: &str) {
    for c in keys.chars() {
        press(app, c);
    }
}

fn replay() -> App {
    App::replay(run_events().into_iter().filter(TrainerEvent::is_recorded).collect(), theme(), Glyphs::Braille)
}

fn command(c: TrainerCommand) -> Vec<Effect> {
    vec![Effect::Command(c)]
}

#[test]
fn quitting_asks_only_while_training_and_waits_for_the_last_word() {
    let mut app = live_at(60);
    assert_eq!(press(&mut app, 'q'), []);
    assert_eq!(app.view.dialog, Some(Dialog::Quit));
    assert_eq!(press(&mut app, 'n'), []);
    assert_eq!(app.view.dialog, None);
    press(&mut app, 'q');
    assert_eq!(press(&mut app, 'q'), command(TrainerCommand::Stop));
    assert!(app.is_stopping());
    assert_eq!(say(&mut app, RunPhase::Stopping), []);
    assert_eq!(say(&mut app, RunPhase::Stopped), [Effect::Quit]);
    assert_eq!(app.ending(), Ending::Quit);
    assert_eq!(press(&mut live_at(100), 'q'), [Effect::Quit]);
    assert_eq!(press(&mut replay(), 'q'), [Effect::Quit]);
}

#[test]
fn a_second_ctrl_c_forces_whether_it_asks_or_waits() {
    let ctrl_c = |app: &mut App| with(app, KeyCode::Char('c'), KeyModifiers::CONTROL);
    let mut app = live_at(60);
    assert_eq!(ctrl_c(&mut app), []);
    assert_eq!(ctrl_c(&mut app), [Effect::Command(TrainerCommand::Stop), Effect::Quit]);
    assert_eq!(app.ending(), Ending::Forced);
    let mut app = live_at(60);
    type_in(&mut app, "qy");
    assert_eq!(ctrl_c(&mut app), [Effect::Command(TrainerCommand::Stop), Effect::Quit]);
    assert_eq!(ctrl_c(&mut live_at(100)), [Effect::Quit]);
}

#[test]
fn a_run_that_ends_while_the_question_is_open_closes_it() {
    let mut app = live_at(60);
    press(&mut app, 'q');
    assert_eq!(say(&mut app, RunPhase::Finished), []);
    assert_eq!(app.view.dialog, None);
    assert_eq!(press(&mut app, 'q'), [Effect::Quit]);
}

#[test]
fn commands_go_to_the_trainer_and_wait_for_its_word() {
    let mut app = live_at(60);
    assert_eq!(press(&mut app, ' '), command(TrainerCommand::Pause));
    assert_eq!(app.phase(), Some(&RunPhase::Running), "asked for is not done");
    assert_eq!(app.requested(), Some(TrainerCommand::Pause));
    assert_eq!(press(&mut app, ' '), command(TrainerCommand::Resume), "a second Space takes it back");
    press(&mut app, ' ');
    say(&mut app, RunPhase::Paused);
    assert_eq!(app.requested(), None);
    assert_eq!(press(&mut app, '.'), command(TrainerCommand::Step));
    assert_eq!(press(&mut app, 'e'), command(TrainerCommand::Evaluate));
    assert_eq!(press(&mut app, ' '), command(TrainerCommand::Resume));
    let mut app = live_at(100);
    assert_eq!(press(&mut app, ' '), []);
    assert!(app.notice().is_some_and(|n| n.failure), "there is no trainer to tell");
}

#[test]
fn a_trainer_that_goes_without_a_word_has_failed() {
    let mut app = live_at(60);
    app.update(Message::TrainerGone(Err(Shown::new("boom"))));
    assert_eq!(app.phase(), Some(&RunPhase::Failed("boom".to_owned())));
    assert!(!app.is_training());
    let mut app = live_at(100);
    app.update(Message::TrainerGone(Ok(())));
    assert_eq!(app.phase(), Some(&RunPhase::Finished));
}

#[test]
fn groups_toggle_solo_and_come_back() {
    let mut app = live_at(60);
    let all = app.visible_curves().count();
    press(&mut app, 'a');
    press(&mut app, '4');
    assert!(app.visible_curves().all(|c| c.id.group() != ProbeGroup::Hallucination));
    assert!(app.visible_curves().count() < all);
    press(&mut app, '!');
    assert!(app.visible_curves().all(|c| c.id.group() == ProbeGroup::Hallucination));
    assert!(app.visible_curves().count() > 0);
    press(&mut app, '!');
    assert_eq!(app.visible_curves().count(), all);
    type_in(&mut app, "123456");
    assert_eq!(app.visible_curves().count(), 0);
    assert_eq!(app.curves().len(), all, "what is hidden is still recorded");
    press(&mut app, '0');
    assert_eq!(app.visible_curves().count(), all);
}

#[test]
fn the_cursor_moves_by_evaluations_and_every_panel_follows() {
    let mut app = live_at(60);
    assert_eq!(app.step(), 60);
    named(&mut app, KeyCode::Left);
    assert_eq!((app.view.cursor, app.evaluation().map(|e| e.step)), (Some(55), Some(55)));
    with(&mut app, KeyCode::Left, KeyModifiers::SHIFT);
    assert_eq!(app.step(), 5);
    with(&mut app, KeyCode::Left, KeyModifiers::SHIFT);
    assert_eq!(app.step(), 0);
    named(&mut app, KeyCode::Right);
    assert_eq!(app.step(), 5);
    let chosen = app.curves().iter().find(|c| c.id == CurveId::Probe(ProbeKind::Chosen));
    let direct = app.history().curve(CurveId::Probe(ProbeKind::Chosen), Scale::LogProb, None);
    assert_eq!(chosen.and_then(|c| c.at(5)), direct.at(5));
    assert_eq!(chosen.and_then(|c| app.change(c)), Some(direct.values()[1] - direct.values()[0]));
    press(&mut app, 'r');
    assert_eq!(app.view.cursor, None);
}

#[test]
fn zoom_and_pan_stay_within_the_run() {
    let mut app = live_at(100);
    assert_eq!(app.range(), (0, 100));
    press(&mut app, '+');
    assert_eq!(app.range(), (50, 100));
    press(&mut app, '[');
    assert_eq!(app.range(), (38, 88));
    type_in(&mut app, "]]]]]");
    assert_eq!(app.range(), (50, 100));
    type_in(&mut app, "++++++++++");
    assert_eq!(app.range(), (96, 100));
    type_in(&mut app, "----------");
    assert_eq!(app.range(), (0, 100));
    with(&mut app, KeyCode::Left, KeyModifiers::SHIFT);
    press(&mut app, '+');
    assert_eq!(app.range(), (25, 75), "around the cursor at 50");
    type_in(&mut app, "++");
    for _ in 0..9 {
        named(&mut app, KeyCode::Left);
    }
    let (from, to) = app.range();
    assert!((from..=to).contains(&app.step()), "the cursor stays in view");
}

#[test]
fn scale_and_smoothing_change_what_is_drawn_and_not_what_was_measured() {
    let mut app = live_at(40);
    let raw = app.curves()[0].raw.clone();
    press(&mut app, 'm');
    assert_eq!(app.curves()[0].raw, raw);
    assert_ne!(app.curves()[0].lines[0].series, raw);
    type_in(&mut app, "mm");
    assert_eq!(app.curves()[0].lines[0].series, raw);
    assert_eq!(app.scale(), Scale::LogProb);
    press(&mut app, 'y');
    assert_eq!(app.scale(), Scale::PerToken);
    assert_ne!(app.curves()[0].raw, raw);
    type_in(&mut app, "yyyy");
    assert_eq!(app.curves()[0].raw, raw);
}

#[test]
fn focus_goes_round_and_lists_follow_it() {
    let mut app = live_at(100);
    press(&mut app, 'j');
    assert_eq!(app.view.curve, Some(CurveId::Probe(ProbeKind::Chosen)));
    assert!(app.curves()[0].lines.iter().all(|l| l.band.is_some()), "the selected curve shows its quartiles");
    press(&mut app, 'G');
    assert_eq!(app.view.curve, Some(CurveId::ArgmaxRejected));
    press(&mut app, 'k');
    assert_eq!(app.view.curve, Some(CurveId::ArgmaxChosen));
    named(&mut app, KeyCode::Tab);
    named(&mut app, KeyCode::Tab);
    assert_eq!(app.view.focus, Panel::Prompt);
    type_in(&mut app, "jj");
    assert_eq!(app.view.prompt, 2);
    type_in(&mut app, "Gj");
    assert_eq!(app.view.prompt, 7);
    press(&mut app, 'g');
    assert_eq!(app.view.prompt, 0);
    named(&mut app, KeyCode::Tab);
    assert_eq!(app.view.focus, Panel::Pairs);
    named(&mut app, KeyCode::Tab);
    press(&mut app, 'g');
    assert_eq!((app.view.focus, app.view.event, app.step()), (Panel::Events, Some(0), 0));
    for _ in 0..2 {
        named(&mut app, KeyCode::Tab);
    }
    named(&mut app, KeyCode::BackTab);
    assert_eq!(app.view.focus, Panel::Dynamics);
    named(&mut app, KeyCode::Enter);
    assert!(app.view.maximised);
    named(&mut app, KeyCode::Esc);
    assert!(!app.view.maximised);
}

#[test]
fn events_are_jumped_to() {
    let mut app = live_at(100);
    let steps: Vec<u64> = app.history().marks.iter().map(|m| m.step).collect();
    press(&mut app, 'N');
    let before = app.step();
    assert!(steps.contains(&before) && before < 100);
    press(&mut app, 'g');
    with(&mut app, KeyCode::Left, KeyModifiers::SHIFT);
    with(&mut app, KeyCode::Left, KeyModifiers::SHIFT);
    press(&mut app, 'n');
    assert_eq!(app.step(), 40, "the DPO stage");
}

#[test]
fn a_filter_is_typed_kept_and_cleared() {
    let mut app = live_at(60);
    type_in(&mut app, "/irr_");
    assert_eq!(app.visible_curves().count(), 4);
    press(&mut app, 'q');
    assert_eq!(app.visible_curves().count(), 0, "letters are typed and not obeyed");
    named(&mut app, KeyCode::Backspace);
    named(&mut app, KeyCode::Enter);
    assert_eq!((app.view.dialog, app.visible_curves().count()), (None, 4));
    named(&mut app, KeyCode::Esc);
    assert_eq!(app.visible_curves().count(), 16);
    app.view.focus_on(Panel::Prompt);
    type_in(&mut app, "/Oda");
    assert_eq!(app.visible_prompts(), [2]);
    named(&mut app, KeyCode::Esc);
    assert_eq!(app.visible_prompts().len(), 8);
}

#[test]
fn a_frozen_view_stays_while_the_run_goes_on() {
    let mut app = live_at(60);
    press(&mut app, 'f');
    let curves = app.curves()[0].raw.clone();
    for event in run_events().into_iter().skip(Replay::new(run_events()).position_of(60)) {
        app.update(Message::Trainer(Arc::new(event)));
    }
    assert_eq!((app.step(), app.history().step), (60, 100));
    assert_eq!(app.curves()[0].raw, curves);
    press(&mut app, 'f');
    assert_eq!(app.step(), 100);
    assert_eq!(app.curves()[0].raw.len(), 21);
}

#[test]
fn themes_go_round_unless_colour_is_forbidden() {
    let mut app = live_at(60);
    press(&mut app, 't');
    assert_eq!(app.view.theme.kind, ThemeKind::Light);
    type_in(&mut app, "tt");
    assert_eq!(app.view.theme.kind, ThemeKind::Dark);
    let mut app = App::live("x", Theme { kind: ThemeKind::Mono, ..theme() }, Glyphs::Braille);
    press(&mut app, 't');
    assert_eq!(app.view.theme.kind, ThemeKind::Mono);
}

#[test]
fn help_suspend_and_screenshot() {
    let mut app = live_at(60);
    press(&mut app, '?');
    assert_eq!(app.view.dialog, Some(Dialog::Help(0)));
    press(&mut app, 'j');
    assert_eq!(app.view.dialog, Some(Dialog::Help(1)));
    press(&mut app, '?');
    assert_eq!(app.view.dialog, None);
    assert_eq!(with(&mut app, KeyCode::Char('z'), KeyModifiers::CONTROL), [Effect::Suspend]);
    assert_eq!(press(&mut app, 's'), [Effect::Screenshot]);
    app.update(Message::ScreenshotWritten(vec!["a.svg".into()]));
    assert!(app.notice().is_some());
    app.update(Message::Tick(Duration::from_secs(60)));
    assert!(app.notice().is_none());
    assert_eq!(app.tick_interval(), None, "nothing on the screen depends on a clock any more");
}

#[test]
fn a_clock_ticks_only_where_one_is_shown() {
    let mut app = App::live("made_up", theme(), Glyphs::Braille);
    assert!(app.tick_interval().is_some(), "the first screen counts the seconds");
    assert_eq!(live_at(60).tick_interval(), None);
    app.take_dirty();
    app.update(Message::Tick(Duration::from_secs(1)));
    assert!(app.take_dirty());
    let mut app = live_at(60);
    app.take_dirty();
    app.update(Message::Tick(Duration::from_secs(1)));
    assert!(!app.take_dirty());
}

#[test]
fn a_recording_plays_steps_and_jumps() {
    let mut app = replay();
    assert_eq!(app.step(), 100, "opens at its end");
    named(&mut app, KeyCode::Home);
    assert_eq!(app.recording().map(Replay::position), Some(0));
    press(&mut app, '.');
    assert_eq!((app.step(), app.history().evaluations.len()), (0, 1));
    press(&mut app, '.');
    assert_eq!((app.step(), app.history().evaluations.len()), (5, 2));
    press(&mut app, ',');
    assert_eq!((app.step(), app.history().evaluations.len()), (0, 1));
    press(&mut app, ',');
    assert_eq!(app.history().evaluations.len(), 1, "there is none before");
    press(&mut app, 'v');
    press(&mut app, ' ');
    let rate = |app: &App| app.recording().map_or(0, |replay| replay.rate(0));
    app.update(Message::Tick(Duration::from_secs(20 / rate(&app))));
    assert_eq!(app.step(), 20);
    let before = rate(&app);
    press(&mut app, '>');
    assert!(rate(&app) > before);
    press(&mut app, '<');
    app.update(Message::Tick(Duration::from_secs(3600)));
    assert_eq!((app.step(), app.tick_interval()), (100, None), "stops at its end");
    press(&mut app, ' ');
    assert_eq!(app.step(), 0, "and plays from the beginning again");
    type_in(&mut app, &">".repeat(60));
    assert!(rate(&app) > 1_000_000_000, "there is no top speed");
    app.update(Message::Tick(Duration::from_secs(3601)));
    assert_eq!(app.step(), 100);
    named(&mut app, KeyCode::End);
    assert_eq!((app.step(), app.recording().map(Replay::is_playing)), (100, Some(false)));
    assert_eq!(press(&mut app, 'e'), [], "there is no trainer in a recording");
}

/// The screens of a live run and of its replay at a step, after the same keys.
fn both(step: u64, keys: &str, size: (u16, u16)) -> (Buffer, Buffer) {
    let mut live = live_at(step);
    let mut again = replay();
    again.seek_step(step);
    for app in [&mut live, &mut again] {
        app.hide_clock = true;
        type_in(app, keys);
    }
    (draw(&live, size.0, size.1), draw(&again, size.0, size.1))
}

#[test]
fn a_replay_at_a_step_is_the_live_screen_cell_by_cell() {
    for step in 0..=100 {
        let (live, again) = both(step, "", (80, 24));
        assert_eq!(live, again, "step {step}:\n{}\n{}", plain(&live), plain(&again));
    }
    for (keys, size) in [("jjy4", (120, 40)), ("m+j", (200, 60)), ("nn!", (100, 30)), ("f", (60, 20))] {
        for step in [0, 7, 40, 55, 100] {
            let (live, again) = both(step, keys, size);
            assert_eq!(live, again, "{keys} at step {step}");
        }
    }
    assert_ne!(both(50, "", (80, 24)).0, both(55, "", (80, 24)).0, "screens differ at all");
}

#[test]
fn a_replayed_classifier_is_the_live_one_cell_by_cell() {
    let mut again = App::replay(class_events(), theme(), Glyphs::Braille);
    for step in [0, 7, 30, 60] {
        let mut live = classes_at(step);
        again.seek_step(step);
        (live.hide_clock, again.hide_clock) = (true, true);
        for (width, height) in [(80, 24), (120, 40), (60, 20)] {
            let (live, again) = (draw(&live, width, height), draw(&again, width, height));
            assert_eq!(live, again, "step {step}:\n{}\n{}", plain(&live), plain(&again));
        }
    }
    named(&mut again, KeyCode::Home);
    press(&mut again, '.');
    press(&mut again, '.');
    assert_eq!((again.step(), again.history().classes.len()), (10, 2), "forward by readings");
}

#[test]
fn hidden_clocks_hide_everything_that_a_clock_decides() {
    let mut app = squeezing();
    app.hide_clock = true;
    let before = draw(&app, 120, 40);
    app.update(Message::Tick(Duration::from_secs(77)));
    app.update(Message::Dropped(3));
    app.update(Message::ScreenshotWritten(vec!["a.svg".into()]));
    app.update(Message::Trainer(Arc::new(TrainerEvent::Speed { tokens_per_second: 9.0, seconds_left: 9.0 })));
    assert_eq!(draw(&app, 120, 40), before);
}

#[test]
fn an_alarm_opens_on_the_gravest_pair_until_the_user_selects_another() {
    let mut app = squeezing();
    // y* rose above y⁺ most on pair 1 when the alarm was raised, at step 70, and on pair 2 now.
    for (step, pair) in [(70, 1), (100, 2)] {
        let evaluations = &mut app.history_mut().evaluations;
        let evaluation = evaluations.iter_mut().find(|e| e.step == step).unwrap();
        Arc::make_mut(evaluation).chosen.argmax_logps[pair] += 9.0;
    }
    app.update(Message::Resize);
    assert_eq!(app.view.prompt, 1);
    assert!(plain(&draw(&app, 80, 24)).contains("prompt 2/8  squeezed "), "{}", plain(&draw(&app, 80, 24)));
    press(&mut app, 'x');
    assert_eq!((app.view.prompt, app.focus()), (2, Panel::Prompt), "the first key shows the gravest now");
    press(&mut app, 'x');
    let second = app.view.prompt;
    assert!(second != 2 && second < 4);
    press(&mut app, 'X');
    assert_eq!(app.view.prompt, 2);
    app.view.focus_on(Panel::Pairs);
    press(&mut app, 'G');
    let chosen = app.view.prompt;
    app.update(Message::Resize);
    assert_eq!(app.view.prompt, chosen, "what was selected stays");
    let order = |app: &App| app.pairs().iter().map(|row| row.pair).collect::<Vec<_>>();
    assert_eq!(order(&app)[..1], [2]);
    type_in(&mut app, "oooo");
    assert_eq!(order(&app), (0..8).collect::<Vec<_>>(), "sorted by number");
    let mut healthy = live_at(100);
    press(&mut healthy, 'x');
    assert!(healthy.notice().is_some_and(|n| n.failure), "there is no squeezed pair to go to");
}

#[test]
fn the_pairs_are_drawn_as_points_with_the_quadrant_shaded_in_which_both_fell() {
    let mut app = squeezing();
    app.view.focus_on(Panel::Pairs);
    for (size, maximised) in [((80, 24), true), ((120, 40), false), ((200, 60), false)] {
        app.view.maximised = maximised;
        let screen = plain(&draw(&app, size.0, size.1));
        for part in ["4 of 8 squeezed, 4 only displaced", "both fell", "░", "Δy⁺", "Δy⁻", "state↓", "squeezed"]
        {
            assert!(screen.contains(part), "{part} at {size:?}:\n{screen}");
        }
    }
    app.view.maximised = false;
    let screen = plain(&draw(&app, 80, 24));
    assert!(screen.contains("4 of 8 squeezed"), "{screen}");
    let sft = live_at(30);
    assert!(sft.pairs().iter().all(|row| row.chosen > 0.0 && row.state == PairState::Quiet));
}

#[test]
fn the_bell_rings_once_an_alarm_where_that_is_set() {
    use crate::history::fixture::{evaluation, run, stage};
    let events = |bell: bool| {
        let mut app = App::live("x", theme(), Glyphs::Braille);
        app.view.bell = bell;
        let fallen = |step| {
            let mut e = evaluation(20, 0, step, &[(ProbeKind::Rejected, -62.0), (ProbeKind::Chosen, -51.0)], -39.5);
            e.stage_flow = None;
            TrainerEvent::from(e)
        };
        let start = evaluation(20, 0, 0, &[(ProbeKind::Chosen, -50.0), (ProbeKind::Rejected, -60.0)], -40.0);
        [
            TrainerEvent::RunStarted(Box::new(run(20, 0, vec![stage("DPO", true, 100)]))),
            TrainerEvent::StageStarted { stage: 0, step: 0 },
            TrainerEvent::from(start),
            fallen(10),
            fallen(20),
        ]
        .map(|event| app.update(Message::Trainer(Arc::new(event))))
    };
    assert_eq!(events(true), [vec![], vec![], vec![], vec![Effect::Bell], vec![]]);
    assert_eq!(events(false), [const { Vec::new() }; 5]);
}

#[test]
fn the_words_of_every_panel_are_explained_by_one_key() {
    let mut app = squeezing();
    let all: Vec<Panel> = Panel::all(app.shows()).collect();
    for panel in all {
        app.view.focus_on(panel);
        press(&mut app, 'w');
        assert_eq!(app.view.dialog, Some(Dialog::Glossary(0)));
        let mut seen = String::new();
        for _ in 0..60 {
            seen += &plain(&draw(&app, 80, 24));
            press(&mut app, 'j');
        }
        for term in crate::tui::glossary::terms(panel) {
            assert!(seen.contains(term.word), "{} of {panel:?}:\n{seen}", term.word);
        }
        named(&mut app, KeyCode::Esc);
        assert_eq!(app.view.dialog, None);
    }
}

#[test]
fn the_whole_text_of_a_prompt_scrolls() {
    let mut app = live_at(60);
    let tail = "THE-VERY-END";
    let run = app.history_mut().run.as_mut().map(Arc::make_mut).unwrap();
    let text = format!("{}{tail}", "many words of an answer ".repeat(120));
    run.probes[0].responses.get_mut(&ProbeKind::Rejected).unwrap().text = text;
    app.view.focus_on(Panel::Prompt);
    app.view.maximised = true;
    let shown = |app: &App| plain(&draw(app, 80, 24)).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(!shown(&app).contains(tail) && shown(&app).contains('…'));
    for _ in 0..40 {
        named(&mut app, KeyCode::PageDown);
    }
    assert!(shown(&app).contains(tail), "{}", plain(&draw(&app, 80, 24)));
    press(&mut app, 'j');
    assert!(app.view.prompt == 1 && app.view.prompt_scroll.is_none(), "another prompt begins at its top");
}
