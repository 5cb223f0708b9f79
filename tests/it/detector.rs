//! The alarm on labelled runs at five cadences (see `benches/detector`, which prints the whole table).

use std::path::Path;

#[path = "../../benches/detector/synthetic.rs"]
mod synthetic;
#[path = "../../benches/detector/table.rs"]
mod table;

use ldyn_tui::DynamicsState;
use table::{Labelled, Row};

fn recorded() -> Vec<Labelled> {
    table::recordings(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/detector"))
}

#[test]
fn recorded_runs_are_judged_as_labelled_at_every_cadence() {
    let runs = recorded();
    let (mut rows, mut controls, mut apart) = (Vec::new(), Vec::new(), Vec::new());
    for run in &runs {
        let (judged, alarmed) = table::judge(run);
        apart.extend(table::disagreements(&judged));
        rows.extend(judged);
        controls.extend(alarmed);
    }
    // A share that hovers about the rate may be caught an evaluation sooner or later.
    assert!(50 * apart.len() <= rows.len(), "{apart:?}");
    let told = table::table(&runs);
    let labelled: Vec<&Row> = rows.iter().filter(|row| row.is_labelled()).collect();
    let found = labelled.iter().filter(|row| row.is_found()).count();
    assert!(labelled.len() >= 30 && 100 * found >= 95 * labelled.len(), "{told}");
    assert!(controls.len() >= 30 && controls.iter().all(|alarmed| !alarmed), "{told}");
    assert!(rows.iter().all(|row| row.extra_changes() <= 2), "{told}");
    let on_policy = rows.iter().filter(|row| row.family == "onpolicy");
    assert!(on_policy.clone().count() >= 5 && on_policy.clone().all(|row| row.alarm.is_none()), "{told}");
}

#[test]
fn a_plateau_and_a_flat_argmax_squeeze_at_no_cadence_and_a_late_squeeze_does() {
    let runs = synthetic::runs();
    let judged = |family: &str| -> Vec<Row> {
        runs.iter().filter(|run| run.family == family).flat_map(|run| table::judge(run).0).collect()
    };
    for family in ["plateau", "flat argmax"] {
        assert!(judged(family).iter().all(|row| row.alarm.is_none()), "{family}");
    }
    for family in ["drift, no noise", "late squeeze"] {
        let rows = judged(family);
        assert!(rows.iter().all(|row| row.state == DynamicsState::Squeezing && row.extra_changes() <= 2), "{family}");
    }
}
