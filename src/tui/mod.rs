//! The dashboard: state / update / view, a terminal, and the loop that joins them.
//!
//! [`app::App`] is the state; [`app::App::update`] turns messages into a new state and effects, without I/O and without a
//! clock; [`view::render`] draws it and changes nothing; [`show`] joins them, or any other [`Screenful`], with a terminal
//! and a trainer.
//!
//! [`compare`], [`lab`] and [`lesson`] are screens of their own: several runs at once, the squeeze lab, and a lesson over
//! the dashboard or the lab.
//!
//! From outside: [`App::live`] or [`App::replay`], then [`show`]; [`Screenful::screenshot`] draws off-screen.
//!
//! Invariants: `app` and `view` do no I/O; only `theme` names colours; untrusted text is drawn as
//! [`Shown`](crate::text::Shown); whatever a clock decides disappears under [`app::App::hide_clock`].

pub mod app;
pub mod chart;
pub mod compare;
pub mod environment;
pub mod glossary;
pub mod glyphs;
pub mod input;
pub mod inquiry;
pub mod keymap;
pub mod lab;
pub mod lesson;
pub mod menu;
pub mod message;
pub mod notice;
pub mod panel;
pub mod paper;
pub mod run;
pub mod screenful;
pub mod tape;
pub mod terminal;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
pub mod theme;
mod upkeep;
pub mod view;

pub use app::App;
pub use glyphs::Glyphs;
pub use message::Message;
pub use run::{Live, Source, show};
pub use screenful::Screenful;
pub use theme::Theme;
