//! The lab's state. [`Lab`] takes messages as the dashboard does: without I/O, without a clock.

use crossterm::event::KeyEvent;

use crate::dynamics::lab::{self, Outcome, Step};
use crate::error::Result;
use crate::experiment::{LabSettings, LabShape};
use crate::tui::glyphs::Glyphs;
use crate::tui::keymap::{self, Action, Context, LabAction};
use crate::tui::message::{Effect, Ending};
use crate::tui::notice::Notice;
use crate::tui::paper::Paper;
use crate::tui::theme::{Theme, ThemeKind};
use crate::tui::upkeep::Upkeep;

/// Steps that can be taken back.
const UNDO: usize = 500;
/// Peaks that the key begins with where the experiment has none.
const PEAKS: usize = 8;
/// η′ that keys can reach.
const ETA: (f64, f64) = (0.01, lab::MAX_ETA);
/// Classes that keys can reach.
const CLASSES: (f64, f64) = (2.0, 1000.0);

/// How probabilities are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scale {
    /// A linear scale from 0 to a round number.
    Linear,
    /// A logarithmic scale, by powers of ten up to 1: on it the valley can be seen.
    #[default]
    Log,
}

/// The squeeze lab: a distribution, and the step that would be taken next.
#[derive(Debug, Clone)]
pub struct Lab {
    /// How probabilities are drawn.
    pub scale: Scale,
    /// The help overlay, scrolled down by so many rows.
    pub help: Option<u16>,
    /// The palette.
    pub theme: Theme,
    /// The glyphs of the screen.
    pub glyphs: Glyphs,
    /// The look of files.
    pub paper: Paper,
    theme_locked: bool,
    name: String,
    settings: LabSettings,
    /// Peaks of the distribution with peaks, also while another is shown.
    peaks: usize,
    /// The distribution now, `[V]`.
    logits: Vec<f64>,
    /// The distributions before the steps taken, the latest last.
    past: Vec<Vec<f64>>,
    steps: u64,
    outcome: Outcome,
    pub(super) upkeep: Upkeep,
}

impl Lab {
    /// The lab as an experiment begins it; `name` is the experiment's, raw.
    ///
    /// # Errors
    /// When the settings allow no step.
    pub fn new(name: &str, settings: &LabSettings, theme: Theme, glyphs: Glyphs) -> Result<Self> {
        let logits = lab::logits(settings.shape, settings.classes);
        let peaks = if let LabShape::Peaks(peaks) = settings.shape { peaks } else { PEAKS };
        Ok(Self {
            scale: Scale::default(),
            help: None,
            theme,
            glyphs,
            paper: Paper::of(theme, glyphs),
            theme_locked: theme.kind == ThemeKind::Mono,
            name: name.to_owned(),
            outcome: lab::take(&logits, Step::of(settings))?,
            settings: settings.clone(),
            peaks,
            logits,
            past: Vec::new(),
            steps: 0,
            upkeep: Upkeep::default(),
        })
    }

    /// The same with another look of files than the screen's.
    #[must_use]
    pub fn on_paper(mut self, paper: Paper) -> Self {
        self.paper = paper;
        self
    }

    /// What the next step would do.
    pub fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// What is set.
    pub fn settings(&self) -> &LabSettings {
        &self.settings
    }

    /// Steps taken since the distribution was chosen.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The experiment's name, raw.
    pub fn experiment(&self) -> &str {
        &self.name
    }

    /// The line in the footer.
    pub fn notice(&self) -> Option<&Notice> {
        self.upkeep.notice()
    }

    /// Why the screen was left.
    pub fn ending(&self) -> Ending {
        self.upkeep.ending()
    }

    /// Which keys work now.
    pub fn mode(&self) -> Context {
        if self.help.is_some() { Context::Help } else { Context::Lab }
    }

    pub(in crate::tui) fn key(&mut self, key: KeyEvent) -> Vec<Effect> {
        let Some(action) = keymap::lookup(self.mode(), key) else { return Vec::new() };
        self.upkeep.touch();
        match action {
            Action::Help => self.help = Some(0),
            Action::Cancel => self.help = None,
            Action::List(by) => {
                let rows = keymap::bindings(Context::Lab).count();
                self.help = self.help.map(|row| by.scrolled(row, rows));
            }
            Action::NextTheme => {
                let chosen = self.paper.next_theme(&mut self.theme, self.theme_locked);
                self.upkeep.refused(chosen);
            }
            Action::Lab(action) => self.act(action),
            _ => return action.effect(),
        }
        Vec::new()
    }

    fn act(&mut self, action: LabAction) {
        let settings = &mut self.settings;
        let last = settings.classes - 1;
        match action {
            LabAction::Take => return self.take(),
            LabAction::Undo => return self.undo(),
            LabAction::Reset => return self.restart(),
            LabAction::Scale => {
                self.scale = if self.scale == Scale::Linear { Scale::Log } else { Scale::Linear };
                return;
            }
            LabAction::Class(by) => {
                let by = isize::try_from(by).unwrap_or(0);
                settings.rank = settings.rank.saturating_add_signed(by).min(last);
            }
            LabAction::First => settings.rank = 0,
            LabAction::Last => settings.rank = last,
            LabAction::Flip => settings.push_down = !settings.push_down,
            LabAction::Eta(up) => settings.eta = within(next_round(settings.eta, up), settings.eta, ETA),
            LabAction::Classes(more) => {
                let classes = more_or_fewer(settings.classes, more);
                // The last class stays the last: y in the deepest valley is what the lab is about.
                settings.rank = if settings.rank == last { classes - 1 } else { settings.rank.min(classes - 1) };
                settings.classes = classes;
                return self.restart();
            }
            LabAction::Shape => {
                settings.shape = match settings.shape {
                    LabShape::Uniform => LabShape::Flat,
                    LabShape::Flat => LabShape::Peaks(self.peaks),
                    LabShape::Peaks(_) => LabShape::OnePeak,
                    LabShape::OnePeak => LabShape::Uniform,
                };
                return self.restart();
            }
            LabAction::Peaks(more) => {
                if matches!(settings.shape, LabShape::Peaks(_)) {
                    let peaks = if more { self.peaks.saturating_add(1) } else { self.peaks.saturating_sub(1) };
                    self.peaks = peaks.clamp(1, last);
                }
                settings.shape = LabShape::Peaks(self.peaks);
                return self.restart();
            }
        }
        self.look();
    }

    /// Begins anew with the distribution that is set.
    fn restart(&mut self) {
        self.logits = lab::logits(self.settings.shape, self.settings.classes);
        self.past.clear();
        self.steps = 0;
        self.look();
    }

    fn take(&mut self) {
        if self.past.len() == UNDO {
            self.past.remove(0);
        }
        self.past.push(std::mem::replace(&mut self.logits, self.outcome.logits.clone()));
        self.steps += 1;
        self.look();
    }

    fn undo(&mut self) {
        match self.past.pop() {
            Some(logits) => {
                self.logits = logits;
                self.steps -= 1;
                self.look();
            }
            None => self.upkeep.notify("there is no step to take back", false),
        }
    }

    /// Works out what the next step would do.
    fn look(&mut self) {
        match lab::take(&self.logits, Step::of(&self.settings)) {
            Ok(outcome) => self.outcome = outcome,
            Err(error) => self.upkeep.notify(&error.to_string(), true),
        }
    }
}

/// The round number after or before `x`: 1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6 or 8 times a power of ten.
fn next_round(x: f64, up: bool) -> f64 {
    const ROUND: [f64; 10] = [1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0];
    let magnitude = x.log10().floor();
    let near = [-1.0, 0.0, 1.0].into_iter().flat_map(|by| {
        // Below 1 by division, which gives 0.6 where a product would give 0.6000000000000001.
        let power = magnitude + by;
        ROUND.map(|r| if power < 0.0 { r / 10_f64.powf(-power) } else { r * 10_f64.powf(power) })
    });
    let beyond = |y: &f64| if up { *y > x * (1.0 + 1e-9) } else { *y < x * (1.0 - 1e-9) };
    near.filter(beyond).min_by(|a, b| (a - x).abs().total_cmp(&(b - x).abs())).unwrap_or(x)
}

/// `to`, unless that leaves the range; a value from outside may come nearer.
fn within(to: f64, from: f64, (low, high): (f64, f64)) -> f64 {
    if (to > high && to > from) || (to < low && to < from) { from } else { to }
}

/// The round number of classes after or before.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "2 to 1,000 classes"
)]
fn more_or_fewer(classes: usize, more: bool) -> usize {
    let from = classes as f64;
    let mut to = next_round(from, more);
    while to.fract() != 0.0 && to > CLASSES.0 {
        to = next_round(to, more);
    }
    within(to, from, CLASSES) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_numbers_follow_each_other() {
        let up: Vec<f64> = std::iter::successors(Some(0.5), |&x| Some(next_round(x, true))).take(8).collect();
        assert_eq!(up, [0.5, 0.6, 0.8, 1.0, 1.2, 1.5, 2.0, 2.5]);
        let down: Vec<f64> =
            std::iter::successors(Some(5.3), |&x| Some(next_round(x, false))).skip(1).take(4).collect();
        assert_eq!(down, [5.0, 4.0, 3.0, 2.5]);
        assert_eq!((within(1200.0, 1000.0, ETA), within(0.008, 0.01, ETA), within(4e6, 5e6, ETA)), (1000.0, 0.01, 4e6));
        let classes: Vec<usize> = std::iter::successors(Some(2), |&v| Some(more_or_fewer(v, true))).take(30).collect();
        assert_eq!(classes[..9], [2, 3, 4, 5, 6, 8, 10, 12, 15]);
        assert_eq!(classes.last(), Some(&1000));
        let classes: Vec<usize> = std::iter::successors(Some(13), |&v| Some(more_or_fewer(v, false))).take(9).collect();
        assert_eq!(classes, [13, 12, 10, 8, 6, 5, 4, 3, 2]);
        assert_eq!(more_or_fewer(2, false), 2);
    }
}
