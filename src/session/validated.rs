//! `check` of a run file: every line against the documented form, and its numbers against what must hold of them.

use std::collections::BTreeSet;
use std::io::BufRead as _;
use std::path::Path;

use crate::error::{Error, Location, Result};
use crate::history::{CurveId, RunHistory};
use crate::protocol::{Evaluation, MassFlow, PrefixReading, ProbeKind, RunPhase, RunStarted, TrainerEvent};
use crate::record::{Lines, RunDirectory, open, schema};
use crate::text::Shown;

/// How far an argmax may lie below its label, nats a token: rounding, not a mistake.
const ARGMAX_SLACK: f64 = 1e-3;
/// How far gains and losses may be from cancelling, probability a position.
const BALANCE: f64 = 1e-4;
/// Mistakes that are told.
const TOLD: usize = 10;

/// Validates a recorded run, also one that is still being written; returns what it holds, in a line.
///
/// # Errors
/// With file and line: every line that contradicts the documented form, numbers that cannot be, and a file that is no run.
pub fn check_run(run: &Path) -> Result<String> {
    let directory = RunDirectory::open(run)?;
    let path = directory.events();
    let (mut input, _) = open(path)?;
    let mut lines = Lines::new(path);
    let mut history = RunHistory::default();
    let (mut errors, mut unknown, mut count, mut breaks_off) = (Vec::new(), BTreeSet::new(), 0_usize, false);
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        if input.read_until(b'\n', &mut line).map_err(|e| Error::reading(path, &e))? == 0 {
            break;
        }
        let value = serde_json::from_slice::<serde_json::Value>(&line);
        if value.is_err() && !line.ends_with(b"\n") {
            breaks_off = true;
            break;
        }
        if let Ok(value) = value {
            let found = schema::examine(&value);
            unknown.extend(found.unknown);
            errors.extend(found.wrong.iter().map(|wrong| mistake(path, number, wrong)));
        }
        match lines.take(&line) {
            Ok(Some(event)) => {
                count += 1;
                errors.extend(impossible(&event, &history).iter().map(|wrong| mistake(path, number, wrong)));
                history.apply(&event);
            }
            Ok(None) => {}
            // The document has told it already, or nothing after it can be trusted.
            Err(error) => {
                if errors.is_empty() {
                    errors.push(error);
                }
                break;
            }
        }
        if errors.len() >= TOLD {
            break;
        }
    }
    if errors.is_empty()
        && let Err(error) = lines.passed_over()
    {
        errors.push(error);
    }
    errors.truncate(TOLD);
    Error::all(errors)?;
    Ok(summary(run, &history, count, &lines, &unknown, breaks_off))
}

fn mistake(path: &Path, line: usize, problem: &str) -> Error {
    Error::input(Location::line(path, line), problem, "docs/run-file.md says what an event holds")
}

fn summary(
    run: &Path,
    history: &RunHistory,
    events: usize,
    lines: &Lines,
    unknown: &BTreeSet<String>,
    breaks_off: bool,
) -> String {
    let file = Shown::new(&run.display().to_string());
    let id = Shown::new(history.run.as_ref().map_or("", |run| &run.run_id));
    let ended = match &history.phase {
        Some(RunPhase::Finished) => "finished".to_owned(),
        Some(RunPhase::Stopped) => "stopped early".to_owned(),
        Some(RunPhase::Failed(why)) => format!("failed: {}", Shown::new(why)),
        _ => "not ended".to_owned(),
    };
    let measured = history.measurements();
    let mut text = format!(
        "{file}: ok ({id}; {events} events, {measured} measurements, {} of {} steps, {ended})\n",
        history.step,
        history.total_steps()
    );
    if breaks_off {
        text += "  the last line breaks off: the writer is at it, or was killed\n";
    }
    for (name, count) in lines.unknown() {
        text += &format!("  unknown event `{name}`, {count} of them: passed over\n");
    }
    for field in unknown {
        text += &format!("  unknown field `{}`: passed over\n", Shown::new(field));
    }
    let kinds = history.curves().filter(|curve| curve.is_unlisted());
    for curve in kinds {
        text += &format!("  unknown kind of answer `{}`: kept, and shown under its name\n", curve.key());
    }
    text
}

/// What cannot be true of an event's numbers.
fn impossible(event: &TrainerEvent, history: &RunHistory) -> Vec<String> {
    let (TrainerEvent::Evaluation(evaluation), Some(run)) = (event, &history.run) else { return Vec::new() };
    let mut wrong = below_label(run, evaluation);
    let readings = [("chosen", Some(&evaluation.chosen)), ("rejected", evaluation.rejected.as_ref())];
    let prompts = run.probes.len();
    for (name, reading) in readings.into_iter().filter_map(|(name, reading)| Some((name, reading?))) {
        wrong.extend(
            lengths(reading, prompts)
                .map(|(field, n)| format!("{name}.{field}: a list of {n}, but the run has {prompts} probe prompts")),
        );
    }
    if let Some(flow) = &evaluation.stage_flow {
        wrong.extend(unbalanced(flow, run));
    }
    wrong
}

/// Lists of a reading that are neither empty nor one entry a prompt.
fn lengths(reading: &PrefixReading, prompts: usize) -> impl Iterator<Item = (&'static str, usize)> {
    let PrefixReading { argmax_logps, p_e, energy, a_frobenius, entropy, argmax_tokens, token_logps: _ } = reading;
    let lists = [
        ("argmax_logps", argmax_logps.len()),
        ("p_e", p_e.len()),
        ("energy", energy.len()),
        ("a_frobenius", a_frobenius.len()),
        ("entropy", entropy.len()),
        ("argmax_tokens", argmax_tokens.len()),
    ];
    lists.into_iter().filter(move |&(_, n)| n != 0 && n != prompts)
}

/// At every position the largest log-prob is at least the label's.
fn below_label(run: &RunStarted, evaluation: &Evaluation) -> Vec<String> {
    let curves = [(CurveId::ArgmaxChosen, ProbeKind::Chosen), (CurveId::ArgmaxRejected, ProbeKind::Rejected)];
    let below = |(curve, kind): (CurveId, ProbeKind)| {
        let (argmax, label) = (curve.values(evaluation)?, evaluation.logps.get(kind)?);
        let pair = (0..argmax.len().min(label.len())).find(|&pair| {
            let slack = ARGMAX_SLACK * f64::from(curve.tokens(run, pair).unwrap_or(1).max(1));
            f64::from(argmax[pair]) < f64::from(label[pair]) - slack
        })?;
        let (argmax, label) = (argmax[pair], label[pair]);
        Some(format!("the argmax along {kind} of probe {pair} ({argmax}) is below the answer itself ({label})"))
    };
    curves.into_iter().filter_map(below).collect()
}

/// Gains and losses cancel, and y* cannot gain more than all.
fn unbalanced(flow: &MassFlow, run: &RunStarted) -> Option<String> {
    let at = |list: &[f32], pair: usize| list.get(pair).map_or(f64::NAN, |&x| f64::from(x));
    (0..flow.gain.len()).find_map(|pair| {
        let tokens = run.probes.get(pair)?.responses.get(&ProbeKind::Chosen)?.tokens;
        let room = BALANCE * f64::from(tokens.max(1));
        let sum = at(&flow.star, pair) + at(&flow.label, pair) + at(&flow.bystanders, pair);
        let excess = at(&flow.star_gain, pair) - at(&flow.gain, pair);
        // NaN is within.
        (sum.abs() > room || excess > room).then(|| {
            format!("stage_flow of probe {pair}: star + label + bystanders = {sum:.6}, star_gain − gain = {excess:.6}")
        })
    })
}
