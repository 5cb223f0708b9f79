//! Who moved an answer, as lines of text and as JSON.

use serde::Serialize;

use crate::protocol::{Contribution, Influence, RunStarted};
use crate::text::{Shown, fit};

/// Columns of a number.
const NUMBER: usize = 9;
/// Columns of how often an example was learnt.
const TIMES: usize = 6;
/// Columns of an example's name.
const NAME: usize = 7;
/// Fewest columns that are left for text.
const TEXT: usize = 20;

/// The answer as lines of at most `width` columns: what was observed, its change, the `top` strongest examples with those
/// that the observed answer belongs to, and everything else as sums. The numbers of the lines add up to the change.
pub fn lines(run: Option<&RunStarted>, influence: &Influence, top: usize, width: usize) -> Vec<String> {
    let mut lines = heading(run, influence, width);
    let text = width.saturating_sub(3 * NUMBER + TIMES + NAME + 2).max(TEXT);
    lines.push(format!("{:>NUMBER$}{:>NUMBER$}{:>NUMBER$}{:>TIMES$}  example", "net", "pull", "push", "times"));
    let named = |(at, c): &(usize, &Contribution)| *at < top || c.own || c.same_answer;
    let (shown, others): (Vec<_>, Vec<_>) = influence.examples.iter().enumerate().partition(named);
    for (_, example) in &shown {
        lines.push(row(example, text));
        if example.rejected.is_some() || example.own || example.same_answer {
            let (said, whose) = remarks(example);
            let indent = 3 * NUMBER + TIMES + 2 + NAME;
            lines.extend(whose.map(|whose| format!("{:indent$}{whose}", "")));
            lines.extend(said.map(|said| format!("{:indent$}{}", "", fit(&said, text))));
        }
    }
    let sum = |part: fn(&Contribution) -> f64| others.iter().map(|(_, c)| part(c)).sum::<f64>();
    let times = others.iter().map(|(_, c)| c.times).sum::<usize>();
    let parts: [fn(&Contribution) -> f64; 3] = [Contribution::net, |c| c.pull, |c| c.push];
    let [net, pull, push] = parts.map(|part| nats(sum(part)));
    lines.push(format!("{net}{pull}{push}{times:TIMES$}  all others ({} examples)", others.len()));
    let mut sums = vec![(influence.carried, "carried in: learnt before the window, by way of the momentum")];
    sums.extend((influence.decay != 0.0).then_some((influence.decay, "weight decay")));
    sums.push((influence.residual(), "residual: what the lines above miss"));
    sums.push((influence.measured, "measured"));
    let indent = 2 * NUMBER + TIMES + 2;
    lines.extend(sums.into_iter().map(|(x, what)| format!("{}{:indent$}{what}", nats(x), "")));
    lines.into_iter().map(|line| fit(line.trim_end(), width)).collect()
}

/// What was observed, and how it moved.
fn heading(run: Option<&RunStarted>, influence: &Influence, width: usize) -> Vec<String> {
    let question = influence.question;
    let whose = match question.prompt {
        Some(prompt) => format!("of prompt {}", prompt + 1),
        None => format!("in the mean over {} prompts", influence.answers),
    };
    let mut lines = vec![format!(
        "{} ({}) {whose}, {}, steps {} to {}",
        question.kind.symbol(),
        question.kind,
        Shown::new(&influence.stage),
        question.since,
        question.until
    )];
    let probe = question.prompt.and_then(|prompt| run?.probes.get(prompt));
    if let Some((probe, answer)) = probe.and_then(|probe| Some((probe, probe.responses.get(&question.kind)?))) {
        lines.push(fit(&format!("  {} ← {}", Shown::new(probe.prompt.trim()), Shown::new(answer.text.trim())), width));
    }
    let (pull, push) = influence.sums();
    let way = if influence.measured < 0.0 { "fell" } else { "rose" };
    lines.push(format!("  log p {way} by {:.3} nats", influence.measured.abs()));
    lines.push(format!(
        "  examples pulled {pull:+.3} and pushed {push:+.3}, carried in {:+.3}, residual {:+.4}",
        influence.carried,
        influence.residual()
    ));
    lines.push(String::new());
    lines
}

fn row(example: &Contribution, text: usize) -> String {
    let said = format!("{} ← {}", Shown::new(&example.prompt), Shown::new(&example.chosen));
    let name = format!("#{}", example.example + 1);
    let [net, pull, push] = [example.net(), example.pull, example.push].map(nats);
    format!("{net}{pull}{push}{:TIMES$}  {name:NAME$}{}", example.times, fit(&said, text))
}

/// The rejected answer, and what the example has to do with what is observed.
fn remarks(example: &Contribution) -> (Option<String>, Option<&'static str>) {
    let rejected = example.rejected.as_ref().map(|text| format!("not {}", Shown::new(text)));
    let whose = match (example.own, example.same_answer) {
        (true, true) => Some("↑ its own example: this prompt and this answer"),
        (true, false) => Some("↑ its own prompt"),
        (false, true) => Some("↑ the example that the observed answer belongs to"),
        (false, false) => None,
    };
    (rejected, whose)
}

/// A number with its sign; one that is none as a dash.
fn nats(x: f64) -> String {
    if x.is_finite() { format!("{x:+NUMBER$.3}") } else { format!("{:>NUMBER$}", "–") }
}

/// An influence as JSON. Prompts and examples count from 1, as on the screen.
#[derive(Serialize)]
struct Json<'a> {
    run: &'a str,
    stage: &'a str,
    probe: &'a str,
    prompt: Option<usize>,
    window: [u64; 2],
    answers: usize,
    measured: f64,
    pull: f64,
    push: f64,
    carried_in: f64,
    decay: f64,
    residual: f64,
    examples: Vec<JsonExample<'a>>,
}

#[derive(Serialize)]
struct JsonExample<'a> {
    example: usize,
    times: usize,
    own_prompt: bool,
    same_answer: bool,
    net: f64,
    pull: f64,
    push: f64,
    prompt: &'a str,
    chosen: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rejected: Option<&'a str>,
}

/// The answer as JSON, with every example.
pub fn json(run: Option<&RunStarted>, influence: &Influence) -> serde_json::Result<String> {
    let (pull, push) = influence.sums();
    let examples = influence.examples.iter().map(|c| JsonExample {
        example: c.example + 1,
        times: c.times,
        own_prompt: c.own,
        same_answer: c.same_answer,
        net: c.net(),
        pull: c.pull,
        push: c.push,
        prompt: &c.prompt,
        chosen: &c.chosen,
        rejected: c.rejected.as_deref(),
    });
    let question = influence.question;
    serde_json::to_string_pretty(&Json {
        run: run.map_or("", |run| &run.run_id),
        stage: &influence.stage,
        probe: question.kind.key(),
        prompt: question.prompt.map(|prompt| prompt + 1),
        window: [question.since, question.until],
        answers: influence.answers,
        measured: influence.measured,
        pull,
        push,
        carried_in: influence.carried,
        decay: influence.decay,
        residual: influence.residual(),
        examples: examples.collect(),
    })
}
