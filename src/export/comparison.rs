//! A comparison of runs as text and as tables.
//!
//! [`curves`] has a row per point of the axis, curve, arm and run: the axis (`step`, `loss` or `margin`), `curve`, `arm`,
//! `seed` (empty for all runs of the arm together), `logp_mean` (sums of log-probs, nats) and `delta_mean` (change since the
//! stage began). [`differences`] has a row per quarter of the axis, curve and arm: the axis, `curve`, `arm`, `baseline`,
//! `scale` (`logp` or `delta`), `baseline_mean`, `arm_mean`, `difference`, `low`, `high` (95 %), `n`, `paired`.

use unicode_width::UnicodeWidthStr;

use super::csv::{self, NamedTable};
use super::sheet::{Cell, Of, Sheet};
use crate::history::stats::Estimate;
use crate::history::{Aligned, By, CurveId, Difference, Scale};

/// The scales of the tables and their words.
const SCALES: [(Scale, &str); 2] = [(Scale::LogProb, "logp"), (Scale::StageDelta, "delta")];

/// Both tables of a comparison.
pub fn tables(aligned: &Aligned) -> Vec<NamedTable> {
    sheets(aligned).iter().map(|sheet| (sheet.name, csv::of(sheet))).collect()
}

/// The same as typed cells.
pub fn sheets(aligned: &Aligned) -> Vec<Sheet> {
    vec![curves(aligned), differences(aligned)]
}

/// Every curve of every arm and run, a row a point.
fn curves(aligned: &Aligned) -> Sheet {
    use Of::{Counts, Numbers, Texts};
    let columns = [
        (aligned.by().title(), Numbers),
        ("curve", Texts),
        ("arm", Texts),
        ("seed", Counts),
        ("logp_mean", Numbers),
        ("delta_mean", Numbers),
    ];
    let mut sheet = Sheet::new("curves", &columns);
    for curve in aligned.curves() {
        for (at, arm) in aligned.arms().iter().enumerate() {
            let pooled = SCALES.map(|(scale, _)| aligned.mean(at, curve, scale));
            let runs = arm.courses.iter().enumerate().map(|(run, course)| {
                (Cell::Count(course.seed), SCALES.map(|(scale, _)| aligned.run_mean(at, run, curve, scale)))
            });
            for (seed, [logp, delta]) in std::iter::once((Cell::Empty, pooled)).chain(runs) {
                for (point, place) in aligned.axis().enumerate() {
                    let names = [Cell::text(curve.key()), Cell::text(arm.label.as_str()), seed.clone()];
                    let numbers = [logp[point], delta[point]].map(Cell::Number);
                    sheet.push([Cell::Number(place)].into_iter().chain(names).chain(numbers));
                }
            }
        }
    }
    sheet
}

/// What each arm differs by from the baseline at a quarter, half, three quarters and the end of the axis.
fn differences(aligned: &Aligned) -> Sheet {
    use Of::{Counts, Numbers, Texts};
    let columns = [
        (aligned.by().title(), Numbers),
        ("curve", Texts),
        ("arm", Texts),
        ("baseline", Texts),
        ("scale", Texts),
        ("baseline_mean", Numbers),
        ("arm_mean", Numbers),
        ("difference", Numbers),
        ("low", Numbers),
        ("high", Numbers),
        ("n", Counts),
        ("paired", Texts),
    ];
    let mut sheet = Sheet::new("differences", &columns);
    let [baseline, arms @ ..] = aligned.arms() else { return sheet };
    let mut points: Vec<usize> = (1..=4).map(|quarter| aligned.end() * quarter / 4).collect();
    points.dedup();
    for point in points {
        for curve in aligned.curves() {
            for (at, arm) in (1..).zip(arms) {
                for (scale, word) in SCALES {
                    let Difference { estimate, paired } = aligned.difference(at, curve, scale, point);
                    let head = [Cell::Number(aligned.at(point))];
                    let names = [curve.key(), arm.label.as_str(), baseline.label.as_str(), word].map(Cell::text);
                    let means = [0, at].map(|arm| aligned.mean_at(arm, curve, scale, point));
                    let numbers = means.into_iter().chain([estimate.value, estimate.low, estimate.high]);
                    let last = [Cell::index(estimate.n), Cell::text(if paired { "true" } else { "false" })];
                    sheet.push(head.into_iter().chain(names).chain(numbers.map(Cell::Number)).chain(last));
                }
            }
        }
    }
    sheet
}

/// What each arm differs by from the baseline at the end of what all runs have, as text; ends in a line break.
pub fn table(aligned: &Aligned) -> String {
    let [baseline, arms @ ..] = aligned.arms() else { return String::new() };
    let end = aligned.end();
    let place = match aligned.by() {
        By::Step => format!("step {:.0} of the stage", aligned.at(end)),
        By::Loss => format!("training loss {:.3}", aligned.at(end)),
        By::Margin => format!("a training margin of {:.1} nats", aligned.at(end)),
    };
    let runs = |n: usize| if n == 1 { "1 run".to_owned() } else { format!("{n} runs") };
    let mut lines = Vec::new();
    for (at, arm) in (1..).zip(arms) {
        let stage = arm.courses.first().map_or("", |c| c.stage.as_str());
        let sizes = [arm, baseline].map(|arm| format!("{} ({})", arm.label, runs(arm.courses.len())));
        lines.push(format!("{} − {}, stage {stage}, at {place}", sizes[0], sizes[1]));
        let heads = ["baseline", "arm"].map(|h| format!("{h:>9}")).concat();
        let gap = " ".repeat(SYMBOL + 2);
        lines.push(format!("{gap}{:<49}  {}", "Δ since the stage began", "log p (sum, nats)"));
        lines.push(format!("{gap}{heads}  {:<29}  {heads}  {}", "difference [95 %]", "difference [95 %]"));
        let mut pairings = Vec::new();
        for curve in aligned.curves() {
            let mut line = format!("  {}", padded(curve.symbol()));
            for scale in [Scale::StageDelta, Scale::LogProb] {
                let difference = aligned.difference(at, curve, scale, end);
                let means = [0, at].map(|arm| signed(aligned.mean_at(arm, curve, scale, end), scale));
                line += &format!("{:>9}{:>9}  {:<29}  ", means[0], means[1], marked(&difference));
                pairings.push((difference.paired, difference.estimate.n));
            }
            lines.push(line);
        }
        pairings.sort_unstable();
        pairings.dedup();
        let over: Vec<String> = pairings.into_iter().map(|(paired, n)| pairing(paired, n)).collect();
        lines.push(format!("  {}; * marks an interval without 0 (over pairs within seeds)", over.join(", ")));
        lines.push(String::new());
    }
    lines.iter().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// Columns of a curve's symbol.
const SYMBOL: usize = 13;

fn padded(symbol: &str) -> String {
    format!("{symbol}{}", " ".repeat(SYMBOL.saturating_sub(symbol.width())))
}

fn signed(x: f64, scale: Scale) -> String {
    if scale == Scale::StageDelta { format!("{x:+.2}") } else { format!("{x:.2}") }
}

/// `+4.20 [+3.90, +4.50] *`.
fn marked(difference: &Difference) -> String {
    let Estimate { value, low, high, .. } = difference.estimate;
    let mark = if difference.excludes_zero() { " *" } else { "" };
    format!("{value:+.2} [{low:+.2}, {high:+.2}]{mark}")
}

fn pairing(paired: bool, n: usize) -> String {
    if paired { format!("{n} pairs, the same seed and prompt in both") } else { format!("unpaired, n {n}") }
}

/// The curves that tell the story, as far as the runs have them: y⁺, y⁻ and y* along y⁺.
pub fn leading(aligned: &Aligned) -> Vec<CurveId> {
    use crate::protocol::ProbeKind as P;
    let story = [CurveId::Probe(P::Chosen), CurveId::Probe(P::Rejected), CurveId::ArgmaxChosen];
    aligned.curves().into_iter().filter(|c| story.contains(c)).collect()
}
