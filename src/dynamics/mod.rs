//! How belief moves: mass flow between two measurements.

pub mod massflow;
