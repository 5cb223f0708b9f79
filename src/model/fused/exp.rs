//! The exponential function in a form that compilers vectorise; the standard library's is a call for every number.

/// eˣ to within 2 units in the last place; 0 far below and a large finite number far above.
#[inline(always)]
pub(in crate::model) fn exp(x: f32) -> f32 {
    const LOG2_E: f32 = std::f32::consts::LOG2_E;
    /// ln 2 in two parts, the first of which has few bits.
    const LN_2: (f32, f32) = (0.693_359_4, -2.121_944_4e-4);
    /// Adding and taking it away rounds to a whole number.
    const ROUND: f32 = 12_582_912.0;
    let x = x.clamp(-87.0, 88.0);
    let rounded = x * LOG2_E + ROUND;
    let power = rounded - ROUND;
    let rest = x - power * LN_2.0 - power * LN_2.1;
    // The minimax polynomial of Cephes' expf.
    let series = [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 0.166_666_65, 0.5];
    let sum = series.iter().fold(1.987_569_1e-4, |sum, &c| sum * rest + c);
    let mantissa = sum * rest * rest + rest + 1.0;
    // The lowest bits of the rounded number are the power's, whose conversion compilers would do one number at a time.
    mantissa * f32::from_bits(rounded.to_bits().wrapping_add(127) << 23)
}

/// 1 / (1 + e⁻ˣ).
#[inline(always)]
pub(in crate::model) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

#[cfg(test)]
mod tests {
    use super::{exp, sigmoid};

    #[test]
    fn it_is_the_standard_librarys_to_the_last_bits() {
        for i in -8_600..8_700 {
            let x = i as f32 * 0.01 + 0.003;
            let expected = f64::from(x).exp();
            assert!((f64::from(exp(x)) / expected - 1.0).abs() < 2.5e-7, "{x}: {} is not {expected}", exp(x));
        }
        assert_eq!(exp(0.0), 1.0);
        assert!(exp(-1e9) < 1e-37 && exp(1e9).is_finite());
        assert!((sigmoid(0.0), sigmoid(200.0)) == (0.5, 1.0) && sigmoid(-80.0) > 0.0);
    }
}
