//! The panels: one table of what each is called, in which runs it is, what its keys go through, where it lies and which
//! function draws it. A new panel is a row here, with its module, and its file in this folder.

pub(super) mod chart;
pub(super) mod classes;
pub(super) mod curves;
pub(super) mod dynamics;
pub(super) mod events;
pub(super) mod forces;
mod frame;
pub(super) mod heatmap;
mod large;
mod measure;
pub(super) mod pairs;
pub(super) mod prompt;
pub(super) mod reward;
mod strip;

/// Hands the table of panels, in the order of Tab, to a macro: variant, the word in titles and file names, runs, list, the
/// places that it can take, the one that suits it best first, and the function of this folder that draws it.
macro_rules! each_panel {
    ($then:ident) => {
        $then! {
            /// The curves of a language model's run over steps.
            Chart = "chart" in Answers, keys: Curves, at: [Head], drawn by chart.render;
            /// The curves as a table: the read-out of the cursor.
            Curves = "curves" in Answers, keys: Curves, at: [Aside, Beside], drawn by curves.render;
            /// One prompt and its answers.
            Prompt = "prompt" in Answers, keys: Prompts, at: [Below, Lower], drawn by prompt.render;
            /// Every pair: how far y⁺, y⁻ and y* moved on it.
            Pairs = "pairs" in Pairs, keys: Pairs, at: [Beside, Lower], drawn by pairs.render;
            /// What a classifier says of pictures of one class, over steps.
            Answers = "chart" in Classes, keys: Classes, at: [Head], drawn by classes.chart;
            /// What learning from each class did to the others.
            Influence = "influence" in Classes, keys: Classes, at: [Aside], drawn by classes.influence;
            /// How alike a classifier finds the classes.
            Kernel = "kernel" in Classes, keys: Classes, at: [Below, Aside], drawn by classes.kernel;
            /// What happened.
            Events = "events" in Every, keys: Events, at: [Foot, Beside, Lower], drawn by events.render;
            /// The measures behind the verdict.
            Dynamics = "dynamics" in Answers, keys: Prompts, at: [Measures, Beside, Lower], drawn by dynamics.render;
            /// What a training by reward samples.
            Reward = "reward" in Rewards, keys: Prompts, at: [Measures, Beside, Lower], drawn by reward.render;
            /// What pulled every kind of answer up, and what pushed it down.
            Forces = "forces" in Forces, keys: Curves, at: [Between, Beside, Measures, Lower], drawn by forces.render;
            /// The measures of a classifier's learning.
            Learning = "dynamics" in Classes, keys: Classes, at: [Measures, Lower], drawn by classes.learning;
        }
    };
}
pub(super) use each_panel;

/// Which runs have a panel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum In {
    Every,
    /// Runs of a language model.
    Answers,
    /// Runs of a language model that tell their pairs apart.
    Pairs,
    /// Runs of a language model whose forces were measured.
    Forces,
    /// Runs of a language model whose sampled answers are rewarded.
    Rewards,
    /// Runs of a classifier.
    Classes,
}

/// What a run has to show, as far as panels differ by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shows {
    /// Whether a classifier is trained.
    pub classes: bool,
    /// Whether the pairs of a language model's run are told apart.
    pub pairs: bool,
    /// Whether forces were measured.
    pub forces: bool,
    /// Whether answers are sampled and rewarded.
    pub rewards: bool,
}

/// What the keys of a list (`j`, `k`, Home, End) go through in a panel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum List {
    Curves,
    Prompts,
    Pairs,
    Classes,
    Events,
}

/// A place of the layout. A screen has those for which it has room; where several panels could take one, it has the panel
/// that was looked at last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    /// The large place, for the chart.
    Head,
    /// Beside the head, for the table of curves.
    Aside,
    /// Below the head, beside what else is there.
    Beside,
    /// Between the head and what lies below it, on tall screens.
    Between,
    /// Below the head, or below what lies aside.
    Below,
    /// The measures' place.
    Measures,
    /// The last one.
    Foot,
    /// The only place below the head, on small screens.
    Lower,
}

/// What the table says of one panel.
struct Row {
    panel: Panel,
    title: &'static str,
    runs: In,
    list: List,
    slots: &'static [Slot],
}

macro_rules! panels {
    ($(
        $(#[$doc:meta])*
        $variant:ident = $title:literal in $runs:ident, keys: $list:ident, at: [$($slot:ident),+],
        drawn by $module:ident.$function:ident;
    )+) => {
        /// A panel of the dashboard.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Panel {
            $( $(#[$doc])* $variant, )+
        }

        const PANELS: &[Row] = &[ $( Row {
            panel: Panel::$variant,
            title: $title,
            runs: In::$runs,
            list: List::$list,
            slots: &[$(Slot::$slot),+],
        }, )+ ];
    };
}
each_panel!(panels);

impl Panel {
    /// The panels of a run, in the order of Tab.
    pub fn all(run: Shows) -> impl Iterator<Item = Self> {
        let has = move |runs: In| match runs {
            In::Every => true,
            In::Answers => !run.classes,
            In::Pairs => run.pairs,
            In::Forces => run.forces,
            In::Rewards => run.rewards,
            In::Classes => run.classes,
        };
        PANELS.iter().filter(move |row| has(row.runs)).map(|row| row.panel)
    }

    /// The panel that a run opens on.
    pub(super) fn first(of_classes: bool) -> Self {
        if of_classes { Self::Answers } else { Self::Chart }
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

    /// The places that it can take, the one that suits it best first.
    pub(super) fn slots(self) -> &'static [Slot] {
        self.row().slots
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_run_has_its_panels_and_opens_on_one_of_them() {
        let bare = Shows { classes: false, pairs: false, forces: false, rewards: false };
        for (shows, panels) in [
            (bare, 5),
            (Shows { pairs: true, ..bare }, 6),
            (Shows { pairs: true, forces: true, ..bare }, 7),
            (Shows { rewards: true, ..bare }, 6),
            (Shows { classes: true, ..bare }, 5),
        ] {
            let classes = shows.classes;
            let all: Vec<_> = Panel::all(shows).collect();
            assert_eq!(all.len(), panels);
            assert!(all.contains(&Panel::first(classes)));
        }
        assert!(PANELS.iter().all(|row| row.panel.row().panel == row.panel));
    }
}
