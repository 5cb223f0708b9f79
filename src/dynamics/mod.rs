//! Movements of belief: mass flow between two measurements, one step on one softmax, and how the two compare.

pub mod alike;
pub mod lab;
pub mod massflow;
pub mod microscope;
pub mod quadrature;
pub mod sight;
