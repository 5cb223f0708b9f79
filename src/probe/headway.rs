//! Word of how far a measurement has come, for whoever waits for a long one.

use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Between two words of one part.
const BETWEEN: Duration = Duration::from_millis(100);

/// Tells what of a measurement is being done, and the share of that which is done, 0 to 1, where it is counted.
pub struct Headway<'a>(Mutex<Telling<'a>>);

struct Telling<'a> {
    tell: &'a mut (dyn FnMut(&str, Option<f64>) + Send),
    next: Instant,
}

impl<'a> Headway<'a> {
    /// A measurement begins; `tell` gets word of it, on whatever thread works.
    pub fn new(tell: &'a mut (dyn FnMut(&str, Option<f64>) + Send)) -> Self {
        Self(Mutex::new(Telling { tell, next: Instant::now() + BETWEEN }))
    }

    /// A part begins of which nobody counts how much is done.
    pub fn begin(&self, doing: &str) {
        self.say(doing, None, |_| true);
    }

    /// So much of a part is done. Whoever finds another thread speaking says nothing.
    #[allow(clippy::cast_precision_loss, reason = "a share for a screen")]
    pub(crate) fn count(&self, doing: &str, done: usize, of: usize) {
        self.say(doing, Some(done as f64 / of.max(1) as f64), |next| Instant::now() >= next);
    }

    fn say(&self, doing: &str, share: Option<f64>, is_due: impl Fn(Instant) -> bool) {
        if let Ok(mut telling) = self.0.try_lock()
            && is_due(telling.next)
        {
            telling.next = Instant::now() + BETWEEN;
            (telling.tell)(doing, share);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Headway;

    #[test]
    fn every_part_is_told_and_of_its_counting_now_and_then() {
        let mut told = Vec::new();
        let mut tell = |doing: &str, share| told.push((doing.to_owned(), share));
        let headway = Headway::new(&mut tell);
        (0..1000).for_each(|done| headway.count("reading", done, 1000));
        std::thread::sleep(super::BETWEEN);
        headway.count("reading", 1000, 1000);
        headway.begin("writing");
        let words: Vec<_> = told.iter().map(|(doing, share)| (doing.as_str(), *share)).collect();
        assert_eq!(words[words.len() - 2..], [("reading", Some(1.0)), ("writing", None)]);
        assert!(words.len() < 100, "{}", words.len());
    }
}
