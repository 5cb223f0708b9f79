//! The distance of numbers in single precision from what is expected.

/// The largest difference, relative to the largest expected number; no number where one of the two holds none or they are
/// not equally many.
pub(crate) fn apart(found: &[f32], expected: &[f64]) -> f64 {
    if found.len() != expected.len() || expected.is_empty() {
        return f64::NAN;
    }
    let largest = expected.iter().fold(f64::MIN_POSITIVE, |most, e| most.max(e.abs()));
    let far = |(&f, &e): (&f32, &f64)| (f64::from(f) - e).abs();
    // `f64::max` would drop what is no number.
    found.iter().zip(expected).map(far).fold(0.0, |most: f64, d| if d > most || d.is_nan() { d } else { most })
        / largest
}

#[cfg(test)]
mod tests {
    use super::apart;

    #[test]
    fn differences_are_relative_and_never_lost() {
        assert_eq!(apart(&[1.0, -4.0], &[1.0, -2.0]), 1.0);
        assert!(apart(&[f32::NAN, 0.0], &[1.0, 2.0]).is_nan());
        assert!(apart(&[1.0], &[1.0, 2.0]).is_nan() && apart(&[], &[]).is_nan());
    }
}
