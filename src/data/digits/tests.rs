//! Whether the pictures are what they are said to be.
#![allow(clippy::unwrap_used, clippy::cast_precision_loss, reason = "tests fail by panicking, on small numbers")]

use super::*;

fn draw(seed: u64, train: usize, variety: f64) -> PictureSet {
    digits(seed, &DigitPictures { train, held_out: 20, variety })
}

/// The mean picture of each digit.
fn means(pictures: &Pictures) -> Vec<Vec<f64>> {
    let mean = |digit: usize| {
        let of: Vec<usize> = (0..pictures.len()).filter(|&i| usize::from(pictures.labels[i]) == digit).collect();
        let mut mean = vec![0.0; PIXELS];
        for picture in pictures.ink(&of).chunks_exact(PIXELS) {
            for (sum, &x) in mean.iter_mut().zip(picture) {
                *sum += f64::from(x) / of.len() as f64;
            }
        }
        mean
    };
    (0..CLASSES.len()).map(mean).collect()
}

fn apart(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
}

#[test]
fn the_seed_decides_and_held_out_pictures_are_others() {
    let set = draw(3, 20, 1.0);
    assert_eq!(set, draw(3, 20, 1.0));
    assert_ne!(set.train, draw(4, 20, 1.0).train);
    assert_ne!(set.train.pixels, set.held_out.pixels);
    assert_eq!(draw(3, 30, 1.0).train.pixels[..set.train.pixels.len()], set.train.pixels, "more of the same");
}

#[test]
fn there_are_as_many_of_each_digit() {
    let pictures = draw(1, 103, 1.0).train;
    assert_eq!(pictures.pixels.len(), pictures.len() * PIXELS);
    for digit in 0..10 {
        let count = pictures.labels.iter().filter(|&&l| l == digit).count();
        assert!((10..=11).contains(&count));
    }
}

#[test]
fn every_picture_is_ink_on_paper_and_within_its_frame() {
    let pictures = draw(2, 300, 0.0).train;
    for i in 0..pictures.len() {
        let ink = pictures.ink(&[i]);
        let share = ink.iter().sum::<f32>() / PIXELS as f32;
        assert!((0.03..0.3).contains(&share), "a {} of {share}", pictures.labels[i]);
        let edge = (0..SIDE).flat_map(|k| [k, (SIDE - 1) * SIDE + k, k * SIDE, k * SIDE + SIDE - 1]);
        assert!(edge.into_iter().all(|at| ink[at] == 0.0), "a {} reaches the edge", pictures.labels[i]);
    }
}

#[test]
fn without_variety_a_way_of_writing_is_drawn_alike_and_with_it_no_two_are() {
    let distinct = |variety: f64| {
        let pictures = draw(5, 400, variety).train;
        let fours: std::collections::BTreeSet<Vec<u8>> = (0..pictures.len())
            .filter(|&i| pictures.labels[i] == 4)
            .map(|i| pictures.pixels[i * PIXELS..(i + 1) * PIXELS].to_vec())
            .collect();
        fours.len()
    };
    assert_eq!((distinct(0.0), distinct(1.0)), (glyphs::DIGITS[4].len(), 40));
}

/// The likeness that the experiment is about: of all digits, a 9 is nearest to a 4, an 8 or a 5 to a 3.
#[test]
fn look_alikes_look_alike() {
    let means = means(&draw(7, 2000, 1.0).train);
    for (digit, alike) in [(4, vec![9]), (9, vec![4]), (3, vec![5, 8])] {
        let nearest = (0..10)
            .filter(|&other| other != digit)
            .min_by(|&a, &b| apart(&means[digit], &means[a]).total_cmp(&apart(&means[digit], &means[b])));
        assert!(alike.contains(&nearest.unwrap()), "{nearest:?} is nearest to {digit}");
    }
}

#[test]
fn any_variety_draws() {
    for variety in [0.0, 0.5, 3.0, 1e6, f64::MAX] {
        assert_eq!(draw(1, 10, variety).train.len(), 10);
    }
}
