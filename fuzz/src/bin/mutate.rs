//! A fuzzer for a stable compiler: mutates sound checkpoints, the same way for the same seed, and reads them. The last
//! input lies in `fuzz/artifacts/` until it has been survived.
//!
//! ```text
//! cargo run --manifest-path fuzz/Cargo.toml --bin mutate -- gguf|safetensors [--minutes 10] [--seed 1]
//! ```

use std::alloc::{GlobalAlloc, Layout, System};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ldyn_tui_fuzz::{Scene, seeds};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Memory beyond the file's size.
const BOUND: usize = 64 << 20;
/// Longer than any sound reading takes.
const PATIENCE: Duration = Duration::from_secs(5);

/// The system's allocator, counting what is held and what was held at most.
struct Counting;
static HELD: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        MOST.fetch_max(held, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// A sound file, and the folder that it belongs to unless it stands alone.
struct Seed {
    folder: Option<&'static str>,
    name: &'static str,
    bytes: Vec<u8>,
}

const GGUF: [&str; 6] = [
    "llama_gqa_rope.gguf",
    "qwen2.gguf",
    "qwen3.gguf",
    "gpt_neox_parallel.gguf",
    "gpt2.gguf",
    "../gguf_sentencepiece.gguf",
];
const SAFETENSORS: [(&str, &str); 9] = [
    ("qwen2", "model.safetensors.index.json"),
    ("qwen2", "model-00001-of-00002.safetensors"),
    ("qwen2", "model-00002-of-00002.safetensors"),
    ("qwen2", "config.json"),
    ("qwen2", "tokenizer.json"),
    ("gpt2", "model.safetensors"),
    ("gpt2", "config.json"),
    ("gpt_neox_parallel", "model.safetensors"),
    ("llama_gqa_rope", "config.json"),
];

fn main() -> std::io::Result<()> {
    let args: Vec<String> = std::env::args().collect();
    let number = |flag: &str, default: u64| {
        let at = args.iter().position(|a| a == flag);
        at.and_then(|at| args.get(at + 1)).and_then(|x| x.parse().ok()).unwrap_or(default)
    };
    let target = args.get(1).map_or("gguf", String::as_str);
    let seeds: Vec<Seed> = match target {
        "gguf" => GGUF.iter().map(|name| seed(None, name)).collect::<std::io::Result<_>>()?,
        "safetensors" => {
            SAFETENSORS.iter().map(|(folder, name)| seed(Some(folder), name)).collect::<std::io::Result<_>>()?
        }
        other => panic!("{other} is neither gguf nor safetensors"),
    };
    let scenes = seeds.iter().map(|seed| Scene::new(seed.folder)).collect::<std::io::Result<Vec<_>>>()?;
    let artifacts = Path::new(env!("CARGO_MANIFEST_DIR")).join("artifacts");
    std::fs::create_dir_all(&artifacts)?;
    let kept = artifacts.join(format!("{target}-last"));
    let mut random = Random(ChaCha8Rng::seed_from_u64(number("--seed", 1)));
    let end = Instant::now() + Duration::from_secs(60 * number("--minutes", 10));
    let (mut rounds, mut sound, mut slowest, mut largest) = (0u64, 0u64, Duration::ZERO, 0);
    while Instant::now() < end {
        let which = random.below(seeds.len());
        let Seed { folder, name, bytes } = &seeds[which];
        let mut input = bytes.clone();
        for _ in 0..=random.below(4) {
            mutate(&mut input, bytes, &mut random);
        }
        std::fs::write(&kept, &input)?;
        let held = HELD.load(Ordering::Relaxed);
        MOST.store(held, Ordering::Relaxed);
        let started = Instant::now();
        let survived = match folder {
            None => scenes[which].gguf(&input),
            Some(_) => scenes[which].file(name, &input),
        };
        let took = started.elapsed();
        let beyond = MOST.load(Ordering::Relaxed).saturating_sub(held + input.len());
        assert!(beyond < BOUND, "{beyond} bytes were held beyond the file; see {}", kept.display());
        assert!(took < PATIENCE, "it took {took:?}; see {}", kept.display());
        if folder.is_some() {
            scenes[which].file(name, bytes);
        }
        (rounds, sound) = (rounds + 1, sound + u64::from(survived));
        (slowest, largest) = (slowest.max(took), largest.max(beyond));
    }
    std::fs::remove_file(&kept)?;
    println!(
        "{target}: {rounds} inputs, {sound} of them still sound; slowest {slowest:?}, at most {:.1} MB beyond the file; \
         no panic",
        largest as f64 / 1e6
    );
    Ok(())
}

fn seed(folder: Option<&'static str>, name: &'static str) -> std::io::Result<Seed> {
    let path = seeds().join(folder.unwrap_or("")).join(name);
    Ok(Seed { folder, name, bytes: std::fs::read(path)? })
}

struct Random(ChaCha8Rng);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        (self.0.next_u64() % end.max(1) as u64) as usize
    }

    /// Headers are where the structure is: half of all places lie in the first four kilobytes.
    fn place(&mut self, length: usize) -> usize {
        if self.below(2) == 0 { self.below(length.min(4096)) } else { self.below(length) }
    }
}

/// Numbers that break arithmetic.
const INTERESTING: [u64; 12] =
    [0, 1, 7, 0x7f, 0xff, 0x7fff_ffff, 0xffff_ffff, 1 << 32, 1 << 40, i64::MAX as u64, u64::MAX - 31, u64::MAX];

/// One change: bits, bytes, numbers, digits, pieces cut out, doubled or taken from elsewhere.
fn mutate(input: &mut Vec<u8>, sound: &[u8], random: &mut Random) {
    if input.is_empty() {
        return;
    }
    let at = random.place(input.len());
    let rest = input.len() - at;
    match random.below(9) {
        0 => input[at] ^= 1 << random.below(8),
        1 => input[at] = random.below(256) as u8,
        2 | 3 => {
            let size = [1, 2, 4, 8][random.below(4)].min(rest);
            let number = INTERESTING[random.below(INTERESTING.len())].to_le_bytes();
            input[at..at + size].copy_from_slice(&number[..size]);
        }
        4 => input.truncate(at),
        5 => drop(input.drain(at..at + random.below(rest.min(64)))),
        6 => {
            let piece = input[at..at + random.below(rest.min(256))].to_vec();
            let to = random.place(input.len());
            input.splice(to..to, piece);
        }
        7 => {
            let from = random.place(sound.len());
            let size = random.below(64).min(rest).min(sound.len() - from);
            input[at..at + size].copy_from_slice(&sound[from..from + size]);
        }
        _ => {
            // The next digit becomes a number of its own.
            if let Some(digit) = input[at..].iter().position(u8::is_ascii_digit) {
                let number = INTERESTING[random.below(INTERESTING.len())].to_string();
                input.splice(at + digit..=at + digit, number.bytes());
            }
        }
    }
}
