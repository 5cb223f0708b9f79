use std::path::Path;
use std::process::Command;

use super::*;
use crate::history::fixture::{evaluation, run, stage};
use crate::protocol::{ProbeKind, TrainerEvent};

const HOSTILE: &str = "</script><script>document.title='taken'</script><!--<b>&amp;\u{202e}\u{1b}[2J\n\u{2028}";

fn history(hostile: &str) -> RunHistory {
    let mut history = RunHistory::default();
    let mut run = run(4, 1, vec![stage("SFT", false, 8), stage(&format!("DPO{hostile}"), true, 32)]);
    run.description = hostile.to_owned();
    for probe in &mut run.probes {
        probe.prompt = format!("{}{hostile}", probe.prompt);
        probe.responses.values_mut().for_each(|answer| answer.text = format!("answer{hostile}"));
    }
    history.apply(&TrainerEvent::RunStarted(Box::new(run)));
    for step in 0..=40u8 {
        if step == 0 || step == 8 {
            let stage = usize::from(step == 8);
            history.apply(&TrainerEvent::StageStarted { stage, step: step.into() });
        }
        let fallen = f32::from(step.saturating_sub(8));
        let logps = [(ProbeKind::Chosen, -30.0 - fallen / 3.0), (ProbeKind::Rejected, -40.0 - 2.0 * fallen)];
        let stage = usize::from(step > 8);
        history.apply(&TrainerEvent::from(evaluation(4, stage, step.into(), &logps, -20.0 + fallen / 4.0)));
    }
    history
}

/// The numbers that a page was written with.
fn embedded_data(page: &str) -> Value {
    let (_, rest) = page.split_once(r#"<script id="data" type="application/json">"#).unwrap();
    serde_json::from_str(rest.split_once("</script>").unwrap().0).unwrap()
}

#[test]
fn hostile_text_stays_text() {
    let page = String::from_utf8(page(&history(HOSTILE)).unwrap()).unwrap();
    let template_scripts = TEMPLATE.matches("</script").count();
    assert_eq!(page.matches("</script").count(), template_scripts);
    assert!(!page.contains(['\u{202e}', '\u{1b}', '\u{2028}']) && !page.contains("<!--<b>"));
    let data = embedded_data(&page);
    let prompt = data["pairs"]["rows"][0]["prompt"].as_str().unwrap();
    assert!(prompt.starts_with("question 0</script>") && prompt.contains("<U+202E><U+001B>[2J"), "{prompt}");
    let outside = TEMPLATE.replace("http://www.w3.org/2000/svg", "").replace("http-equiv", "");
    assert!(!outside.contains("http") && !outside.contains("//"), "no address");
}

#[test]
fn numbers_are_those_of_the_csv() {
    let history = history("");
    let data = embedded_data(&String::from_utf8(page(&history).unwrap()).unwrap());
    let csv = super::super::csv::evaluations(&history);
    let mut lines = csv.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let head = lines.next().unwrap();
    for (at, row) in lines.enumerate() {
        assert_eq!(data["steps"][at].to_string(), row[0]);
        for curve in data["curves"].as_array().unwrap() {
            for (part, key) in [("mean", "mean"), ("q1", "q1"), ("q3", "q3")] {
                let name = format!("{}_{key}", curve["key"].as_str().unwrap());
                let column = head.iter().position(|h| *h == name).unwrap();
                assert_eq!(curve[part][at].as_f64(), row[column].parse().ok(), "{name} at {at}");
            }
        }
    }
    assert_eq!(data["origins"][40], 8, "counted from where the stage began");
}

#[test]
fn a_run_without_answers_is_told_where_its_numbers_are() {
    let said = page(&RunHistory::default()).unwrap_err().to_string();
    assert!(said.contains("--format csv"), "{said}");
}

/// The page in a real browser, after its script ran; passed over where there is none.
#[test]
fn a_browser_draws_every_curve() {
    let Some(browser) = ["chromium", "chromium-browser", "google-chrome"]
        .into_iter()
        .find(|name| Command::new(name).arg("--version").output().is_ok_and(|said| said.status.success()))
    else {
        eprintln!("passed over: no chromium or google-chrome is on this machine");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let history = history(HOSTILE);
    let file = folder.path().join("page.html");
    std::fs::write(&file, page(&history).unwrap()).unwrap();
    let dom = dumped(browser, &file, &folder.path().join("profile"));
    let curves = present(&history).len();
    assert_eq!(dom.matches(r#"class="curve"#).count(), curves, "a path a curve");
    let mean = super::super::csv::number(history.curve(CurveId::ArgmaxChosen, Scale::LogProb, None).last().unwrap().1);
    assert!(dom.contains(&format!(r#"data-key="argmax_chosen" data-step="40" data-value="{mean}""#)));
    assert!(dom.contains("<title>test-seed1</title>"), "no text of the run took the title");
    assert_eq!(dom.matches("data-pair=").count(), 4);
}

fn dumped(browser: &str, file: &Path, profile: &Path) -> String {
    let flags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
                 --disable-component-update --disable-sync --dump-dom";
    let output = Command::new(browser)
        .args(flags.split_whitespace())
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg(format!("file://{}", file.display()))
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}
