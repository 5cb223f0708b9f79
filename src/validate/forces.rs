//! Checks of the forces: whether changes can be taken apart as the experiment asks.

use super::Findings;
use crate::experiment::{DataSource, Experiment, ForceSettings};

impl Findings<'_> {
    pub(super) fn forces(&mut self, experiment: &Experiment) {
        let Some(ForceSettings { prompts, nodes, tolerance }) = experiment.forces else { return };
        if self.has_pictures || matches!(experiment.data, DataSource::Lab(_)) {
            let problem = "only answers of a language model are pulled and pushed";
            self.add("forces", problem, "leave forces out: what classes do to each other is shown anyway");
            return;
        }
        self.positive("forces.prompts", prompts as u64);
        let most = ForceSettings::MOST_NODES;
        if !(1..=most).contains(&nodes) {
            let advice = format!("write 1 to {most}; where {most} are too few, evaluate more often (evaluate_every)");
            self.add("forces.nodes", format!("slopes cannot be taken at {nodes} places"), advice);
        }
        if !(tolerance > 0.0 && tolerance < 1.0) {
            let advice = "write the share of a change that may stay unexplained, such as 0.05";
            self.add("forces.tolerance", format!("{tolerance} is not between 0 and 1"), advice);
        }
    }
}
