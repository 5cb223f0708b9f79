//! A long recording in the dashboard: how soon the first frame is there, how long loading takes and how much memory, and
//! what a frame, a seek and a screenshot cost at a million steps.
//!
//! ```text
//! cargo bench --bench long -- [MB]
//! ```
//!
//! Makes a recording of about so many megabytes (300) in a folder that is deleted after: two stages, a million steps of
//! four scalars, and a measurement of one prompt every five steps, so that every curve has 200,000 points. Smaller files
//! have fewer steps. Every line ends with what it should be.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::cast_precision_loss,
    missing_docs,
    reason = "a bench prints and may fail"
)]

#[allow(dead_code, unreachable_pub, reason = "not every bench needs all of it")]
mod common;

use std::time::{Duration, Instant};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ldyn_tui::protocol::ProbeKind;
use ldyn_tui::{App, Glyphs, Loaded, Loader, Message, Screenful as _, Theme};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use common::recording::{EVERY, write};
use common::{arguments, memory};

const STEPS: u64 = 1_000_000;
/// Megabytes of a recording of so many steps.
const MEGABYTES: u64 = 300;
const SIZE: (u16, u16) = (160, 50);

fn main() {
    let asked = arguments().first().map_or(MEGABYTES, |s| s.parse().expect("MB is a number"));
    let steps = (STEPS * asked / MEGABYTES).max(1000);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    let size = write(&path, steps, ProbeKind::ALL);
    println!("{steps} steps, {} measurements, {:.0} MB; {}×{} cells", steps / EVERY, size / 1e6, SIZE.0, SIZE.1);

    let before = memory("VmRSS");
    let start = Instant::now();
    let loader = Loader::start(&path).unwrap();
    let mut app = App::arriving(Theme::default(), Glyphs::Braille);
    for loaded in loader.first(Duration::from_millis(120)) {
        app.update(Message::Recording(loaded));
    }
    draw(&app);
    println!("first frame            {:8.0} ms    goal 300", ms(start));
    let mut while_loading = Vec::new();
    for loaded in loader.arrivals() {
        let whole = matches!(loaded, Loaded::Whole);
        while_loading.push(timed(|| {
            app.update(Message::Recording(loaded));
            draw(&app);
        }));
        if whole {
            break;
        }
    }
    assert_eq!(app.history().step, steps, "all of it is loaded");
    println!("loaded after           {:8.1} s", start.elapsed().as_secs_f64());
    told("a part and its frame", &mut while_loading, 33.0);
    if let (Some(before), Some(peak)) = (before, memory("VmHWM")) {
        println!(
            "peak memory / file     {:8.2}       goal 3   ({:.0} MB)",
            (peak - before) / size,
            (peak - before) / 1e6
        );
    }

    let mut frames: Vec<f64> = (0..300).map(|_| timed(|| draw(&app))).collect();
    told("a frame", &mut frames, 10.0);
    frames = KEYS.iter().cycle().take(300).map(|&key| timed(|| press(&mut app, key))).collect();
    told("a key and its frame", &mut frames, 10.0);
    press(&mut app, KeyCode::Char('r'));

    let mut place = 7_919;
    let mut seeks = Vec::new();
    for _ in 0..100 {
        place = (place * 48_271) % 2_147_483_647;
        seeks.push(timed(|| {
            app.seek_step(place % steps);
            draw(&app);
        }));
    }
    told("a seek", &mut seeks, 200.0);
    for (name, key) in [("Back", KeyCode::Char(',')), ("Home", KeyCode::Home), ("End", KeyCode::End)] {
        let mut times: Vec<f64> = (0..10)
            .map(|_| {
                if name == "Back" {
                    app.seek_step(steps);
                }
                timed(|| press(&mut app, key))
            })
            .collect();
        told(name, &mut times, 200.0);
    }
    press(&mut app, KeyCode::End);
    let mut shots: Vec<f64> = (0..10).map(|_| timed(|| drop(app.screenshot_sized(SIZE.0, SIZE.1)))).collect();
    told("a screenshot", &mut shots, 33.0);

    play(&mut app, steps);
}

/// Plays at rates up to the whole run in an instant.
fn play(app: &mut App, steps: u64) {
    // Through the events, without a stop at each.
    press(app, KeyCode::Char('v'));
    press(app, KeyCode::Home);
    (0..40).for_each(|_| press(app, KeyCode::Char('<')));
    for rate in [100_000, 1_000_000] {
        while app.recording().is_some_and(|r| r.rate(steps) < rate) {
            press(app, KeyCode::Char('>'));
        }
        press(app, KeyCode::Home);
        press(app, KeyCode::Char(' '));
        let (start, begun) = (Instant::now(), app.now());
        let mut ticks = Vec::new();
        while app.recording().is_some_and(|r| r.is_playing()) {
            ticks.push(timed(|| {
                app.update(Message::Tick(begun + start.elapsed()));
                draw(app);
            }));
        }
        println!("{steps} steps at {rate} a second: {:.2} s", start.elapsed().as_secs_f64());
        told("a tick and its frame", &mut ticks, 33.0);
    }
}

/// Cursor, zoom, groups, scales, focus.
const KEYS: [KeyCode; 8] = [
    KeyCode::Left,
    KeyCode::Char('+'),
    KeyCode::Char('['),
    KeyCode::Char('1'),
    KeyCode::Char('y'),
    KeyCode::Char('-'),
    KeyCode::Tab,
    KeyCode::Char('1'),
];

fn press(app: &mut App, key: KeyCode) {
    app.update(Message::Key(KeyEvent::new(key, KeyModifiers::NONE)));
    draw(app);
}

fn draw(app: &App) {
    let area = Rect::new(0, 0, SIZE.0, SIZE.1);
    let mut buffer = Buffer::empty(area);
    app.render(area, &mut buffer);
    std::hint::black_box(buffer);
}

fn timed(what: impl FnOnce()) -> f64 {
    let start = Instant::now();
    what();
    ms(start)
}

fn ms(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e3
}

fn told(what: &str, times: &mut [f64], goal: f64) {
    times.sort_by(f64::total_cmp);
    let at = |share: usize| times.get((times.len() * share / 100).min(times.len() - 1)).copied().unwrap_or(f64::NAN);
    println!("{what:22} {:8.2} ms p50, {:.2} p95, {:.2} max    goal {goal:.0}", at(50), at(95), at(100));
}
