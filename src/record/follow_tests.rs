//! That a file which grows, is cut, replaced or broken is followed, and a pipe as well.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

use std::fs::OpenOptions;
use std::io::Write as _;

use super::*;
use crate::history::fixture::{evaluation, run, stage};
use crate::history::{RunHistory, Timeline};

const DEADLINE: Duration = Duration::from_secs(60);

fn line(event: &TrainerEvent) -> Vec<u8> {
    let mut line = serde_json::to_vec(event).unwrap();
    line.push(b'\n');
    line
}

fn start(seed: u64) -> Vec<u8> {
    line(&TrainerEvent::RunStarted(Box::new(run(2, seed, vec![stage("DPO", true, 90)]))))
}

fn measured(step: u64) -> Vec<u8> {
    line(&evaluation(2, 0, step, &[], -20.0).into())
}

fn append(path: &Path, bytes: &[u8]) {
    OpenOptions::new().append(true).create(true).open(path).unwrap().write_all(bytes).unwrap();
}

/// What a screen would know.
#[derive(Default)]
struct Known {
    timeline: Timeline,
    anew: usize,
    broken: Vec<Shown>,
    whole: bool,
}

impl Known {
    fn take(&mut self, loaded: Loaded) {
        match loaded {
            Loaded::Part { part, after, .. } => self.timeline.extend((part, after)),
            Loaded::Anew => {
                self.timeline = Timeline::default();
                self.anew += 1;
            }
            Loaded::Broken(why) => self.broken.push(why),
            Loaded::Whole => self.whole = true,
            Loaded::Attached { .. } => {}
        }
    }

    fn history(&self) -> RunHistory {
        let mut history = RunHistory::default();
        self.timeline.seek(&mut history, 0, self.timeline.len());
        history
    }

    /// Takes what arrives until it is so.
    fn until(&mut self, follower: &Follower, what: &str, is_so: impl Fn(&Self) -> bool) {
        let end = Instant::now() + DEADLINE;
        while !is_so(self) {
            let Ok(loaded) = follower.arrivals.recv_deadline(end) else { panic!("waited in vain for {what}") };
            self.take(loaded);
        }
    }

    fn steps(&self) -> Vec<u64> {
        self.history().evaluations.iter().map(|e| e.step).collect()
    }
}

#[test]
fn a_file_that_grows_is_followed_line_by_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    append(&path, &[start(1), measured(0)].concat());
    let follower = Follower::path(&path, false).unwrap();
    let mut known = Known::default();
    known.until(&follower, "what is there", |k| k.steps() == [0]);
    let next = measured(4);
    append(&path, &next[..next.len() / 2]);
    std::thread::sleep(3 * LOOK);
    append(&path, &next[next.len() / 2..]);
    known.until(&follower, "a line written in two halves", |k| k.steps() == [0, 4]);
    append(&path, b"{\"event\":\"omen\",\"step\":5}\n");
    append(&path, &measured(8));
    known.until(&follower, "what follows an unknown event", |k| k.steps() == [0, 4, 8]);
    let told = follower.end().unwrap();
    assert!(told[0].as_str().ends_with("1 event of an unknown kind skipped"), "{told:?}");
    assert_eq!((known.anew, known.broken.len()), (0, 0));
}

#[test]
fn a_file_that_is_cut_or_replaced_is_read_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    append(&path, &[start(1), measured(0), measured(4), measured(8)].concat());
    let follower = Follower::path(&path, false).unwrap();
    let mut known = Known::default();
    known.until(&follower, "what is there", |k| k.steps() == [0, 4, 8]);
    // Cut to what a checkpoint keeps, then gone on with.
    let kept = (start(1).len() + measured(0).len()) as u64;
    OpenOptions::new().write(true).open(&path).unwrap().set_len(kept).unwrap();
    known.until(&follower, "the cut file", |k| k.anew == 1 && k.steps() == [0]);
    append(&path, &measured(3));
    known.until(&follower, "its next line", |k| k.steps() == [0, 3]);
    // Gone, then another.
    std::fs::remove_file(&path).unwrap();
    std::thread::sleep(2 * LOOK);
    let other = folder.path().join("other");
    append(&other, &[start(2), measured(0), measured(1), measured(2), measured(3), measured(4)].concat());
    std::fs::rename(&other, &path).unwrap();
    known.until(&follower, "the other file", |k| k.steps() == [0, 1, 2, 3, 4]);
    assert_eq!(known.history().run.as_ref().map(|run| run.seed), Some(2));
    // Cut and filled again between two looks: what is at the old place is no line any more.
    std::fs::write(&path, [start(3), measured(0)].concat()).unwrap();
    append(&path, &[measured(10), measured(20), measured(30), measured(40), measured(50), measured(60)].concat());
    known.until(&follower, "the file written over", |k| k.history().run.as_ref().map(|run| run.seed) == Some(3));
    known.until(&follower, "all of it", |k| k.steps().last() == Some(&60));
    follower.end().unwrap();
}

#[test]
fn a_file_that_breaks_is_told_and_taken_up_again_when_it_is_another() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    append(&path, &[start(1), measured(0)].concat());
    let follower = Follower::path(&path, false).unwrap();
    let mut known = Known::default();
    known.until(&follower, "what is there", |k| k.steps() == [0]);
    append(&path, b"nonsense\n");
    known.until(&follower, "the break", |k| !k.broken.is_empty());
    assert_eq!(known.steps(), [0], "what came before stays");
    assert!(known.broken[0].as_str().starts_with("events.jsonl:3:"), "{:?}", known.broken);
    std::fs::remove_file(&path).unwrap();
    append(&path, &[start(2), measured(0), measured(7)].concat());
    known.until(&follower, "the file that replaced it", |k| k.steps() == [0, 7]);
    follower.end().unwrap();
}

#[test]
fn what_is_no_run_is_told_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    append(&path, b"Dear diary,\n");
    let follower = Follower::path(&path, false).unwrap();
    let first = follower.first(DEADLINE);
    assert!(matches!(first[..], [Loaded::Broken(_)]), "{first:?}");
    let error = follower.end().unwrap_err();
    assert_eq!(error.exit_status(), 2);
    assert!(error.to_string().contains("notes.txt:1:") && error.to_string().contains("not an event"), "{error}");
    assert_eq!(Follower::path(&folder.path().join("none"), false).unwrap_err().exit_status(), 2);
}

#[test]
fn a_run_that_has_not_begun_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    let follower = Follower::path(&path, true).unwrap();
    assert!(matches!(follower.first(DEADLINE)[..], [Loaded::Attached { silent: None }]));
    append(&path, &start(1));
    let mut known = Known::default();
    known.until(&follower, "its beginning", |k| k.history().run.is_some());
    assert!(follower.end().unwrap().is_empty());
}

#[test]
fn a_pipe_is_followed_to_its_end_and_another_run_in_it_begins_anew() {
    let (input, mut output) = std::io::pipe().unwrap();
    let follower = Follower::pipe(Path::new("stdin"), input).unwrap();
    let mut known = Known::default();
    output.write_all(&[start(1), measured(0)].concat()).unwrap();
    known.until(&follower, "what comes first", |k| k.steps() == [0]);
    output.write_all(&[measured(4), start(2), measured(0)].concat()).unwrap();
    known.until(&follower, "another run", |k| k.anew == 1 && k.steps() == [0]);
    let half = measured(4);
    output.write_all(&half[..half.len() / 2]).unwrap();
    drop(output);
    known.until(&follower, "the end", |k| k.whole);
    assert_eq!(known.history().run.as_ref().map(|run| run.seed), Some(2));
    assert_eq!((known.steps(), known.broken.len()), (vec![0], 0), "a last line that breaks off is dropped");
}
