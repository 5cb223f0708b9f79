//! How belief moves: mass flow between two measurements, one step on one softmax, and what one step of learning does to
//! first order.

pub mod entk;
pub mod lab;
pub mod massflow;
