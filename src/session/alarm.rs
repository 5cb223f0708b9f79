//! The command that a user has set for alarms: run by the shell when the detector raises one, on a screen or without.

use std::process::{Command, Stdio};

use crossbeam_channel::{Receiver, bounded};

use crate::error::{Error, Result};
use crate::history::{RunHistory, StateChange};
use crate::protocol::TrainerEvent;
use crate::record::Loaded;
use crate::text::Shown;
use crate::train::{EventSink, SavedState, TrainerState};

/// Passes everything on to another sink, and runs the command at every alarm.
pub(super) struct Alarmed<S> {
    inner: S,
    watch: Option<Watch>,
}

/// What is known of the run as far as alarms need it.
struct Watch {
    command: String,
    history: RunHistory,
    raised: usize,
}

impl<S: EventSink> Alarmed<S> {
    /// A sink before `inner` that runs `command`, if there is one; `past` is what was recorded of the run earlier, whose
    /// alarms were raised then.
    pub(super) fn new(inner: S, command: Option<String>, past: &[TrainerEvent]) -> Self {
        let mut watch = command.map(|command| Watch { command, history: RunHistory::default(), raised: 0 });
        if let Some(watch) = &mut watch {
            for event in past {
                let _ = watch.alarm(event);
            }
        }
        Self { inner, watch }
    }
}

impl Watch {
    /// The alarm that an event raises, if it does.
    fn alarm(&mut self, event: &TrainerEvent) -> Option<StateChange> {
        // Steps have no say in it, and there are many.
        if matches!(event, TrainerEvent::Step(_) | TrainerEvent::Measuring { .. } | TrainerEvent::Speed { .. }) {
            return None;
        }
        self.history.apply(event);
        let raised = self.history.detector.alarms().count();
        let new = raised > std::mem::replace(&mut self.raised, raised);
        self.history.detector.alarms().last().copied().filter(|_| new)
    }

    /// Runs the command for what is known of the run.
    fn call(&self, alarm: &StateChange) {
        call(&self.command, &self.history, alarm);
    }
}

/// Passes on what is read of a run that another program writes, and runs the command at every alarm that is raised once all
/// that was there has been read; `known` were raised in what is shown already.
///
/// # Errors
/// When a thread cannot be started.
pub(super) fn relay(arrivals: Receiver<Loaded>, known: usize, command: Option<String>) -> Result<Receiver<Loaded>> {
    let Some(command) = command else { return Ok(arrivals) };
    let (sender, relayed) = bounded(RELAYED);
    let (mut raised, mut attached) = (known, false);
    std::thread::Builder::new()
        .name("alarm".to_owned())
        .spawn(move || {
            for loaded in arrivals {
                match &loaded {
                    Loaded::Part { after, .. } => {
                        let count = after.detector.alarms().count();
                        if let Some(alarm) = after.detector.alarms().last().filter(|_| attached && count > raised) {
                            call(&command, after, alarm);
                        }
                        raised = count;
                    }
                    Loaded::Attached { .. } => attached = true,
                    Loaded::Anew => (raised, attached) = (0, false),
                    Loaded::Whole | Loaded::Broken(_) => {}
                }
                if sender.send(loaded).is_err() {
                    return;
                }
            }
        })
        .map_err(|e| Error::failed(format!("a thread cannot be started: {e}")))?;
    Ok(relayed)
}

/// Parts of a run that may wait for the screen.
const RELAYED: usize = 64;

/// Runs a command for an alarm. What a run is called may be anything: it goes into the environment, and never into the text that
/// the shell reads.
fn call(command: &str, history: &RunHistory, alarm: &StateChange) {
    let run = history.run.as_ref().map_or("", |run| run.run_id.as_str());
    let (shell, flag) = if cfg!(windows) { ("cmd", "/C") } else { ("sh", "-c") };
    let started = Command::new(shell)
        .args([flag, command])
        .env("LDYN_TUI_RUN", run)
        .env("LDYN_TUI_STEP", alarm.step.to_string())
        .env("LDYN_TUI_STATE", alarm.state.title())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    match started {
        // Whoever waits for it is a thread of its own, so that no process is left behind.
        Ok(mut child) => drop(std::thread::spawn(move || drop(child.wait()))),
        Err(why) => tracing::warn!("on_alarm cannot be run: {}", Shown::new(&why.to_string())),
    }
}

impl<S: EventSink> EventSink for Alarmed<S> {
    fn emit(&mut self, event: &TrainerEvent) -> Result<()> {
        // What is recorded comes first.
        let done = self.inner.emit(event);
        if let Some(watch) = &mut self.watch
            && let Some(alarm) = watch.alarm(event)
        {
            watch.call(&alarm);
        }
        done
    }

    fn keep(&mut self, state: &TrainerState) -> Result<()> {
        self.inner.keep(state)
    }

    fn snapshot(&mut self, state: &TrainerState) {
        self.inner.snapshot(state);
    }

    fn saved(&mut self) -> Option<SavedState> {
        self.inner.saved()
    }

    fn resumed(&mut self) -> Result<()> {
        self.inner.resumed()
    }
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::history::fixture::{evaluation, run, stage};
    use crate::protocol::ProbeKind;

    /// A run of which the detector says squeezing at step 10.
    fn events() -> Vec<TrainerEvent> {
        const PAIRS: usize = 20;
        let mut started = run(PAIRS, 0, vec![stage("DPO", true, 100)]);
        started.run_id = "it's $(touch hacked)".to_owned();
        let mut fallen = evaluation(PAIRS, 0, 10, &[(ProbeKind::Rejected, -62.0), (ProbeKind::Chosen, -51.0)], -39.5);
        fallen.stage_flow = None;
        vec![
            TrainerEvent::RunStarted(Box::new(started)),
            TrainerEvent::StageStarted { stage: 0, step: 0 },
            TrainerEvent::from(evaluation(
                PAIRS,
                0,
                0,
                &[(ProbeKind::Chosen, -50.0), (ProbeKind::Rejected, -60.0)],
                -40.0,
            )),
            TrainerEvent::from(fallen),
        ]
    }

    /// What a file says once its line is whole.
    fn told(file: &std::path::Path) -> String {
        let asked = Instant::now();
        loop {
            let told = std::fs::read_to_string(file).unwrap_or_default();
            if told.ends_with('\n') || asked.elapsed() > Duration::from_secs(20) {
                return told;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    #[test]
    fn a_run_that_is_followed_alarms_once_and_not_for_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let parts = |file: &std::path::Path, attached_first: bool| {
            let command = format!("echo \"$LDYN_TUI_STEP\" >> '{}'", file.display());
            let (sender, arrivals) = bounded(8);
            let mut folder = crate::history::Folder::default();
            events().into_iter().for_each(|event| folder.add(event));
            let (part, after) = folder.take();
            let part = Loaded::Part { part, after, read: 1, of: 1 };
            let attached = Loaded::Attached { silent: None };
            let order = if attached_first { [attached, part] } else { [part, attached] };
            order.into_iter().for_each(|loaded| sender.send(loaded).unwrap());
            drop(sender);
            relay(arrivals, 0, Some(command)).unwrap().iter().count()
        };
        let (new, old) = (folder.path().join("new"), folder.path().join("old"));
        assert_eq!((parts(&new, true), told(&new)), (2, "10\n".to_owned()));
        assert_eq!(parts(&old, false), 2);
        assert!(!old.exists(), "it was raised before anybody looked");
    }

    #[test]
    fn the_command_is_run_once_an_alarm_and_reads_the_run_from_its_environment() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("told");
        let command = format!("echo \"$LDYN_TUI_RUN|$LDYN_TUI_STEP|$LDYN_TUI_STATE\" >> '{}'", file.display());
        let mut seen = 0;
        let mut sink = Alarmed::new(
            |_: &TrainerEvent| {
                seen += 1;
                Ok(())
            },
            Some(command.clone()),
            &[],
        );
        for event in events() {
            sink.emit(&event).unwrap();
        }
        drop(sink);
        assert_eq!(seen, 4, "everything goes on to the sink behind it");
        assert_eq!(told(&file), "it's $(touch hacked)|10|squeezing\n");
        // What was raised before a run went on is not raised again.
        let mut resumed = Alarmed::new(|_: &TrainerEvent| Ok(()), Some(command), &events());
        assert!(resumed.watch.as_mut().unwrap().alarm(&events()[3]).is_none());
    }
}
