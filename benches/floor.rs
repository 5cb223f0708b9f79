//! What an optimiser step costs on the CPU, beside its floor: the matrix products of that step alone, at the same shapes.
//!
//! ```text
//! cargo bench --bench floor -- [REPEATS] [MODEL DATA FOLDER]
//! ```
//!
//! DPO steps of eight pairs of the shipped world on the shipped model; or of the first four pairs of a file of preferences
//! on another MODEL (a GGUF file or a folder), of which FOLDER has the `config.json`. The floor multiplies, by the same
//! library and on all cores, shared out in the quicker of two ways: every weight matrix with every token three times
//! (forward, and backward to the inputs and to the weights), the output matrix with the tokens that are predicted, and
//! queries, keys and values of each head, of which a causal mask needs half. Prints every measurement and the ratio of the
//! medians, the step to its floor; and how many pages of fresh memory a step asks the kernel for, on Linux.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::cast_precision_loss,
    missing_docs,
    unsafe_code,
    reason = "a bench prints and may fail, and calls the library of products as the program does"
)]

#[allow(dead_code, unreachable_pub, reason = "not every bench needs all of it")]
mod common;

use std::path::Path;
use std::time::Instant;

use gemm::Parallelism;
use ldyn_tui::protocol::{MetricKey, ProbeKind, TrainerEvent};
use ldyn_tui::{BackendChoice, Experiment, train};
use rayon::prelude::*;

use common::{arguments, median};

/// The program's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Steps of one repeat; the first two are left out, for they make the buffers that later ones use again.
const STEPS: usize = 12;
/// Where sequences of another model are cut, tokens: whole, and prompts.
const LENGTHS: (usize, usize) = (512, 256);

/// What a step reads.
struct Work {
    /// Tokens of all sequences.
    tokens: usize,
    /// Tokens of the answers.
    predicted: usize,
    sequences: usize,
    /// Pages that the kernel cleared for it, on average.
    fresh: Option<u64>,
}

/// Pages that the kernel has cleared for this process so far, on Linux.
fn fresh_pages() -> Option<u64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(7)?.parse().ok()
}

/// Seconds of every step, and what one of them reads. Every step reads the same pairs.
fn steps(source: &str, pairs: usize) -> (Vec<f64>, Work) {
    let text = format!(
        "(name: \"floor\", {source}, probes: (prompts: {pairs}, greedy: 0, held_out: 0, kinds: [chosen, rejected]),
          stages: [(name: \"DPO\", objective: sigmoid(), steps: {STEPS}, batch_size: {pairs}, optimizer: adamw(),
                    learning_rate: 1e-8, evaluate_every: 100000)])"
    );
    let experiment = Experiment::parse(Path::new("floor.ron"), &text, &[]).unwrap();
    let (mut predicted, mut tokens, mut seconds, mut began) = (0, Vec::new(), Vec::new(), Instant::now());
    let mut pages = Vec::new();
    train(&experiment, BackendChoice::Flex, |event| {
        match event {
            TrainerEvent::RunStarted(run) => {
                let of = |kind| run.probes.iter().filter_map(move |probe| Some(probe.responses.get(&kind)?.tokens));
                predicted = of(ProbeKind::Chosen).chain(of(ProbeKind::Rejected)).sum();
            }
            TrainerEvent::Step(step) => {
                seconds.push(began.elapsed().as_secs_f64());
                tokens.push(step.metrics[&MetricKey::NUM_TOKENS]);
                pages.push(fresh_pages());
            }
            _ => {}
        }
        began = Instant::now();
        Ok(())
    })
    .unwrap();
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
    let tokens = (tokens[STEPS - 1] - tokens[STEPS - 2]) as usize;
    let fresh = pages[STEPS - 1].zip(pages[1]).map(|(now, before)| (now - before) / (STEPS as u64 - 2));
    seconds.drain(..2);
    (seconds, Work { tokens, predicted: predicted as usize, sequences: 2 * pairs, fresh })
}

/// Products `[m, k] × [k, n]`, and how many of them.
type Products = Vec<([usize; 3], usize)>;

/// The products of one step.
fn products(config: &Path, work: &Work) -> Products {
    let config: serde_json::Value = serde_json::from_slice(&std::fs::read(config).unwrap()).unwrap();
    let size = |name: &str| config[name].as_u64().map(|size| usize::try_from(size).unwrap());
    let (hidden, inner, layers, heads) = (
        size("hidden_size").unwrap(),
        size("intermediate_size").unwrap(),
        size("num_hidden_layers").unwrap(),
        size("num_attention_heads").unwrap(),
    );
    let head = size("head_dim").unwrap_or(hidden / heads);
    let key_value = head * size("num_key_value_heads").unwrap_or(heads);
    let matrices = [(hidden, heads * head), (hidden, key_value), (hidden, key_value), (heads * head, hidden)];
    let feed_forward = [(hidden, inner), (hidden, inner), (inner, hidden)];
    let mut products = Vec::new();
    let mut linear = |rows: usize, from: usize, to: usize, count: usize| {
        products.extend([([rows, from, to], count), ([rows, to, from], count), ([from, rows, to], count)]);
    };
    for (from, to) in matrices.into_iter().chain(feed_forward) {
        linear(work.tokens, from, to, layers);
    }
    linear(work.predicted, hidden, size("vocab_size").unwrap(), 1);
    // Scores and means of values, forward once and backward twice each; a causal mask needs half of every square.
    let length = work.tokens / work.sequences;
    let squares = layers * heads * work.sequences;
    products.extend([([length, head, length / 2], 3 * squares), ([length, length / 2, head], 3 * squares)]);
    products
}

/// Seconds that the products take: each shared out among all cores by the library, or each on one core and as many at a
/// time as there are cores, whichever is sooner done.
fn floor(products: &Products) -> f64 {
    let largest = products.iter().map(|([m, k, n], _)| (m * k).max(k * n).max(m * n)).max().unwrap();
    let (a, b) = (vec![1.0_f32; largest], vec![1.0_f32; largest]);
    let all: Vec<[usize; 3]> = products.iter().flat_map(|&(size, count)| std::iter::repeat_n(size, count)).collect();
    let memory = || vec![0.0_f32; largest];
    let mut c = memory();
    let began = Instant::now();
    for &[m, k, n] in &all {
        let sharing = if m * k * n < 1 << 17 { Parallelism::None } else { Parallelism::Rayon(0) };
        multiply([m, k, n], &a, &b, &mut c, sharing);
    }
    let shared = began.elapsed().as_secs_f64();
    let began = Instant::now();
    all.par_iter().for_each_init(memory, |c, &size| multiply(size, &a, &b, c, Parallelism::None));
    shared.min(began.elapsed().as_secs_f64())
}

/// Multiplies a `[m, k]` with b `[k, n]`.
fn multiply([m, k, n]: [usize; 3], a: &[f32], b: &[f32], c: &mut [f32], sharing: Parallelism) {
    assert!(a.len() >= m * k && b.len() >= k * n && c.len() >= m * n);
    let stride = |n: usize| isize::try_from(n).unwrap();
    // SAFETY: the buffers hold at least m·k, k·n and m·n numbers, with rows of k, n and n.
    unsafe {
        #[rustfmt::skip]
        gemm::gemm(
            m, n, k,
            c.as_mut_ptr(), 1, stride(n), false,
            a.as_ptr(), 1, stride(k),
            b.as_ptr(), 1, stride(n),
            0.0, 1.0, false, false, false, sharing,
        );
    }
    std::hint::black_box(c);
}

fn main() {
    let arguments = arguments();
    let repeats: usize = arguments.first().map_or(3, |s| s.parse().expect("REPEATS is a number"));
    let (source, pairs, folder) = match &arguments[arguments.len().min(1)..] {
        [model, data, folder] => {
            let kind = if Path::new(model).is_dir() { "folder" } else { "file" };
            let lines = std::fs::read_to_string(data).unwrap().lines().take(4).collect::<Vec<_>>().join("\n");
            let temporary = std::env::temp_dir().join(format!("floor-{}.jsonl", std::process::id()));
            std::fs::write(&temporary, lines).unwrap();
            let (whole, prompt) = LENGTHS;
            let data =
                format!("data: preferences(train: {temporary:?}, max_length: {whole}, max_prompt_length: {prompt})");
            (format!("model: {kind}({model:?}), {data}"), 4, folder.clone())
        }
        _ => {
            let data = "data: world(train: 8, held_out: 2, chosen_exponent: 1.4, rejected_exponent: 0.8, overlap: 0.2)";
            (data.to_owned(), 8, concat!(env!("CARGO_MANIFEST_DIR"), "/assets/base").to_owned())
        }
    };
    let (mut ours, mut floors) = (Vec::new(), Vec::new());
    for i in 1..=repeats {
        let (seconds, work) = steps(&source, pairs);
        let products = products(&Path::new(&folder).join("config.json"), &work);
        floor(&products);
        let alone = median((0..5).map(|_| floor(&products)).collect());
        ours.push(median(seconds));
        floors.push(alone);
        let flops: usize = products.iter().map(|([m, k, n], count)| 2 * m * k * n * count).sum();
        println!(
            "{i}: a step {:.1} ms, its products alone {:.1} ms ({:.1} GFLOP, {:.0} GFLOP/s; {} tokens, {} predicted, {} fresh pages)",
            1e3 * ours[i - 1],
            1e3 * alone,
            flops as f64 / 1e9,
            flops as f64 / 1e9 / alone,
            work.tokens,
            work.predicted,
            work.fresh.map_or("?".to_owned(), |pages| pages.to_string())
        );
    }
    println!("step / products = {:.3} ({pairs} pairs, median of {repeats})", median(ours) / median(floors));
}
