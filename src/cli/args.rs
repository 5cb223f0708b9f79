//! Commands and flags.

use std::num::NonZero;
use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};

use super::display::DisplayOptions;
use super::influence::{InfluenceArgs, KernelArgs, TokensArgs};
use super::options::RunOptions;
use super::preflight::PreflightArgs;
use crate::backend::BackendChoice;
use crate::export::{EXPORTERS, Exporter};
use crate::history::By;
use crate::objective::ObjectiveConfig;
use crate::record::Trained;

/// Watch a language model learn, live, in a terminal.
///
/// Trains a small language model by supervised finetuning and DPO, measures what it believes about many kinds of answers
/// after every few steps, and says when the squeezing effect sets in (Ren & Sutherland, "Learning Dynamics of LLM
/// Finetuning", ICLR 2025).
#[derive(Debug, Parser)]
#[command(name = "ldyn-tui", version, args_conflicts_with_subcommands = true, max_term_width = 100)]
pub struct Cli {
    /// Experiment to train and watch: a RON file, or one that comes with the program (`experiments/dpo_offpolicy.ron`).
    #[arg(value_name = "EXPERIMENT")]
    pub experiment: Option<PathBuf>,
    /// Go on with a run that was stopped or killed, from its last checkpoint: the same curve as if nothing had happened.
    #[arg(long, value_name = "RUN", conflicts_with_all = ["experiment", "steps", "seed", "out", "set"])]
    pub resume: Option<PathBuf>,
    /// Record what is drawn on the terminal into this new file, as asciicast v3.
    #[arg(long, value_name = "FILE")]
    pub cast: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) options: RunOptions,
    #[command(flatten)]
    pub(crate) display: DisplayOptions,
    /// Anything else.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train, with the dashboard, or without a screen.
    #[command(after_long_help = objectives())]
    Run {
        /// A RON file, or an experiment that comes with the program.
        #[arg(value_name = "EXPERIMENT", required_unless_present = "resume")]
        experiment: Option<PathBuf>,
        /// Go on with a run that was stopped or killed, from its last checkpoint: the same curve as if nothing had happened.
        #[arg(long, value_name = "RUN", conflicts_with_all = ["experiment", "steps", "seed", "out", "set"])]
        resume: Option<PathBuf>,
        /// How to run it.
        #[command(flatten)]
        options: RunOptions,
        /// Record what is drawn on the terminal into this new file, as asciicast v3.
        #[arg(long, value_name = "FILE")]
        cast: Option<PathBuf>,
        /// How to show it.
        #[command(flatten)]
        display: DisplayOptions,
    },
    /// Write a commented experiment that fits a model and preference data of your own.
    New {
        /// The file to be written; one that is there already is left alone.
        #[arg(value_name = "FILE.ron")]
        file: PathBuf,
        /// A Hugging Face folder, a GGUF file, a name on the hub, or base, the model that comes with the program.
        #[arg(long, value_name = "DIR|FILE|OWNER/NAME")]
        model: PathBuf,
        /// Training rows, as TRL takes them: JSON lines, or Parquet.
        #[arg(long, value_name = "FILE")]
        data: PathBuf,
        /// Held-out rows.
        #[arg(long, value_name = "FILE")]
        held_out: Option<PathBuf>,
    },
    /// Validate experiments, lessons and run files: every error with file and line, and what to write instead.
    Check {
        /// RON files of experiments and lessons; directories and files of recorded runs.
        #[arg(required = true, value_name = "EXPERIMENT|RUN")]
        experiments: Vec<PathBuf>,
    },
    /// Show a recorded run in the dashboard: scrub, speed, step.
    Replay {
        /// A run's directory, its run file, or a file of the paper's curves.
        run: PathBuf,
        /// Begin at this optimiser step instead of the last one.
        #[arg(long)]
        step: Option<u64>,
        /// Record what is drawn on the terminal into this new file, as asciicast v3.
        #[arg(long, value_name = "FILE")]
        cast: Option<PathBuf>,
        /// How to show it.
        #[command(flatten)]
        display: DisplayOptions,
    },
    /// Show a run while another program writes it: a training with TRL, on this machine or another.
    ///
    /// Follows a file that grows, is cut or replaced, or a pipe (`ssh HOST tail -n +1 -F RUN/events.jsonl | ldyn-tui attach
    /// -`). What is there is shown at once. Nothing is written and the training is not touched: see docs/your-trl-run.md for
    /// the callback that writes such a run.
    Attach {
        /// A run's directory, its run file, or - for stdin.
        #[arg(value_name = "RUN|FILE|-")]
        run: PathBuf,
        /// Print how it stands as one JSON object and leave, with status 1 on an alarm.
        #[arg(long)]
        once: bool,
        /// How to show it.
        #[command(flatten)]
        display: DisplayOptions,
    },
    /// Name the training examples that moved an observed answer in a window of steps: which pulled it, which pushed it.
    ///
    /// The run's experiment is trained again up to the window's end, without measuring anything on the way, and held
    /// against what was recorded. The examples' shares, what came in with the momentum and what weight decay did add up to
    /// the measured change; what they miss of it is told. Nothing is written.
    Influence(InfluenceArgs),
    /// Look at an observed answer token by token, at both ends of a window of steps: where the probability went.
    ///
    /// At one position the whole distribution is told, before and after, on a logarithmic scale: who gained, who lost, and the
    /// break-even line of the one step on the answer's own token that moves it as far. The run's experiment is trained again
    /// up to the window's end, and held against what was recorded. Nothing is written.
    Tokens(TokensArgs),
    /// Tell the three factors of one step of learning between an observed answer and a training example: A, K and G.
    ///
    /// Δ log π(o) = −η·A(o)·K(o, u)·G(u) (Ren & Sutherland, Prop. 1): how peaky the belief about the observed answer is, how alike
    /// the model takes the two to be (the norm of the empirical neural tangent kernel, estimated), how hard the example pulls.
    /// The run's experiment is trained again up to the step. Of a classifier's run the recorded factors of two classes are told,
    /// which are exact.
    Kernel(KernelArgs),
    /// Print the per-token log-probs of given responses under a model, one JSON row each, in nats.
    Score(ScoreArgs),
    /// Look at a model.
    Model {
        /// The question about the model.
        #[command(subcommand)]
        question: ModelQuestion,
    },
    /// Write an experiment's training pairs and probes as files that TRL and the Python callback take.
    ///
    /// `train.jsonl` has the pairs (prompt, chosen, rejected), `probes.jsonl` the observed prompts with every kind of answer,
    /// the model's own among them, `order.jsonl` the rows of every optimiser step as this program would draw them. Nothing is
    /// trained.
    Data {
        /// A RON file, or an experiment that comes with the program.
        #[arg(value_name = "EXPERIMENT")]
        experiment: PathBuf,
        /// Folder for the files.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// Seed of the data; replaces the experiment's.
        #[arg(long)]
        seed: Option<u64>,
        /// Change a value of the experiment, as for `run`.
        #[arg(long, value_name = "PATH=VALUE")]
        set: Vec<String>,
        /// What answers for the model.
        #[arg(long, value_enum, default_value_t)]
        backend: BackendChoice,
    },
    /// Rank an experiment's training pairs by how likely their preferred answer is to fall, before anything is trained.
    ///
    /// CHES, the centred hidden embedding similarity, says how alike the model takes a pair's two answers to be; what pushes
    /// the one down then pushes the other (Razin et al., "Unintentional Unalignment", ICLR 2025). The model is the one that
    /// the experiment starts from; nothing is trained.
    Preflight(PreflightArgs),
    /// Check the paper's claims, with the number behind each verdict; exit status 1 if one fails that should hold.
    Verify(VerifyArgs),
    /// Write a recorded run as data and figures.
    Export(ExportArgs),
    /// Overlay recorded runs, with a panel of differences: aligned by step, by training loss or by training margin.
    ///
    /// Runs of the same experiment with different seeds are one arm; the first arm is the baseline. A difference is taken
    /// pair by pair where both arms have the same seed and prompt, with a 95 % bootstrap interval over the pairs. Arms that
    /// train differently (on-policy answers, an extended SFT) are compared fairly only at a matched margin. Without a
    /// terminal the differences are printed as a table.
    Compare(CompareArgs),
    /// Run an experiment over a grid of settings and seeds; ends with one table and one figure (of classifiers a table).
    ///
    /// Every combination of the values is a cell, run with every seed by a process of its own. Everything is checked before
    /// anything runs. The same command goes on where it was interrupted: a run that is finished is not run again. Exit
    /// status 1 if a run failed; the others still finish.
    #[command(after_long_help = objectives())]
    Sweep(SweepArgs),
    /// Check that a backend computes what it should on this machine, and measure how fast it is. Nothing is written.
    ///
    /// Kernels are held against loops in double precision, the shipped model against another CPU backend, and a short
    /// experiment against what must hold of it. Exit status 1 if a check fails.
    Selftest {
        /// The backend that is checked.
        #[arg(long, value_enum, default_value_t)]
        backend: BackendChoice,
    },
    /// List recorded runs with their verdict, last numbers and age; on a terminal one opens from the list.
    Runs {
        /// The folder that is searched; `runs` if absent.
        #[arg(value_name = "DIR", default_value = "runs")]
        folder: PathBuf,
        /// How to show it.
        #[command(flatten)]
        display: DisplayOptions,
    },
    /// Take a lesson: look at a recording, say what will happen, and see what did; without a name, the list of lessons.
    ///
    /// Lessons are RON files, as docs/lessons.md says; five come with the program. What was done is kept in the platform's
    /// folder for state (LDYN_TUI_PROGRESS names another file, or none if it is empty).
    Learn {
        /// A lesson that comes with the program, by its name, or a file.
        #[arg(value_name = "LESSON")]
        lesson: Option<PathBuf>,
        /// For a projector: fewer curves, thicker.
        #[arg(long)]
        presenter: bool,
        /// From the first step, whatever was done before.
        #[arg(long)]
        anew: bool,
        /// Record what is drawn on the terminal into this new file, as asciicast v3.
        #[arg(long, value_name = "FILE")]
        cast: Option<PathBuf>,
        /// How to show it.
        #[command(flatten)]
        display: DisplayOptions,
    },
    /// Print the settings that hold, and where each comes from.
    ///
    /// Settings lie in one RON file, `ldyn-tui/settings.ron` in the platform's folder for configuration (LDYN_TUI_CONFIG
    /// names another file, or none if it is empty), such as
    /// (theme: light, marker: braille, view: story, narration: true, bell: true, mouse: true, copy: true,
    /// keys: {"pause": "p"}, on_alarm: "notify-send $LDYN_TUI_STATE"). Flags say more than the file. `view` is `story` or
    /// `all`; `mouse` is off otherwise, since the terminal selects no text while it is on; `copy` lets a key write the
    /// clipboard; `keys` maps keys by the names that are listed here; `on_alarm` is given to the shell at every alarm of a run
    /// that is watched, with LDYN_TUI_RUN, LDYN_TUI_STEP and LDYN_TUI_STATE in its environment.
    Config,
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page.
    Man,
}

/// A question about a model.
#[derive(Debug, Clone, Subcommand)]
pub enum ModelQuestion {
    /// Print what a checkpoint holds, and whether it can be trained here.
    Inspect {
        /// A Hugging Face folder, a GGUF file, or a name on the hub.
        #[arg(value_name = "DIR|FILE|OWNER/NAME")]
        model: PathBuf,
    },
}

/// The responses that are scored, and the model.
#[derive(Debug, Clone, Args)]
pub struct ScoreArgs {
    /// A Hugging Face folder (`config.json`, `tokenizer.json`, `model.safetensors`), a GGUF file, or a name on the hub.
    #[arg(long, value_name = "DIR|FILE|OWNER/NAME")]
    pub model: PathBuf,
    /// Rows `{"prompt", "response"}` or `{"prompt_ids", "ids"}`, one JSON object a line.
    #[arg(long, value_name = "FILE")]
    pub data: PathBuf,
    /// Put before a prompt what the tokenizer puts before any text (a token that begins it), as in training on plain rows.
    /// Without it, a prompt is read as a chat template wrote it, which begins a text itself.
    #[arg(long)]
    pub add_special_tokens: bool,
    /// The backend that computes.
    #[arg(long, value_enum, default_value_t)]
    pub backend: BackendChoice,
}

/// The runs or experiments that are verified.
#[derive(Debug, Clone, Args)]
pub struct VerifyArgs {
    /// Recorded runs, or one experiment to be run now, without a screen; with it, its baseline.
    #[arg(required_unless_present = "import", value_name = "RUN|EXPERIMENT")]
    pub targets: Vec<PathBuf>,
    /// The paper's released curves (`curves_*.jsonl`, `logps_*.npy`): what they hold, where the argmax is below its label,
    /// and the claims that they can say something of.
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with = "targets")]
    pub import: Vec<PathBuf>,
    /// The kind of training in the imported files; their names say it if this is absent.
    #[arg(long = "as", value_enum, requires = "import")]
    pub trained: Option<Trained>,
    /// Runs of the experiment, with consecutive seeds.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub seeds: u64,
    /// Ask recorded runs too who raised irr_train under their first N prompts (F4). Each run is trained again up to its first
    /// measurement.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), conflicts_with = "import")]
    pub influence: Option<u64>,
    /// How the experiment is run.
    #[command(flatten)]
    pub options: RunOptions,
}

/// The run that is exported, and the formats.
#[derive(Debug, Clone, Args)]
pub struct ExportArgs {
    /// A run's directory, its run file, or a file of the paper's curves.
    pub run: PathBuf,
    /// The formats to write, separated by commas.
    #[arg(long, value_parser = exporters(), value_delimiter = ',', required = true)]
    pub format: Vec<&'static Exporter>,
    /// The optimiser step that figures show and films end at; the last one if absent.
    #[arg(long)]
    pub step: Option<u64>,
    /// Optimiser steps that a film passes in a second, instead of --seconds.
    #[arg(long, value_name = "N", conflicts_with = "seconds", value_parser = clap::value_parser!(u64).range(1..))]
    pub speed: Option<u64>,
    /// About how long a film takes until its last frame.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub seconds: u64,
    /// Columns and rows of figures and films.
    #[arg(long, value_name = "WxH", default_value = "120x40")]
    pub size: Size,
    /// Folder to write to; the working directory if absent.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// The look of figures.
    #[command(flatten)]
    pub display: DisplayOptions,
}

/// The experiment that is swept, and its grid.
#[derive(Debug, Clone, Args)]
pub struct SweepArgs {
    /// A RON file, or an experiment that comes with the program.
    #[arg(value_name = "EXPERIMENT")]
    pub experiment: PathBuf,
    /// A value of the experiment and what it takes, separated by commas: `stages[DPO].objective.beta=0.05,0.1,0.5`,
    /// `stages[DPO].objective=sigmoid(beta: 0.1),ipo()`. Several make a grid.
    #[arg(long, value_name = "PATH=VALUE,VALUE")]
    pub set: Vec<String>,
    /// Runs of each cell, with consecutive seeds.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub seeds: u64,
    /// The first seed; the experiment's if absent.
    #[arg(long, value_name = "FIRST")]
    pub seed: Option<u64>,
    /// Take only the first N optimiser steps of each run, over all stages.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub steps: Option<u64>,
    /// Folder of the sweep, a folder in it for each cell; `<name>-sweep` in the experiment's own folder if absent.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Runs at a time; as many as there are cores if absent. Threads are shared out among them.
    #[arg(long, value_name = "J")]
    pub jobs: Option<NonZero<usize>>,
    /// The stage that the table and the figure are about; the first that pushes rejected answers down if absent, or else
    /// the last.
    #[arg(long, value_name = "NAME")]
    pub stage: Option<String>,
    /// The backend that trains.
    #[arg(long, value_enum, default_value_t)]
    pub backend: BackendChoice,
    /// The look of the figure.
    #[command(flatten)]
    pub display: DisplayOptions,
}

/// The runs that are compared, and how.
#[derive(Debug, Clone, Args)]
pub struct CompareArgs {
    /// Runs: a run's directory, its run file, or a folder of finished runs. LABEL=RUN puts a run in the arm of that name;
    /// else the experiment's name does.
    #[arg(required = true, value_name = "[LABEL=]RUN")]
    pub runs: Vec<String>,
    /// The measure that runs are aligned by.
    #[arg(long, value_enum, default_value_t)]
    pub by: By,
    /// The stage; the first that pushes rejected answers down if absent, or else the last.
    #[arg(long, value_name = "NAME")]
    pub stage: Option<String>,
    /// The curve on the chart, by its key (`chosen`, `rejected`, `argmax_chosen`, `irr_train`).
    #[arg(long, value_name = "KEY")]
    pub curve: Option<String>,
    /// Write these instead of opening the screen, separated by commas.
    #[arg(long, value_parser = exporters(), value_delimiter = ',')]
    pub format: Vec<&'static Exporter>,
    /// Folder to write to. If absent, files go to the working directory and the screen's screenshots to `screenshots/` beside the
    /// first run.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Columns and rows of figures.
    #[arg(long, value_name = "WxH", default_value = "120x40")]
    pub size: Size,
    /// The look of the screen and of files.
    #[command(flatten)]
    pub display: DisplayOptions,
}

/// The table of objectives, as the last paragraph of a help text.
fn objectives() -> String {
    let row = |objective: &ObjectiveConfig| {
        format!("  {}\n         {}\n", objective.spelled(), objective.traits().about.trim())
    };
    let rows: String = ObjectiveConfig::ALL.iter().map(row).collect();
    format!("Objectives of a stage, with the defaults of what may be left out:\n{rows}")
}

/// The table of exporters, as values of an argument.
fn exporters() -> impl TypedValueParser<Value = &'static Exporter> {
    let names = EXPORTERS.iter().map(|exporter| PossibleValue::new(exporter.name).help(exporter.help));
    PossibleValuesParser::new(names).try_map(|name| Exporter::named(&name).ok_or("there is no such format"))
}

/// A terminal's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Columns.
    pub columns: u16,
    /// Rows.
    pub rows: u16,
}

impl FromStr for Size {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        let parse =
            |(columns, rows): (&str, &str)| Some(Self { columns: columns.parse().ok()?, rows: rows.parse().ok()? });
        s.split_once('x')
            .and_then(parse)
            .filter(|size| (1..=1000).contains(&size.columns) && (1..=1000).contains(&size.rows))
            .ok_or_else(|| "write columns and rows from 1 to 1000, as in 120x40".to_owned())
    }
}

#[cfg(test)]
#[path = "args_tests.rs"]
mod tests;
