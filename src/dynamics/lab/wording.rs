//! A step of the lab told in plain sentences, what it does and why; numbers as the lab writes them.

use super::Outcome;
use crate::experiment::LabShape;

/// A distribution's name.
pub fn name(shape: LabShape) -> String {
    match shape {
        LabShape::Uniform => "uniform".to_owned(),
        LabShape::Flat => "flat".to_owned(),
        LabShape::Peaks(1) => "1 peak".to_owned(),
        LabShape::Peaks(peaks) => format!("{peaks} peaks"),
        LabShape::OnePeak => "one peak of .985".to_owned(),
    }
}

/// A probability or a change of one: four decimals, or a power of ten where they would hide it.
pub fn probability(p: f64) -> String {
    let text = match p.abs() {
        0.0 => "0".to_owned(),
        x if x < 0.000_95 => format!("{p:.1e}"),
        _ => format!("{p:.4}"),
    };
    text.replace('-', "−")
}

/// A probability's change in words, with its sign.
pub fn change(p: f64) -> String {
    if p > 0.0 { format!("+{}", probability(p)) } else { probability(p) }
}

impl Outcome {
    /// What happens and why: one sentence or two.
    pub fn story(&self) -> String {
        let (all, rose, fell) = self.counts();
        let y = self.change(self.step.y);
        let star = self.change(self.star);
        let net = self.bystander_mass();
        let line = probability(self.break_even);
        let y_moves = probability(y.abs());
        if all == 0 {
            let (gainer, loser) = if self.step.push_down { ("y*", "y") } else { ("y", "y*") };
            return format!("There are no bystanders: {gainer} gains the {y_moves} that {loser} loses.");
        }
        if self.step.push_down {
            let why = match (rose, fell) {
                (0, 0) => "Nothing moves: y has nothing left to lose, and the others are equal.".to_owned(),
                (_, 0) => {
                    format!("None of the {all} bystanders falls: every other class lies above the line p = {line}.")
                }
                (0, _) => format!("All {all} bystanders fall: only y* lies above the line p = {line}."),
                _ => format!("{fell} of {all} bystanders fall: only {rose} and y* lie above the line p = {line}."),
            };
            let flow = if net < 0.0 {
                format!("y loses {y_moves}, y* gains {}: the bystanders pay {}.", probability(star), probability(-net))
            } else {
                format!("y loses {y_moves}: y* takes {}, the bystanders {}.", probability(star), probability(net))
            };
            format!("{why} {flow}")
        } else {
            let why = match (rose, fell) {
                (0, 0) => "Nothing moves: y has everything already.".to_owned(),
                (_, 0) => format!("y is pulled up, and all {all} bystanders rise: they lie below the line p = {line}."),
                (0, _) => {
                    format!("y is pulled up, and all {all} bystanders fall: none lies below the line p = {line}.")
                }
                _ => format!("y is pulled up; {rose} of {all} bystanders, below the line p = {line}, rise with it."),
            };
            let flow = format!("y gains {y_moves}, y* {}, the bystanders {}.", change(star), change(net));
            format!("{why} {flow}")
        }
    }
}
