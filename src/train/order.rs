//! The order in which examples are seen.

use std::collections::{BTreeSet, VecDeque};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Endless epochs, each a new permutation; the same seed gives the same order on every machine.
pub(super) struct Order {
    rng: ChaCha8Rng,
    examples: usize,
    left: Vec<usize>,
}

impl Order {
    /// An order over `examples` examples, of stage `stage` of a run with the given seed.
    pub(super) fn new(seed: u64, stage: usize, examples: usize) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stage as u64 + 1);
        Self { rng, examples, left: Vec::new() }
    }

    /// The next batch. Batches run on from one epoch into the next.
    pub(super) fn take(&mut self, count: usize) -> Vec<usize> {
        while self.left.len() < count {
            let mut epoch: Vec<usize> = (0..self.examples).collect();
            // Fisher and Yates; the bias of a remainder of 64 random bits is far below one in 10^15.
            for i in (1..epoch.len()).rev() {
                #[allow(clippy::cast_possible_truncation, reason = "a remainder below the number of examples")]
                epoch.swap(i, (self.rng.next_u64() % (i as u64 + 1)) as usize);
            }
            self.left.extend(epoch);
        }
        self.left.drain(..count).collect()
    }
}

/// A stage's batches, step by step, with a look at those to come.
pub(super) struct Batches {
    order: Order,
    batch_size: usize,
    slices: usize,
    ahead: VecDeque<Vec<Vec<usize>>>,
}

impl Batches {
    /// Steps of `slices` slices of `batch_size` examples.
    pub(super) fn new(order: Order, batch_size: usize, slices: usize) -> Self {
        Self { order, batch_size, slices, ahead: VecDeque::new() }
    }

    /// The slices of the next step.
    pub(super) fn take(&mut self) -> Vec<Vec<usize>> {
        self.ahead.pop_front().unwrap_or_else(|| self.draw())
    }

    /// Passes over the batches of so many steps.
    pub(super) fn skip(&mut self, steps: u64) {
        for _ in 0..steps {
            self.take();
        }
    }

    /// Steps after which, counted from the first, every example has been seen.
    pub(super) fn epoch(&self) -> usize {
        self.order.examples.div_ceil((self.batch_size * self.slices).max(1))
    }

    /// The examples of the next `steps` steps, each once, ascending.
    pub(super) fn examples_of_next(&mut self, steps: usize) -> Vec<usize> {
        while self.ahead.len() < steps {
            let step = self.draw();
            self.ahead.push_back(step);
        }
        let next = self.ahead.iter().take(steps).flatten().flatten().copied();
        next.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// The examples of the first `steps` steps, the latest first, each once, at most so many.
    pub(super) fn latest_of(mut self, steps: u64, most: usize) -> Vec<usize> {
        let mut latest: VecDeque<usize> = VecDeque::new();
        for example in (0..steps).flat_map(|_| self.take().into_iter().flatten().collect::<Vec<_>>()) {
            latest.retain(|&kept| kept != example);
            latest.push_front(example);
            latest.truncate(most);
        }
        latest.into()
    }

    fn draw(&mut self) -> Vec<Vec<usize>> {
        (0..self.slices).map(|_| self.order.take(self.batch_size)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Batches, Order};

    #[test]
    fn a_look_ahead_changes_nothing() {
        let batches = || Batches::new(Order::new(7, 1, 10), 3, 2);
        let (mut plain, mut looking) = (batches(), batches());
        for step in 0..20 {
            if step % 4 == 0 {
                let ahead = looking.examples_of_next(4);
                assert!(ahead.is_sorted() && ahead.len() == 10, "24 examples of 10 are all of them");
            }
            assert_eq!(plain.take(), looking.take());
        }
    }

    #[test]
    fn the_latest_examples_are_those_of_the_last_steps() {
        let batches = || Batches::new(Order::new(7, 1, 10), 3, 1);
        let mut all = batches();
        let steps: Vec<usize> = (0..5).flat_map(|_| all.take()).flatten().collect();
        let latest = batches().latest_of(5, 4);
        assert_eq!((latest[0], latest.len()), (steps[14], 4));
        assert!(latest.iter().all(|example| steps[9..].contains(example)));
        assert_eq!(batches().latest_of(5, 99).len(), 10);
        assert!(batches().latest_of(0, 4).is_empty());
    }

    #[test]
    fn batches_go_on_from_any_step() {
        let mut whole = Batches::new(Order::new(7, 1, 10), 3, 2);
        let expected: Vec<_> = (0..20).map(|_| whole.take()).collect();
        for (taken, expected) in expected.iter().enumerate() {
            let mut rest = Batches::new(Order::new(7, 1, 10), 3, 2);
            rest.skip(taken as u64);
            assert_eq!(rest.take(), *expected);
        }
    }

    #[test]
    fn every_epoch_sees_every_example_once() {
        let mut order = Order::new(3, 0, 10);
        let mut epoch: Vec<usize> = (0..4).flat_map(|_| order.take(5)).collect();
        let mut second = epoch.split_off(10);
        assert_ne!(epoch, second);
        epoch.sort_unstable();
        second.sort_unstable();
        assert_eq!(epoch, (0..10).collect::<Vec<_>>());
        assert_eq!(second, epoch);
    }

    #[test]
    fn seed_and_stage_decide() {
        let first = |seed, stage| Order::new(seed, stage, 100).take(100);
        assert_eq!(first(1, 0), first(1, 0));
        assert_ne!(first(1, 0), first(2, 0));
        assert_ne!(first(1, 0), first(1, 1));
    }
}
