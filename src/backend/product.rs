//! Products of matrices in this machine's memory, written where they stay: burn-flex zeroes the memory of every result, and
//! copies it once more to align it.

use std::any::{Any, TypeId};

use burn::tensor::backend::Backend;
use burn::tensor::{DType, Tensor, TensorData};
use burn_flex::FlexTensor;

/// Multiplications from which on several threads are worth while, as burn-flex has it.
const WORTH_SHARING: usize = 192 * 192 * 192;

/// a·b, the same to the bit as by [`Tensor::matmul`].
pub(crate) fn matmul<B: Backend>(a: Tensor<B, 2>, b: Tensor<B, 2>) -> Tensor<B, 2> {
    if TypeId::of::<B::FloatTensorPrimitive>() != TypeId::of::<FlexTensor>() {
        return a.matmul(b);
    }
    let device = a.device();
    let [left, right] = [&a, &b].map(|matrix| matrix.clone().into_primitive().tensor());
    let [left, right] =
        [&left as &dyn Any, &right as &dyn Any].map(|matrix| matrix.downcast_ref().and_then(Matrix::of));
    match left.zip(right).and_then(|(left, right)| left.times(right)) {
        Some(product) => Tensor::from_data(product, &device),
        None => a.matmul(b),
    }
}

/// Numbers in memory as rows and columns.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a> {
    numbers: &'a [f32],
    size: [usize; 2],
    /// From one row to the next, and from one column to the next.
    strides: [isize; 2],
}

/// Numbers in memory as rows and columns, to be written.
pub(crate) struct MatrixMut<'a> {
    numbers: &'a mut [f32],
    size: [usize; 2],
    /// From one row to the next.
    stride: usize,
}

impl<'a> MatrixMut<'a> {
    /// The first `columns` numbers of each row, of which one begins every `stride` numbers. There must be so many numbers.
    pub(crate) fn new(numbers: &'a mut [f32], [rows, columns]: [usize; 2], stride: usize) -> Self {
        let stride = stride.max(columns);
        Self { numbers: &mut numbers[..reach([rows, columns], stride)], size: [rows, columns], stride }
    }

    /// Writes a·b, or adds it to what is there, on this thread. The sizes must fit.
    #[allow(unsafe_code, reason = "gemm takes pointers; what they reach was checked when the matrices were made")]
    #[allow(clippy::cast_possible_wrap, reason = "no slice is longer than isize::MAX")]
    pub(crate) fn product(self, a: Matrix<'_>, b: Matrix<'_>, add: bool) {
        let ([m, k], [inner, n]) = (a.size, b.size);
        // What is written through a pointer has to have its size.
        assert!(k == inner && self.size == [m, n], "{:?} is no product of {:?} and {:?}", self.size, a.size, b.size);
        let ([down, right], [other_down, other_right]) = (a.strides, b.strides);
        // SAFETY: all three matrices lie within their slices, every stride counted (`MatrixMut::new`, `Matrix::of`,
        // `Matrix::new`); rows of the result do not overlap, for a stride is no less than a row; what is not added to is
        // written without being read.
        unsafe {
            #[rustfmt::skip]
            gemm::gemm(
                m, n, k,
                self.numbers.as_mut_ptr(), 1, self.stride as isize, add,
                a.numbers.as_ptr(), right, down,
                b.numbers.as_ptr(), other_right, other_down,
                1.0, 1.0, false, false, false, gemm::Parallelism::None,
            );
        }
    }
}

/// Numbers from the first to the last of a matrix.
fn reach([rows, columns]: [usize; 2], stride: usize) -> usize {
    if rows == 0 || columns == 0 { 0 } else { (rows - 1) * stride + columns }
}

impl<'a> Matrix<'a> {
    /// The first `columns` numbers of each row, of which one begins every `stride` numbers. There must be so many numbers.
    #[allow(clippy::cast_possible_wrap, reason = "no slice is longer than isize::MAX")]
    pub(crate) fn new(numbers: &'a [f32], [rows, columns]: [usize; 2], stride: usize) -> Self {
        let reach = reach([rows, columns], stride);
        Self { numbers: &numbers[..reach], size: [rows, columns], strides: [stride as isize, 1] }
    }

    /// Rows as columns.
    pub(crate) fn transposed(self) -> Self {
        let ([rows, columns], [down, right]) = (self.size, self.strides);
        Self { numbers: self.numbers, size: [columns, rows], strides: [right, down] }
    }

    /// A tensor's numbers, where they are in single precision and none lies outside its memory.
    fn of(tensor: &'a FlexTensor) -> Option<Self> {
        if tensor.dtype() != DType::F32 {
            return None;
        }
        let layout = tensor.layout();
        let (&[rows, columns], &[down, right]) = (layout.shape().as_slice(), layout.strides()) else { return None };
        let numbers = tensor.storage::<f32>().get(layout.start_offset()..)?;
        let last = |size: usize, stride: isize| size.checked_sub(1)?.checked_mul(usize::try_from(stride).ok()?);
        let inside = last(rows, down)?.checked_add(last(columns, right)?)? < numbers.len();
        inside.then_some(Self { numbers, size: [rows, columns], strides: [down, right] })
    }

    /// The product, where the sizes fit and none of them is zero.
    #[allow(unsafe_code, reason = "gemm takes pointers; what they reach was checked when the matrices were made")]
    fn times(self, other: Matrix<'_>) -> Option<TensorData> {
        let ([m, k], [inner, n]) = (self.size, other.size);
        let (count, wide) = (m.checked_mul(n)?, isize::try_from(n).ok()?);
        if k != inner {
            return None;
        }
        let threads = match m.saturating_mul(n).saturating_mul(k) {
            WORTH_SHARING.. => gemm::Parallelism::Rayon(0),
            _ => gemm::Parallelism::None,
        };
        let mut product = Vec::with_capacity(count);
        let ([down, right], [other_down, other_right]) = (self.strides, other.strides);
        let (left, of_other) = (self.numbers.as_ptr(), other.numbers.as_ptr());
        // SAFETY: both matrices lie within their slices, every stride counted (`Matrix::of`); `product` has room for m·n
        // numbers, all of which are written, for `false` says that what was there is not read.
        unsafe {
            #[rustfmt::skip]
            gemm::gemm(
                m, n, k,
                product.as_mut_ptr(), 1, wide, false,
                left, right, down,
                of_other, other_right, other_down,
                0.0, 1.0, false, false, false, threads,
            );
            product.set_len(count);
        }
        Some(TensorData::new(product, [m, n]))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use burn::tensor::backend::AutodiffBackend;

    use super::*;
    use crate::backend::TestBackend;
    use crate::backend::floats;

    type B = <TestBackend as AutodiffBackend>::InnerBackend;

    fn matrix(rows: usize, columns: usize) -> Tensor<B, 2> {
        let numbers = (0..rows * columns).map(|i| ((i * 7919) % 2003) as f32 / 1001.0 - 1.0).collect();
        Tensor::from_data(TensorData::new(numbers, [rows, columns]), &Default::default())
    }

    #[test]
    fn products_are_those_of_the_backend() {
        for (m, k, n) in [(1, 1, 1), (3, 5, 2), (70, 33, 41), (210, 200, 190), (1, 300, 1)] {
            let (a, b) = (matrix(m, k), matrix(k, n));
            let expected = floats(a.clone().matmul(b.clone()));
            assert_eq!(floats(matmul(a.clone(), b.clone())), expected, "{m} × {k} × {n}");
            // Lying across, and parts of larger ones.
            let across = matrix(k, m).transpose();
            assert_eq!(floats(matmul(across.clone(), b.clone())), floats(across.matmul(b)));
            let part = matrix(m + 2, k + 3).slice([1..m + 1, 2..k + 2]);
            let other = matrix(n + 1, k + 1).transpose().slice([1..k + 1, 0..n]);
            assert_eq!(floats(matmul(part.clone(), other.clone())), floats(part.matmul(other)));
        }
    }

    #[test]
    fn a_product_is_written_into_a_part_of_what_is_there() {
        let numbers = |count: usize| (0..count).map(|i| (i % 7) as f32 - 2.0).collect::<Vec<_>>();
        for (m, k, n) in [(1, 4, 3), (5, 6, 7), (40, 33, 18), (3, 0, 2), (0, 2, 2)] {
            let (a, b, before) = (numbers(m * (k + 2)), numbers(n * k), numbers((m + 1) * (n + 3)));
            for add in [false, true] {
                let mut out = before.clone();
                let left = Matrix::new(&a, [m, k], k + 2);
                let right = Matrix::new(&b, [n, k], k).transposed();
                MatrixMut::new(&mut out, [m, n], n + 3).product(left, right, add);
                for (at, (&found, &before)) in out.iter().zip(&before).enumerate() {
                    let (row, column) = (at / (n + 3), at % (n + 3));
                    let sum: f32 = if row < m {
                        (0..k).map(|i| a[row * (k + 2) + i] * b[(column % n) * k + i]).sum()
                    } else {
                        0.0
                    };
                    let expected = if row >= m || column >= n {
                        before
                    } else if add {
                        before + sum
                    } else {
                        sum
                    };
                    assert!((found - expected).abs() < 1e-4, "{m} × {k} × {n}, {at}: {found}, not {expected}");
                }
            }
        }
    }

    #[test]
    fn what_reaches_beyond_its_memory_is_no_matrix() {
        let of = |tensor: &FlexTensor| Matrix::of(tensor).map(|matrix| matrix.size);
        let whole = FlexTensor::from_data(TensorData::new(vec![0.0f32; 6], [2, 3]));
        assert_eq!(of(&whole), Some([2, 3]));
        let layout = |strides: [isize; 2], start| burn_flex::Layout::new([2, 3].into(), strides.to_vec(), start);
        assert_eq!(of(&whole.clone().with_layout(layout([1, 2], 0))), Some([2, 3]));
        for beyond in [layout([3, 1], 1), layout([4, 1], 0), layout([isize::MAX, 1], 0), layout([-3, 1], 3)] {
            assert_eq!(of(&whole.clone().with_layout(beyond)), None);
        }
        let other = FlexTensor::from_data(TensorData::new(vec![0.0f64; 6], [2, 3]));
        assert_eq!(of(&other), None);
    }
}
