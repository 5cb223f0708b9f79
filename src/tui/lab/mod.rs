//! The squeeze lab on the screen: one softmax, one class that is pushed down or pulled up, and what that does to the
//! others. State / update / view as in the dashboard, with the same loop, terminal, keys and screenshots.
//!
//! From outside: [`Lab::new`], then [`run`](super::run::run).

mod app;
mod bars;
mod view;

#[cfg(test)]
mod tests;

pub use app::{Lab, Scale};
