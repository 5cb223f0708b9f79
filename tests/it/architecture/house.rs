//! The files of the program and the arrows between them: who names what whom defines.

use std::collections::{BTreeMap, BTreeSet};

use super::paths::{Item, Named, Path};
use super::text::code_of;

/// A source file.
pub(super) struct File {
    /// Path below `src/`, with `/` on every system.
    pub(super) name: String,
    pub(super) code: String,
    module: Path,
    named: Named,
}

impl File {
    fn of(name: &str, text: &str) -> Self {
        let stem = name.trim_end_matches(".rs");
        let mut module: Path = stem.split('/').map(str::to_owned).collect();
        if matches!(module.last().map(String::as_str), Some("mod" | "lib" | "main")) {
            module.pop();
        }
        let code = code_of(text);
        Self { name: name.to_owned(), named: Named::of(&code), code, module }
    }

    /// The top-level module that the file belongs to.
    pub(super) fn room(&self) -> &str {
        self.module.first().map_or("", String::as_str)
    }
}

/// What a path leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Target {
    Module(Path),
    /// An item of the file with this index.
    Item(usize),
}

/// An arrow from a file to another, by their indices, with a path that made it.
pub(super) type Arrows = BTreeMap<(usize, usize), String>;

/// Every file.
pub(super) struct House {
    pub(super) files: Vec<File>,
    by_module: BTreeMap<Path, usize>,
}

impl House {
    /// A house of files by their names and texts.
    pub(super) fn of<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let files: Vec<File> = files.into_iter().map(|(name, text)| File::of(name, text)).collect();
        let by_module =
            files.iter().enumerate().filter(|(_, f)| f.name != "main.rs").map(|(i, f)| (f.module.clone(), i)).collect();
        Self { files, by_module }
    }

    /// Which file names which other one: items by whatever path, followed to where they are defined. That a module hands
    /// on what its own files define makes no arrow; that it hands on anything else does.
    pub(super) fn arrows(&self) -> Arrows {
        let mut arrows = Arrows::new();
        for (from, file) in self.files.iter().enumerate() {
            for import in &file.named.imports {
                let reached = match self.resolve(&file.module, &import.path, &mut Vec::new()) {
                    Some(Target::Item(to)) => Some(to),
                    Some(Target::Module(module)) if import.name == "*" => self.by_module.get(&module).copied(),
                    _ => None,
                };
                let own = |to: usize| import.public && self.files[to].module.starts_with(&file.module);
                if let Some(to) = reached.filter(|&to| to != from && !own(to)) {
                    arrows.entry((from, to)).or_insert_with(|| import.path.join("::"));
                }
            }
            for path in &file.named.paths {
                if let Some(Target::Item(to)) = self.resolve(&file.module, path, &mut Vec::new())
                    && to != from
                {
                    arrows.entry((from, to)).or_insert_with(|| path.join("::"));
                }
            }
        }
        arrows
    }

    /// What a path leads to that is written in `module`; nothing where it leads out of the program.
    fn resolve(&self, module: &[String], path: &[String], asked: &mut Vec<(Path, String)>) -> Option<Target> {
        let mut here = module.to_vec();
        let mut rest = path;
        match path.first().map(String::as_str) {
            Some("crate") => (here, rest) = (Vec::new(), &path[1..]),
            Some("self") => rest = &path[1..],
            _ => {
                while let Some(("super", after)) = rest.split_first().map(|(first, after)| (first.as_str(), after)) {
                    here.pop();
                    rest = after;
                }
            }
        }
        for name in rest {
            if name == "*" {
                break;
            }
            match self.lookup(&here, name, asked)? {
                Target::Module(module) => here = module,
                item @ Target::Item(_) => return Some(item),
            }
        }
        Some(Target::Module(here))
    }

    /// What a name means in a module: its own module, item or import.
    fn lookup(&self, module: &[String], name: &str, asked: &mut Vec<(Path, String)>) -> Option<Target> {
        let key = (module.to_vec(), name.to_owned());
        if asked.contains(&key) {
            return None;
        }
        let file = *self.by_module.get(module)?;
        asked.push(key);
        let Named { imports, items, .. } = &self.files[file].named;
        let inner = [module, &[name.to_owned()]].concat();
        let found = match items.get(name) {
            Some(Item::Module) if self.by_module.contains_key(&inner) => Some(Target::Module(inner)),
            Some(_) => Some(Target::Item(file)),
            None => {
                let named = imports.iter().filter(|i| i.name == name).map(|i| i.path.as_slice());
                let globs = imports.iter().filter(|i| i.name == "*").map(|i| i.path.as_slice());
                let of_all =
                    |path: &[String], asked: &mut Vec<(Path, String)>| match self.resolve(module, path, asked)? {
                        Target::Module(of) => self.lookup(&of, name, asked),
                        Target::Item(_) => None,
                    };
                let found = named.into_iter().find_map(|path| self.resolve(module, path, asked));
                found.or_else(|| globs.into_iter().find_map(|path| of_all(path, asked)))
            }
        };
        asked.pop();
        found
    }

    /// Files that reach each other, circle by circle.
    pub(super) fn circles(&self, arrows: &Arrows) -> Vec<Vec<&str>> {
        let reached: Vec<BTreeSet<usize>> = (0..self.files.len())
            .map(|from| {
                let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
                while let Some(at) = next.pop() {
                    next.extend(
                        arrows.range((at, 0)..(at + 1, 0)).map(|(&(_, to), _)| to).filter(|&to| seen.insert(to)),
                    );
                }
                seen
            })
            .collect();
        let circles: BTreeSet<Vec<usize>> = (0..self.files.len())
            .map(|file| reached[file].iter().copied().filter(|&other| reached[other].contains(&file)).collect())
            .filter(|circle: &Vec<usize>| circle.len() > 1)
            .collect();
        circles.into_iter().map(|circle| circle.into_iter().map(|i| self.files[i].name.as_str()).collect()).collect()
    }
}
