//! The dashboard: state / update / view, a terminal, and the loop that joins them.
//!
//! [`app::App`] is the state; [`app::App::update`] turns messages into a new state and effects, without I/O and without a
//! clock; [`view::render`] draws it and changes nothing; [`run::run`] joins them, or any
//! other [`screenful::Screenful`], with a terminal and a trainer.
//!
//! [`compare`] is a screen of its own, over several runs at once.
//!
//! From outside: [`app::App::live`] or [`app::App::replay`], then [`run::run`]; [`screenful::screenshot`] draws off-screen.
//!
//! Invariants: `app` and `view` do no I/O; only `theme` names colours; untrusted text is drawn as
//! [`Shown`](crate::text::Shown); whatever a clock decides disappears under [`app::App::hide_clock`].

pub mod app;
pub mod chart;
pub mod compare;
pub mod environment;
pub mod glyphs;
pub mod input;
pub mod inquiry;
pub mod keymap;
pub mod lab;
pub mod message;
pub mod notice;
pub mod paper;
pub mod run;
pub mod screenful;
pub mod terminal;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
pub mod theme;
mod upkeep;
pub mod view;
