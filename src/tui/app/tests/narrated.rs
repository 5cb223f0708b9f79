//! A replay that tells its story: it stops at events, and its axes stay.

use super::*;

/// Plays for an hour; returns the step at which it stands then.
fn play(app: &mut App, hour: u64) -> u64 {
    press(app, ' ');
    app.update(Message::Tick(Duration::from_secs(3600 * hour)));
    app.step()
}

#[test]
fn playing_stops_at_every_event_and_says_what_to_look_at() {
    let mut app = replay();
    named(&mut app, KeyCode::Home);
    let events: Vec<u64> =
        replay().history().marks.iter().filter(|m| m.kind != crate::history::MarkKind::Phase).map(|m| m.step).collect();
    assert_eq!((play(&mut app, 1), events[0]), (0, 0), "SFT begins");
    assert!(app.recording().is_some_and(|r| !r.is_playing()));
    let screen = plain(&draw(&app, 120, 40));
    assert!(screen.contains("step 0: SFT begins: it shows the model y⁺ alone."), "{screen}");
    assert!(screen.contains("plays on, v no longer stops."), "{screen}");
    assert_eq!(play(&mut app, 2), 40);
    let screen = plain(&draw(&app, 80, 24));
    assert!(screen.contains("step 40: DPO begins: it pulls y⁺ up against y⁻."), "{screen}");
    let mut stops = vec![0, 40];
    for hour in 3..20 {
        let step = play(&mut app, hour);
        if step == 100 {
            break;
        }
        stops.push(step);
    }
    let mut distinct = events.clone();
    distinct.dedup();
    assert!(distinct.iter().filter(|&&step| step < 100).all(|step| stops.contains(step)), "{stops:?} of {events:?}");
    named(&mut app, KeyCode::Home);
    assert!(app.narration().is_none(), "what was said is over where the replay went on");
    press(&mut app, 'v');
    assert_eq!(play(&mut app, 30), 100, "and it plays through where that is asked for");
}

#[test]
fn with_hidden_clocks_nothing_is_told_and_no_axis_is_fixed() {
    let mut app = replay();
    named(&mut app, KeyCode::Home);
    play(&mut app, 1);
    assert!(app.narration().is_some() && app.range() == (0, 100));
    app.hide_clock = true;
    assert!(app.narration().is_none() && app.fixed().is_none() && app.range().1 < 100);
}

#[test]
fn the_axes_of_a_replay_stay_while_its_curves_grow() {
    /// The labels left of the axis and below it.
    fn axes(app: &App) -> (Vec<String>, String) {
        let screen = plain(&draw(app, 80, 24));
        let rows: Vec<&str> = screen.lines().collect();
        let bottom = rows.iter().position(|row| row.contains('└')).unwrap_or_else(|| panic!("{screen}"));
        let ticks = rows[..bottom].iter().filter_map(|row| Some(row.split_once('┤')?.0.to_owned())).collect();
        (ticks, rows[bottom + 1].to_owned())
    }
    let mut app = replay();
    press(&mut app, 'y');
    press(&mut app, 'y');
    let whole = axes(&app);
    assert!(whole.0.len() >= 3, "{whole:?}");
    for step in [60, 20, 5] {
        app.seek_step(step);
        assert_eq!(axes(&app), whole, "at step {step}");
    }
    app.hide_clock = true;
    assert_ne!(axes(&app), whole, "the live run's axes end where it stands");
}
