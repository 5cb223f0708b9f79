//! Movements of belief: mass flow between two measurements, and one step on one softmax.

pub mod lab;
pub mod massflow;
pub mod quadrature;
