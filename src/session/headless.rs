//! A run without a screen: a progress bar on stderr, or a line an evaluation where stderr is no terminal
//! or one that only prints.

use std::io::{IsTerminal as _, Write as _};
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::signals::Interrupts;
use crate::cli::var;
use crate::history::RunHistory;
use crate::protocol::{MetricKey, RunPhase, TrainerCommand, TrainerEvent};
use crate::text::Shown;
use crate::tui::environment;

/// How often a signal is looked for while the trainer is silent.
const PATIENCE: Duration = Duration::from_millis(100);

/// Follows a run to its end, after what was recorded of it earlier; returns whether it was interrupted.
pub(super) fn follow(
    events: &Receiver<Arc<TrainerEvent>>,
    commands: &Sender<TrainerCommand>,
    interrupts: &Interrupts,
    label: &str,
    past: &[TrainerEvent],
) -> bool {
    let mut progress = Progress::new(label);
    if !past.is_empty() {
        past.iter().for_each(|event| progress.history.apply(event));
        progress.bar.set_length(progress.history.total_steps());
    }
    let mut interrupted = false;
    loop {
        if interrupts.asked() && !interrupted {
            interrupted = true;
            // A trainer that has already gone needs no command.
            let _ = commands.send(TrainerCommand::Stop);
        }
        match events.recv_timeout(PATIENCE) {
            Ok(event) => progress.show(&event),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    progress.bar.finish_and_clear();
    interrupted
}

/// What is on stderr.
struct Progress {
    bar: ProgressBar,
    plain: bool,
    history: RunHistory,
    label: Shown,
}

impl Progress {
    fn new(label: &str) -> Self {
        let plain = !std::io::stderr().is_terminal() || !environment::can_draw(var);
        let target = if plain { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{prefix} {wide_bar} {pos}/{len} {msg}") {
            bar.set_style(style);
        }
        Self { bar, plain, history: RunHistory::default(), label: Shown::new(label) }
    }

    fn show(&mut self, event: &TrainerEvent) {
        self.history.apply(event);
        match event {
            TrainerEvent::RunStarted(_) => self.bar.set_length(self.history.total_steps()),
            TrainerEvent::Evaluation(_) | TrainerEvent::Classes(_) if self.plain => self.line(),
            TrainerEvent::Phase { phase: RunPhase::Starting(what), .. } => {
                self.bar.set_message(Shown::new(what).to_string());
                if self.plain {
                    self.write(&format!("{}: {}", self.label, Shown::new(what)));
                }
                return;
            }
            _ => {}
        }
        if !self.plain {
            self.bar.set_prefix(format!("{} {}", self.label, self.stage()));
            self.bar.set_position(self.history.step);
            self.bar.set_message(self.numbers());
        }
    }

    /// The stage's name.
    fn stage(&self) -> Shown {
        let name = self.history.stage.and_then(|i| self.history.run.as_ref()?.stages.get(i)).map(|s| s.name.as_str());
        Shown::new(name.unwrap_or_default())
    }

    /// The loss and what the detector says, or how often a classifier is right.
    fn numbers(&self) -> String {
        let state = match self.history.classes.last() {
            Some(reading) => format!("accuracy {:.1} %", 100.0 * reading.accuracy),
            None => self.history.detector.state.title().to_owned(),
        };
        match self.history.metrics.get(&MetricKey::LOSS).and_then(crate::history::Series::last) {
            Some((_, loss)) => format!("loss {loss:.4} · {state}"),
            None => state,
        }
    }

    fn line(&self) {
        let (step, total) = (self.history.step, self.history.total_steps());
        self.write(&format!("{} {} {step}/{total} {}", self.label, self.stage(), self.numbers()));
    }

    /// A closed stderr is no reason to stop.
    fn write(&self, line: &str) {
        let _ = writeln!(std::io::stderr(), "{line}");
    }
}
