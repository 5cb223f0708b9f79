//! The runs of a sweep as child processes, so many at a time.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, IsTerminal as _, Write as _};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, bounded};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::plan::Job;
use crate::error::{Error, Result};
use crate::session::signals::Interrupts;
use crate::text::Shown;

/// How often children and signals are looked at.
const PATIENCE: Duration = Duration::from_millis(50);
/// Lines of children that may wait for the progress bar; more are not shown.
const LINES: usize = 256;
/// What bounds the threads of the CPU backends: flex computes on rayon's pool, ndarray has one of its own.
const THREADS: [&str; 2] = ["RAYON_NUM_THREADS", "MATMUL_NUM_THREADS"];

/// How jobs are run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slots {
    /// Children at a time.
    pub(super) jobs: usize,
    /// Threads of each; `None` leaves that to the child.
    pub(super) threads: Option<usize>,
}

/// What became of a job that failed: its index and why.
pub(super) type Failure = (usize, Shown);

/// A child at work.
struct Running {
    job: usize,
    process: Child,
    /// Reads what it says; returns the last line that reports an error.
    said: Option<JoinHandle<Option<String>>>,
    started: Instant,
}

impl Drop for Running {
    /// Whatever happened, no child outlives the sweep.
    fn drop(&mut self) {
        if let Ok(None) = self.process.try_wait() {
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }
}

/// Runs the jobs; returns those that failed. After a signal no further job begins, and those at work are asked to stop
/// and waited for.
///
/// # Errors
/// When a child cannot be started; [`Error::Interrupted`] after a signal.
pub(super) fn run(jobs: &[Job], todo: &[usize], slots: Slots, interrupts: &Interrupts) -> Result<Vec<Failure>> {
    let progress = Progress::new(jobs.len(), todo.len());
    let (told, lines) = bounded(LINES);
    let mut waiting: VecDeque<usize> = todo.iter().copied().collect();
    let (mut running, mut failures): (Vec<Running>, Vec<Failure>) = (Vec::new(), Vec::new());
    let mut stopping = false;
    while !waiting.is_empty() || !running.is_empty() {
        if interrupts.asked() && !stopping {
            stopping = true;
            waiting.clear();
            running.iter_mut().for_each(|child| stop(&mut child.process));
        }
        while running.len() < slots.jobs.max(1)
            && let Some(job) = waiting.pop_front()
        {
            running.push(start(job, &jobs[job], slots, &told)?);
        }
        if let Ok(line) = lines.recv_timeout(PATIENCE) {
            progress.say(&line);
        }
        for mut child in running.extract_if(.., |child| !matches!(child.process.try_wait(), Ok(None))) {
            let error = child.said.take().and_then(|said| said.join().ok()).flatten();
            let (job, took) = (&jobs[child.job], child.started.elapsed());
            let failure = match child.process.wait() {
                Ok(status) if status.success() => None,
                Ok(status) => Some(Shown::new(&error.unwrap_or_else(|| format!("it ended with {status}")))),
                Err(e) => Some(Shown::new(&e.to_string())),
            };
            progress.ended(job, took, failure.as_ref());
            failures.extend(failure.map(|why| (child.job, why)));
        }
    }
    progress.bar.finish_and_clear();
    if stopping { Err(Error::Interrupted) } else { Ok(failures) }
}

fn start(index: usize, job: &Job, slots: Slots, told: &Sender<String>) -> Result<Running> {
    let cannot = |e: std::io::Error| Error::failed(format!("a run cannot be started: {e}"));
    let mut command = Command::new(std::env::current_exe().map_err(cannot)?);
    command.args(&job.arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    // Nobody watches a cell: what the user has set for alarms is for runs that somebody does.
    command.env("LDYN_TUI_CONFIG", "");
    for variable in THREADS.iter().filter(|v| std::env::var_os(v).is_none()) {
        if let Some(threads) = slots.threads {
            command.env(variable, threads.to_string());
        }
    }
    // Ctrl-C reaches the sweep alone, which passes it on once: a second signal would end a child without its summary.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut process = command.spawn().map_err(cannot)?;
    let (stderr, told) = (process.stderr.take(), told.clone());
    let said = stderr.map(|stderr| std::thread::spawn(move || listen(stderr, &told)));
    Ok(Running { job: index, process, said, started: Instant::now() })
}

/// Passes lines on as far as there is room; returns the last that reports an error.
fn listen(stderr: ChildStderr, told: &Sender<String>) -> Option<String> {
    let (mut stderr, mut line, mut error) = (BufReader::new(stderr), Vec::new(), None);
    while stderr.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        if let Some(why) = text.strip_prefix("error: ") {
            error = Some(why.to_owned());
        }
        let _ = told.try_send(text);
        line.clear();
    }
    error
}

/// Asks a child to end after its step, with its run file whole.
fn stop(process: &mut Child) {
    #[cfg(unix)]
    {
        let id = rustix::process::Pid::from_child(process);
        // One that has ended by itself needs no signal.
        let _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
    }
    #[cfg(not(unix))]
    let _ = process.kill();
}

/// What is on stderr: a bar over the runs, or a line a run where stderr is no terminal.
struct Progress {
    bar: ProgressBar,
    plain: bool,
}

impl Progress {
    fn new(all: usize, todo: usize) -> Self {
        let plain = !std::io::stderr().is_terminal();
        let target = if plain { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bar = ProgressBar::with_draw_target(Some(all as u64), target);
        if let Ok(style) = ProgressStyle::with_template("{pos}/{len} runs {bar:24} {wide_msg}") {
            bar.set_style(style);
        }
        bar.set_position(all.saturating_sub(todo) as u64);
        Self { bar, plain }
    }

    /// What a run last said of itself.
    fn say(&self, line: &str) {
        self.bar.set_message(Shown::new(line).to_string());
    }

    fn ended(&self, job: &Job, took: Duration, failure: Option<&Shown>) {
        self.bar.inc(1);
        if self.plain {
            let how = failure.map_or_else(|| "finished".to_owned(), |why| format!("failed: {why}"));
            let (done, all) = (self.bar.position(), self.bar.length().unwrap_or_default());
            let line = format!("{done}/{all} {} seed {}: {how} ({} s)", job.label, job.seed, took.as_secs());
            // A closed stderr is no reason to stop.
            let _ = writeln!(std::io::stderr(), "{line}");
        }
    }
}
