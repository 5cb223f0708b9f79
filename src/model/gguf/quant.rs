//! Element types of stored tensors, and what their bytes mean. The block formats are those of ggml (`ggml-common.h`):
//! scales in half precision, then a few bits a number.

use half::{bf16, f16};

/// How the numbers of a tensor are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names are those of the formats")]
pub(in crate::model) enum ElementType {
    F32,
    F16,
    Bf16,
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q2K,
    Q3K,
    Q4K,
    Q5K,
    Q6K,
}

/// A row of [`TABLE`].
struct Row {
    element: ElementType,
    name: &'static str,
    /// GGUF's number for it.
    id: u32,
    /// Numbers in a block.
    numbers: usize,
    /// Bytes of a block.
    bytes: usize,
    /// Appends the numbers of a block.
    decode: fn(&[u8], &mut Vec<f32>),
}

const fn row(
    element: ElementType,
    name: &'static str,
    id: u32,
    (numbers, bytes): (usize, usize),
    decode: fn(&[u8], &mut Vec<f32>),
) -> Row {
    Row { element, name, id, numbers, bytes, decode }
}

/// A row an element type, in the order of [`ElementType`].
const TABLE: [Row; 13] = [
    row(ElementType::F32, "F32", 0, (1, 4), |b, out| out.push(f32::from_le_bytes([b[0], b[1], b[2], b[3]]))),
    row(ElementType::F16, "F16", 1, (1, 2), |b, out| out.push(half_at(b, 0))),
    row(ElementType::Bf16, "BF16", 30, (1, 2), |b, out| out.push(bf16::from_le_bytes([b[0], b[1]]).to_f32())),
    row(ElementType::Q4_0, "Q4_0", 2, (32, 18), |b, out| {
        let d = half_at(b, 0);
        nibbles(&b[2..], None, |q| d * (q - 8.0), out);
    }),
    row(ElementType::Q4_1, "Q4_1", 3, (32, 20), |b, out| {
        let (d, least) = (half_at(b, 0), half_at(b, 2));
        nibbles(&b[4..], None, |q| d * q + least, out);
    }),
    row(ElementType::Q5_0, "Q5_0", 6, (32, 22), |b, out| {
        let d = half_at(b, 0);
        nibbles(&b[6..], Some(&b[2..6]), |q| d * (q - 16.0), out);
    }),
    row(ElementType::Q5_1, "Q5_1", 7, (32, 24), |b, out| {
        let (d, least) = (half_at(b, 0), half_at(b, 2));
        nibbles(&b[8..], Some(&b[4..8]), |q| d * q + least, out);
    }),
    row(ElementType::Q8_0, "Q8_0", 8, (32, 34), |b, out| {
        let d = half_at(b, 0);
        out.extend(b[2..].iter().map(|&q| d * signed(q)));
    }),
    row(ElementType::Q2K, "Q2_K", 10, (256, 84), q2_k),
    row(ElementType::Q3K, "Q3_K", 11, (256, 110), q3_k),
    row(ElementType::Q4K, "Q4_K", 12, (256, 144), |b, out| q45_k(b, None, &b[16..], out)),
    row(ElementType::Q5K, "Q5_K", 13, (256, 176), |b, out| q45_k(b, Some(&b[16..48]), &b[48..], out)),
    row(ElementType::Q6K, "Q6_K", 14, (256, 210), q6_k),
];

impl ElementType {
    fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }

    /// The type that GGUF numbers so.
    pub(super) fn of_gguf(id: u32) -> Option<Self> {
        TABLE.iter().find(|row| row.id == id).map(|row| row.element)
    }

    /// The element type's usual name.
    pub(in crate::model) fn name(self) -> &'static str {
        self.row().name
    }

    /// Numbers in a block; 1 where each stands for itself.
    pub(in crate::model) fn block_numbers(self) -> usize {
        self.row().numbers
    }

    /// Bytes of a block.
    pub(in crate::model) fn block_bytes(self) -> usize {
        self.row().bytes
    }

    /// Appends the numbers of whole blocks.
    pub(in crate::model) fn decode(self, bytes: &[u8], out: &mut Vec<f32>) {
        let Row { bytes: size, decode, .. } = self.row();
        bytes.chunks_exact(*size).for_each(|block| decode(block, out));
    }
}

fn half_at(bytes: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([bytes[at], bytes[at + 1]]).to_f32()
}

fn signed(byte: u8) -> f32 {
    f32::from(i8::from_le_bytes([byte]))
}

/// 32 numbers of four bits, first all low nibbles, then all high ones, each with a fifth bit where there are `fifths`.
fn nibbles(packed: &[u8], fifths: Option<&[u8]>, scaled: impl Fn(f32) -> f32, out: &mut Vec<f32>) {
    let fifth = |i: usize| fifths.map_or(0, |bits| (bits[i / 8] >> (i % 8) & 1) << 4);
    out.extend(packed.iter().enumerate().map(|(i, q)| scaled(f32::from(q & 15 | fifth(i)))));
    out.extend(packed.iter().enumerate().map(|(i, q)| scaled(f32::from(q >> 4 | fifth(i + 16)))));
}

/// Sixteen scales and sixteen minima of four bits, then 256 numbers of two.
fn q2_k(b: &[u8], out: &mut Vec<f32>) {
    let (scales, packed) = (&b[..16], &b[16..80]);
    let (d, least) = (half_at(b, 80), half_at(b, 82));
    for (group, both) in scales.iter().enumerate() {
        let (scale, minimum) = (d * f32::from(both & 15), least * f32::from(both >> 4));
        let (from, shift) = (32 * (group / 8) + 16 * (group % 2), 2 * (group % 8 / 2));
        out.extend(packed[from..from + 16].iter().map(|q| scale * f32::from(q >> shift & 3) - minimum));
    }
}

/// 256 third bits, 256 numbers of two bits, sixteen scales of six.
fn q3_k(b: &[u8], out: &mut Vec<f32>) {
    let (thirds, packed, scales) = (&b[..32], &b[32..96], &b[96..108]);
    let d = half_at(b, 108);
    for group in 0..16 {
        let low = if group < 8 { scales[group] & 15 } else { scales[group - 8] >> 4 };
        let high = scales[8 + group % 4] >> (2 * (group / 4)) & 3;
        let scale = d * (f32::from(low | high << 4) - 32.0);
        let (from, shift) = (16 * (group % 2), 2 * (group % 8 / 2));
        let packed = &packed[32 * (group / 8) + from..][..16];
        out.extend(packed.iter().zip(&thirds[from..]).map(|(q, third)| {
            let third = third >> (group / 2) & 1;
            scale * (f32::from(q >> shift & 3 | third << 2) - 4.0)
        }));
    }
}

/// Eight scales and eight minima of six bits, then 256 numbers of four, or of five with `fifths`.
fn q45_k(b: &[u8], fifths: Option<&[u8]>, packed: &[u8], out: &mut Vec<f32>) {
    let (d, least, scales) = (half_at(b, 0), half_at(b, 2), &b[4..16]);
    for group in 0..8 {
        let (scale, minimum) = match group {
            0..4 => (scales[group] & 63, scales[group + 4] & 63),
            _ => {
                (scales[group + 4] & 15 | scales[group - 4] >> 6 << 4, scales[group + 4] >> 4 | scales[group] >> 6 << 4)
            }
        };
        let (scale, minimum) = (d * f32::from(scale), least * f32::from(minimum));
        let packed = &packed[32 * (group / 2)..][..32];
        out.extend(packed.iter().enumerate().map(|(i, q)| {
            let fifth = fifths.map_or(0, |bits| (bits[i] >> group & 1) << 4);
            scale * f32::from(q >> (4 * (group % 2)) & 15 | fifth) - minimum
        }));
    }
}

/// 256 numbers of four bits, their upper two bits, sixteen scales of eight.
fn q6_k(b: &[u8], out: &mut Vec<f32>) {
    let (low, high, scales) = (&b[..128], &b[128..192], &b[192..208]);
    let d = half_at(b, 208);
    for group in 0..8 {
        let (side, part) = (group / 4, group % 4);
        let low = &low[64 * side + 32 * (part % 2)..][..32];
        let high = &high[32 * side..][..32];
        out.extend(low.iter().zip(high).enumerate().map(|(i, (low, high))| {
            let q = low >> (4 * (part / 2)) & 15 | (high >> (2 * part) & 3) << 4;
            d * signed(scales[8 * side + 2 * part + i / 16]) * (f32::from(q) - 32.0)
        }));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use serde::Deserialize;

    use super::{ElementType, TABLE};

    #[test]
    fn the_table_stands_in_the_order_of_the_types() {
        for (i, row) in TABLE.iter().enumerate() {
            assert_eq!(row.element as usize, i, "{}", row.name);
            assert_eq!(ElementType::of_gguf(row.id), Some(row.element));
        }
    }

    /// Blocks of random bytes as the package `gguf` decodes them (`tests/golden/gguf_blocks.py`).
    #[test]
    fn blocks_mean_what_another_program_reads() {
        #[derive(Deserialize)]
        struct Case {
            r#type: String,
            bytes: Vec<u8>,
            values: Vec<f32>,
        }
        let cases: Vec<Case> = serde_json::from_str(include_str!("../../../tests/golden/gguf_blocks.json")).unwrap();
        assert_eq!(cases.len(), TABLE.len());
        for case in cases {
            let element = TABLE.iter().find(|row| row.name == case.r#type).unwrap().element;
            let mut ours = Vec::new();
            element.decode(&case.bytes, &mut ours);
            assert_eq!(ours.len(), case.values.len(), "{}", case.r#type);
            let largest = case.values.iter().fold(0.0f32, |m, x| m.max(x.abs()));
            for (i, (a, b)) in ours.iter().zip(&case.values).enumerate() {
                assert!((a - b).abs() <= 1e-6 * largest, "{} at {i}: {a}, not {b}", case.r#type);
            }
        }
    }
}
