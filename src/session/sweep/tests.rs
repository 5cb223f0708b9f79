#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::path::Path;

use clap::Parser as _;

use super::*;
use crate::cli::{Cli, Command};
use crate::history::Course;
use crate::history::fixture::{evaluation, history as folded, run, stage};
use crate::protocol::{MetricKey, ProbeKind, RunPhase, StepMetrics, TrainerEvent};
use crate::record::Summary;

fn parsed(arguments: &[&str]) -> SweepArgs {
    let all = ["ldyn-tui", "sweep", "experiments/dpo_offpolicy.ron"].iter().chain(arguments);
    let Some(Command::Sweep(args)) = Cli::try_parse_from(all).unwrap().command else { panic!("the sweep command") };
    args
}

fn planned(arguments: &[&str]) -> Result<Plan> {
    let args = parsed(arguments);
    plan(&args, &grid::cells(&grid::settings(&args.set)?))
}

#[test]
fn a_child_is_told_exactly_the_experiment_that_is_expected_of_it() {
    let set = "stages[DPO].objective=sigmoid(beta: 0.1, nll: 0.5),ipo()";
    let plan = planned(&["--set", set, "--seeds", "2", "--seed", "7", "--steps", "90"]).unwrap();
    assert_eq!(plan.folder, Path::new("runs/dpo_offpolicy-sweep"));
    let told = |job: &Job| {
        let all = ["ldyn-tui".into()].into_iter().chain(job.arguments.clone());
        let Some(Command::Run { experiment, options, .. }) = Cli::try_parse_from(all).unwrap().command else {
            panic!("the run command: {:?}", job.arguments)
        };
        assert!(options.headless);
        options.experiment(&experiment.unwrap()).unwrap()
    };
    let ids: Vec<String> = plan.jobs.iter().map(|job| told(job).run_id()).collect();
    assert_eq!(
        ids,
        [
            "dpo_offpolicy.objective-sigmoid-beta-0.1-nll-0.5-seed7",
            "dpo_offpolicy.objective-sigmoid-beta-0.1-nll-0.5-seed8",
            "dpo_offpolicy.objective-ipo-seed7",
            "dpo_offpolicy.objective-ipo-seed8",
        ]
    );
    for job in &plan.jobs {
        let experiment = told(job);
        assert_eq!(experiment.to_ron().unwrap(), job.ron);
        assert_eq!(experiment.total_steps(), 90);
    }
}

#[test]
fn every_mistake_is_told_once_and_before_anything_runs() {
    let error = planned(&["--set", "stages[DPO].steps=0,1,-1", "--set", "data.train=0", "--seeds", "3"]).unwrap_err();
    assert_eq!(error.exit_status(), 2);
    let text = error.to_string();
    for place in ["--set stages[DPO].steps=-1", "--set data.train=0"] {
        assert_eq!(text.matches(place).count(), 1, "{text}");
    }
    let error = planned(&["--stage", "KTO"]).unwrap_err().to_string();
    assert!(error.contains("only SFT, DPO"), "{error}");
    let error = planned(&["--stage", "DPO", "--steps", "10"]).unwrap_err().to_string();
    assert!(error.contains("only SFT"), "the stage is cut off: {error}");
    let set = "stages[DPO].steps=1,2,3,4,5,6,7,8,9,10,11";
    assert!(planned(&["--set", set, "--seeds", "1000"]).unwrap_err().to_string().contains("more than 10000 runs"));
    assert!(planned(&["--seeds", "2", "--seed", "18446744073709551615"]).is_err());
}

/// The events of a run of two stages in which y⁺ falls by `fall`.
fn events(seed: u64, fall: f32) -> Vec<TrainerEvent> {
    let step = |step, stage, loss| {
        let metrics = [(MetricKey::LOSS, loss)].into_iter().collect();
        TrainerEvent::Step(StepMetrics { step, stage, metrics })
    };
    let measured = |stage, step, chosen, argmax| {
        TrainerEvent::from(evaluation(2, stage, step, &[(ProbeKind::Chosen, chosen)], argmax))
    };
    vec![
        TrainerEvent::RunStarted(Box::new(run(2, seed, vec![stage("SFT", false, 1), stage("DPO", true, 1)]))),
        TrainerEvent::StageStarted { stage: 0, step: 0 },
        measured(0, 0, -30.0, -9.0),
        step(1, 0, 2.0),
        measured(0, 1, -20.0, -8.0),
        TrainerEvent::StageStarted { stage: 1, step: 1 },
        step(2, 1, 0.5),
        measured(1, 2, -20.0 - fall, -7.0),
        TrainerEvent::Phase { phase: RunPhase::Finished, step: 2 },
    ]
}

#[test]
fn a_run_is_done_if_it_finished_and_is_exactly_what_would_be_run() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    let jobs = |seed: &str| planned(&["--out", out, "--seed", seed, "--steps", "70"]).unwrap().jobs;
    let job = &jobs("1")[0];
    assert!(finished_run(job).is_none(), "there is no folder yet");
    let made = |ron: &str, phase: Option<RunPhase>| {
        let directory = RunDirectory::create(&job.folder, "x-seed1", ron).unwrap();
        std::fs::write(directory.events(), "").unwrap();
        if let Some(phase) = phase {
            let mut events = events(1, 0.0);
            events.push(TrainerEvent::Phase { phase, step: 2 });
            Summary::new(&folded(&events), 1.0).unwrap().write(&directory.summary()).unwrap();
        }
        directory
    };
    made(&job.ron, None);
    made(&job.ron, Some(RunPhase::Stopped));
    made(&job.ron, Some(RunPhase::Failed("no space".to_owned())));
    made(&jobs("2")[0].ron, Some(RunPhase::Finished));
    assert!(finished_run(job).is_none());
    let done = made(&job.ron, Some(RunPhase::Finished));
    assert_eq!(finished_run(job), Some(done));
}

#[test]
fn the_table_pools_seeds_and_says_what_failed() {
    let cells = grid::cells(&grid::settings(&["a.beta=0.1,0.5".to_owned(), "x==1".to_owned()]).unwrap());
    let course = |seed, fall| Course::of(&folded(&events(seed, fall)), None).unwrap();
    let rows = [
        Row { courses: vec![course(1, 3.0), course(2, 1.0)], ..Row::of(&cells[0]) },
        Row { failures: vec![(1, Shown::new("no space\u{1b}"))], ..Row::of(&cells[1]) },
    ];
    insta::assert_snapshot!(table::text(&rows));
    insta::assert_snapshot!(table::csv(&rows));
}

#[test]
fn cores_are_shared_out_among_children() {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let Slots { jobs, threads } = slots(&parsed(&[]), 100);
    assert_eq!((jobs, threads), (cores, (cores > 1).then_some(1)));
    let alone = slots(&parsed(&["--jobs", "1"]), 100);
    assert_eq!((alone.jobs, alone.threads), (1, None), "a child alone has all of them");
    assert_eq!(slots(&parsed(&["--jobs", "8"]), 3).jobs, 3);
}
