//! The dashboard: state / update / view, a terminal, and the loop that joins them.

pub mod chart;
pub mod theme;
