//! Products of matrices in this machine's memory, written where they stay: burn-flex zeroes the memory of every result, and
//! copies it once more to align it.

use std::any::{Any, TypeId};
use std::ops::Range;

use burn::tensor::backend::Backend;
use burn::tensor::{DType, Tensor, TensorData};
use burn_flex::FlexTensor;
use rayon::prelude::*;

/// Multiplications from which on several threads are worth while, as burn-flex has it.
const WORTH_SHARING: usize = 192 * 192 * 192;
/// Parts that a product is shared out in, at most, and the rows and columns that each has, at least. They depend on the sizes
/// alone, so that the numbers do not depend on the threads.
const PARTS: usize = 16;
const ROWS: usize = 96;
const COLUMNS: usize = 128;

/// a·b, the same as by [`Tensor::matmul`] up to rounding.
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
    /// Numbers from one row to the next, and from one column to the next.
    strides: [isize; 2],
}

/// Numbers in memory as rows and columns, to be written.
pub(crate) struct MatrixMut<'a> {
    numbers: &'a mut [f32],
    size: [usize; 2],
    /// Numbers from one row to the next.
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
    pub(crate) fn product(self, a: Matrix<'_>, b: Matrix<'_>, add: bool) {
        let size = [a.size[0], b.size[1]];
        // What is written through a pointer has to have its size.
        assert!(self.size == size, "{:?} is no product of {:?} and {:?}", self.size, a.size, b.size);
        // SAFETY: the result lies within its slice, its stride counted (`MatrixMut::new`), and what is not added to is
        // written without being read.
        unsafe { a.times_into(b, self.numbers.as_mut_ptr(), self.stride, add) }
    }
}

/// The memory of a product whose parts are written by several threads.
#[derive(Clone, Copy)]
struct Place(*mut f32);

#[allow(unsafe_code, reason = "each thread writes a part of its own")]
// SAFETY: a pointer to numbers, nothing that belongs to a thread.
unsafe impl Sync for Place {}

impl Place {
    #[allow(unsafe_code, reason = "an offset within the memory that the pointer was made of")]
    /// # Safety
    /// The offset lies within the memory.
    unsafe fn at(self, offset: usize) -> *mut f32 {
        // SAFETY: as said above.
        unsafe { self.0.add(offset) }
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

    /// Some of its columns, which it has.
    fn columns(self, columns: Range<usize>) -> Self {
        let ([rows, _], [_, right]) = (self.size, self.strides);
        let numbers = &self.numbers[columns.start * right.unsigned_abs()..];
        Self { numbers, size: [rows, columns.len()], ..self }
    }

    /// Some of its rows, which it has.
    fn rows(self, rows: Range<usize>) -> Self {
        self.transposed().columns(rows).transposed()
    }

    /// Writes the product into rows that begin every `stride` numbers, or adds it to them, on this thread.
    ///
    /// # Safety
    /// The rows lie within memory that nobody else uses and do not overlap; where they are added to, they hold numbers.
    #[allow(unsafe_code, reason = "gemm takes pointers")]
    #[allow(clippy::cast_possible_wrap, reason = "no slice is longer than isize::MAX")]
    unsafe fn times_into(self, other: Matrix<'_>, out: *mut f32, stride: usize, add: bool) {
        let ([m, k], [inner, n]) = (self.size, other.size);
        assert!(k == inner, "a matrix of {k} columns is not multiplied with one of {inner} rows");
        let ([down, right], [other_down, other_right]) = (self.strides, other.strides);
        // SAFETY: both matrices lie within their slices, every stride counted (`Matrix::of`, `Matrix::new`), and so do parts
        // of them; of the result the caller says so.
        unsafe {
            #[rustfmt::skip]
            gemm::gemm(
                m, n, k,
                out, 1, stride as isize, add,
                self.numbers.as_ptr(), right, down,
                other.numbers.as_ptr(), other_right, other_down,
                1.0, 1.0, false, false, false, gemm::Parallelism::None,
            );
        }
    }

    /// The product, where the sizes fit. Where it is worth while it is shared out, each part on one thread: gemm's own
    /// sharing packs the matrices on one, which takes long where they are small.
    #[allow(unsafe_code, reason = "memory is written before it is read")]
    fn times(self, other: Matrix<'_>) -> Option<TensorData> {
        let ([m, k], [inner, n]) = (self.size, other.size);
        let count = m.checked_mul(n).filter(|_| k == inner)?;
        let mut product = Vec::with_capacity(count);
        let place = Place(product.as_mut_ptr());
        let write = |rows: Range<usize>, columns: Range<usize>| {
            // SAFETY: there is room for m·n numbers, and no other part has these rows and columns; nothing is read there.
            unsafe {
                let out = place.at(rows.start * n + columns.start);
                self.rows(rows).times_into(other.columns(columns), out, n, false);
            }
        };
        if count.saturating_mul(k) < WORTH_SHARING {
            write(0..m, 0..n);
        } else if m >= n {
            split(m, ROWS, 6).into_par_iter().for_each(|rows| write(rows, 0..n));
        } else {
            split(n, COLUMNS, 64).into_par_iter().for_each(|columns| write(0..m, columns));
        }
        // SAFETY: the parts have every row and every column.
        unsafe { product.set_len(count) };
        Some(TensorData::new(product, [m, n]))
    }
}

/// Parts of a side, each a multiple of what gemm's innermost loop takes at once.
fn split(side: usize, least: usize, multiple: usize) -> Vec<Range<usize>> {
    let part = side.div_ceil(PARTS).next_multiple_of(multiple).max(least);
    (0..side).step_by(part).map(|start| start..(start + part).min(side)).collect()
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
        // The last two are shared out, by rows and by columns, with a rest.
        for (m, k, n) in [(1, 1, 1), (3, 5, 2), (70, 33, 41), (1, 300, 1), (410, 200, 190), (130, 300, 401)] {
            let same = |a: Tensor<B, 2>, b: Tensor<B, 2>| {
                let (found, expected) = (floats(matmul(a.clone(), b.clone())), floats(a.matmul(b)));
                assert_eq!(found.len(), expected.len());
                for (found, expected) in found.iter().zip(expected) {
                    assert!((found - expected).abs() < 1e-4, "{m} × {k} × {n}: {found}, not {expected}");
                }
            };
            let (a, b) = (matrix(m, k), matrix(k, n));
            same(a, b.clone());
            // Lying across, and parts of larger ones.
            same(matrix(k, m).transpose(), b);
            let part = matrix(m + 2, k + 3).slice([1..m + 1, 2..k + 2]);
            same(part, matrix(n + 1, k + 1).transpose().slice([1..k + 1, 0..n]));
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
