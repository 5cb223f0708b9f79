//! Colours as they are seen: contrast, and what is left of a difference for readers of other colour vision.

fn linear(rgb: u32) -> [f64; 3] {
    let [_, r, g, b] = rgb.to_be_bytes();
    [r, g, b].map(|x| {
        let x = f64::from(x) / 255.0;
        if x <= 0.04045 { x / 12.92 } else { ((x + 0.055) / 1.055).powf(2.4) }
    })
}

/// WCAG 2 contrast ratio.
pub(super) fn contrast(a: u32, b: u32) -> f64 {
    let luminance = |c| {
        let [r, g, b] = linear(c);
        0.2126 * r + 0.7152 * g + 0.0722 * b
    };
    let (a, b): (f64, f64) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

/// CIELAB (D65) of linear sRGB.
fn lab([r, g, b]: [f64; 3]) -> [f64; 3] {
    let f = |t: f64| if t > 0.008_856 { t.cbrt() } else { 7.787 * t + 16.0 / 116.0 };
    let x = f((0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505);
    let y = f(0.2126 * r + 0.7152 * g + 0.0722 * b);
    let z = f((0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089);
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

/// Kinds of colour vision that readers have. The matrices act on linear sRGB: Machado, Oliveira & Fernandes, "A physiologically-based model for simulation
/// of color vision deficiency", IEEE TVCG 15 (2009), table of severity 1.0.
pub(super) const VISIONS: [(&str, [[f64; 3]; 3]); 4] = [
    ("any", [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]),
    (
        "protanopia",
        [[0.152_286, 1.052_583, -0.204_868], [0.114_503, 0.786_281, 0.099_216], [-0.003_882, -0.048_116, 1.051_998]],
    ),
    (
        "deuteranopia",
        [[0.367_322, 0.860_646, -0.227_968], [0.280_085, 0.672_501, 0.047_413], [-0.011_820, 0.042_940, 0.968_881]],
    ),
    (
        "tritanopia",
        [[1.255_528, -0.076_749, -0.178_779], [-0.078_411, 0.930_809, 0.147_602], [0.004_733, 0.691_367, 0.303_900]],
    ),
];

/// ΔE of CIE 1976 between two colours as that reader sees them: the distance in CIELAB.
pub(super) fn delta_e(vision: &[[f64; 3]; 3], a: u32, b: u32) -> f64 {
    seen(vision, a).iter().zip(seen(vision, b)).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
}

fn seen(vision: &[[f64; 3]; 3], color: u32) -> [f64; 3] {
    let c = linear(color);
    lab(vision.map(|row| row.iter().zip(c).map(|(m, x)| m * x).sum::<f64>().clamp(0.0, 1.0)))
}

#[cfg(test)]
mod tests {
    use super::{VISIONS, delta_e};

    #[test]
    fn grey_stays_grey_and_red_meets_green_where_cones_are_missing() {
        let [any, protan, deutan, tritan] = VISIONS.map(|(_, matrix)| matrix);
        for vision in [protan, deutan, tritan] {
            assert!(vision.iter().all(|row| (row.iter().sum::<f64>() - 1.0).abs() < 1e-5), "white is kept");
        }
        // Black and white lie 100 apart in L*; a red and a green of one lightness only for some.
        assert!((delta_e(&any, 0, 0xFF_FFFF) - 100.0).abs() < 0.1);
        let (red, green) = (0xD0_5050, 0x80_8000);
        assert!(delta_e(&deutan, red, green) < 0.5 * delta_e(&any, red, green));
        assert!(delta_e(&tritan, red, green) > delta_e(&deutan, red, green));
    }
}
