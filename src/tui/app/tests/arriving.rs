//! A recording that is still being read: what is shown of it, and what is said of the rest.

use super::*;
use crate::history::Folder;
use crate::record::Loaded;
use crate::text::Shown;

/// The made-up run in this many parts, as a loader sends them, each saying how much of the file is read.
fn parts(count: usize) -> Vec<Loaded> {
    let events: Vec<_> = run_events().into_iter().filter(TrainerEvent::is_recorded).collect();
    let mut folder = Folder::default();
    let of = 314_000_000;
    let size = events.len().div_ceil(count);
    let part = |(at, events): (usize, &[TrainerEvent])| {
        events.iter().cloned().for_each(|event| folder.add(event));
        let (part, after) = folder.take();
        Loaded::Part { part, after, read: of * (at as u64 + 1) / count as u64, of }
    };
    events.chunks(size).enumerate().map(part).collect()
}

/// The dashboard after the first parts of a recording.
fn after(parts: impl IntoIterator<Item = Loaded>) -> App {
    let mut app = App::arriving(theme(), Glyphs::Braille);
    parts.into_iter().for_each(|loaded| assert_eq!(app.update(Message::Recording(loaded)), []));
    app
}

fn screen(app: &App) -> String {
    plain(&draw(app, 80, 24))
}

#[test]
fn the_end_of_what_is_there_is_shown_and_how_much_that_is() {
    assert!(screen(&after([])).contains("loading"), "{}", screen(&after([])));
    let app = after(parts(8).into_iter().take(3));
    assert!(app.step() > 20 && app.step() < 60);
    assert!(screen(&app).contains("loading 37 % of 314.0 MB"), "{}", screen(&app));
    let mut whole = after(parts(8).into_iter().chain([Loaded::Whole]));
    assert_eq!(draw(&whole, 120, 40), draw(&replay(), 120, 40), "it ends as if it had been read at once");
    let mut still = app.clone();
    (still.hide_clock, whole.hide_clock) = (true, true);
    whole.seek_step(still.step());
    assert!(!screen(&still).contains("loading"));
}

#[test]
fn where_the_user_has_gone_is_not_left_when_more_arrives() {
    let mut all = parts(8).into_iter();
    let mut app = after(all.by_ref().take(3));
    press(&mut app, ',');
    let step = app.step();
    app.update(Message::Recording(all.next().unwrap()));
    assert_eq!(app.step(), step);
    named(&mut app, KeyCode::End);
    let end = app.step();
    app.update(Message::Recording(all.next().unwrap()));
    assert!(app.step() > end, "End is the end of what arrives");
    named(&mut app, KeyCode::Home);
    press(&mut app, 'v');
    press(&mut app, ' ');
    app.update(Message::Tick(Duration::from_secs(3600)));
    let end = app.step();
    assert!(end > 40 && app.recording().is_some_and(Replay::is_playing), "it waits for more");
    app.update(Message::Recording(all.next().unwrap()));
    app.update(Message::Tick(Duration::from_secs(3603)));
    assert!(app.step() > end, "and goes on");
}

#[test]
fn a_step_that_was_asked_for_is_shown_once_it_is_there() {
    let mut app = App::arriving(theme(), Glyphs::Braille);
    app.seek_step(55);
    let mut steps = Vec::new();
    for loaded in parts(10).into_iter().chain([Loaded::Whole]) {
        app.update(Message::Recording(loaded));
        steps.push(app.step());
    }
    assert!(steps.is_sorted() && steps[2] < 55);
    assert_eq!(steps.last(), Some(&55));
}

#[test]
fn a_broken_file_is_told_and_what_came_before_stays() {
    let broken = Loaded::Broken(Shown::new("events.jsonl:41: not an event: expected value"));
    let mut app = after(parts(8).into_iter().take(5).chain([broken.clone()]));
    let text = screen(&app);
    assert!(text.contains(" not all could be read: events.jsonl:41: not an event: expected value"), "{text}");
    let step = app.step();
    press(&mut app, ',');
    named(&mut app, KeyCode::End);
    assert_eq!(app.step(), step);
    let nothing = screen(&after([broken]));
    assert!(nothing.contains("events.jsonl:41: not an event"), "{nothing}");
}
