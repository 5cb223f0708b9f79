//! Generated pictures of digits: strokes of a pen, drawn by a shaky hand.
//!
//! A picture begins as one of a few ways to write its digit (`glyphs`): polylines and arcs in a box of height one. The
//! hand bends them with slow waves, then stretches, slants, turns and moves the whole; the pen has a width and a
//! darkness; the paper has grain and stray marks. All of that is scaled by `variety`: 0 draws every picture of a way of
//! writing alike. A 4 and a 9 share their stem and nearly their loop, as in handwriting; so do 3 and 8, and 1 and 7.
//!
//! Pure arithmetic over a seeded stream: no font, no file.

mod glyphs;
#[cfg(test)]
mod tests;

use std::f64::consts::{PI, TAU};

use self::glyphs::Point;
use super::pictures::{CLASSES, PIXELS, PictureSet, Pictures, SIDE};
use super::world::Source;
use crate::experiment::DigitPictures;

/// Height of an undistorted digit, pixels; MNIST's digits are as tall.
const HEIGHT: f64 = 20.0;
/// Longest stretch of an arc that is drawn as a straight line, degrees.
const ARC_STEP: f64 = 15.0;

// How far chance goes at variety 1: half-widths of uniform draws, unless a name says otherwise.
const TURN: f64 = 0.21; // radians
const SLANT: f64 = 0.26; // columns per row
const STRETCH: f64 = 0.17; // natural logarithm of the factor
const MOVE: f64 = 1.35; // pixels
const WAVE: f64 = 0.065; // heights of a digit
const WIDTH: (f64, f64) = (1.3, 0.75); // half the pen's width in pixels: usual, half-width
const DARKNESS: f64 = 0.35; // at most so much paler than black
const GRAIN: f64 = 0.1; // standard deviation of a pixel
const MARKS: usize = 3; // stray marks, at most
const MARK_LENGTH: f64 = 4.0; // pixels, at most

/// Draws as many pictures as asked for; the labels take turns, so there are as many of each digit.
pub fn digits(seed: u64, settings: &DigitPictures) -> PictureSet {
    let draw = |purpose: &str, count: usize| {
        let mut source = Source::new(purpose, seed);
        let mut pictures = Pictures { pixels: Vec::with_capacity(count * PIXELS), labels: Vec::with_capacity(count) };
        for i in 0..count {
            let digit = i % CLASSES.len();
            pictures.pixels.extend(picture(digit, settings.variety, &mut source));
            pictures.labels.push(digit as u8);
        }
        pictures
    };
    PictureSet { train: draw("digits train", settings.train), held_out: draw("digits held out", settings.held_out) }
}

/// One picture of `digit`, 0 for paper and 255 for ink.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to a byte")]
fn picture(digit: usize, variety: f64, source: &mut Source) -> Vec<u8> {
    let variants = glyphs::DIGITS[digit];
    let strokes = variants[source.below(variants.len())];
    let hand = Hand::new(variety, source);
    let half_width = (WIDTH.0 + variety * WIDTH.1 * symmetric(source)).max(0.5);
    let darkness = 1.0 - (variety * DARKNESS * source.unit()).min(0.9);
    let mut ink = vec![0.0; PIXELS];
    for stroke in strokes {
        let line: Vec<Point> = polyline(stroke).into_iter().map(|point| hand.place(point)).collect();
        draw(&mut ink, &line, half_width, darkness);
    }
    for _ in 0..marks(variety, source) {
        let from = (source.unit() * SIDE as f64, source.unit() * SIDE as f64);
        let (length, angle) = (MARK_LENGTH * source.unit(), TAU * source.unit());
        let to = (from.0 + length * angle.cos(), from.1 + length * angle.sin());
        let darkness = 0.2 + 0.5 * source.unit();
        draw(&mut ink, &[from, to], 0.5 + 0.5 * source.unit(), darkness);
    }
    let grain = |source: &mut Source| variety * GRAIN * normal(source);
    ink.iter().map(|x| (255.0 * (x + grain(source)).clamp(0.0, 1.0)).round() as u8).collect()
}

/// How many stray marks a picture gets.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few marks")]
fn marks(variety: f64, source: &mut Source) -> usize {
    (variety.min(8.0) * source.below(MARKS + 1) as f64).round() as usize
}

/// Uniform in [−1, 1).
fn symmetric(source: &mut Source) -> f64 {
    2.0 * source.unit() - 1.0
}

/// A standard normal deviate (Box and Muller).
fn normal(source: &mut Source) -> f64 {
    let radius = (-2.0 * (1.0 - source.unit()).ln()).sqrt();
    radius * (TAU * source.unit()).cos()
}

/// What one hand does to the points of a digit.
struct Hand {
    /// Slow waves along each axis: amplitude, waves a height, phase.
    waves: [(f64, f64, f64); 2],
    /// Stretch, slant and turn, in that order, as one matrix.
    matrix: [[f64; 2]; 2],
    centre: Point,
}

impl Hand {
    fn new(variety: f64, source: &mut Source) -> Self {
        let mut by = |most: f64| variety * most * symmetric(source);
        let waves = [0, 1].map(|_| (by(WAVE), 1.0 + by(0.5), by(PI)));
        let (wide, tall) = (by(STRETCH).exp(), by(STRETCH).exp());
        let (slant, (sin, cos)) = (by(SLANT), by(TURN).sin_cos());
        let middle = SIDE as f64 / 2.0;
        let centre = (middle + by(MOVE), middle + by(MOVE));
        let slanted = [[wide, -slant * tall], [0.0, tall]];
        let row = |a: f64, b: f64| [0, 1].map(|column| a * slanted[0][column] + b * slanted[1][column]);
        Self { waves, matrix: [row(cos, -sin), row(sin, cos)], centre }
    }

    /// A point of the box of height one, in pixels.
    fn place(&self, (x, y): Point) -> Point {
        let wave = |(amplitude, frequency, phase): (f64, f64, f64), along: f64| {
            amplitude * (PI * frequency * along * 2.0 + phase).sin()
        };
        let (x, y) = (x + wave(self.waves[0], y), y + wave(self.waves[1], x));
        let row = |[a, b]: [f64; 2]| HEIGHT * (a * x + b * y);
        (self.centre.0 + row(self.matrix[0]), self.centre.1 + row(self.matrix[1]))
    }
}

/// A stroke as points close enough to be joined by straight lines.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few dozen points")]
fn polyline(stroke: &[glyphs::Piece]) -> Vec<Point> {
    let mut points = Vec::new();
    for piece in stroke {
        match *piece {
            glyphs::Piece::Line(corners) => {
                // Lines are cut up as well, so that the hand's waves bend them.
                for &corner in corners {
                    let from = points.last().copied().unwrap_or(corner);
                    let between = |t: f64| (from.0 + t * (corner.0 - from.0), from.1 + t * (corner.1 - from.1));
                    points.extend([0.25, 0.5, 0.75, 1.0].map(between));
                }
            }
            glyphs::Piece::Arc { centre, radius, from, to } => {
                let count = ((to - from).abs() / ARC_STEP).ceil().max(1.0);
                for i in 0..=count as usize {
                    let angle: f64 = (from + (to - from) * i as f64 / count).to_radians();
                    points.push((centre.0 + radius.0 * angle.cos(), centre.1 + radius.1 * angle.sin()));
                }
            }
        }
    }
    points
}

/// Draws a line with a round pen: a pixel is as dark as the share of it that the pen covers, nearly.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the picture")]
fn draw(ink: &mut [f64], line: &[Point], half_width: f64, darkness: f64) {
    let reach = half_width + 1.0;
    let span = |a: f64, b: f64| {
        let clamped = |x: f64| x.clamp(0.0, SIDE as f64) as usize;
        clamped(a.min(b) - reach)..clamped((a.max(b) + reach).ceil())
    };
    for ends in line.windows(2) {
        let (a, b) = (ends[0], ends[1]);
        for row in span(a.1, b.1) {
            for column in span(a.0, b.0) {
                let away = distance((column as f64 + 0.5, row as f64 + 0.5), a, b);
                let covered = (half_width + 0.5 - away).clamp(0.0, 1.0);
                let pixel = &mut ink[row * SIDE + column];
                *pixel = pixel.max(darkness * covered);
            }
        }
    }
}

/// Distance of a point from the line between two others.
fn distance(point: Point, a: Point, b: Point) -> f64 {
    let (along, from) = ((b.0 - a.0, b.1 - a.1), (point.0 - a.0, point.1 - a.1));
    let length = along.0 * along.0 + along.1 * along.1;
    let t = if length > 0.0 { ((from.0 * along.0 + from.1 * along.1) / length).clamp(0.0, 1.0) } else { 0.0 };
    (from.0 - t * along.0).hypot(from.1 - t * along.1)
}
