//! The floors and the invariants that the crate's front page promises, held by looking at what every source file names.

mod house;
mod paths;
mod text;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use house::{Arrows, House};

static ROOT: LazyLock<PathBuf> = LazyLock::new(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));

/// Every source file that is compiled outside tests, and the arrows between them.
static PROGRAM: LazyLock<(House, Arrows)> = LazyLock::new(|| {
    let mut paths = Vec::new();
    collect(&ROOT, &mut paths);
    let files: Vec<(String, String)> =
        paths.iter().map(|path| (name_of(path), std::fs::read_to_string(path).unwrap())).collect();
    let house = House::of(files.iter().map(|(name, text)| (name.as_str(), text.as_str())));
    let arrows = house.arrows();
    (house, arrows)
});

fn name_of(path: &Path) -> String {
    let below = path.strip_prefix(&*ROOT).unwrap();
    below.components().map(|c| c.as_os_str().to_str().unwrap()).collect::<Vec<_>>().join("/")
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|e| e == "rs") && !is_test_file(&path) {
            files.push(path);
        }
    }
    files.sort();
}

/// Files that only tests compile.
fn is_test_file(path: &Path) -> bool {
    let stem = path.file_stem().and_then(|s| s.to_str());
    let in_tests = path.parent().is_some_and(|folder| folder.ends_with("tests"));
    in_tests || stem.is_some_and(|s| matches!(s, "tests" | "fixture" | "testing") || s.ends_with("_tests"))
}

/// Whether the code names a crate: `burn::`, `use burn;`.
fn names(code: &str, path: &str) -> bool {
    code.match_indices(path).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = code[at + path.len()..].chars().next();
        let boundary = |c: Option<char>| c.is_none_or(|c| !text::is_word(c));
        let is_path =
            code[at + path.len()..].starts_with("::") || code[..at].ends_with("use ") || code[..at].ends_with("::");
        boundary(before) && boundary(after) && is_path
    })
}

fn within(name: &str, places: &[&str]) -> bool {
    places.iter().any(|p| name == format!("{p}.rs") || name.starts_with(&format!("{p}/")))
}

fn assert_none(invariant: &str, offenders: Vec<String>) {
    assert!(offenders.is_empty(), "{invariant}; broken by\n  {}", offenders.join("\n  "));
}

/// Files outside their rooms that name one of the crates.
fn strangers(rooms: &[&str], crates: &[&str]) -> Vec<String> {
    let outside = PROGRAM.0.files.iter().filter(|file| !within(&file.name, rooms));
    outside.filter(|file| crates.iter().any(|c| names(&file.code, c))).map(|file| file.name.clone()).collect()
}

/// Arrows from some rooms to others, in words.
fn arrows(from: &[&str], to: &[&str]) -> Vec<String> {
    let (house, arrows) = &*PROGRAM;
    let between = arrows
        .iter()
        .filter(|((a, b), _)| from.contains(&house.files[*a].room()) && to.contains(&house.files[*b].room()));
    between.map(|(&arrow, path)| spelled(house, arrow, path)).collect()
}

fn spelled(house: &House, (from, to): (usize, usize), path: &str) -> String {
    format!("{} -> {} ({path})", house.files[from].name, house.files[to].name)
}

/// The floor of every room, as the front page lists them.
fn floors() -> BTreeMap<String, u32> {
    let page = std::fs::read_to_string(ROOT.join("lib.rs")).unwrap();
    let list = page.split("# Floors").nth(1).unwrap().split("```").nth(1).unwrap();
    let mut floors = BTreeMap::new();
    for line in list.lines().skip(1) {
        let mut words = line.trim_start_matches("//!").split_whitespace();
        let Some(floor) = words.next() else { continue };
        let floor = floor.parse().unwrap_or_else(|_| panic!("a floor begins with its number: {line}"));
        for room in words {
            assert_eq!(floors.insert(room.to_owned(), floor), None, "{room} is on two floors");
        }
    }
    floors
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let circles = PROGRAM.0.circles(&PROGRAM.1);
    assert_none("no circle of files", circles.iter().map(|circle| circle.join(" ")).collect());
}

#[test]
fn no_room_imports_from_its_own_floor_or_from_above() {
    let (house, floors) = (&PROGRAM.0, floors());
    let rooms: Vec<&str> = house.files.iter().map(house::File::room).filter(|room| !room.is_empty()).collect();
    assert_none(
        "every room is on a floor",
        rooms.iter().filter(|room| !floors.contains_key(**room)).map(|room| (*room).to_owned()).collect(),
    );
    assert_none(
        "every floor's rooms are there",
        floors.keys().filter(|room| !rooms.contains(&room.as_str())).cloned().collect(),
    );
    let climbs = |(a, b): &(usize, usize)| {
        let [from, to] = [*a, *b].map(|i| house.files[i].room());
        from != to && !from.is_empty() && floors[from] <= floors.get(to).copied().unwrap_or(u32::MAX)
    };
    let climbing = PROGRAM.1.iter().filter(|(arrow, _)| climbs(arrow));
    assert_none("rooms import from below alone", climbing.map(|(&arrow, path)| spelled(house, arrow, path)).collect());
}

#[test]
fn the_waist_stands_on_std_and_serde_alone() {
    let crates = ["crate", "burn", "ratatui", "crossterm", "serde_json", "ron", "crossbeam_channel", "tokenizers"];
    let files = PROGRAM.0.files.iter().filter(|f| f.room() == "protocol");
    let broken = files.filter(|f| crates.iter().any(|c| names(&f.code, c))).map(|f| f.name.clone()).collect();
    assert_none("protocol imports std and serde alone", broken);
}

#[test]
fn tensors_live_in_their_rooms() {
    let rooms = ["backend", "model", "objective", "probe", "train", "score", "selftest"];
    let crates = ["burn", "burn_flex", "burn_ndarray", "burn_cuda", "burn_wgpu", "burn_autodiff"];
    assert_none(
        "burn is named only in backend, model, objective, probe, train, score, selftest",
        strangers(&rooms, &crates),
    );
    assert_none("only backend names concrete backends", strangers(&["backend"], &crates[1..5]));
}

#[test]
fn the_terminal_lives_in_its_rooms() {
    assert_none("ratatui is named only in tui and export", strangers(&["tui", "export"], &["ratatui"]));
    assert_none("crossterm is named only in tui", strangers(&["tui"], &["crossterm"]));
}

#[test]
fn objectives_see_log_probs_and_never_a_model() {
    let seen = arrows(&["objective"], &["model", "data", "probe"]);
    assert_none("objective sees log-probs and masks, never a model", seen);
}

#[test]
fn what_happened_does_not_know_who_watches_or_who_trains() {
    let known = arrows(&["history", "record", "claims", "export"], &["tui", "train"]);
    assert_none("history, record, claims and export import neither tui nor train", known);
    assert_none("tui never imports train", arrows(&["tui"], &["train"]));
}

#[test]
fn training_knows_no_screen_and_no_run_file() {
    let known = arrows(
        &["train", "model", "objective", "probe", "data"],
        &["tui", "record", "session", "cli", "commands", "export"],
    );
    assert_none("train, model, objective, probe and data import neither screen nor record", known);
}

#[test]
fn the_scanner_sees_crates() {
    let source = |code: &str| text::code_of(code);
    assert!(names(&source("use burn::tensor;"), "burn"));
    assert!(names(&source("fn f() -> ratatui::Frame {}"), "ratatui"));
    assert!(!names(&source("// burn::tensor\nlet x = \"burn::tensor\"; burnish::x();"), "burn"));
}

/// However an import is written, the arrow is found, and it leads to the file that defines the item.
#[test]
fn the_scanner_sees_arrows() {
    let defined = [
        ("lib.rs", "mod a; mod b;"),
        ("a/mod.rs", "mod deep; pub(crate) use deep::{Thing, help}; pub(crate) mod inside { pub fn f() {} }"),
        ("a/deep.rs", "pub(crate) struct Thing; pub(crate) fn help() {} pub(crate) fn unseen() {}"),
    ];
    for (text, to) in [
        ("use crate::a::Thing;", "a/deep.rs"),
        ("use crate::{a::{Thing as Other, inside}};", "a/deep.rs"),
        ("use crate::a; fn f() { a::help() }", "a/deep.rs"),
        ("fn f() -> crate::a::Thing { todo!() }", "a/deep.rs"),
        ("fn f() { super::a::deep::unseen() }", "a/deep.rs"),
        ("use super::a as renamed; fn f() { renamed::deep::unseen(); }", "a/deep.rs"),
        ("use crate::a::*; fn f() { help() }", "a/deep.rs"),
        ("fn f() { crate::a::inside::f() }", "a/mod.rs"),
    ] {
        let house = House::of(defined.into_iter().chain([("b.rs", text)]));
        let found = house.arrows();
        let leads = |&&(from, at): &&(usize, usize)| house.files[from].name == "b.rs" && house.files[at].name == to;
        assert_eq!(found.keys().filter(leads).count(), 1, "{text}: {found:?}");
    }
    let handed_on = House::of(defined).arrows();
    assert!(handed_on.is_empty(), "a module that hands on its own files' items: {handed_on:?}");
    let tests = "#[cfg(test)]\nmod tests { use crate::a::Thing; }";
    assert!(House::of(defined.into_iter().chain([("b.rs", tests)])).arrows().is_empty());
}

#[test]
fn the_scanner_sees_circles() {
    let files = [
        ("lib.rs", "mod a; mod b; mod c;"),
        ("a.rs", "use crate::b::B; pub struct A;"),
        ("b.rs", "pub struct B(crate::c::C);"),
        ("c.rs", "use super::a::A; pub struct C;"),
        ("d.rs", "use crate::a::A;"),
    ];
    let house = House::of(files);
    assert_eq!(house.circles(&house.arrows()), [["a.rs", "b.rs", "c.rs"]]);
}
