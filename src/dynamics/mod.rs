//! How belief moves: mass flow between two measurements, and what one step of learning does to first order.

pub mod entk;
pub mod massflow;
