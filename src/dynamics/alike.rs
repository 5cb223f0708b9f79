//! How alike a model takes observed answers and the answers that it learnt last to be: the kernel of Prop. 1 between every
//! two of them, as a table of text and as JSON.

use serde::Serialize;

use crate::history::stats::{Estimate, float};
use crate::protocol::ProbeKind;
use crate::text::{Shown, fit, minus};

/// Columns of a cell.
const CELL: usize = 9;
/// Columns of a prompt's number.
const NAME: usize = 6;

/// A cell's number in a table.
type Write = fn(&Cell) -> String;

/// The kernel between observed answers and learnt ones, at one place of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Alike {
    /// Optimiser steps taken before.
    pub step: u64,
    /// The kind of the observed answers.
    pub kind: ProbeKind,
    /// What was observed: the prompts that have such an answer, the first ones.
    pub observed: Vec<Text>,
    /// What was learnt: first the y⁺ of the examples, then their y⁻ where those were read.
    pub learnt: Vec<Learnt>,
    /// Row by row what each learnt answer is to one observed answer.
    pub cells: Vec<Vec<Cell>>,
}

/// An observed answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Text {
    /// Index of its prompt.
    pub prompt: usize,
    /// The prompt, raw.
    pub asked: String,
}

/// A learnt answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Learnt {
    /// Index of the example.
    pub example: usize,
    /// Whether it is its y⁻.
    pub rejected: bool,
    /// The example's prompt, raw.
    pub asked: String,
}

/// What a learnt answer is to an observed one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Cell {
    /// ‖K‖_F over all pairs of their positions, estimated.
    pub norm: f64,
    /// The ends of its 95 % interval.
    pub interval: [f64; 2],
    /// ⟨∇log π(observed), ∇log π(learnt)⟩: how far a small step of plain gradient descent that pulls the learnt answer up moves
    /// the observed one, nats for each unit of the learning rate.
    pub slope: f64,
    /// The cosine of these gradients.
    pub cosine: f64,
}

impl Cell {
    /// A cell of an estimate.
    pub fn new(norm: Estimate, slope: f64, cosine: f64) -> Self {
        Self { norm: norm.value, interval: [norm.low, norm.high], slope, cosine }
    }
}

impl Learnt {
    /// Its name in a table: the example's number, and which answer.
    pub fn name(&self) -> String {
        format!("#{}{}", self.example + 1, if self.rejected { "y⁻" } else { "y⁺" })
    }
}

impl Alike {
    /// Half the width of the cells' intervals as a share of the cells, in the mean: how sure the estimates are.
    pub fn doubt(&self) -> f64 {
        let all = || self.cells.iter().flatten().filter(|cell| cell.norm > 0.0);
        let halves = all().map(|cell| (cell.interval[1] - cell.interval[0]) / (2.0 * cell.norm));
        halves.sum::<f64>() / float(all().count())
    }

    /// What is seen, and how sure it is.
    pub fn sentences(&self) -> Vec<String> {
        let doubt = 100.0 * self.doubt();
        vec![
            format!(
                "after {} steps: how alike the model takes {} of a prompt (rows) and what it learnt last (columns) to be",
                self.step,
                self.kind.symbol()
            ),
            format!(
                "‖K‖ of each pair is an estimate: its 95 % interval reaches ± {doubt:.0} % of it in the mean; learning one \
                 moves the other by at most ‖A‖·‖K‖·‖G‖"
            ),
        ]
    }

    /// The table of norms and that of cosines, in lines of at most `width` columns; what has no room is left out, and said.
    pub fn lines(&self, width: usize) -> Vec<String> {
        let mut lines = self.sentences();
        let columns = (width.saturating_sub(NAME) / CELL).clamp(1, self.learnt.len().max(1));
        let tables: [(&str, Write); 2] = [
            ("‖K‖, estimated", |cell| format!("{:.2e}", cell.norm)),
            ("cosine of the gradients of log π, exactly: above 0 learning one pulls the other up", |cell| {
                minus(&format!("{:+.3}", cell.cosine))
            }),
        ];
        for (what, write) in tables {
            lines.extend([String::new(), what.to_owned()]);
            let names = self.learnt.iter().take(columns).map(|learnt| format!("{:>CELL$}", learnt.name()));
            lines.push(format!("{:NAME$}{}", "", names.collect::<String>()));
            for (observed, cells) in self.observed.iter().zip(&self.cells) {
                let row: String = cells.iter().take(columns).map(|cell| format!("{:>CELL$}", write(cell))).collect();
                lines.push(format!("{:>NAME$}{row}", observed.prompt + 1));
            }
        }
        if columns < self.learnt.len() {
            lines.push(format!("{} more columns have no room: --json has all", self.learnt.len() - columns));
        }
        lines.extend([String::new(), "the most alike:".to_owned()]);
        lines.extend(self.strongest(3).into_iter().map(|(row, column)| self.told(row, column)));
        lines.into_iter().map(|line| fit(&line, width)).collect()
    }

    /// The cells with the largest norms, by row and column.
    pub fn strongest(&self, most: usize) -> Vec<(usize, usize)> {
        let mut all: Vec<(usize, usize)> = self
            .cells
            .iter()
            .enumerate()
            .flat_map(|(row, cells)| (0..cells.len()).map(move |column| (row, column)))
            .collect();
        all.sort_by(|&a, &b| self.cells[b.0][b.1].norm.total_cmp(&self.cells[a.0][a.1].norm).then(a.cmp(&b)));
        all.truncate(most);
        all
    }

    /// A cell in words; nothing where there is none.
    pub fn told(&self, row: usize, column: usize) -> String {
        let (Some(observed), Some(learnt)) = (self.observed.get(row), self.learnt.get(column)) else {
            return String::new();
        };
        let Some(cell) = self.cells.get(row).and_then(|cells| cells.get(column)) else { return String::new() };
        format!(
            "  ‖K‖ {:.2e} [{:.2e}, {:.2e}], cosine {}: prompt {} ({}) and {} ({})",
            cell.norm,
            cell.interval[0],
            cell.interval[1],
            minus(&format!("{:+.3}", cell.cosine)),
            observed.prompt + 1,
            fit(Shown::new(&observed.asked).as_str(), 40),
            learnt.name(),
            fit(Shown::new(&learnt.asked).as_str(), 40)
        )
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use unicode_width::UnicodeWidthStr as _;

    use super::*;

    /// Two prompts, and an example's two answers.
    pub(crate) fn example(kind: ProbeKind, step: u64) -> Alike {
        let text = |prompt| Text { prompt, asked: format!("who sold the lamp\u{1b}[2J {prompt}?") };
        let learnt = |rejected| Learnt { example: 6, rejected, asked: "who kept it?".to_owned() };
        let cell = |value: f64, cosine| {
            Cell::new(Estimate { value, low: value * 0.8, high: value * 1.2, n: 64 }, 10.0 * cosine, cosine)
        };
        Alike {
            step,
            kind,
            observed: vec![text(0), text(4)],
            learnt: vec![learnt(false), learnt(true)],
            cells: vec![vec![cell(8.0, 0.5), cell(2.0, -0.25)], vec![cell(4.0, 0.125), cell(9.0, -0.5)]],
        }
    }

    #[test]
    fn the_table_says_numbers_doubt_and_the_most_alike() {
        let alike = example(ProbeKind::Chosen, 64);
        let text = alike.lines(100).join("\n");
        for part in ["after 64 steps", "± 20 %", "#7y⁺", "#7y⁻", "4.00e0", "9.00e0", "−0.500", "prompt 5"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains('\u{1b}'), "{text}");
        assert_eq!(alike.strongest(2), [(1, 1), (0, 0)]);
        assert_eq!(alike.told(9, 9), "");
        assert!(alike.lines(20).iter().all(|line| line.width() <= 20));
        assert!(alike.lines(20).iter().any(|line| line.contains("1 more column")));
    }

    #[test]
    fn json_has_every_cell() {
        let json = serde_json::to_value(example(ProbeKind::Rejected, 8)).unwrap_or_default();
        assert_eq!(json["cells"][1][0]["interval"][1], 4.8);
        assert_eq!((&json["kind"], &json["learnt"][1]["rejected"]), (&"rejected".into(), &true.into()));
    }
}
