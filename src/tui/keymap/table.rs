//! The table of keys, as the program has it.

use std::borrow::Cow;

use crossterm::event::KeyCode;

use super::action::{Action, LabAction, LessonAction, Rows};
use super::context::Context;
use super::key::Key;
use crate::protocol::ProbeGroup;

/// A row of the table.
#[derive(Debug, Clone)]
pub struct Binding {
    /// What the settings call it; rows of one name have the same keys.
    pub name: &'static str,
    /// The keys, the first of which is named in the footer.
    pub keys: Cow<'static, [Key]>,
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
    name: &'static str,
    keys: &'static [Key],
    action: Action,
    hint: &'static str,
    help: &'static str,
) -> Binding {
    Binding { name, keys: Cow::Borrowed(keys), action, context, hint, help }
}

use Context::{
    Always, Choice, Compare, Dashboard, Elsewhere, Filter, Lab, Lesson, Live, Menu, Microscope, Quit, Reading, Replay,
    Screen, Sketch, Still,
};
use Key::{Char, Ctrl, Named, Shift};

/// Every key as the program has it, in the order of the footer and of the help overlay.
#[rustfmt::skip]
pub(super) const BINDINGS: &[Binding] = &[
    bind(Screen, "help", &[Char('?')], Action::Help, "help", "this help"),
    bind(Dashboard, "words", &[Char('w')], Action::Glossary, "words", "what the words and signs of the focused panel mean"),
    bind(Live, "quit", &[Char('q')], Action::Quit, "quit", "quit; asks while training"),
    bind(Still, "quit", &[Char('q')], Action::Quit, "quit", "quit"),
    bind(Live, "interrupt", &[Ctrl('c')], Action::Interrupt, "", "quit; a second time without waiting"),
    bind(Elsewhere, "interrupt", &[Ctrl('c')], Action::Interrupt, "", "quit"),
    bind(Always, "suspend", &[Ctrl('z')], Action::Suspend, "", "suspend; fg comes back"),
    bind(Always, "redraw", &[Ctrl('l')], Action::Redraw, "", "draw the screen anew, after something else has written on it"),

    bind(Live, "pause", &[Char(' ')], Action::PauseResume, "pause", "pause or resume the trainer"),
    bind(Live, "single_step", &[Char('.')], Action::SingleStep, "step", "one optimiser step, then pause"),
    bind(Live, "measure", &[Char('e')], Action::Evaluate, "", "measure every probe now"),

    bind(Replay, "play", &[Char(' ')], Action::PlayPause, "play", "play or pause the recording"),
    bind(Replay, "next_evaluation", &[Char('.')], Action::EvaluationForward, "next", "forward to the next evaluation"),
    bind(Replay, "previous_evaluation", &[Char(',')], Action::EvaluationBack, "back", "back to the previous evaluation"),
    bind(Replay, "faster", &[Char('>')], Action::Faster, "faster", "play faster, without limit"),
    bind(Replay, "slower", &[Char('<')], Action::Slower, "", "play slower"),
    bind(Replay, "narration", &[Char('v')], Action::Narration, "", "stop at every event and say what to look at, or play on"),
    bind(Replay, "to_start", &[Named(KeyCode::Home)], Action::JumpStart, "", "to the beginning"),
    bind(Replay, "to_end", &[Named(KeyCode::End)], Action::JumpEnd, "", "to the end"),

    bind(Lab, "lab_step", &[Char(' '), Named(KeyCode::Enter)], Action::Lab(LabAction::Take), "step", "take the step that is shown; the next one is shown"),
    bind(Lab, "lab_undo", &[Char('u'), Named(KeyCode::Backspace)], Action::Lab(LabAction::Undo), "undo", "take the last step back"),
    bind(Lab, "lab_reset", &[Char('r')], Action::Lab(LabAction::Reset), "reset", "back to the distribution before the first step"),
    bind(Lab, "lab_class_right", &[Named(KeyCode::Right)], Action::Lab(LabAction::Class(1)), "", "y: the next class, less likely at the start"),
    bind(Lab, "lab_class_left", &[Named(KeyCode::Left)], Action::Lab(LabAction::Class(-1)), "class", "y: the class before, likelier at the start"),
    bind(Lab, "lab_classes_right", &[Shift(KeyCode::Right)], Action::Lab(LabAction::Class(10)), "", "y: ten classes on"),
    bind(Lab, "lab_classes_left", &[Shift(KeyCode::Left)], Action::Lab(LabAction::Class(-10)), "", "y: ten classes back"),
    bind(Lab, "lab_first", &[Named(KeyCode::Home), Char('g')], Action::Lab(LabAction::First), "", "y: the class that was likeliest at the start"),
    bind(Lab, "lab_last", &[Named(KeyCode::End), Char('G')], Action::Lab(LabAction::Last), "", "y: the class that was least likely at the start"),
    bind(Lab, "lab_larger_step", &[Char('+'), Char('=')], Action::Lab(LabAction::Eta(true)), "η′", "a larger step η′"),
    bind(Lab, "lab_smaller_step", &[Char('-')], Action::Lab(LabAction::Eta(false)), "", "a smaller step η′"),
    bind(Lab, "lab_flip", &[Char('x')], Action::Lab(LabAction::Flip), "flip", "push y down (as DPO does to y⁻), or pull it up (as SFT does)"),
    bind(Lab, "lab_shape", &[Char('d')], Action::Lab(LabAction::Shape), "shape", "next distribution: uniform, flat, peaks, one peak"),
    bind(Lab, "lab_more_peaks", &[Char('p')], Action::Lab(LabAction::Peaks(true)), "peaks", "one more peak"),
    bind(Lab, "lab_fewer_peaks", &[Char('P')], Action::Lab(LabAction::Peaks(false)), "", "one peak less"),
    bind(Lab, "lab_more_classes", &[Char(']')], Action::Lab(LabAction::Classes(true)), "", "more classes, up to 1,000; begins anew"),
    bind(Lab, "lab_fewer_classes", &[Char('[')], Action::Lab(LabAction::Classes(false)), "V", "fewer classes; begins anew"),
    bind(Lab, "lab_scale", &[Char('y')], Action::Lab(LabAction::Scale), "scale", "probabilities on a linear or a logarithmic scale"),

    bind(Dashboard, "next_panel", &[Named(KeyCode::Tab)], Action::FocusNext, "panel", "focus the next panel"),
    bind(Dashboard, "previous_panel", &[Named(KeyCode::BackTab)], Action::FocusPrevious, "", "focus the previous panel"),
    bind(Dashboard, "full_screen", &[Named(KeyCode::Enter)], Action::Maximise, "full", "give the focused panel the screen, and back"),
    bind(Dashboard, "back", &[Named(KeyCode::Esc)], Action::Back, "", "one level back"),
    bind(Dashboard, "cursor_right", &[Named(KeyCode::Right)], Action::Cursor(1), "", "cursor to the next evaluation: every panel shows that step"),
    bind(Dashboard, "cursor_left", &[Named(KeyCode::Left)], Action::Cursor(-1), "cursor", "cursor to the previous evaluation"),
    bind(Dashboard, "cursor_far_right", &[Shift(KeyCode::Right)], Action::Cursor(10), "", "ten evaluations on"),
    bind(Dashboard, "cursor_far_left", &[Shift(KeyCode::Left)], Action::Cursor(-10), "", "ten evaluations back"),
    bind(Dashboard, "next_row", &[Char('j'), Named(KeyCode::Down)], Action::List(Rows::Next), "select", "next row: curve, prompt or event of the focused panel"),
    bind(Dashboard, "previous_row", &[Char('k'), Named(KeyCode::Up)], Action::List(Rows::Previous), "", "previous row"),
    bind(Dashboard, "page_down", &[Named(KeyCode::PageDown)], Action::List(Rows::PageDown), "", "a page of rows on; in the prompt panel its text"),
    bind(Dashboard, "page_up", &[Named(KeyCode::PageUp)], Action::List(Rows::PageUp), "", "a page of rows back"),
    bind(Dashboard, "first_row", &[Char('g')], Action::List(Rows::First), "", "first row"),
    bind(Dashboard, "last_row", &[Char('G')], Action::List(Rows::Last), "", "last row"),
    bind(Dashboard, "next_event", &[Char('n')], Action::NextEvent, "event", "cursor to the next event"),
    bind(Dashboard, "previous_event", &[Char('N')], Action::PreviousEvent, "", "cursor to the previous event"),

    bind(Dashboard, "scale", &[Char('y')], Action::NextScale, "scale", "y axis: Δ of the stage, Δ of the run, log p, per token, p"),
    bind(Dashboard, "story", &[Char('a')], Action::ToggleStory, "all curves", "the story (y⁺, y⁻, y* stand out; digits add), or all alike"),
    bind(Dashboard, "count_from_here", &[Char('c')], Action::CountFromHere, "", "count changes from the cursor's step, or as the scale does"),
    bind(Dashboard, "far_values", &[Char('z')], Action::ToggleRobust, "", "y axis without values far from most, or with all"),
    bind(Dashboard, "smoothing", &[Char('m')], Action::NextSmoothing, "smooth", "smoothing: none, light, strong (for display only)"),
    bind(Dashboard, "zoom_in", &[Char('+'), Char('=')], Action::ZoomIn, "zoom", "zoom in around the cursor"),
    bind(Dashboard, "zoom_out", &[Char('-')], Action::ZoomOut, "", "zoom out"),
    bind(Dashboard, "pan_left", &[Char('[')], Action::PanLeft, "", "earlier steps"),
    bind(Dashboard, "pan_right", &[Char(']')], Action::PanRight, "", "later steps"),
    bind(Dashboard, "whole_run", &[Char('r')], Action::ResetView, "", "the whole run, and no cursor"),
    bind(Dashboard, "freeze", &[Char('f')], Action::Freeze, "freeze", "freeze the panels; the run goes on"),

    bind(Dashboard, "group_answers", &[Char('1')], Action::Toggle(ProbeGroup::Answers), "", "show or hide: answers (y⁺ and its relatives)"),
    bind(Dashboard, "group_rejected", &[Char('2')], Action::Toggle(ProbeGroup::Rejected), "", "show or hide: rejected (y⁻ and its rephrases)"),
    bind(Dashboard, "group_argmax", &[Char('3')], Action::Toggle(ProbeGroup::Argmax), "", "show or hide: argmax (what the model would say)"),
    bind(Dashboard, "group_hallucination", &[Char('4')], Action::Toggle(ProbeGroup::Hallucination), "", "show or hide: hallucination (answers of other questions)"),
    bind(Dashboard, "group_unrelated", &[Char('5')], Action::Toggle(ProbeGroup::Unrelated), "", "show or hide: unrelated (fluent, answers nothing)"),
    bind(Dashboard, "group_not_language", &[Char('6')], Action::Toggle(ProbeGroup::NotLanguage), "", "show or hide: not language (shuffled words)"),
    bind(Dashboard, "solo", &[Char('!')], Action::Solo, "solo", "only the group last touched; again for all"),
    bind(Dashboard, "all_groups", &[Char('0')], Action::ShowAll, "all", "show every group, all curves alike"),

    bind(Dashboard, "filter", &[Char('/')], Action::Filter, "filter", "filter the curves, or the prompts when their panel is focused"),
    bind(Dashboard, "order", &[Char('o')], Action::OrderPrompts, "", "prompts by a curve's rise (leaks); pairs by other columns"),
    bind(Dashboard, "next_squeezed", &[Char('x')], Action::NextSqueezed(true), "squeezed", "the next squeezed pair, the gravest first"),
    bind(Dashboard, "previous_squeezed", &[Char('X')], Action::NextSqueezed(false), "", "the squeezed pair before"),
    bind(Dashboard, "who_moved_it", &[Char('i')], Action::Why, "", "who moved the curve (or prompt) since the evaluation before"),
    bind(Dashboard, "microscope", &[Char('u')], Action::Microscope, "", "where the prompt's answer lost, token by token"),
    bind(Dashboard, "kernel", &[Char('K')], Action::Alike, "", "how alike prompts and what was learnt last are (kernel)"),
    bind(Dashboard, "copy", &[Char('C')], Action::Copy, "", "copy the value, or the prompt, of the focused panel"),
    bind(Menu, "copy", &[Char('C')], Action::Copy, "", "copy the line's path"),
    bind(Screen, "screenshot", &[Char('s')], Action::Screenshot, "shot", "write a screenshot: SVG, PNG and text"),
    bind(Screen, "theme", &[Char('t')], Action::NextTheme, "theme", "dark, light, monochrome"),

    bind(Compare, "align", &[Char('b')], Action::NextAlignment, "align by", "align the runs by step, by training loss, by training margin"),
    bind(Compare, "next_row", &[Char('j'), Named(KeyCode::Down)], Action::List(Rows::Next), "curve", "next curve"),
    bind(Compare, "previous_row", &[Char('k'), Named(KeyCode::Up)], Action::List(Rows::Previous), "", "previous curve"),
    bind(Compare, "page_down", &[Named(KeyCode::PageDown)], Action::List(Rows::PageDown), "", "a page of curves on"),
    bind(Compare, "page_up", &[Named(KeyCode::PageUp)], Action::List(Rows::PageUp), "", "a page of curves back"),
    bind(Compare, "first_row", &[Char('g')], Action::List(Rows::First), "", "first curve"),
    bind(Compare, "last_row", &[Char('G')], Action::List(Rows::Last), "", "last curve"),
    bind(Compare, "cursor_right", &[Named(KeyCode::Right)], Action::Cursor(1), "", "cursor on: the differences are those at the cursor"),
    bind(Compare, "cursor_left", &[Named(KeyCode::Left)], Action::Cursor(-1), "cursor", "cursor back"),
    bind(Compare, "cursor_far_right", &[Shift(KeyCode::Right)], Action::Cursor(10), "", "ten points on"),
    bind(Compare, "cursor_far_left", &[Shift(KeyCode::Left)], Action::Cursor(-10), "", "ten points back"),
    bind(Compare, "compare_end", &[Char('r'), Named(KeyCode::Esc)], Action::ResetView, "end", "no cursor: the differences at the end of what all runs have"),
    bind(Compare, "scale", &[Char('y')], Action::NextScale, "scale", "y axis: Δ of the stage, Δ of the run, log p, per token, p"),
    bind(Compare, "next_panel", &[Named(KeyCode::Tab)], Action::FocusNext, "arm", "the next arm in the panel of differences, with its quartiles"),
    bind(Compare, "previous_panel", &[Named(KeyCode::BackTab)], Action::FocusPrevious, "", "the previous arm"),

    bind(Menu, "menu_open", &[Named(KeyCode::Enter)], Action::Confirm, "open", "open the line: train the experiment, or show the recording"),
    bind(Menu, "menu_leave", &[Named(KeyCode::Esc)], Action::Quit, "", "leave the menu"),
    bind(Menu, "next_row", &[Char('j'), Named(KeyCode::Down)], Action::List(Rows::Next), "select", "next line"),
    bind(Menu, "previous_row", &[Char('k'), Named(KeyCode::Up)], Action::List(Rows::Previous), "", "previous line"),
    bind(Menu, "page_down", &[Named(KeyCode::PageDown)], Action::List(Rows::PageDown), "", "a page of lines on"),
    bind(Menu, "page_up", &[Named(KeyCode::PageUp)], Action::List(Rows::PageUp), "", "a page of lines back"),
    bind(Menu, "first_row", &[Char('g'), Named(KeyCode::Home)], Action::List(Rows::First), "", "first line"),
    bind(Menu, "last_row", &[Char('G'), Named(KeyCode::End)], Action::List(Rows::Last), "", "last line"),

    bind(Lesson, "lesson_next", &[Named(KeyCode::Enter)], Action::Lesson(LessonAction::Next), "go on", "give the answer; go on to the next step"),
    bind(Lesson, "lesson_back", &[Named(KeyCode::Backspace), Char('b')], Action::Lesson(LessonAction::Back), "back", "back to the step before"),
    bind(Lesson, "lesson_hint", &[Char('h')], Action::Lesson(LessonAction::Hint), "hint", "show the hint, or hide it"),
    bind(Lesson, "lesson_again", &[Char('R')], Action::Lesson(LessonAction::Again), "", "take the answer back and be asked again"),
    bind(Lesson, "lesson_skip", &[Named(KeyCode::Tab)], Action::Lesson(LessonAction::Skip), "", "pass a question or a task over"),
    bind(Lesson, "presenter", &[Char('p')], Action::Lesson(LessonAction::Presenter), "big", "for a projector: fewer curves, thicker; or as before"),
    bind(Choice, "next_row", &[Char('j'), Named(KeyCode::Down)], Action::List(Rows::Next), "choose", "the next answer"),
    bind(Choice, "previous_row", &[Char('k'), Named(KeyCode::Up)], Action::List(Rows::Previous), "", "the answer before"),
    bind(Choice, "answer_1", &[Char('1')], Action::Lesson(LessonAction::Pick(0)), "", "the first answer"),
    bind(Choice, "answer_2", &[Char('2')], Action::Lesson(LessonAction::Pick(1)), "", "the second"),
    bind(Choice, "answer_3", &[Char('3')], Action::Lesson(LessonAction::Pick(2)), "", "the third"),
    bind(Choice, "answer_4", &[Char('4')], Action::Lesson(LessonAction::Pick(3)), "", "the fourth"),
    bind(Sketch, "pen_right", &[Named(KeyCode::Right)], Action::Lesson(LessonAction::Draw(1, 0)), "", "the pen one measurement on"),
    bind(Sketch, "pen_left", &[Named(KeyCode::Left)], Action::Lesson(LessonAction::Draw(-1, 0)), "pen", "the pen one measurement back"),
    bind(Sketch, "pen_up", &[Named(KeyCode::Up)], Action::Lesson(LessonAction::Draw(0, 1)), "draw", "the curve higher from the pen on"),
    bind(Sketch, "pen_down", &[Named(KeyCode::Down)], Action::Lesson(LessonAction::Draw(0, -1)), "", "the curve lower from the pen on"),
    bind(Sketch, "pen_far_up", &[Shift(KeyCode::Up)], Action::Lesson(LessonAction::Draw(0, 4)), "", "much higher"),
    bind(Sketch, "pen_far_down", &[Shift(KeyCode::Down)], Action::Lesson(LessonAction::Draw(0, -4)), "", "much lower"),

    bind(Microscope, "token_right", &[Named(KeyCode::Right), Char('l')], Action::Token(1), "", "the answer's next token"),
    bind(Microscope, "token_left", &[Named(KeyCode::Left), Char('h')], Action::Token(-1), "walk", "the answer's token before"),
    bind(Reading, "close", &[Char('?'), Named(KeyCode::Esc), Char('q'), Named(KeyCode::Enter)], Action::Cancel, "close", "close this"),
    bind(Reading, "next_row", &[Char('j'), Named(KeyCode::Down)], Action::List(Rows::Next), "scroll", "scroll down"),
    bind(Reading, "previous_row", &[Char('k'), Named(KeyCode::Up)], Action::List(Rows::Previous), "", "scroll up"),
    bind(Reading, "page_down", &[Named(KeyCode::PageDown), Char(' ')], Action::List(Rows::PageDown), "page", "a page down"),
    bind(Reading, "page_up", &[Named(KeyCode::PageUp)], Action::List(Rows::PageUp), "", "a page up"),
    bind(Reading, "first_row", &[Char('g'), Named(KeyCode::Home)], Action::List(Rows::First), "", "to the first key"),
    bind(Reading, "last_row", &[Char('G'), Named(KeyCode::End)], Action::List(Rows::Last), "", "to the last key"),

    bind(Quit, "stop_and_quit", &[Char('y'), Char('q')], Action::Confirm, "stop and quit", "stop the trainer and quit"),
    bind(Quit, "go_on", &[Char('n'), Named(KeyCode::Esc)], Action::Cancel, "go on", "go on training"),

    bind(Filter, "filter_keep", &[Named(KeyCode::Enter)], Action::Confirm, "keep", "keep the filter"),
    bind(Filter, "filter_clear", &[Named(KeyCode::Esc)], Action::Cancel, "clear", "clear the filter"),
    bind(Filter, "filter_erase", &[Named(KeyCode::Backspace)], Action::Erase, "erase", "erase a character"),
];
