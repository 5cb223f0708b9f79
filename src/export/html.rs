//! A run as one page that asks for nothing from outside: curves with their values under the pointer, pairs, the verdict.
//!
//! The page is a template with the run's numbers as JSON in it; a script of its own draws them. Numbers are those of the
//! CSV. All text is made displayable here and enters the page as text, never as markup.

use serde_json::{Value, json};

use super::csv::rounded;
use super::hue::{Hue, hues};
use super::sheet::present;
use super::thin::places;
use crate::error::{Error, Result};
use crate::history::{CurveId, MarkKind, PairState, RunHistory, Scale, Series};
use crate::protocol::ProbeGroup;
use crate::text::Shown;

const TEMPLATE: &str = include_str!("page.html");
/// Where the numbers belong in the template.
const PLACE: &str = "{{data}}";
/// Most measurements on a page: of more, as many are shown, evenly spread.
const MEASUREMENTS: usize = 2000;
/// Most numbers about single pairs.
const PAIR_NUMBERS: usize = 200_000;

/// The page.
///
/// # Errors
/// When the run observed no answers: a classifier, or a run that measured nothing.
pub fn page(history: &RunHistory) -> Result<Vec<u8>> {
    if history.evaluations.is_empty() {
        let problem = "--format html: the run measured no answers; `--format csv` writes what it has";
        return Err(Error::usage(problem));
    }
    Ok(TEMPLATE.replacen(PLACE, &embedded(&data(history)), 1).into_bytes())
}

/// JSON that ends no script element and opens no tag.
fn embedded(data: &Value) -> String {
    let mut out = String::new();
    for c in data.to_string().chars() {
        match c {
            '<' | '>' | '&' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out
}

fn data(history: &RunHistory) -> Value {
    let evaluations = &history.evaluations;
    let ends = |at: usize| evaluations.get(at + 1).is_some_and(|next| next.stage != evaluations[at].stage);
    let shown = places(evaluations.len(), MEASUREMENTS, ends);
    let curves = present(history);
    let run = history.run.as_deref();
    let stages = run.map_or(&[][..], |run| &run.stages).iter().zip(&history.stage_starts).map(|(stage, start)| {
        json!({
            "name": text(&stage.name), "objective": text(&stage.objective), "start": start,
            "pushes": stage.has_rejected,
        })
    });
    // The measurement that a stage's changes are counted from, by its place among those shown.
    let origin = |&at: &usize| {
        let start = history.stage_evaluations(evaluations[at].stage).first().map_or(0, |e| e.step);
        shown.partition_point(|&at| evaluations[at].step < start)
    };
    let detector = &history.detector;
    json!({
        "program": concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION")),
        "run": text(run.map_or("run", |run| &run.run_id)),
        "about": text(run.map_or("", |run| &run.description)),
        "model": text(run.map_or("", |run| &run.model)),
        "seed": run.map(|run| run.seed.to_string()),
        "stages": stages.collect::<Vec<_>>(),
        "measured": evaluations.len(),
        "steps": shown.iter().map(|&at| evaluations[at].step).collect::<Vec<_>>(),
        "origins": shown.iter().map(origin).collect::<Vec<_>>(),
        "groups": groups(&curves),
        "curves": curves_of(history, &curves, &shown),
        "marks": history.marks.iter().map(|mark| {
            json!({"step": mark.step, "kind": word(mark.kind), "text": mark.text.as_str()})
        }).collect::<Vec<_>>(),
        "verdict": {
            "state": detector.state.title(),
            "alarm": detector.state.is_alarm(),
            "why": Shown::new(&detector.announcement()).as_str(),
        },
        "pairs": pairs(history, &curves, &shown),
    })
}

fn text(raw: &str) -> String {
    Shown::new(raw.trim()).as_str().to_owned()
}

/// A number of the CSV; a gap is `null`, infinities are strings.
fn number(x: f64) -> Value {
    match x {
        x if x.is_nan() => Value::Null,
        x if x.is_infinite() => Value::from(if x > 0.0 { "inf" } else { "-inf" }),
        x => Value::from(rounded(x)),
    }
}

fn word(kind: MarkKind) -> &'static str {
    match kind {
        MarkKind::Stage => "stage",
        MarkKind::Phase => "phase",
        MarkKind::State => "state",
        MarkKind::Alarm => "alarm",
        MarkKind::Warning => "warning",
    }
}

fn groups(curves: &[CurveId]) -> Vec<&'static str> {
    let has = |group: &ProbeGroup| curves.iter().any(|c| c.group() == *group);
    ProbeGroup::ALL.into_iter().filter(has).map(ProbeGroup::title).collect()
}

fn curves_of(history: &RunHistory, curves: &[CurveId], shown: &[usize]) -> Vec<Value> {
    let looks = hues(curves);
    let of = |(&curve, hue): (&CurveId, &Hue)| {
        let mean = history.curve(curve, Scale::LogProb, None);
        let (low, high) = history.quartiles(curve, Scale::LogProb, 0..usize::MAX, usize::MAX);
        // The place of each measurement among the curve's own readings.
        let mut known = 0..;
        let readings: Vec<Option<usize>> =
            history.evaluations.iter().map(|e| curve.values(e).and_then(|_| known.next())).collect();
        let column = |series: &Series| -> Vec<Value> {
            let at = |&at: &usize| readings[at].and_then(|at| series.get(at)).map_or(f64::NAN, |(_, x)| x);
            shown.iter().map(|place| number(at(place))).collect()
        };
        json!({
            "key": text(curve.key()), "symbol": text(curve.symbol()), "group": curve.group().title(),
            "what": what(curve), "dark": hue.dark, "light": hue.light, "dash": hue.dash,
            "mean": column(&mean), "q1": column(&low), "q3": column(&high),
        })
    };
    curves.iter().zip(&looks).map(of).collect()
}

fn what(curve: CurveId) -> &'static str {
    match curve {
        CurveId::Probe(kind) => kind.description(),
        CurveId::ArgmaxChosen => "what the model would say instead, along the preferred answer",
        CurveId::ArgmaxRejected => "what the model would say instead, along the dispreferred answer",
    }
}

/// The pairs: their text, and every curve of each at some measurements. `null` where the run tells no pairs apart.
fn pairs(history: &RunHistory, curves: &[CurveId], shown: &[usize]) -> Value {
    let Some(run) = history.run.as_ref().filter(|_| history.has_pairs()) else { return Value::Null };
    let evaluations = &history.evaluations;
    let a_measurement = (curves.len() * run.probes.len()).max(1);
    let stage_of = |at: usize| shown.get(at).map(|&at| evaluations[at].stage);
    let ends = |at: usize| stage_of(at + 1).is_some_and(|next| Some(next) != stage_of(at));
    let at = places(shown.len(), PAIR_NUMBERS / a_measurement, ends);
    let rows = run.probes.iter().map(|probe| {
        let answers = probe.responses.iter().map(|(kind, answer)| (text(kind.key()), Value::from(text(&answer.text))));
        json!({"prompt": text(&probe.prompt), "answers": answers.collect::<serde_json::Map<_, _>>()})
    });
    let state = |state: PairState| match state {
        PairState::Quiet => 0,
        PairState::Displaced => 1,
        PairState::Squeezed => 2,
    };
    let measurement = |&at: &usize| {
        let evaluation = &evaluations[shown[at]];
        let sums = |curve: &CurveId| -> Vec<Value> {
            curve.values(evaluation).unwrap_or_default().iter().map(|&x| number(x.into())).collect()
        };
        let states: Vec<u8> = history.pairs_at(evaluation.step).iter().map(|row| state(row.state)).collect();
        json!({"at": at, "states": states, "sums": curves.iter().map(sums).collect::<Vec<_>>()})
    };
    json!({"rows": rows.collect::<Vec<_>>(), "measured": at.iter().map(measurement).collect::<Vec<_>>()})
}

#[cfg(test)]
#[path = "html_tests.rs"]
mod tests;
