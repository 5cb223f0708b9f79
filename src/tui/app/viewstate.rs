//! The state of the view: everything that a key can change and that concerns no trainer.

use std::collections::BTreeSet;

use super::pair::PairOrder;
use crate::history::{CurveId, Scale, Series};
use crate::protocol::ProbeGroup;
use crate::tui::chart::Weight;
use crate::tui::glyphs::Glyphs;
use crate::tui::panel::Panel;
use crate::tui::paper::Paper;
use crate::tui::theme::{self, Theme, ThemeKind};

/// Smoothing of curves, for display only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Smoothing {
    /// Curves as they were measured.
    #[default]
    Off,
    /// Moving average with weight 0.6 on the past.
    Light,
    /// Weight 0.9.
    Strong,
}

impl Smoothing {
    /// Share of the past in the moving average; `None` for raw values.
    pub fn weight(self) -> Option<f64> {
        match self {
            Self::Off => None,
            Self::Light => Some(0.6),
            Self::Strong => Some(0.9),
        }
    }

    pub(super) fn next(self) -> Self {
        match self {
            Self::Off => Self::Light,
            Self::Light => Self::Strong,
            Self::Strong => Self::Off,
        }
    }
}

/// What covers the dashboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialog {
    /// The help overlay, scrolled down by this many rows.
    Help(u16),
    /// What was asked about the run's steps, scrolled down by this many lines.
    Why(u16),
    /// What the words of the focused panel mean, scrolled down by this many of them.
    Glossary(u16),
    /// "Stop the trainer and quit?"
    Quit,
    /// A filter is being typed.
    Filter,
}

/// The text as a filter compares it: without case, and with signs as a keyboard types them (`y+` finds y⁺).
pub(super) fn folded(text: &str) -> String {
    let plain = |c| match c {
        '⁺' | '₊' => '+',
        '⁻' | '₋' | '−' => '-',
        c => c,
    };
    text.chars().map(plain).collect::<String>().to_lowercase()
}

/// A line beside the curves that this run did not measure: what somebody expected, or another run.
#[derive(Debug, Clone)]
pub struct Ghost {
    /// What stands at its end, before its last value.
    pub label: String,
    /// The curve that it is a likeness of.
    pub curve: CurveId,
    /// Its values, on the scale that is shown.
    pub series: Series,
    /// The step at which it is being drawn.
    pub pen: Option<u64>,
}

/// How the run is looked at.
#[derive(Debug, Clone)]
pub struct ViewState {
    /// The panel last focused; see [`App::focus`](super::App::focus).
    pub focus: Panel,
    /// Panels that were focused, the latest last: of several that could take a place, it has that one.
    pub recent: Vec<Panel>,
    /// Whether the focused panel has the screen.
    pub maximised: bool,
    /// What covers the dashboard.
    pub dialog: Option<Dialog>,
    /// The position of an answer under the microscope; `None` for the one where most was lost.
    pub token: Option<usize>,
    /// The cursor's step; `None` follows the latest evaluation.
    pub cursor: Option<u64>,
    /// First and last step of the chart; `None` shows the whole run.
    pub range: Option<(u64, u64)>,
    /// What the y axis shows; `None` leaves it to the stage (see [`App::scale`](super::App::scale)).
    pub scale: Option<Scale>,
    /// Whether the chart shows the parts of the selected curve's change in the place of the curves.
    pub split: bool,
    /// Smoothing of the curves.
    pub smoothing: Smoothing,
    /// Whether the curves that tell the story stand out and the others are background.
    pub story: bool,
    /// The curves that the story is about, in the place of y⁺, y⁻ and y*.
    pub led: Option<Vec<CurveId>>,
    /// Whether nothing but the story's curves is shown, as thick as it goes: for a projector.
    pub presents: bool,
    /// Lines beside the curves.
    pub ghosts: Vec<Ghost>,
    /// Groups that stand out in the story besides its own curves.
    pub lit: BTreeSet<ProbeGroup>,
    /// Whether the y axis leaves out values far from most others.
    pub robust: bool,
    /// Whether playing a recording stops at every event, with a sentence on what to look at.
    pub narration: bool,
    /// The line from which the prompt's whole text is shown; `None` shows a part of each of its texts.
    pub prompt_scroll: Option<u16>,
    /// Whether the terminal's bell rings at an alarm.
    pub bell: bool,
    /// Whether clicks and the wheel are wanted.
    pub mouse: bool,
    /// Whether the clipboard may be written.
    pub copies: bool,
    /// The step from which changes are counted in the place of the scale's own start.
    pub anchor: Option<u64>,
    /// Groups that are not shown.
    pub hidden: BTreeSet<ProbeGroup>,
    /// The group last touched: what `!` shows alone.
    pub group: ProbeGroup,
    /// The selected curve: drawn last, with its quartiles.
    pub curve: Option<CurveId>,
    /// The selected prompt.
    pub prompt: usize,
    /// Whether the user selected it; until then it is the one that an alarm is about.
    pub prompt_chosen: bool,
    /// What the pairs are listed by.
    pub pair_order: PairOrder,
    /// Whether the prompts are listed by how far the selected curve rose on them, instead of in their own order.
    pub by_change: bool,
    /// The class that the user selected, of a classifier; see [`App::class`](super::App::class).
    pub class: Option<usize>,
    /// The selected event; `None` follows the latest.
    pub event: Option<usize>,
    /// Only curves with this text in key, symbol, group or description.
    pub curve_filter: String,
    /// Only prompts with this text in the prompt or an answer.
    pub prompt_filter: String,
    /// The palette.
    pub theme: Theme,
    /// Whether the palette may be changed; not under `NO_COLOR`.
    pub theme_locked: bool,
    /// The glyphs of the screen.
    pub glyphs: Glyphs,
    /// The look of files.
    pub paper: Paper,
}

impl ViewState {
    /// The view of a program that has just been started.
    pub fn new(theme: Theme, glyphs: Glyphs) -> Self {
        Self {
            focus: Panel::Chart,
            recent: Vec::new(),
            maximised: false,
            dialog: None,
            token: None,
            cursor: None,
            range: None,
            scale: None,
            split: false,
            smoothing: Smoothing::default(),
            story: true,
            led: None,
            presents: false,
            ghosts: Vec::new(),
            lit: BTreeSet::new(),
            robust: false,
            narration: true,
            prompt_scroll: None,
            bell: false,
            mouse: false,
            copies: false,
            anchor: None,
            hidden: BTreeSet::new(),
            group: ProbeGroup::Answers,
            curve: None,
            prompt: 0,
            prompt_chosen: false,
            pair_order: PairOrder::default(),
            by_change: false,
            class: None,
            event: None,
            curve_filter: String::new(),
            prompt_filter: String::new(),
            theme,
            theme_locked: theme.kind == ThemeKind::Mono,
            glyphs,
            paper: Paper::of(theme, glyphs),
        }
    }

    /// Whether a curve's group is on and the filter lets it through.
    pub fn shows(&self, curve: CurveId) -> bool {
        !self.hidden.contains(&curve.group()) && self.filter_passes(curve) && (!self.presents || self.leads(curve))
    }

    /// Whether a curve is one that the story is about.
    pub fn leads(&self, curve: CurveId) -> bool {
        self.led.as_ref().map_or_else(|| theme::leads(curve), |led| led.contains(&curve))
    }

    /// How thick the story's curves are.
    pub fn thickest(&self) -> Weight {
        if self.presents { Weight::Heavy } else { Weight::Thick }
    }

    /// Whether a curve that is shown stands out: every one does, unless the story is told.
    pub fn emphasises(&self, curve: CurveId) -> bool {
        !self.story
            || self.leads(curve)
            || self.lit.contains(&curve.group())
            || self.curve == Some(curve)
            || !self.curve_filter.is_empty()
    }

    /// Shows the story, or every curve alike.
    pub(super) fn toggle_story(&mut self) {
        self.story = !self.story;
        self.lit.clear();
    }

    /// Shows every curve of every group alike.
    pub(super) fn show_all(&mut self) {
        self.hidden.clear();
        self.lit.clear();
        self.story = false;
    }

    /// Whether the filter lets a curve through.
    pub fn filter_passes(&self, curve: CurveId) -> bool {
        let description = match curve {
            CurveId::Probe(kind) => kind.description(),
            CurveId::ArgmaxChosen => "the greedy choice along the preferred answer",
            CurveId::ArgmaxRejected => "the greedy choice along the dispreferred answer",
        };
        let needle = folded(&self.curve_filter);
        [curve.key(), curve.symbol(), curve.group().title(), description].iter().any(|t| folded(t).contains(&needle))
    }

    /// Focuses a panel.
    pub(in crate::tui) fn focus_on(&mut self, panel: Panel) {
        self.focus = panel;
        self.recent.retain(|&seen| seen != panel);
        self.recent.push(panel);
    }

    pub(super) fn solo(&mut self) {
        self.story = false;
        let alone: BTreeSet<_> = ProbeGroup::ALL.into_iter().filter(|&g| g != self.group).collect();
        self.hidden = if self.hidden == alone { BTreeSet::new() } else { alone };
    }

    pub(super) fn toggle(&mut self, group: ProbeGroup) {
        self.group = group;
        if self.story && !self.hidden.contains(&group) {
            if !self.lit.remove(&group) {
                self.lit.insert(group);
            }
            return;
        }
        if !self.hidden.remove(&group) {
            self.hidden.insert(group);
        }
    }

    pub(super) fn next_theme(&mut self) -> Result<(), &'static str> {
        self.paper.next_theme(&mut self.theme, self.theme_locked)
    }
}
