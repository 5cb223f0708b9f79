//! The run on disk: a directory that holds the experiment as run, its events (one JSON object a line) and a summary.
//! The events file depends on the events alone, so the same run writes the same bytes.

pub mod directory;
mod follow;
pub mod import;
mod lines;
mod load;
mod own;
mod packed;
pub mod reader;
mod recording;
pub mod schema;
mod silence;
mod summary;
pub mod writer;

pub use directory::RunDirectory;
pub use follow::Follower;
pub use import::Trained;
pub use lines::Lines;
pub use load::{Loaded, Loader};
pub use own::{Folder, own_file};
pub use packed::{open, unpacked};
pub use reader::{RunReader, read};
pub use recording::Recording;
pub use summary::{Outcome, Summary};
pub use writer::{Extent, RunWriter};
