//! Claims as plain, aligned text.

use unicode_width::UnicodeWidthStr;

use super::{ClaimResult, Figure, Unit};
use crate::text::Shown;

/// Columns of the claim's name and of its verdict.
const ID: usize = 9;
const VERDICT: usize = 17;
/// Narrower than this, words no longer fit; lines then run over.
const NARROWEST: usize = 48;

/// The claims as a table of at most `width` columns, ending in a line break. A gate is marked with `*`.
pub fn table(claims: &[ClaimResult], width: usize) -> String {
    let width = width.max(NARROWEST);
    let mut lines: Vec<String> = Vec::new();
    for claim in claims {
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
    }
    let gates = claims.iter().filter(|c| c.gates).count();
    let failed = claims.iter().filter(|c| c.failed_gate()).count();
    let summary =
        format!("* gates: {} of {gates} hold; log p in nats, sums, with 95 % intervals over pairs", gates - failed);
    lines.extend(wrap(&summary, width));
    lines.iter().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// `y⁺: +12.58 [+12.23, +12.97], n 192; by seed +12.70 +12.22 +12.82`.
fn describe(figure: &Figure) -> String {
    let pooled = &figure.pooled;
    let number = |x: f64| match figure.unit {
        Unit::Nats => format!("{x:+.2}"),
        Unit::Share => format!("{:.1}", 100.0 * x),
        Unit::Steps => format!("{x:.0}"),
        Unit::Correlation => format!("{x:.3}"),
    };
    let seeds: Vec<String> = figure.per_seed.iter().map(|&(_, x)| number(x)).collect();
    let by_seed = if seeds.len() > 1 { format!("; by seed {}", seeds.join(" ")) } else { String::new() };
    let label = &figure.label;
    let (value, low, high, n) = (number(pooled.value), number(pooled.low), number(pooled.high), pooled.n);
    match figure.unit {
        Unit::Nats => format!("{label}: {value} [{low}, {high}], n {n}{by_seed}"),
        Unit::Share => format!("{label}: {value} % [{low}, {high}], n {n}{by_seed}"),
        Unit::Steps if seeds.is_empty() => format!("{label}: never"),
        Unit::Steps | Unit::Correlation => format!("{label}: {}", seeds.join(" ")),
    }
}

/// Breaks at spaces into lines of at most `width` columns, where words allow it.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.width() + 1 + word.width() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
