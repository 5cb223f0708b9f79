//! Sums and the largest of many numbers, eight at a time: in one chain each would wait for the one before, and compilers may
//! not change the order.

const LANES: usize = 8;

/// Σ a·b.
#[inline(always)]
pub(in crate::model) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a, a_rest) = a.as_chunks::<LANES>();
    let (b, b_rest) = b.as_chunks::<LANES>();
    let mut sums = [0.0f32; LANES];
    for (a, b) in a.iter().zip(b) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f32>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f32>()
}

/// Σ a.
#[inline(always)]
pub(in crate::model) fn sum(a: &[f32]) -> f32 {
    let (a, rest) = a.as_chunks::<LANES>();
    let mut sums = [0.0f32; LANES];
    for a in a {
        sums.iter_mut().zip(a).for_each(|(sum, a)| *sum += a);
    }
    sums.iter().sum::<f32>() + rest.iter().sum::<f32>()
}

/// The largest number; −∞ of none.
#[inline(always)]
pub(in crate::model) fn largest(a: &[f32]) -> f32 {
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    let (a, rest) = a.as_chunks::<LANES>();
    let mut most = [f32::NEG_INFINITY; LANES];
    for a in a {
        most.iter_mut().zip(a).for_each(|(most, &a)| *most = larger(*most, a));
    }
    most.iter().chain(rest).copied().fold(f32::NEG_INFINITY, larger)
}

#[cfg(test)]
mod tests {
    use super::{dot, largest, sum};

    #[test]
    fn every_number_counts_once() {
        for length in [0, 1, 7, 8, 9, 31] {
            let a: Vec<f32> = (0..length).map(|i| f32::from(i as u8) - 3.0).collect();
            assert_eq!(sum(&a), a.iter().sum::<f32>());
            assert_eq!(dot(&a, &a), a.iter().map(|a| a * a).sum::<f32>());
            assert_eq!(largest(&a), a.last().copied().unwrap_or(f32::NEG_INFINITY));
        }
        assert_eq!(largest(&[-5.0, -2.0, -9.0]), -2.0);
    }
}
