//! Grey pictures of the ten digits with their labels: what a classifier learns from.

/// Width and height of a picture.
pub const SIDE: usize = 28;
/// Pixels of a picture.
pub const PIXELS: usize = SIDE * SIDE;
/// The names of the classes; a label is an index into this list.
pub const CLASSES: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

/// Labelled pictures; there are [`PIXELS`] pixels a label.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pictures {
    /// `[pictures, rows, columns]`, row-major, 0 for paper and 255 for ink.
    pub pixels: Vec<u8>,
    /// The class of each, an index into [`CLASSES`].
    pub labels: Vec<u8>,
}

impl Pictures {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// The pictures at these indices, as ink between 0 and 1, one after the other.
    pub fn ink(&self, indices: &[usize]) -> Vec<f32> {
        let pixels = |&i: &usize| &self.pixels[i * PIXELS..(i + 1) * PIXELS];
        indices.iter().flat_map(pixels).map(|&grey| f32::from(grey) / 255.0).collect()
    }

    /// The classes of the pictures at these indices.
    pub fn labels_of(&self, indices: &[usize]) -> Vec<usize> {
        indices.iter().map(|&i| usize::from(self.labels[i])).collect()
    }

    /// The first `count` pictures of each class, class by class; fewer where there are fewer.
    pub fn first_of_each(&self, count: usize) -> Vec<usize> {
        let of = |class: usize| (0..self.len()).filter(move |&i| usize::from(self.labels[i]) == class).take(count);
        (0..CLASSES.len()).flat_map(of).collect()
    }
}

/// Pictures to learn from, and others to measure with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PictureSet {
    /// Learnt from.
    pub train: Pictures,
    /// Measured on, never learnt from.
    pub held_out: Pictures,
}
