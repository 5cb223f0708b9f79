//! Which scale is shown, and from where changes are counted.

use super::*;

fn chosen(app: &App) -> &Curve {
    app.curves().iter().find(|c| c.id == CurveId::Probe(ProbeKind::Chosen)).unwrap()
}

/// From the end to the evaluation at step 40, the last of SFT.
fn to_the_boundary(app: &mut App) {
    with(app, KeyCode::Left, KeyModifiers::SHIFT);
    named(app, KeyCode::Left);
    named(app, KeyCode::Left);
}

#[test]
fn a_stage_that_pushes_down_shows_what_it_did_until_the_user_chooses() {
    let app = live_at(40);
    assert_eq!((app.scale(), app.since()), (Scale::LogProb, Since::Start), "nothing of DPO is measured yet");
    let mut app = live_at(100);
    assert_eq!((app.scale(), app.since()), (Scale::StageDelta, Since::Stage(1)));
    assert!(app.change(chosen(&app)).unwrap() < -4.0, "y⁺ fell in the stage");
    assert_eq!(chosen(&app).lines.len(), 2, "a line a stage");
    let starts: Vec<_> = chosen(&app).lines.iter().map(|l| l.series.first().unwrap_or_default()).collect();
    assert_eq!(starts, [(0, 0.0), (40, 0.0)]);
    to_the_boundary(&mut app);
    assert_eq!((app.step(), app.scale()), (40, Scale::LogProb), "the cursor is in the other stage");
    assert!(app.change(chosen(&app)).unwrap() > 12.0);
    assert_eq!(chosen(&app).lines.len(), 1, "and the curves are on its scale");
    press(&mut app, 'r');
    press(&mut app, 'y');
    assert_eq!((app.scale(), app.since()), (Scale::Delta, Since::Start));
    assert!(app.change(chosen(&app)).unwrap() > 8.0, "above the run's start");
    press(&mut app, 'y');
    assert_eq!(
        (app.scale(), app.since()),
        (Scale::LogProb, Since::Stage(1)),
        "a scale of levels counts with the stage"
    );
    assert!(app.change(chosen(&app)).unwrap() < -4.0);
    to_the_boundary(&mut app);
    assert_eq!((app.scale(), app.since()), (Scale::LogProb, Since::Start), "what was chosen stays");
    press(&mut app, 'r');
    type_in(&mut app, "yyy");
    assert_eq!((app.scale(), app.view.scale), (Scale::StageDelta, None), "round again, the stage decides");
}

#[test]
fn the_smoothed_level_is_in_the_units_of_the_level() {
    for keys in ["m", "my", "myy", "myyy", "myyyy"] {
        let mut app = live_at(100);
        type_in(&mut app, keys);
        let curve = chosen(&app);
        let (level, smooth) = (curve.level.at(100).unwrap(), curve.smooth_level(100).unwrap());
        assert!((level - smooth).abs() < 0.1 * level.abs(), "{keys}: {level} beside {smooth}");
        assert_ne!(level, smooth);
    }
    let mut app = live_at(100);
    press(&mut app, 'm');
    let last = chosen(&app).lines[1].series.last().unwrap().1;
    let (level, raw) = (chosen(&app).level.at(100).unwrap(), chosen(&app).at(100).unwrap());
    assert_eq!(chosen(&app).smooth_level(100), Some(last + (level - raw)), "what the chart draws, as a level");
}

#[test]
fn changes_are_counted_from_the_cursor_until_the_key_is_pressed_again() {
    let mut app = live_at(100);
    (0..4).for_each(|_| drop(named(&mut app, KeyCode::Left)));
    assert_eq!(app.step(), 80);
    let level = |app: &App, step: u64| chosen(app).level.at(step).unwrap();
    let fallen = level(&app, 100) - level(&app, 80);
    press(&mut app, 'c');
    assert_eq!((app.since(), app.scale()), (Since::Step(80), Scale::Delta));
    assert_eq!(app.scale_title(), "Δ log p since step 80 (nats)");
    assert_eq!(app.change(chosen(&app)), Some(0.0));
    press(&mut app, 'r');
    assert_eq!((app.step(), app.change(chosen(&app))), (100, Some(fallen)), "what happened since");
    assert_eq!(app.origin().map(|e| e.step), Some(80), "the prompt counts with the curves");
    assert_eq!(chosen(&app).lines.len(), 1);
    press(&mut app, 'c');
    assert_eq!((app.since(), app.scale()), (Since::Stage(1), Scale::StageDelta));
    press(&mut app, 'c');
    press(&mut app, 'y');
    assert_eq!(app.since(), Since::Stage(1), "another scale counts as it does");
}
