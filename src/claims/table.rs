//! Claims as plain, aligned text.

use unicode_width::UnicodeWidthStr as _;

use super::{Checked, ClaimResult, Figure, Unit};
use crate::text::{Shown, broken};

/// Columns of the claim's name and of its verdict.
const ID: usize = 9;
const VERDICT: usize = 17;
/// Narrower than this, words no longer fit; lines then run over.
const NARROWEST: usize = 48;

/// The claims of every experiment as a table of at most `width` columns, ending in a line break. A gate is marked with `*`.
pub fn table(experiments: &[Checked], width: usize) -> String {
    let width = width.max(NARROWEST);
    let mut lines: Vec<String> = Vec::new();
    for checked in experiments {
        lines.extend(wrap(&heading(checked), width));
        for claim in &checked.claims {
            lines.extend(rows(claim, width));
        }
        lines.push(String::new());
    }
    let claims = || experiments.iter().flat_map(|c| &c.claims);
    let gates = claims().filter(|c| c.gates).count();
    let failed = claims().filter(|c| c.failed_gate()).count();
    let over_pairs = claims().flat_map(|c| &c.figures).any(|f| matches!(f.unit, Unit::Nats | Unit::Share));
    let units = if over_pairs { "; log p in nats, sums, with 95 % intervals over pairs" } else { "" };
    let summary = format!("* gates: {} of {gates} hold{units}", gates - failed);
    lines.extend(wrap(&summary, width));
    lines.iter().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// `dpo_onpolicy, seeds 10 11 12, against dpo_offpolicy`.
fn heading(checked: &Checked) -> String {
    let Checked { experiment, seeds, baseline, .. } = checked;
    let seeds = match seeds.as_slice() {
        [] => String::new(),
        [one] => format!(", seed {one}"),
        several => format!(", seeds{}", several.iter().map(|seed| format!(" {seed}")).collect::<String>()),
    };
    let against = baseline.as_ref().map_or_else(String::new, |name| format!(", against {}", Shown::new(name)));
    format!("{}{seeds}{against}", Shown::new(experiment))
}

/// One claim: its verdict, then a line a figure.
fn rows(claim: &ClaimResult, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let star = if claim.gates { "*" } else { "" };
    let mut head = format!("{:ID$}{:VERDICT$}", claim.id, format!("{}{star}", claim.verdict.title()));
    for line in wrap(claim.statement, width - ID - VERDICT) {
        lines.push(head + &line);
        head = " ".repeat(ID + VERDICT);
    }
    let note = claim.note.as_ref().map(|note| Shown::new(note).to_string());
    for text in note.into_iter().chain(claim.figures.iter().map(describe)) {
        let wrapped = wrap(&text, width - ID - 2);
        let indent = |n: usize| " ".repeat(if n == 0 { ID } else { ID + 2 });
        lines.extend(wrapped.iter().enumerate().map(|(n, line)| indent(n) + line));
    }
    lines
}

/// `y⁺: +12.58 [+12.23, +12.97], n 192; by seed +12.70 +12.22 +12.82`.
fn describe(figure: &Figure) -> String {
    let pooled = &figure.pooled;
    let number = |x: f64| match figure.unit {
        Unit::Nats => format!("{x:+.2}"),
        Unit::Share => format!("{:.1}", 100.0 * x),
        Unit::Points => format!("{:+.1}", 100.0 * x),
        Unit::Steps | Unit::Count => format!("{x:.0}"),
        Unit::Mass => format!("{x:+.4}"),
        Unit::Correlation | Unit::Area => format!("{x:.3}"),
    };
    let seeds: Vec<String> = figure.per_seed.iter().map(|&(_, x)| number(x)).collect();
    let label = &figure.label;
    if matches!(figure.unit, Unit::Steps | Unit::Correlation) {
        return if seeds.is_empty() { format!("{label}: never") } else { format!("{label}: {}", seeds.join(" ")) };
    }
    let unit = match figure.unit {
        Unit::Share => " %",
        Unit::Points => " points",
        Unit::Count => return format!("{label}: {} of {}{}", number(pooled.value), pooled.n, by_seed(&seeds)),
        Unit::Mass => return format!("{label}: {}", number(pooled.value)),
        Unit::Nats | Unit::Steps | Unit::Correlation | Unit::Area => "",
    };
    let interval = if pooled.low.is_nan() || pooled.high.is_nan() {
        String::new()
    } else {
        format!(" [{}, {}]", number(pooled.low), number(pooled.high))
    };
    format!("{label}: {}{unit}{interval}, n {}{}", number(pooled.value), pooled.n, by_seed(&seeds))
}

/// The values of the runs, where there are several.
fn by_seed(seeds: &[String]) -> String {
    if seeds.len() > 1 { format!("; by seed {}", seeds.join(" ")) } else { String::new() }
}

/// Breaks at spaces into lines of at most `width` columns, where words allow it.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let widths: Vec<usize> = words.iter().map(|word| word.width()).collect();
    broken(&widths, width).into_iter().map(|line| words[line].join(" ")).collect()
}
