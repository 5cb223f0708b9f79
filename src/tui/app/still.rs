//! The state that a screenshot is taken of: the run as it was last measured, whatever the trainer has done since. So a
//! picture taken while the trainer works is the picture of the recording at the step that names it.

use super::App;

impl App {
    /// The step whose measurements are shown; `None` while nothing is measured.
    pub fn measured_step(&self) -> Option<u64> {
        self.evaluation().map(|e| e.step).or_else(|| self.reading().map(|r| r.step))
    }

    /// A copy without clocks and dialogs, of the run as it was last measured. A run that has ended stays as it ended.
    pub fn still(&self) -> Self {
        let mut still = self.clone();
        still.hide_clock = true;
        still.view.dialog = None;
        if let Some(frozen) = still.frozen.take() {
            still.history = *frozen;
        }
        still.history.back_to_last_measurement();
        still.refresh();
        still
    }
}
