//! Fewer places out of many, where a file would grow beyond use.

/// Places among `n`: all, or about `most`, evenly spread, the last and those `wanted` among them.
pub(super) fn places(n: usize, most: usize, wanted: impl Fn(usize) -> bool) -> Vec<usize> {
    let every = n.div_ceil(most.max(1)).max(1);
    (0..n).filter(|&at| at.is_multiple_of(every) || at + 1 == n || wanted(at)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_some_are_kept_the_last_among_them() {
        assert_eq!(places(3, 10, |_| false), [0, 1, 2]);
        assert_eq!(places(10, 4, |at| at == 4), [0, 3, 4, 6, 9]);
        assert_eq!(places(10, 0, |_| false), [0, 9]);
        assert!(places(0, 4, |_| true).is_empty());
    }
}
