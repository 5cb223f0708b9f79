//! A run watched live and its recording are the same screens, and a picture taken at any moment is the recording's at the
//! step that names it.

use std::process::Command;
use std::sync::Arc;

use ldyn_tui::plain_text as plain;
use ldyn_tui::protocol::{RunPhase, TrainerEvent};
use ldyn_tui::{App, Glyphs, Message, RunDirectory, Screenful, Theme, read_run};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

const STEPS: u64 = 96;
const SIZES: [(u16, u16); 2] = [(80, 24), (120, 40)];

/// The recorded events of the first steps of an experiment, all of SFT and the beginning of DPO, on little data.
fn recorded() -> Vec<TrainerEvent> {
    let folder = tempfile::tempdir().unwrap();
    let settings = [
        "data.train=16",
        "data.held_out=8",
        "probes=(prompts: 4, greedy: 2, max_new_tokens: 4)",
        "stages[0].batch_size=2",
        "stages[1].batch_size=2",
    ];
    let output = Command::new(env!("CARGO_BIN_EXE_ldyn-tui"))
        .args(["run", "dpo_offpolicy", "--headless", "--backend", "flex", "--steps", &STEPS.to_string()])
        .args(settings.iter().flat_map(|setting| ["--set", setting]))
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let directory = RunDirectory::open(&folder.path().join("runs/dpo_offpolicy-seed42")).unwrap();
    read_run(directory.events()).unwrap().events
}

/// Optimiser steps taken at an event.
fn step_of(event: &TrainerEvent) -> u64 {
    match event {
        TrainerEvent::Phase { step, .. } | TrainerEvent::StageStarted { step, .. } => *step,
        TrainerEvent::Step(metrics) => metrics.step,
        TrainerEvent::Evaluation(evaluation) => evaluation.step,
        TrainerEvent::Forces(forces) => forces.step,
        TrainerEvent::RunStarted(_)
        | TrainerEvent::Classes(_)
        | TrainerEvent::Note { .. }
        | TrainerEvent::Measuring { .. }
        | TrainerEvent::Speed { .. } => 0,
    }
}

/// The same with pauses at these steps, once everything else at them has happened.
fn with_pauses(events: Vec<TrainerEvent>, steps: &[u64]) -> Vec<TrainerEvent> {
    let mut all = Vec::new();
    for event in events {
        if let TrainerEvent::Step(metrics) = &event
            && steps.contains(&(metrics.step - 1))
        {
            let step = metrics.step - 1;
            all.extend([RunPhase::Paused, RunPhase::Running].map(|phase| TrainerEvent::Phase { phase, step }));
        }
        all.push(event);
    }
    all
}

/// What the trainer says to the screen: measuring is announced with how far it has come, and so is the speed.
fn live(events: &[TrainerEvent]) -> Vec<TrainerEvent> {
    let mut said = Vec::new();
    for event in events {
        let step = step_of(event);
        match event {
            TrainerEvent::Evaluation(_) => said.extend([
                TrainerEvent::Phase { phase: RunPhase::Evaluating, step },
                TrainerEvent::Measuring { doing: "measuring answers".to_owned(), share: Some(0.5) },
            ]),
            TrainerEvent::Step(_) => said.push(TrainerEvent::Speed { tokens_per_second: 9.0, seconds_left: 1.0 }),
            _ => {}
        }
        said.push(event.clone());
    }
    said
}

fn drawn(app: &App, (width, height): (u16, u16)) -> Buffer {
    let area = Rect::new(0, 0, width, height);
    let mut buffer = Buffer::empty(area);
    app.render(area, &mut buffer);
    buffer
}

fn assert_same(live: &Buffer, again: &Buffer, when: &str) {
    assert!(live == again, "{when}:\n{}\n{}", plain(live), plain(again));
}

/// A picture of the live screen against the recording's at the step that names it.
fn assert_shot(app: &App, again: &mut App, when: &str) {
    for (width, height) in SIZES {
        let (shot, info) = app.screenshot_sized(width, height);
        if info.view == "waiting" {
            continue;
        }
        again.seek_step(info.step);
        let (recorded, of) = again.screenshot_sized(width, height);
        assert_eq!(info, of, "{when}");
        assert_same(&shot, &recorded, when);
    }
}

#[test]
fn every_step_and_every_picture_is_the_recordings() {
    let events = with_pauses(recorded(), &[7, 16, 64, 80, 90]);
    let said = live(&events);
    let new = || App::live("dpo_offpolicy", Theme::default(), Glyphs::Braille);
    let (mut app, mut again, mut shots) = (new(), App::replay(events.clone(), Theme::default(), Glyphs::Braille), {
        App::replay(events, Theme::default(), Glyphs::Braille)
    });
    again.hide_clock = true;
    let mut reached = 0;
    let steps: Vec<u64> = said
        .iter()
        .map(|event| {
            reached = step_of(event).max(reached);
            reached
        })
        .collect();
    let mut compared = 0;
    for (at, event) in said.iter().enumerate() {
        app.update(Message::Trainer(Arc::new(event.clone())));
        let (step, next) = (steps[at], steps.get(at + 1));
        let measuring = matches!(event, TrainerEvent::Phase { phase: RunPhase::Evaluating, .. });
        let paused = matches!(event, TrainerEvent::Phase { phase: RunPhase::Paused, .. });
        if measuring && step > 0 {
            let screen = plain(&drawn(&app, (120, 40)));
            assert!(!screen.contains(&format!("at step {step} ")), "nothing is measured at {step} yet:\n{screen}");
        }
        // While the trainer works or waits: between its other words no one can press a key.
        if measuring || paused || matches!(event, TrainerEvent::Step(_)) {
            assert_shot(&app, &mut shots, &format!("a picture at event {at}, step {step}"));
        }
        if next.is_none_or(|&next| next > step) {
            again.seek_step(step);
            let mut still = app.clone();
            still.hide_clock = true;
            for size in SIZES {
                assert_same(&drawn(&still, size), &drawn(&again, size), &format!("step {step}"));
            }
            compared += 1;
        }
    }
    assert_eq!(compared, STEPS + 1, "every step was compared");
}
