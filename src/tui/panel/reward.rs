//! What a training by reward (GRPO, RLOO) says of the answers that it samples: scalars under the names that TRL and the
//! Python package give them, each with its course so far.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::dynamics::{scalar, table};
use super::measure::RATE;
use crate::protocol::MetricKey;
use crate::tui::app::App;
use crate::tui::panel::Panel;

/// A scalar: its name in the run file, its name here, decimals, whether it is a rate, and what it means.
type Row = (&'static str, &'static str, usize, bool, &'static str);

/// In the order of reading: what is rewarded, what is learnt from, what that does, and what else may go wrong.
const ROWS: &[Row] = &[
    ("reward", "reward", 3, false, "mean over the sampled answers"),
    ("reward_std", "reward spread", 3, false, "standard deviation of rewards"),
    ("frac_reward_zero_std", "same reward", 2, true, "share of questions whose samples all got one reward"),
    ("sampled/correct", "pulled up", 2, true, "share of samples with a positive advantage"),
    ("sampled/incorrect", "pushed down", 2, true, "share of samples with a negative advantage"),
    ("sampled/logps_correct", "log π, pulled", 3, false, "a token of the samples with positive advantage"),
    ("sampled/logps_incorrect", "log π, pushed", 3, false, "a token of the samples with negative advantage"),
    ("earlier/logps", "Δ once correct", 2, false, "log π of answers that were correct when sampled, since then"),
    ("earlier/fell", "of these, fell", 2, true, "lazy likelihood displacement: less likely than when sampled"),
    ("kl", "KL", 4, false, "distance to the reference, nats a token"),
    ("entropy", "entropy", 3, false, "nats a token of the samples"),
    ("clip_ratio/region_mean", "clipped", 4, true, "share of tokens whose ratio left the trusted region"),
    ("clip_ratio/low_mean", "clipped, low", 4, true, "of these, pushed down too far"),
    ("clip_ratio/high_mean", "clipped, high", 4, true, "of these, pulled up too far"),
    ("clip_ratio", "clipped", 4, true, "share of tokens whose ratio left the trusted region"),
    ("completions/mean_length", "length", 1, false, "tokens of a sample"),
    ("completions/clipped_ratio", "cut off", 2, true, "share of samples that did not come to an end"),
    ("completions/mean_terminated_length", "length, ended", 1, false, "tokens of a sample that came to an end"),
];

/// Draws the scalars that the run has.
pub(in crate::tui) fn render(app: &App, area: Rect, buf: &mut Buffer) {
    let measures: Vec<_> = ROWS
        .iter()
        .filter_map(|&(key, name, decimals, rate, meaning)| {
            scalar(app, &MetricKey(key.into()), name, decimals, if rate { RATE } else { None }, meaning)
        })
        .collect();
    table(app, Panel::Reward, &measures, area, buf);
}
