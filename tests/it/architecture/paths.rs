//! The paths that a file's code names, from `use` and without it.

use std::collections::{BTreeMap, BTreeSet};

use super::text::is_word;

/// Segments of a path: `crate`, `model`, `Checkpoint`.
pub(super) type Path = Vec<String>;

/// An import: `use path as name`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Import {
    pub(super) path: Path,
    /// What it is called here; `*` where everything is imported.
    pub(super) name: String,
    /// Whether others may import it from here.
    pub(super) public: bool,
}

/// What an item of a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Item {
    Module,
    Other,
}

/// What a file's code says.
#[derive(Debug, Default)]
pub(super) struct Named {
    pub(super) imports: Vec<Import>,
    /// What it defines outside all braces.
    pub(super) items: BTreeMap<String, Item>,
    /// Every path that it names outside `use`.
    pub(super) paths: BTreeSet<Path>,
}

impl Named {
    /// Reads code without comments and strings.
    pub(super) fn of(code: &str) -> Self {
        let mut named = Self::default();
        let (mut depth, mut rest, mut before, mut public) = (0_i32, code, String::new(), false);
        while let Some(c) = rest.chars().next() {
            if !is_word(c) || c.is_ascii_digit() {
                depth += i32::from(c == '{') - i32::from(c == '}');
                public &= !matches!(c, ';' | '{' | '}');
                if !c.is_whitespace() {
                    before = c.to_string();
                }
                // A number's suffix, and a lifetime's name, are no paths.
                let skipped = if c == '\'' || c.is_ascii_digit() { 1 + word(&rest[1..]).len() } else { c.len_utf8() };
                rest = &rest[skipped..];
                continue;
            }
            let word = word(rest).to_owned();
            rest = &rest[word.len()..];
            if word == "use" {
                let (tree, after) = rest.split_once(';').unwrap_or((rest, ""));
                named.add_imports(tree, &[], public);
                (rest, public) = (after, false);
                continue;
            }
            public |= word == "pub";
            if depth == 0
                && matches!(before.as_str(), "fn" | "struct" | "enum" | "trait" | "type" | "const" | "static" | "mod")
            {
                named.items.insert(word.clone(), if before == "mod" { Item::Module } else { Item::Other });
            }
            let mut path = vec![word];
            while let Some(after) = rest.trim_start().strip_prefix("::").map(str::trim_start) {
                let next = self::word(after);
                if next.is_empty() {
                    break;
                }
                path.push(next.to_owned());
                rest = &after[next.len()..];
            }
            if depth == 0 && path == ["macro_rules"] {
                let name = self::word(rest.trim_start_matches(['!', ' ']));
                named.items.insert(name.to_owned(), Item::Other);
            }
            let last = path[path.len() - 1].clone();
            if before != "." {
                named.paths.insert(path);
            }
            before = last;
        }
        named
    }

    /// Adds the imports of a tree: `a::{b, c as d, e::*, self}`.
    fn add_imports(&mut self, tree: &str, prefix: &[String], public: bool) {
        let (stem, group) = match tree.split_once('{') {
            Some((stem, group)) => (stem, group.rsplit_once('}').map(|(inside, _)| inside)),
            None => (tree, None),
        };
        let (stem, alias) = stem.split_once(" as ").map_or((stem, None), |(stem, alias)| (stem, Some(alias.trim())));
        let mut path = prefix.to_vec();
        path.extend(stem.split("::").map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned));
        if let Some(inside) = group {
            return top_level(inside).iter().for_each(|item| self.add_imports(item, &path, public));
        }
        if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
            path.pop();
        }
        let Some(last) = path.last().cloned() else { return };
        self.imports.push(Import { path, name: alias.map_or(last, str::to_owned), public });
    }
}

/// The name that the text begins with.
fn word(text: &str) -> &str {
    text.split(|c| !is_word(c)).next().unwrap_or_default()
}

/// The items of a braced list, nested ones whole.
fn top_level(group: &str) -> Vec<String> {
    let (mut items, mut depth) = (vec![String::new()], 0);
    for c in group.chars() {
        depth += i32::from(c == '{') - i32::from(c == '}');
        match (c, items.last_mut()) {
            (',', _) if depth == 0 => items.push(String::new()),
            (c, Some(item)) => item.push(c),
            _ => {}
        }
    }
    items
}

#[test]
fn grouped_and_renamed_imports_are_read() {
    let named = Named::of("pub(crate) use a::{b, c as d, e::{self, f::*}};\nuse super::g;");
    let read: Vec<String> =
        named.imports.iter().map(|i| format!("{} {} {}", i.path.join("::"), i.name, i.public)).collect();
    assert_eq!(read, ["a::b b true", "a::c d true", "a::e e true", "a::e::f::* * true", "super::g g false"]);
}

#[test]
fn items_and_paths_are_read() {
    let named =
        Named::of("pub struct A { b: c::D }\nfn e<'f>() { x.g(); crate :: h::i(1u8); let y = Self::j; }\nmod k;");
    assert_eq!(named.items.keys().collect::<Vec<_>>(), ["A", "e", "k"]);
    let has = |path: &str| named.paths.contains(&path.split("::").map(str::to_owned).collect::<Path>());
    assert!(has("c::D") && has("crate::h::i") && has("Self::j"));
    assert!(!has("g") && !has("f") && !has("u8"));
}
