//! The menu: experiments and recordings in a list, one of which is chosen.
//!
//! From outside: [`Menu::new`], then [`show`](super::show), then [`Menu::chosen`].

use crossterm::event::KeyEvent;
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Widget};

use super::app::OFF;
use super::glyphs::Glyphs;
use super::keymap::{self, Action, Context, Rows};
use super::message::{Effect, Ending, Gesture, Pointer};
use super::paper::Paper;
use super::screenful::ScreenshotInfo;
use super::theme::{Theme, ThemeKind};
use super::upkeep::{Sheet, Upkeep};
use super::view::text::{fit, panel, title, words, wrap};
use super::view::{dialogs, footer, whole};
use crate::text::Shown;

/// Lines that what is said of the selected entry takes, at most.
const DETAIL: u16 = 4;

/// One line of the list.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The heading that it stands under; entries of one heading follow each other.
    pub heading: Shown,
    /// Its line, in columns as the heading has them.
    pub line: Shown,
    /// What is said of it below the list while it is selected.
    pub detail: Shown,
    /// What the key that copies takes of it; nothing where there is nothing to take.
    pub copied: Option<Shown>,
    /// Whether its line stands out: a recording with an alarm.
    pub marked: bool,
}

/// The state of the menu.
#[derive(Debug, Clone)]
pub struct Menu {
    title: Shown,
    entries: Vec<Entry>,
    at: usize,
    chosen: bool,
    help: Option<u16>,
    copies: bool,
    mouse: bool,
    theme: Theme,
    theme_locked: bool,
    glyphs: Glyphs,
    paper: Paper,
    upkeep: Upkeep,
}

impl Menu {
    /// A menu of these entries, the one at `at` selected.
    pub fn new(title: &str, entries: Vec<Entry>, at: usize, theme: Theme, glyphs: Glyphs, paper: Paper) -> Self {
        Self {
            title: Shown::new(title),
            at: at.min(entries.len().saturating_sub(1)),
            entries,
            chosen: false,
            help: None,
            copies: false,
            mouse: false,
            theme,
            theme_locked: theme.kind == ThemeKind::Mono,
            glyphs,
            paper,
            upkeep: Upkeep::default(),
        }
    }

    /// The same where the clipboard may be written, and where the mouse works.
    #[must_use]
    pub fn allowing(mut self, copies: bool, mouse: bool) -> Self {
        (self.copies, self.mouse) = (copies, mouse);
        self
    }

    /// The entry that was opened, an index; `None` where the menu was left.
    pub fn chosen(&self) -> Option<usize> {
        self.chosen.then_some(self.at)
    }

    /// Why the screen was left.
    pub fn ending(&self) -> Ending {
        self.upkeep.ending()
    }

    fn mode(&self) -> Context {
        if self.help.is_some() { Context::Help } else { Context::Menu }
    }

    /// The lines of the list, each with its entry; a heading has none.
    fn lines(&self) -> Vec<(Line<'static>, Option<usize>)> {
        let mut lines = Vec::new();
        for (at, entry) in self.entries.iter().enumerate() {
            if at == 0 || self.entries[at - 1].heading != entry.heading {
                if at > 0 {
                    lines.push((Line::default(), None));
                }
                let style = self.theme.accent().add_modifier(Modifier::BOLD);
                lines.push((Line::styled(format!(" {}", entry.heading), style), None));
            }
            let style = if entry.marked { self.theme.warning() } else { self.theme.text() };
            let pointer = if at == self.at { "▸" } else { " " };
            let line = Line::from(vec![
                Span::styled(format!(" {pointer} "), self.theme.accent()),
                Span::styled(entry.line.to_string(), style),
            ]);
            let line = if at == self.at { line.patch_style(self.theme.selection()) } else { line };
            lines.push((line, Some(at)));
        }
        lines
    }

    /// The list, what is said of its entry, the keys.
    fn divided(area: Rect) -> [Rect; 3] {
        Layout::vertical([Constraint::Fill(1), Constraint::Length(DETAIL + 2), Constraint::Length(1)]).areas(area)
    }

    /// The lines that are in sight: the selected one among them, with its heading where both fit.
    fn seen(&self, height: u16) -> impl Iterator<Item = (Line<'static>, Option<usize>)> {
        let lines = self.lines();
        let selected = lines.iter().position(|(_, entry)| *entry == Some(self.at)).unwrap_or(0);
        let first = (selected + 1).saturating_sub(height.into());
        lines.into_iter().skip(first).take(height.into())
    }

    /// The entry that stands in a row of the screen.
    fn entry_at(&self, row: u16, area: Rect) -> Option<usize> {
        let [list, ..] = Self::divided(area);
        let row = row.checked_sub(list.y + 1)?;
        self.seen(list.height.saturating_sub(2)).nth(row.into())?.1
    }

    fn parts(&self, area: Rect, buf: &mut Buffer) {
        let theme = &self.theme;
        let [list, detail, keys] = Self::divided(area);
        let block = panel(title("ldyn-tui", self.title.to_string(), true, theme), true, theme, self.glyphs);
        let inner = block.inner(list);
        block.render(list, buf);
        let seen: Vec<_> = self.seen(inner.height).map(|(line, _)| line).collect();
        if seen.is_empty() {
            Line::styled(" nothing is recorded here", theme.dim()).render(inner, buf);
        }
        Paragraph::new(seen).render(inner, buf);
        let said = self.entries.get(self.at).map_or("", |entry| entry.detail.as_str());
        let block = panel(title("about", "", false, theme), false, theme, self.glyphs);
        let inner = block.inner(detail);
        block.render(detail, buf);
        let inner = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };
        let mut text = wrap(&words(said, theme.text()), inner.width.into());
        if text.len() > usize::from(inner.height) {
            text.truncate(inner.height.into());
            let last = text.last().map_or_else(String::new, ToString::to_string);
            let room = usize::from(inner.width).saturating_sub(1);
            text.pop();
            text.push(Line::styled(fit(&last, room) + "…", theme.text()));
        }
        Paragraph::new(text).render(inner, buf);
        if let Some(notice) = self.upkeep.notice().filter(|_| self.help.is_none()) {
            notice.line(keys.width, theme).render(keys, buf);
        } else {
            let hints = keymap::bindings(self.mode()).filter(|b| !b.hint.is_empty());
            let hints = hints.map(|b| (footer::key_name(b, self.glyphs), b.hint));
            Line::from(footer::keys(hints, keys.width.into(), theme)).render(keys, buf);
        }
        if let Some(first) = self.help {
            let help = dialogs::Keys { what: "the menu", first, theme, glyphs: self.glyphs };
            help.render(keymap::bindings(Context::Menu), Rect { height: area.height - 1, ..area }, buf);
        }
    }
}

impl Sheet for Menu {
    fn upkeep(&self) -> &Upkeep {
        &self.upkeep
    }

    fn upkeep_mut(&mut self) -> &mut Upkeep {
        &mut self.upkeep
    }

    fn key(&mut self, key: KeyEvent) -> Vec<Effect> {
        let Some(action) = keymap::lookup(self.mode(), key) else { return Vec::new() };
        self.upkeep.touch();
        match (action, self.help) {
            (Action::Help, _) => self.help = Some(0),
            (Action::Cancel, _) => self.help = None,
            (Action::List(by), Some(row)) => {
                self.help = Some(by.scrolled(row, keymap::bindings(Context::Menu).count()));
            }
            (Action::List(by), None) => self.at = by.moved(Some(self.at), self.entries.len()).unwrap_or(0),
            (Action::Confirm, _) if !self.entries.is_empty() => {
                self.chosen = true;
                return vec![Effect::Quit];
            }
            (Action::Copy, _) if !self.copies => self.upkeep.notify(OFF, true),
            (Action::Copy, _) => match self.to_copy() {
                None => self.upkeep.notify("there is nothing to copy here", true),
                Some(text) => {
                    self.upkeep.notify(&format!("copied: {text}"), false);
                    return vec![Effect::Copy];
                }
            },
            (Action::NextTheme, _) => {
                let chosen = self.paper.next_theme(&mut self.theme, self.theme_locked);
                self.upkeep.refused(chosen);
            }
            _ => return action.effect(),
        }
        Vec::new()
    }

    fn to_copy(&self) -> Option<Shown> {
        self.entries.get(self.at)?.copied.clone()
    }

    fn wants_mouse(&self) -> bool {
        self.mouse
    }

    /// The wheel moves through the list, a click selects the line under it.
    fn pointed(&mut self, pointer: Pointer, area: Rect) -> Vec<Effect> {
        self.upkeep.touch();
        match pointer.did {
            Gesture::WheelDown => self.at = Rows::Next.moved(Some(self.at), self.entries.len()).unwrap_or(0),
            Gesture::WheelUp => self.at = Rows::Previous.moved(Some(self.at), self.entries.len()).unwrap_or(0),
            Gesture::Click => self.at = self.entry_at(pointer.row, area).unwrap_or(self.at),
        }
        Vec::new()
    }

    fn draw(&self, area: Rect, buf: &mut Buffer) {
        whole(&self.theme, self.glyphs, area, buf, |area, buf| self.parts(area, buf));
    }

    fn drawn_with(&self) -> Glyphs {
        self.glyphs
    }

    fn name(&self) -> Shown {
        Shown::new("")
    }

    fn still(&self) -> Self {
        let mut still = self.clone();
        (still.help, still.upkeep) = (None, Upkeep::default());
        (still.theme, still.glyphs) = (self.paper.theme(), self.paper.glyphs);
        still
    }

    fn info(&self) -> ScreenshotInfo {
        let ground = self.paper.theme().ground();
        ScreenshotInfo { run_id: "ldyn-tui".to_owned(), seed: None, step: 0, view: "menu", ground }
    }
}

#[cfg(test)]
mod tests {
    use crossterm::event::{KeyCode, KeyModifiers};

    use super::*;
    use crate::tui::testing::plain;

    fn menu() -> Menu {
        let entry = |heading: &str, line: &str, marked| Entry {
            heading: Shown::new(heading),
            line: Shown::new(line),
            detail: Shown::new(&format!("About {line}: \u{202e}raw text, and enough of it to be broken into lines. ")),
            copied: Some(Shown::new(line)),
            marked,
        };
        let mut entries = vec![entry("experiments", "sft", false), entry("experiments", "dpo_offpolicy", false)];
        entries.extend((0..40).map(|i| entry("recordings", &format!("run {i}"), i == 3)));
        Menu::new("what to watch", entries, 0, Theme::default(), Glyphs::Braille, Paper::default())
    }

    fn press(menu: &mut Menu, code: KeyCode) -> Vec<Effect> {
        menu.key(KeyEvent::new(code, KeyModifiers::NONE))
    }

    fn drawn(menu: &Menu, width: u16, height: u16) -> String {
        let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
        menu.draw(buffer.area, &mut buffer);
        plain(&buffer)
    }

    #[test]
    fn an_entry_is_found_and_opened() {
        let mut menu = menu();
        insta::assert_snapshot!("menu_80x24", drawn(&menu, 80, 24));
        press(&mut menu, KeyCode::Char('j'));
        assert!(drawn(&menu, 80, 24).contains("▸ dpo_offpolicy"));
        press(&mut menu, KeyCode::Char('G'));
        let screen = drawn(&menu, 80, 24);
        assert!(screen.contains("▸ run 39") && screen.contains("<U+202E>"), "{screen}");
        assert_eq!((press(&mut menu, KeyCode::Enter), menu.chosen()), (vec![Effect::Quit], Some(41)));
        let mut left = self::menu();
        assert_eq!((press(&mut left, KeyCode::Char('q')), left.chosen()), (vec![Effect::Quit], None));
        for (width, height) in [(1, 1), (40, 12), (300, 100)] {
            drawn(&left, width, height);
        }
    }

    #[test]
    fn an_empty_menu_opens_nothing() {
        let mut empty = Menu::new("recordings", Vec::new(), 3, Theme::default(), Glyphs::Ascii, Paper::default());
        assert!(press(&mut empty, KeyCode::Enter).is_empty() && empty.chosen().is_none());
        assert!(drawn(&empty, 80, 24).contains("nothing is recorded here"));
    }
}
