//! The 256 colours of xterm.

/// The nearest of xterm's 216 cube colours and 24 greys.
pub(super) fn nearest_indexed(rgb: u32) -> u8 {
    let distance = |i: &u8| {
        indexed_rgb(*i)
            .to_be_bytes()
            .iter()
            .zip(rgb.to_be_bytes())
            .map(|(&a, b)| u32::from(a.abs_diff(b)).pow(2))
            .sum::<u32>()
    };
    (16..=255).min_by_key(distance).unwrap_or(15)
}

/// What xterm paints for entry 16 to 255 of its palette.
fn indexed_rgb(index: u8) -> u32 {
    const LEVELS: [u32; 6] = [0x00, 0x5F, 0x87, 0xAF, 0xD7, 0xFF];
    let i = u32::from(index.saturating_sub(16));
    if i >= 216 {
        return (8 + (i - 216) * 10) * 0x01_0101;
    }
    let level = |x: u32| LEVELS[(x % 6) as usize];
    (level(i / 36) << 16) | (level(i / 6) << 8) | level(i)
}

#[cfg(test)]
mod tests {
    use super::nearest_indexed;

    #[test]
    fn the_nearest_of_256_is_exact_where_it_exists() {
        assert_eq!(nearest_indexed(0x00_0000), 16);
        assert_eq!(nearest_indexed(0xFF_FFFF), 231);
        assert_eq!(nearest_indexed(0x5F_87AF), 67);
        assert_eq!(nearest_indexed(0x08_0808), 232);
    }
}
