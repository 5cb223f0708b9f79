//! The layout of parameters in a stored tensor.

/// The order of a stored tensor's numbers. Where it holds several parameters they are of equal size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// `[out, in]`, one parameter after the other.
    Plain,
    /// `[in, out]`, one parameter beside the other; vectors are as they are.
    Transposed,
    /// `[out, in]`, the rows of every parameter's first head, then those of the second.
    ByHead {
        /// Heads of each parameter.
        heads: usize,
    },
    /// `[out, in]`, the two halves of every head's rows alternating: what neighbour-rotating programs want.
    Interleaved {
        /// Heads of the parameter.
        heads: usize,
    },
}

impl Layout {
    /// The numbers of each of `parts` parameters, from those of a stored tensor.
    pub(super) fn unpack(self, values: Vec<f32>, shape: &[usize], parts: usize) -> Vec<Vec<f32>> {
        let values = match (self, shape) {
            (Self::Transposed, &[rows, columns]) => transpose(&values, rows, columns),
            (Self::ByHead { heads }, _) => regroup(&values, heads, parts),
            (Self::Interleaved { heads }, _) => {
                halves(&values, heads, shape, |row, half| 2 * (row % half) + row / half)
            }
            _ => values,
        };
        if parts == 1 {
            return vec![values];
        }
        values.chunks(values.len() / parts).map(<[f32]>::to_vec).collect()
    }

    /// The inverse.
    pub(super) fn pack(self, parts: &[&[f32]], shape: &[usize]) -> Vec<f32> {
        let values = parts.concat();
        match (self, shape) {
            (Self::Transposed, &[rows, columns]) => transpose(&values, columns, rows),
            (Self::ByHead { heads }, _) => regroup(&values, parts.len(), heads),
            (Self::Interleaved { heads }, _) => halves(&values, heads, shape, |row, half| row / 2 + half * (row % 2)),
            _ => values,
        }
    }
}

/// `[rows, columns]` to `[columns, rows]`.
fn transpose(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    (0..columns).flat_map(|column| (0..rows).map(move |row| values[row * columns + column])).collect()
}

/// `[outer, inner, …]` to `[inner, outer, …]`.
fn regroup(values: &[f32], outer: usize, inner: usize) -> Vec<f32> {
    let block = values.len() / (outer * inner);
    let at = |o: usize, i: usize| &values[(o * inner + i) * block..][..block];
    (0..inner).flat_map(|i| (0..outer).flat_map(move |o| at(o, i))).copied().collect()
}

/// Reorders the rows of every head: row `r` of the result is row `from(r, half)` of the head.
fn halves(values: &[f32], heads: usize, shape: &[usize], from: impl Fn(usize, usize) -> usize) -> Vec<f32> {
    let rows = shape[0] / heads;
    let width = values.len() / shape[0];
    let from = &from;
    (0..heads)
        .flat_map(|head| (0..rows).map(move |row| head * rows + from(row, rows / 2)))
        .flat_map(|row| &values[row * width..][..width])
        .copied()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::Layout;

    /// Two heads of four rows, two columns; three parameters where they are fused. A number tells parameter, head, row
    /// and column.
    fn parameter(number: usize) -> Vec<f32> {
        let digits = (0..2).flat_map(|h| (0..4).flat_map(move |r| (0..2).map(move |c| (h, r, c))));
        digits.map(|(h, r, c)| (number * 1000 + h * 100 + r * 10 + c) as f32).collect()
    }

    #[test]
    fn numbers_lie_where_each_layout_says() {
        let parts: Vec<Vec<f32>> = (1..4).map(parameter).collect();
        let parts: Vec<&[f32]> = parts.iter().map(Vec::as_slice).collect();
        let by_head = Layout::ByHead { heads: 2 }.pack(&parts, &[24, 2]);
        assert_eq!(by_head[..10], [1000., 1001., 1010., 1011., 1020., 1021., 1030., 1031., 2000., 2001.]);
        assert_eq!(by_head[24], 1100.0, "the second head of the first parameter comes after the first heads of all");
        let transposed = Layout::Transposed.pack(&parts, &[2, 24]);
        assert_eq!((transposed[0], transposed[1], transposed[8], transposed[24]), (1000., 1010., 2000., 1001.));
        let interleaved = Layout::Interleaved { heads: 2 }.pack(&parts[..1], &[8, 2]);
        assert_eq!(interleaved[..8], [1000., 1001., 1020., 1021., 1010., 1011., 1030., 1031.]);
    }

    #[test]
    fn what_is_packed_is_unpacked() {
        let parts: Vec<Vec<f32>> = (1..4).map(parameter).collect();
        let all: Vec<&[f32]> = parts.iter().map(Vec::as_slice).collect();
        for (layout, count, shape) in [
            (Layout::Plain, 3, [24, 2]),
            (Layout::Transposed, 3, [2, 24]),
            (Layout::Transposed, 1, [2, 8]),
            (Layout::ByHead { heads: 2 }, 3, [24, 2]),
            (Layout::Interleaved { heads: 2 }, 1, [8, 2]),
        ] {
            let packed = layout.pack(&all[..count], &shape);
            assert_eq!(layout.unpack(packed, &shape, count), parts[..count], "{layout:?}");
        }
    }
}
