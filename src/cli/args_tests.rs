#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use clap::{CommandFactory as _, Parser as _};

use super::{Cli, Command, Size};

#[test]
fn clap_finds_no_contradiction() {
    Cli::command().debug_assert();
}

#[test]
fn the_positional_form_and_run_are_the_same() {
    let bare = Cli::try_parse_from(["ldyn-tui", "x.ron", "--steps", "3", "--theme", "light"]).unwrap();
    assert_eq!(bare.experiment.as_deref(), Some(std::path::Path::new("x.ron")));
    assert_eq!(bare.options.steps, Some(3));
    let run = Cli::try_parse_from(["ldyn-tui", "run", "x.ron", "--steps", "3", "--theme", "light"]).unwrap();
    let Some(Command::Run { experiment, options, display, .. }) = run.command else { panic!("the run command") };
    assert_eq!(experiment, bare.experiment);
    assert_eq!((options.steps, display.theme), (bare.options.steps, bare.display.theme));
    let check = Cli::try_parse_from(["ldyn-tui", "check", "check"]).unwrap();
    assert!(matches!(check.command, Some(Command::Check { .. })));
}

#[test]
fn a_run_is_resumed_as_it_was_begun() {
    let resumed = Cli::try_parse_from(["ldyn-tui", "run", "--resume", "runs/x", "--headless"]).unwrap();
    assert!(matches!(resumed.command, Some(Command::Run { experiment: None, resume: Some(_), .. })));
    let bare = Cli::try_parse_from(["ldyn-tui", "--resume", "runs/x"]).unwrap();
    assert_eq!(bare.resume.as_deref(), Some(std::path::Path::new("runs/x")));
    for more in [&["x.ron"][..], &["--seed", "1"], &["--steps", "1"], &["--out", "d"], &["--set", "seed=1"]] {
        let arguments = ["ldyn-tui", "run", "--resume", "runs/x"].iter().chain(more);
        assert!(Cli::try_parse_from(arguments).is_err(), "{more:?}");
    }
    assert!(Cli::try_parse_from(["ldyn-tui", "run"]).is_err());
}

#[test]
fn sizes_have_two_sides() {
    assert_eq!("80x24".parse(), Ok(Size { columns: 80, rows: 24 }));
    for bad in ["80", "0x24", "80x", "80x24x2", "99999x1", "-1x3"] {
        assert!(bad.parse::<Size>().is_err(), "{bad}");
    }
}
