//! Gauss–Legendre quadrature.

use std::f64::consts::PI;

/// Nodes and weights of the rule with `n` nodes on [0, 1], nodes ascending: exact for polynomials of degree 2n − 1
/// (Golub & Welsch, Math. Comp. 23, 1969). Nodes are zeros of the Legendre polynomial, found by Newton's method from
/// Tricomi's guess.
#[allow(clippy::cast_precision_loss, reason = "a handful of nodes")]
pub fn gauss_legendre(n: usize) -> Vec<(f64, f64)> {
    let node = |i: usize| {
        let mut x = -(PI * (i as f64 + 0.75) / (n as f64 + 0.5)).cos();
        // It doubles the digits each time, and the guess has two or more.
        for _ in 0..6 {
            let (value, slope) = legendre(n, x);
            x -= value / slope;
        }
        let (_, slope) = legendre(n, x);
        // On [−1, 1] the weight is 2/((1 − x²)·P′²).
        (f64::midpoint(x, 1.0), 1.0 / ((1.0 - x * x) * slope * slope))
    };
    (0..n).map(node).collect()
}

/// The Legendre polynomial of degree `n` and its slope, within (−1, 1).
#[allow(clippy::cast_precision_loss, reason = "a handful of nodes")]
fn legendre(n: usize, x: f64) -> (f64, f64) {
    let (mut before, mut now) = (1.0, x);
    for degree in 2..=n {
        let d = degree as f64;
        (before, now) = (now, ((2.0 * d - 1.0) * x * now - (d - 1.0) * before) / d);
    }
    let n = n as f64;
    (now, n * (x * now - before) / (x * x - 1.0))
}

#[cfg(test)]
mod tests {
    use super::gauss_legendre;

    #[test]
    fn polynomials_up_to_twice_the_nodes_are_integrated_exactly_and_no_further() {
        for n in 1..=8 {
            let rule = gauss_legendre(n);
            assert!(rule.windows(2).all(|pair| pair[0].0 < pair[1].0));
            for degree in 0..=2 * n {
                let power = i32::try_from(degree).unwrap();
                let sum: f64 = rule.iter().map(|(x, w)| w * x.powi(power)).sum();
                let off = (sum - 1.0 / (f64::from(power) + 1.0)).abs();
                if degree < 2 * n {
                    assert!(off < 1e-14, "{n} nodes, degree {degree}: {off:e} off");
                } else {
                    assert!(off > 1e-12, "{n} nodes cannot be exact for degree {degree}");
                }
            }
        }
    }

    #[test]
    fn two_nodes_lie_where_the_books_have_them() {
        let half = 0.5 / 3.0_f64.sqrt();
        for ((x, w), expected) in gauss_legendre(2).into_iter().zip([0.5 - half, 0.5 + half]) {
            assert!((x - expected).abs() < 1e-15 && (w - 0.5).abs() < 1e-15);
        }
    }
}
