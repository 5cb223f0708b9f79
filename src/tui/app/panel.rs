//! The panels: what each is called, in which runs it is, and what its keys go through.

/// A panel of the dashboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Panel {
    /// The curves of a language model's run over steps.
    #[default]
    Chart,
    /// The curves as a table: the read-out of the cursor.
    Curves,
    /// One prompt and its answers.
    Prompt,
    /// What a classifier says of pictures of one class, over steps.
    Answers,
    /// What learning from each class did to the others.
    Influence,
    /// How alike a classifier finds the classes.
    Kernel,
    /// What happened.
    Events,
    /// The measures behind the verdict.
    Dynamics,
    /// What pulled every kind of answer up, and what pushed it down.
    Forces,
    /// The measures of a classifier's learning.
    Learning,
}

/// Which runs have a panel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum In {
    Every,
    /// Runs of a language model.
    Answers,
    /// Those whose forces were measured.
    Forces,
    /// Runs of a classifier.
    Classes,
}

/// What a run has to show, as far as panels differ by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shows {
    /// Whether a classifier is trained.
    pub classes: bool,
    /// Whether forces were measured.
    pub forces: bool,
}

/// What the keys of a list (`j`, `k`, Home, End) go through in a panel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum List {
    Curves,
    Prompts,
    Classes,
    Events,
}

/// What there is to say of one panel.
struct Row {
    panel: Panel,
    /// The word in titles and file names.
    title: &'static str,
    runs: In,
    list: List,
    /// Whether it can take the lower place of a small screen.
    lower: bool,
}

/// Every panel, in the order of Tab.
const PANELS: [Row; 10] = [
    Row { panel: Panel::Chart, title: "chart", runs: In::Answers, list: List::Curves, lower: false },
    Row { panel: Panel::Curves, title: "curves", runs: In::Answers, list: List::Curves, lower: false },
    Row { panel: Panel::Prompt, title: "prompt", runs: In::Answers, list: List::Prompts, lower: true },
    Row { panel: Panel::Answers, title: "chart", runs: In::Classes, list: List::Classes, lower: false },
    Row { panel: Panel::Influence, title: "influence", runs: In::Classes, list: List::Classes, lower: false },
    Row { panel: Panel::Kernel, title: "kernel", runs: In::Classes, list: List::Classes, lower: false },
    Row { panel: Panel::Events, title: "events", runs: In::Every, list: List::Events, lower: true },
    Row { panel: Panel::Dynamics, title: "dynamics", runs: In::Answers, list: List::Prompts, lower: true },
    Row { panel: Panel::Forces, title: "forces", runs: In::Forces, list: List::Curves, lower: true },
    Row { panel: Panel::Learning, title: "dynamics", runs: In::Classes, list: List::Classes, lower: true },
];

impl Panel {
    /// The panels of a run, in the order of Tab.
    pub fn all(run: Shows) -> impl Iterator<Item = Self> {
        let has = move |runs: In| match runs {
            In::Every => true,
            In::Answers => !run.classes,
            In::Forces => run.forces,
            In::Classes => run.classes,
        };
        PANELS.iter().filter(move |row| has(row.runs)).map(|row| row.panel)
    }

    /// The panel that a run opens on, and the one in the lower place of a small screen.
    pub(in crate::tui) fn first(of_classes: bool) -> (Self, Self) {
        if of_classes { (Self::Answers, Self::Learning) } else { (Self::Chart, Self::Prompt) }
    }

    fn row(self) -> &'static Row {
        PANELS.iter().find(|row| row.panel == self).unwrap_or(&PANELS[0])
    }

    /// The word in titles and file names.
    pub fn title(self) -> &'static str {
        self.row().title
    }

    /// What its keys go through.
    pub(super) fn list(self) -> List {
        self.row().list
    }

    /// Whether it can take the lower place of a small screen.
    pub(super) fn is_lower(self) -> bool {
        self.row().lower
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_run_has_its_panels_and_opens_on_one_of_them() {
        for (classes, forces, panels) in [(false, false, 5), (false, true, 6), (true, false, 5)] {
            let all: Vec<_> = Panel::all(Shows { classes, forces }).collect();
            assert_eq!(all.len(), panels);
            let (focus, lower) = Panel::first(classes);
            assert!(all.contains(&focus) && all.contains(&lower) && lower.is_lower());
        }
        assert!(PANELS.iter().all(|row| row.panel.row().panel == row.panel));
    }
}
