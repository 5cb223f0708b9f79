//! A stretch of a series as it is stored: up to a thousand points that are summed up by blocks, so that whoever draws or
//! averages a million of them looks at a few thousand sums. What is full never changes and is shared by every copy.

use std::ops::Range;

/// Points that are summed up together.
const BLOCK: usize = 64;
/// Points of a full chunk.
pub(super) const CHUNK: usize = 16 * BLOCK;

/// What is said of many points at once. NaN counts as nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Summary {
    /// The smallest and the largest value with their places, infinities included; of equal ones the earliest.
    pub extremes: Option<Extremes>,
    /// The smallest and the largest finite value.
    pub finite: Option<(f64, f64)>,
    /// Sum of the finite values.
    pub sum: f64,
    /// How many of them there are.
    pub count: u32,
}

/// The smallest and the largest of some values, with their places in the series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Extremes {
    /// The smallest.
    pub min: (f64, usize),
    /// The largest.
    pub max: (f64, usize),
}

impl Summary {
    /// Of one value.
    pub(super) fn of(value: f64, place: usize) -> Self {
        let mut summary = Self::default();
        summary.add(value, place);
        summary
    }

    /// Adds one value, which comes after all others.
    fn add(&mut self, value: f64, place: usize) {
        if value.is_nan() {
            return;
        }
        match &mut self.extremes {
            None => self.extremes = Some(Extremes { min: (value, place), max: (value, place) }),
            Some(Extremes { min, .. }) if value < min.0 => *min = (value, place),
            Some(Extremes { max, .. }) if value > max.0 => *max = (value, place),
            Some(_) => {}
        }
        if value.is_finite() {
            let (low, high) = self.finite.unwrap_or((value, value));
            self.finite = Some((low.min(value), high.max(value)));
            self.sum += value;
            self.count += 1;
        }
    }

    /// Of both; `later` comes after.
    pub fn join(self, later: Self) -> Self {
        let extremes = match (self.extremes, later.extremes) {
            (Some(a), Some(b)) => Some(Extremes {
                min: if b.min.0 < a.min.0 { b.min } else { a.min },
                max: if b.max.0 > a.max.0 { b.max } else { a.max },
            }),
            (a, b) => a.or(b),
        };
        let finite = match (self.finite, later.finite) {
            (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
            (a, b) => a.or(b),
        };
        Self { extremes, finite, sum: self.sum + later.sum, count: self.count + later.count }
    }

    /// The same where the place `from` is called `to`.
    pub(super) fn moved(self, from: usize, to: usize) -> Self {
        let shift = |(value, place): (f64, usize)| (value, place + to - from);
        Self { extremes: self.extremes.map(|e| Extremes { min: shift(e.min), max: shift(e.max) }), ..self }
    }

    /// The mean of the finite values; NaN where there are none.
    pub fn mean(&self) -> f64 {
        if self.count > 0 { self.sum / f64::from(self.count) } else { f64::NAN }
    }
}

/// The steps of a chunk. Most runs log at every step, or at every so many: those take no room.
#[derive(Debug, Clone)]
enum Steps {
    Even { first: u64, by: u64 },
    Listed(Vec<u64>),
}

impl Steps {
    fn get(&self, place: usize) -> u64 {
        match self {
            Self::Even { first, by } => first + by * place as u64,
            Self::Listed(steps) => steps[place],
        }
    }

    /// Appends the step of the point with this place.
    fn push(&mut self, place: usize, step: u64) {
        match self {
            Self::Listed(steps) => steps.push(step),
            Self::Even { first, by } => match place {
                0 => *first = step,
                // A step that falls is kept as it is: who wrote it is told elsewhere.
                1 if step >= *first => *by = step - *first,
                _ if place > 1 && first.checked_add(by.saturating_mul(place as u64)) == Some(step) => {}
                _ => {
                    let mut steps: Vec<u64> = (0..place).map(|at| self.get(at)).collect();
                    steps.push(step);
                    *self = Self::Listed(steps);
                }
            },
        }
    }
}

/// Up to [`CHUNK`] points.
#[derive(Debug, Clone)]
pub(super) struct Chunk {
    steps: Steps,
    values: Vec<f64>,
    /// Of every full block.
    blocks: Vec<Summary>,
    /// Of all points, once the chunk is full.
    whole: Summary,
}

impl Default for Chunk {
    fn default() -> Self {
        let steps = Steps::Even { first: 0, by: 0 };
        Self { steps, values: Vec::new(), blocks: Vec::new(), whole: Summary::default() }
    }
}

impl Chunk {
    pub(super) fn push(&mut self, step: u64, value: f64) {
        self.steps.push(self.values.len(), step);
        self.values.push(value);
        let len = self.values.len();
        if len.is_multiple_of(BLOCK) {
            self.blocks.push(self.scan(len - BLOCK..len));
        }
        if len == CHUNK {
            self.whole = self.blocks.iter().copied().reduce(Summary::join).unwrap_or_default();
        }
    }

    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.len() >= CHUNK
    }

    pub(super) fn step(&self, place: usize) -> u64 {
        self.steps.get(place)
    }

    pub(super) fn value(&self, place: usize) -> f64 {
        self.values[place]
    }

    /// The first `len` points.
    pub(super) fn first(&self, len: usize) -> Self {
        let mut first = Self::default();
        (0..len.min(self.len())).for_each(|place| first.push(self.step(place), self.value(place)));
        first
    }

    /// Of the points at these places.
    pub(super) fn summary(&self, range: Range<usize>) -> Summary {
        if range == (0..CHUNK) {
            return self.whole;
        }
        let (begin, end) = (range.start.div_ceil(BLOCK), range.end / BLOCK);
        if begin >= end {
            return self.scan(range);
        }
        let blocks = self.blocks[begin..end].iter().copied().reduce(Summary::join).unwrap_or_default();
        self.scan(range.start..begin * BLOCK).join(blocks).join(self.scan(end * BLOCK..range.end))
    }

    fn scan(&self, range: Range<usize>) -> Summary {
        let mut all = Summary::default();
        range.clone().zip(&self.values[range]).for_each(|(place, &value)| all.add(value, place));
        all
    }
}
