//! The commands: what the arguments ask for, and who answers.

use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::path::Path;

use clap::{CommandFactory as _, Parser as _};

use crate::cli::{Cli, Command, DisplayOptions, ModelQuestion, RunOptions, ScoreArgs, Settings, has_screen, say, var};
use crate::error::{Error, Result};
use crate::experiment::{DataSource, Experiment, is_slip, slips};
use crate::model::{hub, inspect};
use crate::score;
use crate::session::{self, Chosen, Job, starter};
use crate::text::Shown;
use crate::train::Outlook;
use crate::tui::{environment, tape};

/// What to try first, shown where nothing was asked for.
const FIRST_STEPS: &str = "
Try first:
  ldyn-tui experiments/dpo_offpolicy.ron   watch DPO squeeze a small language model, live
  ldyn-tui experiments/sft.ron             the control: supervised finetuning
  ldyn-tui help run                        seeds, overrides, running without a screen
";

/// Does what the arguments ask for.
///
/// # Errors
/// What went wrong; [`Error::exit_status`] tells a script.
pub fn run(args: impl IntoIterator<Item = OsString>) -> Result<()> {
    let args: Vec<OsString> = args.into_iter().collect();
    let cli = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(e) if !e.use_stderr() => return say(&styled(&e.render())),
        // The arguments are quoted: they may hold anything.
        Err(e) => return Err(mistyped_command(&args).unwrap_or_else(|| usage(&e.render().to_string()))),
    };
    session::catch_panics();
    let settings = Settings::load(var)?;
    settings.map_keys();
    let display = settings.under(&cli.display);
    let cast = cli.cast.as_deref();
    match (cli.command, cli.experiment, cli.resume) {
        (Some(command), ..) => answer(command, &settings),
        (None, Some(path), _) => train(new(&path, &cli.options)?, &cli.options, cast, &display),
        (None, None, Some(run)) => train(Job::Resume(run), &cli.options, cast, &display),
        (None, None, None) if has_screen() => start(&cli.options, cast, &display),
        (None, None, None) => say(&format!("{}{FIRST_STEPS}", styled(&Cli::command().render_long_help()))),
    }
}

/// The error of a mistyped command, if the first argument is all but one: it was taken for the name of an experiment, and what
/// follows for a mistake.
fn mistyped_command(args: &[OsString]) -> Option<Error> {
    let written = args.get(1)?.to_str().filter(|written| !Path::new(written).exists())?;
    let cli = Cli::command();
    let near = cli.get_subcommands().map(clap::Command::get_name).filter(|name| *name != written);
    let near = near.min_by_key(|name| slips(written, name)).filter(|name| is_slip(written, name))?;
    let written = Shown::new(written);
    Some(Error::usage(format!("there is no command `{written}`, and no such file\n  did you mean `{near}`?")))
}

fn answer(command: Command, settings: &Settings) -> Result<()> {
    match command {
        Command::Run { experiment: Some(path), options, cast, display, .. } => {
            train(new(&path, &options)?, &options, cast.as_deref(), &settings.under(&display))
        }
        Command::Run { experiment: None, resume, options, cast, display } => {
            let run = resume.ok_or_else(|| Error::usage("run needs an experiment, or --resume and a run"))?;
            train(Job::Resume(run), &options, cast.as_deref(), &settings.under(&display))
        }
        Command::New { file, model, data, held_out } => {
            starter::write(&file, &starter::model_named(&model)?, &data, held_out.as_deref())?;
            let file = Shown::new(&file.display().to_string());
            say(&format!("{file}: written\n  next: ldyn-tui check {file}, then ldyn-tui {file}\n"))
        }
        Command::Check { experiments } => check(&experiments),
        Command::Replay { run, step, cast, display } => {
            need_a_terminal("replay", "export RUN --format png draws it without a screen")?;
            record(cast.as_deref())?;
            session::replay(&run, step, &settings.under(&display))
        }
        Command::Runs { folder, display } => session::runs(&folder, &settings.under(&display)),
        Command::Learn { lesson, presenter, anew, cast, display } => {
            if lesson.is_some() {
                need_a_terminal("learn", "check LESSON.ron validates it without one")?;
            }
            record_a_screen(cast.as_deref())?;
            session::learn(lesson.as_deref(), presenter, anew, &settings.under(&display))
        }
        Command::Config => say(&settings.lines(var).iter().map(|line| format!("{line}\n")).collect::<String>()),
        Command::Attach { run, once: true, .. } => session::attach_once(&run),
        Command::Attach { run, once: false, display } => {
            need_a_terminal("attach", "attach RUN --once tells how it stands without a screen")?;
            session::attach(&run, &settings.under(&display))
        }
        Command::Influence(args) => session::influence(&args),
        Command::Tokens(args) => session::tokens(&args),
        Command::Kernel(args) => session::kernel(&args),
        Command::Score(args) => score_file(&args),
        Command::Model { question: ModelQuestion::Inspect { model } } => inspect(&model),
        Command::Data { experiment, out, seed, set, backend } => {
            let options = RunOptions { seed, set, ..RunOptions::default() };
            session::data(&options.experiment(&experiment)?, backend, &out)
        }
        Command::Preflight(args) => session::preflight(&args),
        Command::Verify(args) => session::verify(&args),
        Command::Export(args) => session::export(&args),
        Command::Compare(mut args) => {
            args.display = settings.under(&args.display);
            session::compare(&args)
        }
        Command::Sweep(args) => session::sweep(&args),
        Command::Selftest { backend } => crate::selftest::selftest(backend, &mut say),
        Command::Completions { shell } => {
            let mut out = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "ldyn-tui", &mut out);
            say(&String::from_utf8_lossy(&out))
        }
        Command::Man => {
            let mut out = Vec::new();
            clap_mangen::Man::new(Cli::command())
                .render(&mut out)
                .map_err(|e| Error::failed(format!("the manual cannot be written: {e}")))?;
            say(&String::from_utf8_lossy(&out))
        }
    }
}

/// The menu of experiments and recordings, and what is chosen from it.
fn start(options: &RunOptions, cast: Option<&Path>, display: &DisplayOptions) -> Result<()> {
    record(cast)?;
    match session::menu(display)? {
        Some(Chosen::Experiment(path)) => train(new(&path, options)?, options, None, display),
        Some(Chosen::Recording(run)) => session::replay(&run, None, display),
        None => Ok(()),
    }
}

/// The job of training an experiment from its beginning.
fn new(path: &Path, options: &RunOptions) -> Result<Job> {
    Ok(options.experiment(path)?.into())
}

/// Trains, with the dashboard where there is a terminal to show it on.
fn train(job: Job, options: &RunOptions, cast: Option<&Path>, display: &DisplayOptions) -> Result<()> {
    let headless = options.headless || !has_screen();
    if headless && cast.is_some() {
        return Err(no_screen_to_record());
    }
    record(cast)?;
    if let Job::New(experiment) = &job
        && let DataSource::Lab(settings) = &experiment.data
    {
        return if headless { session::lab_table(settings) } else { session::lab(experiment, settings, display) };
    }
    if headless { session::headless(job, options.backend) } else { session::dashboard(job, options.backend, display) }
}

/// Records what is drawn from here on, where a file is named.
fn record(cast: Option<&Path>) -> Result<()> {
    cast.map_or(Ok(()), tape::begin)
}

/// The same where the command may do without a screen, which leaves nothing to record.
fn record_a_screen(cast: Option<&Path>) -> Result<()> {
    if cast.is_some() && !has_screen() { Err(no_screen_to_record()) } else { record(cast) }
}

fn no_screen_to_record() -> Error {
    Error::usage(
        "--cast records a screen, and there is none here; export RUN --format cast makes a film of a recording",
    )
}

fn check(paths: &[std::path::PathBuf]) -> Result<()> {
    let mut errors = Vec::new();
    for path in paths {
        if session::is_lesson(path) {
            match session::check_lesson(path) {
                Ok(lesson) => {
                    let file = Shown::new(&path.display().to_string());
                    let (title, steps) = (Shown::new(&lesson.lesson.title), lesson.lesson.steps.len());
                    say(&format!(
                        "{file}: ok (lesson: {title}; {steps} steps, {} facts)\n",
                        lesson.lesson.facts.len()
                    ))?;
                }
                Err(e) => errors.push(e),
            }
            continue;
        }
        if path.is_dir() || (path.is_file() && path.extension().is_none_or(|e| e != "ron")) {
            match session::check_run(path) {
                Ok(found) => say(&found)?,
                Err(e) => errors.push(e),
            }
            continue;
        }
        let checked = Experiment::load(path, &[]).and_then(|experiment| {
            let outlook = crate::train::outlook(&experiment)?;
            Ok((experiment, outlook))
        });
        match checked {
            Ok((experiment, Outlook { report, picture, need })) => {
                let stages: Vec<String> = experiment.stages.iter().map(|s| format!("{} {}", s.name, s.steps)).collect();
                let trains =
                    if stages.is_empty() { "nothing is trained" } else { &format!("steps: {}", stages.join(", ")) };
                let file = Shown::new(&path.display().to_string());
                say(&format!("{file}: ok ({}; {})\n", experiment.name, Shown::new(trains)))?;
                report.iter().try_for_each(|report| say(&format!("{report}\n")))?;
                picture.iter().try_for_each(|picture| say(&format!("{picture}\n")))?;
                need.iter().try_for_each(|need| say(&format!("{need}\n")))?;
            }
            Err(e) => errors.push(e),
        }
    }
    Error::all(errors)
}

fn score_file(args: &ScoreArgs) -> Result<()> {
    let text = std::fs::read_to_string(&args.data).map_err(|e| Error::reading(&args.data, &e))?;
    let rows = score::parse_rows(&args.data, &text)?;
    let options = score::Options { add_special_tokens: args.add_special_tokens, backend: args.backend };
    score::score(&args.model, &args.data, &rows, options, &mut |scored| {
        let line =
            serde_json::to_string(&scored).map_err(|e| Error::failed(format!("a row cannot be written: {e}")))?;
        say(&(line + "\n"))
    })
}

fn inspect(model: &Path) -> Result<()> {
    let facts = inspect::inspect(&hub::locate(model)?)?;
    let width = facts.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let line = |(name, fact): &(&str, Shown)| format!("{name:width$}  {fact}\n");
    say(&facts.iter().map(line).collect::<String>())
}

fn need_a_terminal(command: &str, instead: &str) -> Result<()> {
    if !std::io::stdout().is_terminal() {
        Err(Error::usage(format!("{command} needs a terminal, and stdout is none; {instead}")))
    } else if !environment::can_draw(var) {
        Err(Error::usage(format!("{command}: {}; {instead}", environment::DUMB)))
    } else {
        Ok(())
    }
}

/// Clap's text, with bold headings where they would be seen.
fn styled(text: &clap::builder::StyledStr) -> String {
    let plain = environment::without_color(var) || !environment::can_draw(var);
    if std::io::stdout().is_terminal() && !plain { text.ansi().to_string() } else { text.to_string() }
}

/// Clap's explanation, line by line.
fn usage(text: &str) -> Error {
    Error::Several(text.trim_end().trim_start_matches("error: ").lines().map(Error::usage).collect())
}
