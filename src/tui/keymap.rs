//! The keys: one table that drives dispatch, the footer and the help overlay, so that no hint can name a dead key.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::message::Effect;
use crate::protocol::ProbeGroup;

/// An action that a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Open or close the help overlay.
    Help,
    /// What the words and signs of the focused panel mean.
    Glossary,
    /// Quit; asks first while training.
    Quit,
    /// Ctrl-C: like [`Action::Quit`], and without asking the second time.
    Interrupt,
    /// Hand the terminal back to the shell until `fg`.
    Suspend,
    /// Pause or resume the trainer.
    PauseResume,
    /// One optimiser step.
    SingleStep,
    /// Measure the probes now.
    Evaluate,
    /// Play or pause the replay.
    PlayPause,
    /// Replay: forward to the next evaluation.
    EvaluationForward,
    /// Replay: back to the previous evaluation.
    EvaluationBack,
    /// Replay: faster.
    Faster,
    /// Replay: slower.
    Slower,
    /// Replay: to the beginning.
    JumpStart,
    /// Replay: to the end.
    JumpEnd,
    /// Replay: stop at every event, or play on.
    Narration,
    /// Keep the panels as they are while the run goes on.
    Freeze,
    /// Show or hide a group of probes.
    Toggle(ProbeGroup),
    /// Show only one group.
    Solo,
    /// Show every group.
    ShowAll,
    /// Next panel.
    FocusNext,
    /// Previous panel.
    FocusPrevious,
    /// The focused panel takes the screen, or gives it back.
    Maximise,
    /// One level back.
    Back,
    /// Cursor by this many evaluations.
    Cursor(i32),
    /// Halve the range of steps.
    ZoomIn,
    /// Double the range of steps.
    ZoomOut,
    /// Earlier steps.
    PanLeft,
    /// Later steps.
    PanRight,
    /// The whole run, no cursor.
    ResetView,
    /// Next scale of the y axis.
    NextScale,
    /// Compare: the next measure that runs are aligned by.
    NextAlignment,
    /// Count changes from the cursor's step, or again as the scale does.
    CountFromHere,
    /// The story's curves stand out, or all alike.
    ToggleStory,
    /// The y axis without values far from most, or with all.
    ToggleRobust,
    /// Next strength of smoothing.
    NextSmoothing,
    /// List the prompts by how far the selected curve rose on them.
    OrderPrompts,
    /// The next squeezed pair, or the one before.
    NextSqueezed(bool),
    /// Ask who moved an answer.
    Why,
    /// Ask at which tokens an answer lost.
    Microscope,
    /// Ask how alike prompts and examples are.
    Alike,
    /// The microscope: another position of the answer, by so many.
    Token(i32),
    /// Type a filter for the focused list.
    Filter,
    /// Next event.
    NextEvent,
    /// Previous event.
    PreviousEvent,
    /// Another row of the focused list.
    List(Rows),
    /// Write the whole screen again.
    Redraw,
    /// Write a screenshot.
    Screenshot,
    /// Next theme.
    NextTheme,
    /// A dialog: yes.
    Confirm,
    /// A dialog: no.
    Cancel,
    /// Filter: delete a character.
    Erase,
    /// Something in the squeeze lab.
    Lab(LabAction),
}

impl Action {
    /// What every screen without a trainer asks the loop for at this action; nothing for what is a screen's own.
    pub(super) fn effect(self) -> Vec<Effect> {
        match self {
            Self::Quit | Self::Interrupt => vec![Effect::Quit],
            Self::Suspend => vec![Effect::Suspend],
            Self::Redraw => vec![Effect::Redraw],
            Self::Screenshot => vec![Effect::Screenshot],
            _ => Vec::new(),
        }
    }
}

/// A way to move in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rows {
    /// The next row.
    Next,
    /// The previous row.
    Previous,
    /// A page on.
    PageDown,
    /// A page back.
    PageUp,
    /// The first row.
    First,
    /// The last row.
    Last,
}

impl Rows {
    /// Rows of a page: as many as the lowest panel shows.
    const PAGE: usize = 8;

    /// The row of a list of `len`, seen from the row `at`; `None` for an empty list.
    pub fn moved(self, at: Option<usize>, len: usize) -> Option<usize> {
        let last = len.checked_sub(1)?;
        Some(match (self, at) {
            (Self::Last, _) => last,
            (Self::First, _) | (_, None) => 0,
            (Self::Next, Some(at)) => (at + 1).min(last),
            (Self::Previous, Some(at)) => at.saturating_sub(1),
            (Self::PageDown, Some(at)) => (at + Self::PAGE).min(last),
            (Self::PageUp, Some(at)) => at.saturating_sub(Self::PAGE),
        })
    }

    /// The first visible row of `len`, seen from `first`.
    pub fn scrolled(self, first: u16, len: usize) -> u16 {
        self.moved(Some(first.into()), len).and_then(|at| u16::try_from(at).ok()).unwrap_or_default()
    }
}

/// What a key of the squeeze lab asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LabAction {
    /// Take the step that is shown.
    Take,
    /// Take the last step back.
    Undo,
    /// Back to the distribution before the first step.
    Reset,
    /// Another class y, by so many ranks.
    Class(i32),
    /// The likeliest class.
    First,
    /// The least likely class.
    Last,
    /// Push y down, or pull it up.
    Flip,
    /// A larger η′, or a smaller one.
    Eta(bool),
    /// More classes, or fewer.
    Classes(bool),
    /// The next distribution.
    Shape,
    /// One more peak, or one less.
    Peaks(bool),
    /// A linear scale, or a logarithmic one.
    Scale,
}

/// The contexts in which a key means something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Context {
    /// Everywhere, dialogs included.
    Always,
    /// Everywhere but on the dashboard of a running trainer, where the key says more.
    Elsewhere,
    /// Wherever no dialog is open.
    Screen,
    /// Wherever no dialog is open and nothing is trained.
    Still,
    /// The dashboard, where no dialog is open.
    Dashboard,
    /// The dashboard of a running trainer.
    Live,
    /// The dashboard of a recorded run.
    Replay,
    /// A comparison of runs.
    Compare,
    /// The help overlay, and others that are read and closed.
    Help,
    /// An answer under the microscope.
    Microscope,
    /// Whatever is read and closed.
    Reading,
    /// The question before quitting.
    Quit,
    /// While a filter is typed.
    Filter,
    /// The squeeze lab.
    Lab,
    /// The menu of experiments and recordings.
    Menu,
}

impl Context {
    /// Whether a binding of `self` works in the mode `mode` (one of `Live`, `Replay`, `Compare`, `Help`, `Quit`, `Filter`,
    /// `Lab`).
    pub fn reaches(self, mode: Self) -> bool {
        match self {
            Self::Always => true,
            Self::Elsewhere => mode != Self::Live,
            Self::Still => matches!(mode, Self::Replay | Self::Compare | Self::Lab | Self::Menu),
            Self::Screen => matches!(mode, Self::Live | Self::Replay | Self::Compare | Self::Lab | Self::Menu),
            Self::Dashboard => matches!(mode, Self::Live | Self::Replay),
            Self::Reading => matches!(mode, Self::Help | Self::Microscope),
            _ => self == mode,
        }
    }
}

/// A key as it is written in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Key {
    /// A character, however the keyboard makes it.
    Char(char),
    /// A letter with Ctrl.
    Ctrl(char),
    /// A named key without Shift.
    Named(KeyCode),
    /// A named key with Shift.
    Shift(KeyCode),
}

impl Key {
    fn matches(self, event: KeyEvent) -> bool {
        let ctrl = event.modifiers.contains(KeyModifiers::CONTROL);
        let shift = event.modifiers.contains(KeyModifiers::SHIFT);
        if event.modifiers.contains(KeyModifiers::ALT) {
            return false;
        }
        match self {
            Self::Char(c) => event.code == KeyCode::Char(c) && !ctrl,
            Self::Ctrl(c) => event.code == KeyCode::Char(c) && ctrl,
            Self::Named(KeyCode::BackTab) => event.code == KeyCode::BackTab,
            Self::Named(code) => event.code == code && !shift && !ctrl,
            Self::Shift(code) => event.code == code && shift,
        }
    }

    /// The name where there are no arrows: `<` and `>` are keys of their own.
    pub fn plain_name(self) -> String {
        let plain = |code| match code {
            KeyCode::Left | KeyCode::Right | KeyCode::Up | KeyCode::Down => Some(code.to_string()),
            _ => None,
        };
        match self {
            Self::Named(code) => plain(code),
            Self::Shift(code) => plain(code).map(|name| format!("Shift-{name}")),
            _ => None,
        }
        .unwrap_or_else(|| self.name())
    }

    /// The name on the screen.
    pub fn name(self) -> String {
        match self {
            Self::Char(' ') => "Space".to_owned(),
            Self::Char(c) => c.to_string(),
            Self::Ctrl(c) => format!("Ctrl-{}", c.to_ascii_uppercase()),
            Self::Named(code) => named(code),
            Self::Shift(code) => format!("Shift-{}", named(code)),
        }
    }
}

fn named(code: KeyCode) -> String {
    match code {
        KeyCode::Left => "←".to_owned(),
        KeyCode::Right => "→".to_owned(),
        KeyCode::Up => "↑".to_owned(),
        KeyCode::Down => "↓".to_owned(),
        KeyCode::BackTab => "Shift-Tab".to_owned(),
        KeyCode::PageDown => "PgDn".to_owned(),
        KeyCode::PageUp => "PgUp".to_owned(),
        other => other.to_string(),
    }
}

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Binding {
    /// The keys, the first of which is named in the footer.
    pub keys: &'static [Key],
    /// What they ask for.
    pub action: Action,
    /// The context in which they work.
    pub context: Context,
    /// A word or two for the footer; empty for none.
    pub hint: &'static str,
    /// A line for the help overlay.
    pub help: &'static str,
}

const fn bind(
    context: Context,
    keys: &'static [Key],
    action: Action,
    hint: &'static str,
    help: &'static str,
) -> Binding {
    Binding { keys, action, context, hint, help }
}

use Context::{
    Always, Compare, Dashboard, Elsewhere, Filter, Lab, Live, Menu, Microscope, Quit, Reading, Replay, Screen, Still,
};
use Key::{Char, Ctrl, Named, Shift};

/// Every key, in the order of the footer and of the help overlay.
#[rustfmt::skip]
pub const BINDINGS: &[Binding] = &[
    bind(Screen, &[Char('?')], Action::Help, "help", "this help"),
    bind(Dashboard, &[Char('w')], Action::Glossary, "words", "what the words and signs of the focused panel mean"),
    bind(Live, &[Char('q')], Action::Quit, "quit", "quit; asks while training"),
    bind(Still, &[Char('q')], Action::Quit, "quit", "quit"),
    bind(Live, &[Ctrl('c')], Action::Interrupt, "", "quit; a second time without waiting"),
    bind(Elsewhere, &[Ctrl('c')], Action::Interrupt, "", "quit"),
    bind(Always, &[Ctrl('z')], Action::Suspend, "", "suspend; fg comes back"),
    bind(Always, &[Ctrl('l')], Action::Redraw, "", "draw the screen anew, after something else has written on it"),

    bind(Live, &[Char(' ')], Action::PauseResume, "pause", "pause or resume the trainer"),
    bind(Live, &[Char('.')], Action::SingleStep, "step", "one optimiser step, then pause"),
    bind(Live, &[Char('e')], Action::Evaluate, "", "measure every probe now"),

    bind(Replay, &[Char(' ')], Action::PlayPause, "play", "play or pause the recording"),
    bind(Replay, &[Char('.')], Action::EvaluationForward, "next", "forward to the next evaluation"),
    bind(Replay, &[Char(',')], Action::EvaluationBack, "back", "back to the previous evaluation"),
    bind(Replay, &[Char('>')], Action::Faster, "faster", "play faster, without limit"),
    bind(Replay, &[Char('<')], Action::Slower, "", "play slower"),
    bind(Replay, &[Char('v')], Action::Narration, "", "stop at every event and say what to look at, or play on"),
    bind(Replay, &[Named(KeyCode::Home)], Action::JumpStart, "", "to the beginning"),
    bind(Replay, &[Named(KeyCode::End)], Action::JumpEnd, "", "to the end"),

    bind(Lab, &[Char(' '), Named(KeyCode::Enter)], Action::Lab(LabAction::Take), "step", "take the step that is shown; the next one is shown"),
    bind(Lab, &[Char('u'), Named(KeyCode::Backspace)], Action::Lab(LabAction::Undo), "undo", "take the last step back"),
    bind(Lab, &[Char('r')], Action::Lab(LabAction::Reset), "reset", "back to the distribution before the first step"),
    bind(Lab, &[Named(KeyCode::Right)], Action::Lab(LabAction::Class(1)), "", "y: the next class, less likely at the start"),
    bind(Lab, &[Named(KeyCode::Left)], Action::Lab(LabAction::Class(-1)), "class", "y: the class before, likelier at the start"),
    bind(Lab, &[Shift(KeyCode::Right)], Action::Lab(LabAction::Class(10)), "", "y: ten classes on"),
    bind(Lab, &[Shift(KeyCode::Left)], Action::Lab(LabAction::Class(-10)), "", "y: ten classes back"),
    bind(Lab, &[Named(KeyCode::Home), Char('g')], Action::Lab(LabAction::First), "", "y: the class that was likeliest at the start"),
    bind(Lab, &[Named(KeyCode::End), Char('G')], Action::Lab(LabAction::Last), "", "y: the class that was least likely at the start"),
    bind(Lab, &[Char('+'), Char('=')], Action::Lab(LabAction::Eta(true)), "η′", "a larger step η′"),
    bind(Lab, &[Char('-')], Action::Lab(LabAction::Eta(false)), "", "a smaller step η′"),
    bind(Lab, &[Char('x')], Action::Lab(LabAction::Flip), "flip", "push y down (as DPO does to y⁻), or pull it up (as SFT does)"),
    bind(Lab, &[Char('d')], Action::Lab(LabAction::Shape), "shape", "next distribution: uniform, flat, peaks, one peak"),
    bind(Lab, &[Char('p')], Action::Lab(LabAction::Peaks(true)), "peaks", "one more peak"),
    bind(Lab, &[Char('P')], Action::Lab(LabAction::Peaks(false)), "", "one peak less"),
    bind(Lab, &[Char(']')], Action::Lab(LabAction::Classes(true)), "", "more classes, up to 1,000; begins anew"),
    bind(Lab, &[Char('[')], Action::Lab(LabAction::Classes(false)), "V", "fewer classes; begins anew"),
    bind(Lab, &[Char('y')], Action::Lab(LabAction::Scale), "scale", "probabilities on a linear or a logarithmic scale"),

    bind(Dashboard, &[Named(KeyCode::Tab)], Action::FocusNext, "panel", "focus the next panel"),
    bind(Dashboard, &[Named(KeyCode::BackTab)], Action::FocusPrevious, "", "focus the previous panel"),
    bind(Dashboard, &[Named(KeyCode::Enter)], Action::Maximise, "full", "give the focused panel the screen, and back"),
    bind(Dashboard, &[Named(KeyCode::Esc)], Action::Back, "", "one level back"),
    bind(Dashboard, &[Named(KeyCode::Right)], Action::Cursor(1), "", "cursor to the next evaluation: every panel shows that step"),
    bind(Dashboard, &[Named(KeyCode::Left)], Action::Cursor(-1), "cursor", "cursor to the previous evaluation"),
    bind(Dashboard, &[Shift(KeyCode::Right)], Action::Cursor(10), "", "ten evaluations on"),
    bind(Dashboard, &[Shift(KeyCode::Left)], Action::Cursor(-10), "", "ten evaluations back"),
    bind(Dashboard, &[Char('j'), Named(KeyCode::Down)], Action::List(Rows::Next), "select", "next row: curve, prompt or event of the focused panel"),
    bind(Dashboard, &[Char('k'), Named(KeyCode::Up)], Action::List(Rows::Previous), "", "previous row"),
    bind(Dashboard, &[Named(KeyCode::PageDown)], Action::List(Rows::PageDown), "", "a page of rows on; in the prompt panel its text"),
    bind(Dashboard, &[Named(KeyCode::PageUp)], Action::List(Rows::PageUp), "", "a page of rows back"),
    bind(Dashboard, &[Char('g')], Action::List(Rows::First), "", "first row"),
    bind(Dashboard, &[Char('G')], Action::List(Rows::Last), "", "last row"),
    bind(Dashboard, &[Char('n')], Action::NextEvent, "event", "cursor to the next event"),
    bind(Dashboard, &[Char('N')], Action::PreviousEvent, "", "cursor to the previous event"),

    bind(Dashboard, &[Char('y')], Action::NextScale, "scale", "y axis: Δ of the stage, Δ of the run, log p, per token, p"),
    bind(Dashboard, &[Char('a')], Action::ToggleStory, "all curves", "the story (y⁺, y⁻, y* stand out; digits add), or all alike"),
    bind(Dashboard, &[Char('c')], Action::CountFromHere, "", "count changes from the cursor's step, or as the scale does"),
    bind(Dashboard, &[Char('z')], Action::ToggleRobust, "", "y axis without values far from most, or with all"),
    bind(Dashboard, &[Char('m')], Action::NextSmoothing, "smooth", "smoothing: none, light, strong (for display only)"),
    bind(Dashboard, &[Char('+'), Char('=')], Action::ZoomIn, "zoom", "zoom in around the cursor"),
    bind(Dashboard, &[Char('-')], Action::ZoomOut, "", "zoom out"),
    bind(Dashboard, &[Char('[')], Action::PanLeft, "", "earlier steps"),
    bind(Dashboard, &[Char(']')], Action::PanRight, "", "later steps"),
    bind(Dashboard, &[Char('r')], Action::ResetView, "", "the whole run, and no cursor"),
    bind(Dashboard, &[Char('f')], Action::Freeze, "freeze", "freeze the panels; the run goes on"),

    bind(Dashboard, &[Char('1')], Action::Toggle(ProbeGroup::Answers), "", "show or hide: answers (y⁺ and its relatives)"),
    bind(Dashboard, &[Char('2')], Action::Toggle(ProbeGroup::Rejected), "", "show or hide: rejected (y⁻ and its rephrases)"),
    bind(Dashboard, &[Char('3')], Action::Toggle(ProbeGroup::Argmax), "", "show or hide: argmax (what the model would say)"),
    bind(Dashboard, &[Char('4')], Action::Toggle(ProbeGroup::Hallucination), "", "show or hide: hallucination (answers of other questions)"),
    bind(Dashboard, &[Char('5')], Action::Toggle(ProbeGroup::Unrelated), "", "show or hide: unrelated (fluent, answers nothing)"),
    bind(Dashboard, &[Char('6')], Action::Toggle(ProbeGroup::NotLanguage), "", "show or hide: not language (shuffled words)"),
    bind(Dashboard, &[Char('!')], Action::Solo, "solo", "only the group last touched; again for all"),
    bind(Dashboard, &[Char('0')], Action::ShowAll, "all", "show every group, all curves alike"),

    bind(Dashboard, &[Char('/')], Action::Filter, "filter", "filter the curves, or the prompts when their panel is focused"),
    bind(Dashboard, &[Char('o')], Action::OrderPrompts, "", "prompts by a curve's rise (leaks); pairs by other columns"),
    bind(Dashboard, &[Char('x')], Action::NextSqueezed(true), "squeezed", "the next squeezed pair, the gravest first"),
    bind(Dashboard, &[Char('X')], Action::NextSqueezed(false), "", "the squeezed pair before"),
    bind(Dashboard, &[Char('i')], Action::Why, "", "who moved the curve (or prompt) since the evaluation before"),
    bind(Dashboard, &[Char('u')], Action::Microscope, "", "where the prompt's answer lost, token by token (the selected curve's)"),
    bind(Dashboard, &[Char('K')], Action::Alike, "", "how alike the model takes prompts and what it learnt last (kernel)"),
    bind(Screen, &[Char('s')], Action::Screenshot, "shot", "write a screenshot: SVG, PNG and text"),
    bind(Screen, &[Char('t')], Action::NextTheme, "theme", "dark, light, monochrome"),

    bind(Compare, &[Char('b')], Action::NextAlignment, "align by", "align the runs by step, by training loss, by training margin"),
    bind(Compare, &[Char('j'), Named(KeyCode::Down)], Action::List(Rows::Next), "curve", "next curve"),
    bind(Compare, &[Char('k'), Named(KeyCode::Up)], Action::List(Rows::Previous), "", "previous curve"),
    bind(Compare, &[Named(KeyCode::PageDown)], Action::List(Rows::PageDown), "", "a page of curves on"),
    bind(Compare, &[Named(KeyCode::PageUp)], Action::List(Rows::PageUp), "", "a page of curves back"),
    bind(Compare, &[Char('g')], Action::List(Rows::First), "", "first curve"),
    bind(Compare, &[Char('G')], Action::List(Rows::Last), "", "last curve"),
    bind(Compare, &[Named(KeyCode::Right)], Action::Cursor(1), "", "cursor on: the differences are those at the cursor"),
    bind(Compare, &[Named(KeyCode::Left)], Action::Cursor(-1), "cursor", "cursor back"),
    bind(Compare, &[Shift(KeyCode::Right)], Action::Cursor(10), "", "ten points on"),
    bind(Compare, &[Shift(KeyCode::Left)], Action::Cursor(-10), "", "ten points back"),
    bind(Compare, &[Char('r'), Named(KeyCode::Esc)], Action::ResetView, "end", "no cursor: the differences at the end of what all runs have"),
    bind(Compare, &[Char('y')], Action::NextScale, "scale", "y axis: Δ of the stage, Δ of the run, log p, per token, p"),
    bind(Compare, &[Named(KeyCode::Tab)], Action::FocusNext, "arm", "the next arm in the panel of differences, with its quartiles"),
    bind(Compare, &[Named(KeyCode::BackTab)], Action::FocusPrevious, "", "the previous arm"),

    bind(Menu, &[Named(KeyCode::Enter)], Action::Confirm, "open", "open the line: train the experiment, or show the recording"),
    bind(Menu, &[Named(KeyCode::Esc)], Action::Quit, "", "leave the menu"),
    bind(Menu, &[Char('j'), Named(KeyCode::Down)], Action::List(Rows::Next), "select", "next line"),
    bind(Menu, &[Char('k'), Named(KeyCode::Up)], Action::List(Rows::Previous), "", "previous line"),
    bind(Menu, &[Named(KeyCode::PageDown)], Action::List(Rows::PageDown), "", "a page of lines on"),
    bind(Menu, &[Named(KeyCode::PageUp)], Action::List(Rows::PageUp), "", "a page of lines back"),
    bind(Menu, &[Char('g'), Named(KeyCode::Home)], Action::List(Rows::First), "", "first line"),
    bind(Menu, &[Char('G'), Named(KeyCode::End)], Action::List(Rows::Last), "", "last line"),

    bind(Microscope, &[Named(KeyCode::Right), Char('l')], Action::Token(1), "", "the answer's next token"),
    bind(Microscope, &[Named(KeyCode::Left), Char('h')], Action::Token(-1), "walk", "the answer's token before"),
    bind(Reading, &[Char('?'), Named(KeyCode::Esc), Char('q'), Named(KeyCode::Enter)], Action::Cancel, "close", "close this"),
    bind(Reading, &[Char('j'), Named(KeyCode::Down)], Action::List(Rows::Next), "scroll", "scroll down"),
    bind(Reading, &[Char('k'), Named(KeyCode::Up)], Action::List(Rows::Previous), "", "scroll up"),
    bind(Reading, &[Named(KeyCode::PageDown), Char(' ')], Action::List(Rows::PageDown), "page", "a page down"),
    bind(Reading, &[Named(KeyCode::PageUp)], Action::List(Rows::PageUp), "", "a page up"),
    bind(Reading, &[Char('g'), Named(KeyCode::Home)], Action::List(Rows::First), "", "to the first key"),
    bind(Reading, &[Char('G'), Named(KeyCode::End)], Action::List(Rows::Last), "", "to the last key"),

    bind(Quit, &[Char('y'), Char('q')], Action::Confirm, "stop and quit", "stop the trainer and quit"),
    bind(Quit, &[Char('n'), Named(KeyCode::Esc)], Action::Cancel, "go on", "go on training"),

    bind(Filter, &[Named(KeyCode::Enter)], Action::Confirm, "keep", "keep the filter"),
    bind(Filter, &[Named(KeyCode::Esc)], Action::Cancel, "clear", "clear the filter"),
    bind(Filter, &[Named(KeyCode::Backspace)], Action::Erase, "erase", "erase a character"),
];

/// What a key asks for in a mode (`Live`, `Replay`, `Compare`, `Help`, `Quit`, `Filter` or `Lab`).
pub fn lookup(mode: Context, key: KeyEvent) -> Option<Action> {
    BINDINGS.iter().find(|b| b.context.reaches(mode) && b.keys.iter().any(|k| k.matches(key))).map(|b| b.action)
}

/// The rows that work in a mode.
pub fn bindings(mode: Context) -> impl Iterator<Item = &'static Binding> {
    BINDINGS.iter().filter(move |b| b.context.reaches(mode))
}

#[cfg(test)]
mod tests;
