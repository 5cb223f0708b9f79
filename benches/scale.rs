//! How time and memory grow: of measurements and steps with prompts, responses, vocabulary and length, of long recordings
//! with steps and curves.
//!
//! ```text
//! cargo bench --bench scale
//! ```
//!
//! One table an axis, everything else held: a column a size, and at the end the exponent x of cost ∝ sizeˣ, fitted by least
//! squares to the logarithms (1.0: twice the size costs twice as much; 0: it costs nothing). Every column is a process of its
//! own, whose peak of memory is what it needed beyond the program itself.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_precision_loss,
    missing_docs,
    reason = "a bench prints and may fail"
)]

#[allow(dead_code, unreachable_pub, reason = "not every bench needs all of it")]
mod common;

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use ldyn_tui::protocol::{ProbeKind, TrainerEvent};
use ldyn_tui::{App, BackendChoice, Experiment, Glyphs, Loaded, Loader, Message, Screenful as _, Theme, train};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use safetensors::tensor::{Dtype, TensorView};

use common::{arguments, median, memory, recording};

/// The program's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What is varied, each with its sizes.
const AXES: [(&str, &[usize]); 7] = [
    ("prompts", &[16, 32, 64, 128]),
    ("responses of a prompt", &[2, 4, 8, 14]),
    ("vocabulary", &[1500, 6000, 24_000, 96_000]),
    ("words of an answer", &[16, 32, 64, 128, 256]),
    ("pairs of a batch", &[2, 4, 8, 16]),
    ("steps of a recording", &[30_000, 100_000, 300_000, 1_000_000]),
    ("curves of a recording", &[4, 8, 16]),
];

/// A training as it is measured where nothing else is said.
#[derive(Clone, Copy)]
struct Training {
    prompts: usize,
    responses: usize,
    vocabulary: usize,
    words: usize,
    pairs: usize,
}

const USUAL: Training = Training { prompts: 16, responses: 3, vocabulary: 1500, words: 32, pairs: 4 };
/// Steps of a recording where something else is varied.
const USUAL_STEPS: usize = 100_000;
/// Measurements and steps of a training; the first two are left out.
const REPEATS: usize = 8;

fn main() {
    let arguments = arguments();
    if let [axis, size] = &arguments[..] {
        return println!("{}", point(axis, size.parse().expect("a size")));
    }
    println!(
        "A Llama of 3 blocks of width 192, of {} words in {} entries; {} prompts with {} responses, {} pairs a batch;",
        USUAL.words, USUAL.vocabulary, USUAL.prompts, USUAL.responses, USUAL.pairs
    );
    println!(
        "recordings of {USUAL_STEPS} steps, measured every {}, 16 curves, drawn in 160×50 cells.",
        recording::EVERY
    );
    for (axis, sizes) in AXES {
        let points: Vec<serde_json::Value> = sizes.iter().map(|&size| measured(axis, size)).collect();
        println!("\n{axis}");
        for name in points[0].as_object().unwrap().keys() {
            let costs: Vec<f64> = points.iter().map(|point| point[name].as_f64().unwrap()).collect();
            let sizes: Vec<f64> = sizes.iter().map(|&size| size as f64).collect();
            let columns = costs.iter().fold(String::new(), |mut line, cost| {
                write!(line, " {cost:>10.1}").unwrap();
                line
            });
            println!("  {name:24}{columns}    exponent {:.2}", exponent(&sizes, &costs));
        }
    }
}

/// A point of an axis, in a process of its own.
fn measured(axis: &str, size: usize) -> serde_json::Value {
    let itself = std::env::current_exe().unwrap();
    let output = Command::new(itself).args([axis, &size.to_string()]).output().unwrap();
    assert!(output.status.success(), "{axis} {size}: {}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8(output.stdout).unwrap();
    serde_json::from_str(said.lines().last().expect("a line")).unwrap()
}

/// The slope of the logarithms of costs over those of sizes.
fn exponent(sizes: &[f64], costs: &[f64]) -> f64 {
    let mean = |values: &[f64]| values.iter().map(|v| v.ln()).sum::<f64>() / values.len() as f64;
    let (size, cost) = (mean(sizes), mean(costs));
    let pairs = || sizes.iter().zip(costs).map(|(s, c)| (s.ln() - size, c.ln() - cost));
    pairs().map(|(s, c)| s * c).sum::<f64>() / pairs().map(|(s, _)| s * s).sum::<f64>()
}

/// What a size of an axis costs.
fn point(axis: &str, size: usize) -> serde_json::Value {
    match axis {
        "prompts" => training(Training { prompts: size, ..USUAL }),
        "responses of a prompt" => training(Training { responses: size, ..USUAL }),
        "vocabulary" => training(Training { vocabulary: size, ..USUAL }),
        "words of an answer" => training(Training { words: size, ..USUAL }),
        "pairs of a batch" => training(Training { pairs: size, ..USUAL }),
        "steps of a recording" => replay(size, ProbeKind::ALL.len()),
        "curves of a recording" => replay(USUAL_STEPS, size.saturating_sub(2)),
        _ => panic!("no axis {axis}"),
    }
}

/// Milliseconds of a measurement and of a DPO step, and megabytes at the peak.
fn training(of: Training) -> serde_json::Value {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("model");
    checkpoint(&model, of.vocabulary);
    let data = folder.path().join("pairs.jsonl");
    std::fs::write(&data, rows(of)).unwrap();
    let kinds: Vec<&str> = ProbeKind::ALL.iter().take(of.responses).map(|kind| kind.key()).collect();
    let text = format!(
        "(name: \"scale\", model: folder({model:?}), data: preferences(train: {data:?}, held_out: {data:?}),
          probes: (prompts: {}, greedy: 0, held_out: 0, kinds: [{}]),
          stages: [(name: \"DPO\", objective: sigmoid(), steps: {REPEATS}, batch_size: {}, optimizer: adamw(),
                    learning_rate: 1e-8, evaluate_every: 1)])",
        of.prompts,
        kinds.join(", "),
        of.pairs
    );
    let experiment = Experiment::parse(Path::new("scale.ron"), &text, &[]).unwrap();
    let before = memory("VmRSS");
    let (mut steps, mut measurements, mut began) = (Vec::new(), Vec::new(), Instant::now());
    train(&experiment, BackendChoice::Flex, |event| {
        match event {
            TrainerEvent::Step(_) => steps.push(ms(began)),
            TrainerEvent::Evaluation(_) => measurements.push(ms(began)),
            _ => {}
        }
        began = Instant::now();
        Ok(())
    })
    .unwrap();
    serde_json::json!({
        "a measurement, ms": median(measurements.split_off(2)),
        "a step, ms": median(steps.split_off(2)),
        "memory, MB": grown(before),
    })
}

/// What loading a recording and its frames cost.
fn replay(steps: usize, kinds: usize) -> serde_json::Value {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    let size = recording::write(&path, steps as u64, &ProbeKind::ALL[..kinds]);
    let before = memory("VmRSS");
    let began = Instant::now();
    let loader = Loader::start(&path).unwrap();
    let mut app = App::arriving(Theme::default(), Glyphs::Braille);
    for loaded in loader.first(Duration::from_millis(120)) {
        app.update(Message::Recording(loaded));
    }
    draw(&app);
    let first = ms(began);
    for loaded in loader.arrivals() {
        let whole = matches!(loaded, Loaded::Whole);
        app.update(Message::Recording(loaded));
        if whole {
            break;
        }
    }
    let (loading, loaded) = (ms(began), grown(before));
    let timed = |what: &mut dyn FnMut()| {
        let times = (0..50).map(|_| {
            let began = Instant::now();
            what();
            ms(began)
        });
        median(times.collect())
    };
    let frame = timed(&mut || draw(&app));
    let mut place = 7_919;
    let seek = timed(&mut || {
        place = (place * 48_271) % 2_147_483_647;
        app.seek_step(place % steps as u64);
        draw(&app);
    });
    serde_json::json!({
        "file, MB": size / 1e6,
        "first frame, ms": first,
        "loading, ms": loading,
        "memory, MB": loaded,
        "a frame, ms": frame,
        "a seek, ms": seek,
    })
}

fn draw(app: &App) {
    let area = Rect::new(0, 0, 160, 50);
    let mut buffer = Buffer::empty(area);
    app.render(area, &mut buffer);
    std::hint::black_box(buffer);
}

fn ms(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

/// Megabytes by which memory has been above `before` at most.
fn grown(before: Option<f64>) -> f64 {
    (memory("VmHWM").unwrap_or(f64::NAN) - before.unwrap_or(f64::NAN)) / 1e6
}

/// Numbers that are the same on every machine, 0 to 2³¹.
fn numbers(seed: u64) -> impl Iterator<Item = u64> {
    std::iter::successors(Some(seed + 1), |last| Some((last * 48_271) % 2_147_483_647)).skip(8)
}

/// Preference rows with so many words an answer, all kinds of responses in each.
fn rows(of: Training) -> String {
    const WORDS: [&str; 16] =
        ["the", "a", "in", "of", "and", "is", "on", "to", "her", "his", "by", "for", "that", "with", "it", "she"];
    let answer = |seed: usize| {
        let drawn = numbers(seed as u64).take(of.words).map(|n| WORDS[usize::try_from(n).unwrap() % WORDS.len()]);
        drawn.collect::<Vec<_>>().join(" ")
    };
    let row = |index: usize| {
        let kinds = ProbeKind::ALL.iter().enumerate();
        let mut row: serde_json::Map<String, serde_json::Value> =
            kinds.map(|(at, kind)| (kind.key().to_owned(), answer(100 * index + at).into())).collect();
        row.insert("prompt".to_owned(), format!("Question {index}: {} ", answer(100 * index + 50)).into());
        serde_json::Value::Object(row).to_string()
    };
    (0..of.prompts.max(of.pairs) + 1).map(row).collect::<Vec<_>>().join("\n")
}

/// Writes a model of the shipped one's shape but for its vocabulary and its longest sequence, with random weights.
fn checkpoint(folder: &Path, vocabulary: usize) {
    let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/base");
    std::fs::create_dir_all(folder).unwrap();
    std::fs::copy(base.join("tokenizer.json"), folder.join("tokenizer.json")).unwrap();
    let mut config: serde_json::Value =
        serde_json::from_slice(&std::fs::read(base.join("config.json")).unwrap()).unwrap();
    config["vocab_size"] = vocabulary.into();
    config["max_position_embeddings"] = 2048.into();
    std::fs::write(folder.join("config.json"), config.to_string()).unwrap();
    let size = |name: &str| usize::try_from(config[name].as_u64().unwrap()).unwrap();
    let (width, inner) = (size("hidden_size"), size("intermediate_size"));
    let mut shapes = vec![("model.embed_tokens.weight".to_owned(), vec![vocabulary, width])];
    shapes.push(("model.norm.weight".to_owned(), vec![width]));
    for layer in 0..size("num_hidden_layers") {
        let of = |name: &str, shape: &[usize]| (format!("model.layers.{layer}.{name}.weight"), shape.to_vec());
        shapes.extend(["q", "k", "v", "o"].map(|name| of(&format!("self_attn.{name}_proj"), &[width, width])));
        shapes.extend(["gate", "up"].map(|name| of(&format!("mlp.{name}_proj"), &[inner, width])));
        shapes.push(of("mlp.down_proj", &[width, inner]));
        shapes.extend(["input_layernorm", "post_attention_layernorm"].map(|name| of(name, &[width])));
    }
    let weights: Vec<(String, Vec<usize>, Vec<u8>)> = shapes
        .into_iter()
        .enumerate()
        .map(|(seed, (name, shape))| {
            let norm = shape.len() == 1;
            let drawn = numbers(seed as u64).take(shape.iter().product());
            let weight = drawn.map(|n| if norm { 1.0 } else { (n as f32 / 2_147_483_648.0 - 0.5) * 0.1 });
            let bytes = weight.flat_map(f32::to_le_bytes).collect();
            (name, shape, bytes)
        })
        .collect();
    let views = weights
        .iter()
        .map(|(name, shape, bytes)| (name.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()));
    std::fs::write(folder.join("model.safetensors"), safetensors::serialize(views, None).unwrap()).unwrap();
}
