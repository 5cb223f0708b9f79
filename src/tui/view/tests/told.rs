//! What the header and the chart's title say, in words.

use super::*;
use crate::history::Scale;

#[test]
fn a_long_measurement_says_how_far_it_has_come() {
    let mut app = live_at(60);
    app.update(Message::Tick(Duration::from_secs(100)));
    let mut tell = |event| drop(app.update(Message::Trainer(Arc::new(event))));
    tell(TrainerEvent::Phase { phase: RunPhase::Evaluating, step: 60 });
    tell(TrainerEvent::Measuring { doing: "measuring answers".to_owned(), share: Some(0.36) });
    assert!(plain(&drawn(&app, 80, 24)).contains("· measuring the probes"), "a short one is over before this is read");
    app.update(Message::Tick(Duration::from_secs(103)));
    let screen = plain(&drawn(&app, 80, 24));
    assert!(screen.contains("measuring answers 36 %, 3 s"), "{screen}");
    app.update(Message::Trainer(Arc::new(TrainerEvent::Phase { phase: RunPhase::Running, step: 60 })));
    assert!(!plain(&drawn(&app, 80, 24)).contains("measuring"));
}

#[test]
fn the_story_is_told_in_nats_on_every_scale() {
    let mut app = squeezing();
    let told = |app: &App| {
        let screen = plain(&drawn(app, 120, 40));
        let line = screen.lines().find(|line| line.contains(" chart · ")).unwrap();
        line.split("nats").next().unwrap().to_owned()
    };
    let story = told(&app);
    assert!(story.contains("y⁺ fell by"), "{story}");
    for _ in Scale::ALL {
        // That scale counts from another step.
        if app.scale() != Scale::Delta {
            assert_eq!(told(&app), story, "{:?}", app.scale());
        }
        app.update(Message::Key(KeyCode::Char('y').into()));
    }
}
