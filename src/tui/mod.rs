//! The dashboard: state / update / view, a terminal, and the loop that joins them.
//!
//! [`app::App`] is the state; [`app::App::update`] turns messages into a new state and effects, without I/O and without a
//! clock; [`view::render`] draws it and changes nothing; [`run::run`] joins them with a terminal and a trainer.

pub mod app;
pub mod chart;
pub mod input;
pub mod keymap;
pub mod run;
pub mod terminal;
#[cfg(test)]
mod testing;
pub mod theme;
pub mod view;
