//! The detector's table: how it does on labelled runs, recorded and synthetic.
//!
//! ```text
//! cargo bench --bench detector                 # the runs that ship in tests/detector, and the synthetic ones
//! cargo bench --bench detector -- FOLDER       # recordings (.jsonl.gz) of your own
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    unreachable_pub,
    reason = "a bench may fail and prints"
)]

mod synthetic;
mod table;

use std::path::Path;

fn main() {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/detector");
    match std::env::args().skip(1).find(|arg| !arg.starts_with('-')) {
        Some(folder) => println!("{}", table::table(&table::recordings(Path::new(&folder)))),
        None => {
            println!("Recorded\n\n{}", table::table(&table::recordings(&shipped)));
            println!("Synthetic\n\n{}", table::table(&synthetic::runs()));
        }
    }
}
