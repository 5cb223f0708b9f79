//! The table of requirements in `docs/requirements.md`: every test that it names is there, and what had no test yet.

use std::path::Path;
use std::process::Command;

use ldyn_tui::{App, Glyphs, Screenful as _, Theme, read_run};

use super::recorded;

#[test]
fn every_test_that_the_table_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = std::fs::read_to_string(root.join("docs/requirements.md")).unwrap();
    let rows: Vec<&str> =
        table.lines().filter(|line| line.starts_with("| ") && line.as_bytes()[2].is_ascii_digit()).collect();
    assert_eq!(rows.len(), 16);
    let mut named = 0;
    for (at, row) in rows.iter().enumerate() {
        assert!(row.starts_with(&format!("| {} |", at + 1)), "{row}");
        let held: Vec<&str> = row.split('`').skip(1).step_by(2).filter(|name| name.contains(".rs")).collect();
        assert!(!held.is_empty(), "nothing holds {row}");
        for name in held {
            let (file, test) = name.split_once('#').unwrap_or((name, "fn "));
            let text = std::fs::read_to_string(root.join(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
            let declared = if test == "fn " { test.to_owned() } else { format!("fn {test}(") };
            assert!(text.contains(&declared), "{file} has no test {test}");
            named += 1;
        }
    }
    assert!(named >= 32, "{named}");
}

/// At every step the cursor's numbers are those of the exported table, to six digits, on every curve.
#[test]
fn the_cursor_reads_what_the_table_has() {
    let folder = tempfile::tempdir().unwrap();
    let run = recorded::write(folder.path(), &recorded::plain);
    let exported = Command::new(env!("CARGO_BIN_EXE_ldyn-tui"))
        .args(["export", run.to_str().unwrap(), "--format", "csv", "--out", folder.path().to_str().unwrap()])
        .output()
        .unwrap();
    assert!(exported.status.success(), "{}", String::from_utf8_lossy(&exported.stderr));
    let table = std::fs::read_to_string(folder.path().join("made_up-seed7-evaluations.csv")).unwrap();
    let mut lines = table.lines();
    let heading: Vec<&str> = lines.next().unwrap().split(',').collect();
    let events = read_run(&run.join("events.jsonl")).unwrap().events;
    let mut app = App::replay(events, Theme::default(), Glyphs::Braille);
    app.hide_clock = true;
    let mut compared = 0;
    for line in lines {
        let cells: Vec<&str> = line.split(',').collect();
        let step: u64 = cells[0].parse().unwrap();
        app.view.cursor = Some(step);
        assert_eq!(app.evaluation().unwrap().step, step);
        let screen = ldyn_tui::plain_text(&app.screenshot_sized(200, 60).0);
        assert!(screen.contains(&format!("at step {step}")), "{screen}");
        for curve in app.curves() {
            let column = heading.iter().position(|name| *name == format!("{}_mean", curve.id.key())).unwrap();
            let Ok(written) = cells[column].parse::<f64>() else { continue };
            let read = curve.level.at(step).unwrap();
            assert!(
                (read - written).abs() <= 1e-6 * written.abs().max(1.0),
                "{step} {}: {read} {written}",
                curve.id.key()
            );
            compared += 1;
        }
    }
    assert!(compared > 100, "{compared}");
}
