//! Several runs on one screen: the overlay, and the panel of differences. State, update and view are apart as they are in
//! the dashboard.

mod app;
mod figure;
mod view;

#[cfg(test)]
mod tests;

pub use app::{Compare, CompareView, Row};
pub use figure::figure;
pub use view::render;
