//! Two computations side by side, each on half of the processor's cores.
//!
//! The halves of a gradient need nothing of each other. One after the other, each of their operations would be shared out
//! among all cores, and every core would wait at the end of each; side by side neither waits for the other. What an operation
//! gives does not depend on the threads that share it, so that the numbers are the same either way.

use std::sync::LazyLock;

use rayon::{ThreadPool, ThreadPoolBuilder};

/// A pool each, which takes nothing of the other's work: a thread that waits inside one graph must not begin with another.
/// `None` on a single core, and where no threads are to be had.
static POOLS: LazyLock<Option<[ThreadPool; 2]>> = LazyLock::new(|| {
    let threads = rayon::current_num_threads();
    let pool = || ThreadPoolBuilder::new().num_threads(threads.div_ceil(2)).build().ok();
    if threads > 1 { Some([pool()?, pool()?]) } else { None }
});

/// What both give.
pub(super) fn both<A: Send, B: Send>(first: impl FnOnce() -> A + Send, second: impl FnOnce() -> B + Send) -> (A, B) {
    let Some([left, right]) = &*POOLS else { return (first(), second()) };
    let mut of_second = None;
    let of_first = right.in_place_scope(|scope| {
        scope.spawn(|_| of_second = Some(second()));
        left.install(first)
    });
    // A scope ends when all that was begun in it has ended, or with its panic.
    (of_first, of_second.unwrap_or_else(|| unreachable!("the scope has ended")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_give_what_they_give_alone() {
        let mut seen = 0;
        let sum = |to: u64| (1..=to).sum::<u64>();
        assert_eq!(both(|| sum(10), || sum(100)), (55, 5050));
        both(|| (), || seen = 7);
        assert_eq!(seen, 7);
        // Inside of one another too.
        assert_eq!(both(|| both(|| 1, || 2), || both(|| 3, || 4)), ((1, 2), (3, 4)));
    }

    #[test]
    #[should_panic(expected = "of the second")]
    fn a_panic_is_handed_on() {
        both(|| (), || panic!("of the second"));
    }
}
