//! IDX files, the format of MNIST (LeCun, Cortes & Burges): a magic number, sizes, bytes.
//!
//! ```text
//! pictures  00 00 08 03 | count | rows | columns | pixels     numbers are 32 bits, the largest byte first
//! labels    00 00 08 01 | count | labels
//! ```

use std::io::Read;
use std::path::Path;

use super::pictures::{CLASSES, PIXELS, PictureSet, Pictures, SIDE};
use crate::error::{Error, Location, Result};

/// The files of MNIST, unpacked: training pictures and labels, held-out pictures and labels.
pub const MNIST_FILES: [&str; 4] =
    ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];

/// Unsigned bytes in three dimensions.
const PICTURES_MAGIC: u32 = 0x0000_0803;
/// Unsigned bytes in one dimension.
const LABELS_MAGIC: u32 = 0x0000_0801;
const PICTURES_HEADER: usize = 16;
const LABELS_HEADER: usize = 8;
/// Pictures that a file may hold: MNIST has 60,000. Bounds the memory, whatever a file says of itself.
const MOST_PICTURES: usize = 200_000;

/// Reads the four files of MNIST, unpacked, from a folder.
///
/// # Errors
/// With the file and the byte: when one is missing, is no IDX file of 28×28 pictures or of labels from 0 to 9, is longer
/// or shorter than it says, or does not have as many labels as there are pictures.
pub fn read_mnist(folder: &Path) -> Result<PictureSet> {
    let [train_pictures, train_labels, test_pictures, test_labels] = MNIST_FILES.map(|name| folder.join(name));
    Ok(PictureSet {
        train: read_pair(&train_pictures, &train_labels)?,
        held_out: read_pair(&test_pictures, &test_labels)?,
    })
}

fn read_pair(pictures: &Path, labels: &Path) -> Result<Pictures> {
    let pixels = read_pictures(pictures, &bytes_of(pictures)?)?;
    let (file, labels) = (labels, read_labels(labels, &bytes_of(labels)?)?);
    let count = pixels.len() / PIXELS;
    if labels.len() != count {
        return Err(wrong(
            file,
            4,
            format!("{} labels, and {} has {count} pictures", labels.len(), pictures.display()),
            "the two files must belong together",
        ));
    }
    Ok(Pictures { pixels, labels })
}

/// The whole file, if it is no longer than the longest that is read.
fn bytes_of(file: &Path) -> Result<Vec<u8>> {
    let longest = PICTURES_HEADER + MOST_PICTURES * PIXELS;
    let mut bytes = Vec::new();
    let opened = std::fs::File::open(file).map_err(|e| Error::reading(file, &e))?;
    opened.take(longest as u64 + 1).read_to_end(&mut bytes).map_err(|e| Error::reading(file, &e))?;
    if bytes.len() > longest {
        let advice = format!("a file may hold {MOST_PICTURES} pictures: take fewer");
        return Err(wrong(file, longest, "the file goes on".to_owned(), &advice));
    }
    Ok(bytes)
}

fn wrong(file: &Path, byte: usize, problem: String, advice: &str) -> Error {
    Error::input(Location::file(file), format!("byte {byte}: {problem}"), advice)
}

/// The pixels of a file of pictures.
fn read_pictures(file: &Path, bytes: &[u8]) -> Result<Vec<u8>> {
    let [count, rows, columns] = header(file, bytes, PICTURES_MAGIC, "pictures")?;
    if (rows, columns) != (SIDE, SIDE) {
        let problem = format!("pictures of {rows}×{columns}");
        return Err(wrong(file, 8, problem, "the models here look at pictures of 28×28, as MNIST has them"));
    }
    body(file, &bytes[PICTURES_HEADER..], PICTURES_HEADER, count, PIXELS, "pictures")
}

/// The labels of a file of labels.
fn read_labels(file: &Path, bytes: &[u8]) -> Result<Vec<u8>> {
    let [count] = header(file, bytes, LABELS_MAGIC, "labels")?;
    let labels = body(file, &bytes[LABELS_HEADER..], LABELS_HEADER, count, 1, "labels")?;
    match labels.iter().position(|&label| usize::from(label) >= CLASSES.len()) {
        Some(at) => {
            let problem = format!("the label {}", labels[at]);
            Err(wrong(file, LABELS_HEADER + at, problem, "labels are digits, 0 to 9"))
        }
        None => Ok(labels),
    }
}

/// The sizes that follow the magic number.
fn header<const N: usize>(file: &Path, bytes: &[u8], magic: u32, what: &str) -> Result<[usize; N]> {
    let word = |at: usize| bytes.get(4 * at..4 * at + 4).map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]));
    match word(0) {
        Some(found) if found == magic => {}
        Some(found) if found >> 16 == 0x1f8b => {
            return Err(wrong(file, 0, "the file is packed".to_owned(), "unpack it with gunzip"));
        }
        Some(found) => {
            let problem = format!("begins with {found:#010x}, and a file of {what} begins with {magic:#010x}");
            return Err(wrong(file, 0, problem, "name a folder with the four unpacked IDX files of MNIST"));
        }
        None => return Err(ends(file, bytes.len(), 4 + 4 * N)),
    }
    let mut sizes = [0; N];
    for (i, size) in sizes.iter_mut().enumerate() {
        *size = word(i + 1).ok_or_else(|| ends(file, bytes.len(), 4 + 4 * N))? as usize;
    }
    Ok(sizes)
}

fn ends(file: &Path, length: usize, header: usize) -> Error {
    let problem = format!("the file ends within its header of {header} bytes");
    wrong(file, length, problem, "download or copy it again: it was cut short")
}

/// `count` items of `size` bytes, and nothing else.
fn body(file: &Path, bytes: &[u8], start: usize, count: usize, size: usize, what: &str) -> Result<Vec<u8>> {
    if count == 0 {
        return Err(wrong(file, 4, format!("no {what}"), "a file without any teaches nothing"));
    }
    // A count that overflows cannot be the file's length either.
    if count.checked_mul(size) != Some(bytes.len()) {
        let problem = format!("the file ends, and it announced {count} {what} of {size} bytes");
        return Err(wrong(
            file,
            start + bytes.len(),
            problem,
            "download or copy it again: its length is not what it says",
        ));
    }
    Ok(bytes.to_vec())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// An IDX file of unsigned bytes.
    fn idx(sizes: &[u32], body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0, 0, 8, sizes.len() as u8];
        bytes.extend(sizes.iter().flat_map(|size| size.to_be_bytes()));
        bytes.extend_from_slice(body);
        bytes
    }

    fn pixels(count: usize) -> Vec<u8> {
        (0..count * PIXELS).map(|i| (i % 251) as u8).collect()
    }

    /// Four sound files: three pictures to learn from, two held out.
    fn sound() -> [Vec<u8>; 4] {
        [idx(&[3, 28, 28], &pixels(3)), idx(&[3], &[7, 0, 9]), idx(&[2, 28, 28], &pixels(2)), idx(&[2], &[4, 4])]
    }

    fn read(files: &[Vec<u8>; 4]) -> Result<PictureSet> {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in MNIST_FILES.iter().zip(files) {
            std::fs::write(folder.path().join(name), bytes).unwrap();
        }
        read_mnist(folder.path())
    }

    #[test]
    fn what_is_written_is_read() {
        let set = read(&sound()).unwrap();
        assert_eq!((set.train.labels.as_slice(), set.train.len()), (&[7, 0, 9][..], 3));
        assert_eq!(set.held_out, Pictures { pixels: pixels(2), labels: vec![4, 4] });
        assert_eq!(set.train.labels_of(&[2, 0]), [9, 7]);
        assert_eq!(set.train.ink(&[1])[..3], [31.0, 32.0, 33.0].map(|grey| grey / 255.0));
        assert_eq!(set.held_out.first_of_each(1), [0]);
    }

    #[test]
    fn broken_files_are_refused_with_the_byte() {
        let [pictures, labels, ..] = sound();
        let cut = |bytes: &[u8], to: usize| bytes[..to].to_vec();
        let with = |bytes: &[u8], at: usize, byte: u8| {
            let mut bytes = bytes.to_vec();
            bytes[at] = byte;
            bytes
        };
        let table: [(usize, Vec<u8>, &str); 14] = [
            (0, Vec::new(), "byte 0: the file ends within its header of 16 bytes"),
            (0, cut(&pictures, 3), "byte 3: the file ends within its header of 16 bytes"),
            (0, cut(&pictures, 15), "byte 15: the file ends within its header of 16 bytes"),
            (0, cut(&pictures, 16 + 3 * 784 - 1), "byte 2367: the file ends, and it announced 3 pictures of 784 bytes"),
            (0, [&pictures[..], &[0]].concat(), "byte 2369: the file ends, and it announced 3 pictures of 784 bytes"),
            (
                0,
                with(&pictures, 4, 0xff),
                "byte 2368: the file ends, and it announced 4278190083 pictures of 784 bytes",
            ),
            (0, with(&pictures, 11, 32), "byte 8: pictures of 32×28"),
            (
                0,
                with(&pictures, 2, 0x0d),
                "byte 0: begins with 0x00000d03, and a file of pictures begins with 0x00000803",
            ),
            (0, vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0], "byte 0: the file is packed"),
            (0, idx(&[0, 28, 28], &[]), "byte 4: no pictures"),
            (1, cut(&labels, 10), "byte 10: the file ends, and it announced 3 labels of 1 bytes"),
            (1, pictures.clone(), "byte 0: begins with 0x00000803, and a file of labels begins with 0x00000801"),
            (1, idx(&[3], &[7, 10, 9]), "byte 9: the label 10"),
            (1, idx(&[2], &[7, 9]), "byte 4: 2 labels, and "),
        ];
        for (which, bytes, expected) in table {
            let mut files = sound();
            files[which] = bytes;
            let error = read(&files).unwrap_err();
            let text = error.to_string();
            assert!(text.contains(&format!("{}: {expected}", MNIST_FILES[which])), "{text}\nis not\n{expected}");
            assert_eq!(error.exit_status(), 2);
        }
        let missing = read_mnist(Path::new("no/such/folder")).unwrap_err();
        assert_eq!(missing.exit_status(), 2);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        /// Any bytes are an error or as many labels as were announced, never a panic.
        #[test]
        fn no_bytes_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..64), sound_magic in any::<bool>()) {
            if sound_magic && bytes.len() >= 8 {
                bytes[..7].copy_from_slice(&[0, 0, 8, 1, 0, 0, 0]);
            }
            if let Ok(labels) = read_labels(Path::new("labels"), &bytes) {
                prop_assert_eq!(labels.len(), bytes.len() - LABELS_HEADER);
            }
            let _ = read_pictures(Path::new("pictures"), &bytes);
        }
    }
}
