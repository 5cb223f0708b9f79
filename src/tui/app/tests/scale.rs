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
    assert_eq!((app.scale(), app.since()), (Scale::Delta, Since::Start), "nothing of DPO is measured yet");
    let mut app = live_at(100);
    assert_eq!((app.scale(), app.since()), (Scale::StageDelta, Since::Stage(1)));
    assert!(app.change(chosen(&app)).unwrap() < -4.0, "y⁺ fell in the stage");
    assert_eq!(chosen(&app).lines.len(), 2, "a line a stage");
    let starts: Vec<_> = chosen(&app).lines.iter().map(|l| l.series.first().unwrap_or_default()).collect();
    assert_eq!(starts, [(0, 0.0), (40, 0.0)]);
    to_the_boundary(&mut app);
    assert_eq!((app.step(), app.scale()), (40, Scale::Delta), "the cursor is in the other stage");
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
