//! Chance, spelled out: the same seed gives the same draws whatever the versions of the crates, since only the
//! generator's raw 64-bit words are used.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A stream of random draws, named by what it is for.
pub(crate) struct Source(ChaCha8Rng);

impl Source {
    /// The stream of `seed` for `purpose`; different purposes (at most 24 bytes count) are independent.
    pub(crate) fn new(purpose: &str, seed: u64) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        for (slot, byte) in key[8..].iter_mut().zip(purpose.bytes()) {
            *slot = byte;
        }
        Self(ChaCha8Rng::from_seed(key))
    }

    /// How far the stream has been read, in 32-bit words.
    pub(crate) fn position(&self) -> u128 {
        self.0.get_word_pos()
    }

    /// Goes on reading from a position.
    pub(crate) fn seek(&mut self, position: u128) {
        self.0.set_word_pos(position);
    }

    /// Uniform in [0, 1), with 53 random bits.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Uniform in `0..n`; `n` must not be 0. The bias, below n / 2⁶⁴, is immaterial.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.0.next_u64()) * n as u128) >> 64) as usize
    }

    /// One of `items`, uniformly; `items` must not be empty.
    pub(crate) fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }

    /// An index drawn with probability proportional to `weights`.
    pub(crate) fn weighted(&mut self, weights: &[f64]) -> usize {
        let mut left = self.unit() * weights.iter().sum::<f64>();
        for (index, weight) in weights.iter().enumerate() {
            left -= weight;
            if left < 0.0 {
                return index;
            }
        }
        weights.len() - 1
    }

    /// Fisher–Yates.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }

    /// The words of a response in another order, with its leading space if it had one.
    pub(crate) fn shuffle_words(&mut self, text: &str) -> String {
        let mut words: Vec<&str> = text.split_whitespace().collect();
        self.shuffle(&mut words);
        let lead = if text.starts_with(' ') { " " } else { "" };
        format!("{lead}{}", words.join(" "))
    }
}

/// Zipf's law over ranks: the weight of rank i (from 0) is (i + 1)^−exponent.
pub(super) struct Zipf {
    cumulative: Vec<f64>,
}

impl Zipf {
    /// A sampler for lists of up to `longest` entries.
    pub(super) fn new(exponent: f64, longest: usize) -> Self {
        let cumulative = (1..=longest)
            .scan(0.0, |sum, rank| {
                *sum += (rank as f64).powf(-exponent);
                Some(*sum)
            })
            .collect();
        Self { cumulative }
    }

    /// An entry of `ranking`, best first.
    pub(super) fn draw<T: Copy>(&self, source: &mut Source, ranking: &[T]) -> T {
        let cumulative = &self.cumulative[..ranking.len()];
        let target = source.unit() * cumulative[cumulative.len() - 1];
        ranking[cumulative.partition_point(|&sum| sum <= target).min(ranking.len() - 1)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zipf_frequencies_follow_the_law() {
        let (zipf, mut source) = (Zipf::new(1.4, 40), Source::new("test", 1));
        let ranking: Vec<usize> = (0..10).collect();
        let mut counts = [0.0; 10];
        for _ in 0..100_000 {
            counts[zipf.draw(&mut source, &ranking)] += 1.0;
        }
        let total: f64 = (1..=10).map(|rank| f64::from(rank).powf(-1.4)).sum();
        for (rank, count) in counts.iter().enumerate() {
            let expected = 100_000.0 * ((rank + 1) as f64).powf(-1.4) / total;
            assert!((count - expected).abs() < 5.0 * expected.sqrt(), "rank {rank}: {count} against {expected}");
        }
    }

    #[test]
    fn streams_depend_on_seed_and_purpose() {
        let first = |purpose, seed| Source::new(purpose, seed).below(1 << 40);
        assert_eq!(first("a", 1), first("a", 1));
        assert_ne!(first("a", 1), first("b", 1));
        assert_ne!(first("a", 1), first("a", 2));
    }

    #[test]
    fn a_stream_goes_on_from_any_position() {
        for draws in [0, 1, 7, 8, 31, 32, 33, 1000] {
            let mut source = Source::new("test", 5);
            for _ in 0..draws {
                source.unit();
            }
            let mut other = Source::new("test", 5);
            other.seek(source.position());
            assert!((0..100).all(|_| source.unit() == other.unit()), "after {draws} draws");
        }
    }

    #[test]
    fn shuffling_keeps_the_words() {
        let shuffled = Source::new("test", 3).shuffle_words(" one two three four five six");
        assert!(shuffled.starts_with(' '));
        assert_ne!(shuffled, " one two three four five six");
        let mut words: Vec<_> = shuffled.split_whitespace().collect();
        words.sort_unstable();
        assert_eq!(words, ["five", "four", "one", "six", "three", "two"]);
    }
}
