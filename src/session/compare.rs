//! Recorded runs side by side.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::display::look;
use super::export::{meta, say_paths, screenshots, write_tables};
use crate::cli::{CompareArgs, has_screen, say, tell};
use crate::error::{Error, Location, Result};
use crate::export::{self, Numbers, comparison};
use crate::history::{Aligned, Arm, Course, CurveId, RunHistory, Scale};
use crate::protocol::{ProbeKind, StageInfo};
use crate::record::{self, Outcome, RunDirectory, Summary};
use crate::text::Shown;
use crate::tui::compare::{Compare, CompareView};
use crate::tui::message::Ending;
use crate::tui::run::Source;
use crate::tui::screenful::Screenful as _;
use crate::tui::theme::Theme;

/// Overlays recorded runs: a screen, or files, or a table where stdout is no terminal.
///
/// # Errors
/// When a run cannot be read, when runs cannot be told apart or cannot be aligned, or when the terminal breaks.
pub fn compare(args: &CompareArgs) -> Result<()> {
    let started = Instant::now();
    let arms = arms(&args.runs, args.stage.as_deref())?;
    let curve = curve(args.curve.as_deref())?;
    let by = args.by;
    let on_screen = args.format.is_empty();
    if on_screen && !has_screen() {
        return say(&comparison::table(&aligned(arms, by)?));
    }
    let paper = args.display.paper();
    let (theme, glyphs) = if on_screen { look(&args.display) } else { (paper.theme(), paper.glyphs) };
    let view =
        CompareView { by, curve, scale: Scale::StageDelta, arm: 1, cursor: None, help: None, theme, glyphs, paper };
    let app = Compare::new(arms.into(), view);
    if !on_screen {
        return write(&app, args, args.out.as_deref().unwrap_or(Path::new(".")));
    }
    let pictures = args.out.clone().map_or_else(|| pictures(&args.runs), Ok)?;
    match crate::tui::show(app, Source::Nothing, None, started, screenshots(pictures))?.ending() {
        Ending::Signal => Err(Error::Interrupted),
        Ending::Quit | Ending::Forced => Ok(()),
    }
}

/// The folder of a comparison's screenshots: `screenshots/` in the folder that the first run lies in, since they belong to no
/// one run.
fn pictures(runs: &[String]) -> Result<PathBuf> {
    let first = runs.first().map_or(Path::new(""), |argument| labelled(argument).1);
    let run = recorded_runs(first)?.into_iter().next();
    let beside = run.as_ref().and_then(|run| run.root().parent()).unwrap_or(Path::new(""));
    Ok(beside.join("screenshots"))
}

/// The arms on one axis; an obstacle is wrong usage.
pub(super) fn aligned(arms: Vec<Arm>, by: crate::history::By) -> Result<Aligned> {
    Aligned::new(arms.into(), by).map_err(Error::usage)
}

/// Writes the asked formats and prints the paths.
fn write(app: &Compare, args: &CompareArgs, folder: &Path) -> Result<()> {
    let aligned = app.aligned().map_err(Error::usage)?;
    let (buffer, info) = app.screenshot_sized(args.size.columns, args.size.rows);
    let meta = meta(&info);
    let stem = format!("{}-{}", export::safe_name(&info.run_id), info.view);
    let mut written = write_tables(&args.format, Numbers::Comparison(aligned), &stem, folder)?;
    written.extend(export::figures(&args.format, &buffer, &meta, folder)?);
    say_paths(&written)
}

/// The curve of that key.
fn curve(key: Option<&str>) -> Result<CurveId> {
    let Some(key) = key else { return Ok(CurveId::Probe(ProbeKind::Chosen)) };
    CurveId::all().find(|c| c.key() == key).ok_or_else(|| {
        let known: Vec<_> = CurveId::all().map(CurveId::key).collect();
        Error::usage(format!("--curve {key}: there is no such curve; known are {}", known.join(", ")))
    })
}

/// A run that was asked for, and the arm that it was put in.
struct Member {
    path: PathBuf,
    label: String,
    stages: Vec<StageInfo>,
    course: Course,
}

/// The arms, in the order in which they are first named: `LABEL=RUN` says which arm a run belongs to, else the name of its
/// experiment does.
fn arms(runs: &[String], stage: Option<&str>) -> Result<Vec<Arm>> {
    let mut members = Vec::new();
    for argument in runs {
        let (label, path) = labelled(argument);
        for run in recorded_runs(path)? {
            members.push(member(&run, label, stage)?);
        }
    }
    let mut grouped: Vec<Vec<Member>> = Vec::new();
    for member in members {
        match grouped.iter_mut().find(|arm| arm[0].label == member.label) {
            Some(arm) => arm.push(member),
            None => grouped.push(vec![member]),
        }
    }
    let arms = grouped.into_iter().map(pooled).collect::<Result<Vec<_>>>()?;
    match arms.len() {
        2..=Theme::ARMS => Ok(arms),
        0 | 1 => Err(Error::usage(format!(
            "all of these runs are {}: a comparison needs another arm; LABEL=RUN tells arms of one experiment apart",
            arms.first().map_or("nothing", |arm| arm.label.as_str())
        ))),
        n => Err(Error::usage(format!("{n} arms cannot be told apart on one chart: compare at most {}", Theme::ARMS))),
    }
}

/// `LABEL=RUN` in its parts; a path that exists is a path, whatever is in it.
fn labelled(argument: &str) -> (Option<&str>, &Path) {
    match argument.split_once('=') {
        Some((label, path)) if !label.trim().is_empty() && !Path::new(argument).exists() => {
            (Some(label.trim()), Path::new(path))
        }
        _ => (None, Path::new(argument)),
    }
}

/// The run at a path; of a folder of runs, every finished one.
fn recorded_runs(path: &Path) -> Result<Vec<RunDirectory>> {
    if !path.is_dir() || path.join("events.jsonl").exists() {
        return Ok(vec![RunDirectory::open(path)?]);
    }
    let entries = std::fs::read_dir(path).map_err(|e| Error::reading(path, &e))?;
    let mut folders: Vec<PathBuf> = entries.filter_map(|e| Some(e.ok()?.path())).collect();
    folders.sort();
    let runs: Vec<_> = folders.iter().filter_map(|f| RunDirectory::open(f).ok()).filter(is_finished).collect();
    if runs.is_empty() {
        let advice = "name a run's directory, its run file, or a folder of finished runs";
        return Err(Error::input(Location::file(path), "there is no finished run in it", advice));
    }
    Ok(runs)
}

/// Whether the run says that it came to its end.
pub(super) fn is_finished(run: &RunDirectory) -> bool {
    Summary::read(&run.summary()).is_ok_and(|summary| summary.outcome == Outcome::Finished)
}

/// Reads a run as far as a comparison needs it.
fn member(run: &RunDirectory, label: Option<&str>, stage: Option<&str>) -> Result<Member> {
    let history = history(run)?;
    let started = history.run.as_ref();
    Ok(Member {
        path: run.root().to_owned(),
        label: label.or(started.map(|r| r.experiment.as_str())).unwrap_or_default().to_owned(),
        stages: started.map(|r| r.stages.clone()).unwrap_or_default(),
        course: course(run, &history, stage)?,
    })
}

pub(super) fn history(run: &RunDirectory) -> Result<RunHistory> {
    let recording = record::read(run.events())?;
    recording.warnings.iter().for_each(tell);
    Ok(recording.history())
}

pub(super) fn course(run: &RunDirectory, history: &RunHistory, stage: Option<&str>) -> Result<Course> {
    let advice = "--stage NAME chooses another stage";
    Course::of(history, stage).map_err(|why| Error::input(Location::file(run.events()), why, advice))
}

/// Runs of one experiment as an arm.
fn pooled(members: Vec<Member>) -> Result<Arm> {
    let (label, stages) = (Shown::new(&members[0].label), &members[0].stages);
    let (mut seeds, way_out) = (Vec::new(), "LABEL=RUN puts it in an arm of its own");
    for member in &members {
        let place = || Location::file(&member.path);
        if seeds.contains(&member.course.seed) {
            let problem = format!("a second run of {label} with seed {}", member.course.seed);
            return Err(Error::input(place(), problem, way_out));
        }
        if member.stages != *stages {
            let problem = format!("its stages are not those of the other runs of {label}");
            return Err(Error::input(place(), problem, way_out));
        }
        seeds.push(member.course.seed);
    }
    Ok(Arm { label, courses: members.into_iter().map(|m| m.course).collect() })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::labelled;

    #[test]
    fn a_label_stands_before_the_first_equals_sign() {
        assert_eq!(labelled("a=runs/b=c"), (Some("a"), Path::new("runs/b=c")));
        assert_eq!(labelled("runs/b"), (None, Path::new("runs/b")));
        assert_eq!(labelled("=runs/b"), (None, Path::new("=runs/b")));
    }
}
