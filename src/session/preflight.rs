//! `preflight`: which training pairs are likeliest to lose their preferred answer, told before anything is trained.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use super::target::{absent, create};
use crate::cli::{PreflightArgs, say};
use crate::error::{Error, Location, Result};
use crate::experiment::{DataSource, Experiment};
use crate::export::csv::{Table, defused, number};
use crate::history::stats::{auroc, float};
use crate::protocol::{ProbeKind, ProbePrompt};
use crate::record::{self, RunDirectory};
use crate::text::{Shown, fit};
use crate::train::{ScoredPair, ches};

/// Bars of the histogram.
const BARS: usize = 12;
/// Cells of the longest bar.
const WIDEST: usize = 40;
/// Columns of a text that are shown.
const SHOWN: usize = 96;

/// Ranks an experiment's training pairs, shows the first ones, and writes what was asked for.
///
/// # Errors
/// On a bad experiment or bad data, a file that is there already, and runs that do not belong to the experiment.
pub fn preflight(args: &PreflightArgs) -> Result<()> {
    // Scoring takes long: what cannot be written is told before it.
    args.csv.iter().chain(&args.out).try_for_each(|file| absent(file))?;
    let experiment = args.experiment()?;
    let mut pairs = ches(&experiment, args.backend, args.band)?;
    let against = args.against.iter().map(|run| outcome(run)).collect::<Result<Vec<_>>>()?;
    let warnings = against.iter().zip(&args.against).map(|(outcome, run)| judged(run, outcome, &pairs));
    let warnings = warnings.collect::<Result<Vec<_>>>()?;
    pairs.sort_by(|a, b| b.ches.total_cmp(&a.ches));
    say(&report(&experiment, &pairs, args.top))?;
    warnings.iter().try_for_each(|warning| say(warning))?;
    if let Some(file) = &args.csv {
        create(file, &table(&pairs))?;
        say(&format!("\n{}: {} pairs written\n", Shown::new(&file.display().to_string()), pairs.len()))?;
    }
    if let (Some(share), Some(file)) = (args.drop, &args.out) {
        let (dropped, kept) = pairs.split_at(share.of(pairs.len()));
        create(file, &rows(&experiment, dropped, kept)?)?;
        let file = Shown::new(&file.display().to_string());
        say(&format!("\n{file}: {} pairs kept, {} dropped\n", kept.len(), dropped.len()))?;
    }
    Ok(())
}

/// The ranking as text: a histogram, and the pairs that come first.
fn report(experiment: &Experiment, pairs: &[ScoredPair], top: usize) -> String {
    let mut out = format!(
        "{} pairs of {}, before training, by CHES (arXiv 2410.08847): the higher, the likelier y⁺ falls\n\n",
        pairs.len(),
        Shown::new(&experiment.name)
    );
    histogram(&mut out, pairs);
    let edges: Vec<f64> = pairs.iter().filter_map(|pair| Some(pair.band?.lower())).collect();
    if !edges.is_empty() {
        let falls = edges.iter().filter(|&&edge| edge > 1.0).count();
        let _ = writeln!(
            out,
            "\nby the band (arXiv 2604.18239), y⁺ falls on {falls} of {} pairs where each is learnt alone and both answers \
             weigh alike: their lower edge ρa is above 1",
            edges.len()
        );
    }
    for (rank, pair) in pairs.iter().take(top).enumerate() {
        let (ches, normalised) = (number(round(pair.ches)), number(round(pair.normalised)));
        let _ = writeln!(out, "\n{:>3}. row {}: CHES {ches}, by tokens {normalised}", rank + 1, pair.number);
        for (label, text) in [("  ", &pair.prompt), ("y⁺", &pair.chosen), ("y⁻", &pair.rejected)] {
            let _ = writeln!(out, "     {label} {}", fit(Shown::new(text.trim()).as_str(), SHOWN));
        }
        if let Some(band) = pair.band {
            let [a, rho, lower, upper] =
                [band.ratio, band.cosine, band.lower(), band.upper()].map(|x| number(round(x)));
            let _ = writeln!(out, "     band of w⁺/w⁻ from {lower} to {upper} (a {a}, ρ {rho})");
        }
    }
    out
}

/// Four significant digits.
fn round(x: f64) -> f64 {
    format!("{x:.3e}").parse().unwrap_or(x)
}

/// How the scores, which fall, are spread.
fn histogram(out: &mut String, pairs: &[ScoredPair]) {
    let (Some(first), Some(last)) = (pairs.first(), pairs.last()) else { return };
    let (high, low) = (first.ches, last.ches);
    let width = (high - low) / float(BARS);
    let mut counts = [0_usize; BARS];
    for pair in pairs {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place among a few bars")]
        let bar = if width > 0.0 { ((high - pair.ches) / width) as usize } else { 0 };
        counts[bar.min(BARS - 1)] += 1;
    }
    let most = counts.iter().copied().max().unwrap_or(1).max(1);
    for (bar, count) in counts.into_iter().enumerate().filter(|_| width > 0.0) {
        let from = high - width * float(bar + 1);
        let cells = (count * WIDEST).div_ceil(most);
        let _ = writeln!(out, "{:>12} ┤{} {count}", number(round(from)), "█".repeat(cells));
    }
}

/// The ranking as a table.
fn table(pairs: &[ScoredPair]) -> String {
    let mut table = Table::default();
    let bands = pairs.iter().any(|pair| pair.band.is_some());
    let of_band = ["band_a", "band_rho", "band_lower", "band_upper"].into_iter().filter(|_| bands);
    let head =
        ["rank", "row", "ches", "ches_by_tokens"].into_iter().chain(of_band).chain(["prompt", "chosen", "rejected"]);
    table.row(head.map(str::to_owned));
    for (rank, pair) in pairs.iter().enumerate() {
        let numbers = [(rank + 1).to_string(), pair.number.to_string(), number(pair.ches), number(pair.normalised)];
        let band = pair.band.map(|band| [band.ratio, band.cosine, band.lower(), band.upper()].map(number));
        let texts = [&pair.prompt, &pair.chosen, &pair.rejected].map(|text| defused(text));
        table.row(numbers.into_iter().chain(band.into_iter().flatten()).chain(texts));
    }
    table.text
}

/// The data without the pairs that are dropped: of a file its own lines, of drawn examples rows of text.
fn rows(experiment: &Experiment, dropped: &[ScoredPair], kept: &[ScoredPair]) -> Result<String> {
    let DataSource::Preferences(files) = &experiment.data else {
        let mut kept: Vec<_> = kept.iter().collect();
        kept.sort_by_key(|pair| pair.number);
        let row = |pair: &ScoredPair| {
            let ScoredPair { prompt, chosen, rejected, .. } = pair;
            format!("{}\n", serde_json::json!({ "prompt": prompt, "chosen": chosen, "rejected": rejected }))
        };
        return Ok(kept.into_iter().map(row).collect());
    };
    let text = std::fs::read_to_string(&files.train).ok().filter(|text| text.trim_start().starts_with('{'));
    let text = text.ok_or_else(|| {
        let advice = "unpack it, or write it as JSON lines: in Python, Dataset.to_json(\"train.jsonl\")";
        Error::input(Location::file(&files.train), "--drop writes JSON lines, and this file has none", advice)
    })?;
    let gone: BTreeSet<usize> = dropped.iter().map(|pair| pair.number).collect();
    let lines = text.split_inclusive('\n').enumerate().filter(|(index, _)| !gone.contains(&(index + 1)));
    Ok(lines.map(|(_, line)| line).collect())
}

/// What became of the observed pairs of a run, by prompt and preferred answer: whether y⁺ and y⁻ both fell in its last stage.
type Outcome = BTreeMap<(String, String), bool>;

fn outcome(run: &Path) -> Result<Outcome> {
    let history = record::read(RunDirectory::open(run)?.events())?.history();
    let standing = history.detector.standings.last().ok_or_else(|| {
        let advice = "name a finished run of this experiment";
        Error::input(Location::file(run), "has no stage that was measured twice", advice)
    })?;
    let probes = history.run.iter().flat_map(|run| &run.probes).zip(&standing.displaced);
    let of_probe = |(probe, &displaced): (&ProbePrompt, &bool)| {
        let chosen = probe.responses.get(&ProbeKind::Chosen)?;
        Some(((probe.prompt.clone(), chosen.text.clone()), displaced))
    };
    Ok(probes.filter_map(of_probe).collect())
}

/// How well the scores told which pairs of a run would be displaced.
fn judged(run: &Path, outcome: &Outcome, pairs: &[ScoredPair]) -> Result<String> {
    let observed: Vec<(&ScoredPair, bool)> = pairs
        .iter()
        .filter_map(|pair| Some((pair, *outcome.get(&(pair.prompt.clone(), pair.chosen.clone()))?)))
        .collect();
    if observed.is_empty() {
        let advice = "compare with a run of the same data and seed";
        return Err(Error::input(Location::file(run), "observed none of these pairs", advice));
    }
    let of = |displaced: bool, score: fn(&ScoredPair) -> f64| -> Vec<f64> {
        observed.iter().filter(|(_, hit)| *hit == displaced).map(|(pair, _)| score(pair)).collect()
    };
    let line = |name: &str, score: fn(&ScoredPair) -> f64| {
        let area = auroc(&of(true, score), &of(false, score));
        let verdict = area.against_chance().words();
        format!("  {name:14} AUROC {:.3} [{:.3}, {:.3}]: {verdict}\n", area.value, area.low, area.high)
    };
    let displaced = observed.iter().filter(|(_, displaced)| *displaced).count();
    let run = Shown::new(&run.display().to_string());
    let mut told = format!(
        "\nagainst {run}: y⁺ and y⁻ both fell on {displaced} of {} observed pairs\n{}{}",
        observed.len(),
        line("CHES", |pair| pair.ches),
        line("CHES by tokens", |pair| pair.normalised)
    );
    if observed.iter().any(|(pair, _)| pair.band.is_some()) {
        told += &line("band's edge ρa", |pair| pair.band.map_or(f64::NAN, |band| band.lower()));
    }
    Ok(told)
}
