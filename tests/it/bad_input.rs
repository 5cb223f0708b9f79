//! What is wrong with the input, where, and what to write instead: a row a mistake.

use std::path::Path;
use std::process::Command;

/// A valid experiment; every row breaks it in one place.
const VALID: &str = r#"(
  name: "x",
  seed: 1,
  model: base,
  data: world(train: 64, held_out: 16),
  probes: (prompts: 8),
  stages: [
    (name: "SFT", objective: sft, steps: 8, learning_rate: 5e-4, warmup_steps: 2),
    (name: "DPO", objective: sigmoid(beta: 0.1), steps: 8, learning_rate: 1e-5),
  ],
)
"#;

/// What is replaced by what (`GOLDEN` is the folder of golden values), and what is said of it.
const EXPERIMENTS: &[(&str, &str, &str)] = &[
    ("\"x\"", "\"\"", "bad.ron:2:9: name: the name is empty"),
    ("\"x\"", "\"../x\"", "bad.ron:2:9: name: \"../x\" cannot name a directory everywhere"),
    ("\"x\"", "x", "bad.ron:2:9: expected a text in double quotes, found `x`"),
    ("\"x\"", "\"x", "bad.ron:8:13: expected `,` or `)`, found `S`"),
    ("name: \"x\",", "", "bad.ron:1:1: the field `name` is missing\n  add `name: \"my_experiment\"`"),
    ("seed: 1", "sead: 1", "bad.ron:3:3: unknown field `sead`\n  did you mean `seed`?"),
    ("seed: 1", "seed: 1, seed: 2", "bad.ron:3:12: `seed` is given twice"),
    ("seed: 1", "seed: -1", "bad.ron:3:9: expected a whole number, 0 or larger, found the number -1"),
    ("seed: 1,", "seed: 1", "bad.ron:4:3: expected `,` or `)`, found `m`"),
    (
        "model: base",
        "model: bass",
        "bad.ron:4:10: `bass` is not one of base, folder(\"…\"), file(\"…\"), hub(\"…\"), new(…), mlp([…]) and lenet\n  did you mean `base`?",
    ),
    ("model: base", "model: folder(\"nowhere\")", "bad.ron:4:10: model: there is no folder nowhere"),
    (
        "model: base",
        "model: new(vocab_size: 200, hidden_size: 64, intermediate_size: 64, layers: 1, heads: 4, max_positions: 64)",
        "bad.ron:4:26: model.vocab_size: 200 entries are too few",
    ),
    (
        "model: base",
        "model: new(vocab_size: 400, hidden_size: 60, intermediate_size: 64, layers: 1, heads: 4, max_positions: 64)",
        "model.heads: 4 heads do not split hidden_size 60 into even sizes",
    ),
    ("model: base", "lora: (rank: 0)", "bad.ron:4:16: lora.rank: 0 is not a rank\n  write a small one, such as 8"),
    ("model: base", "lora: (alpha: 0)", "bad.ron:4:17: lora.alpha: 0 is not above 0"),
    ("model: base", "lora: (targets: [])", "bad.ron:4:19: lora.targets: nothing would be trained"),
    ("model: base", "lora: (targets: [key, key])", "bad.ron:4:25: lora.targets[1]: is given twice"),
    (
        "model: base",
        "lora: (targets: [q_proj])",
        "bad.ron:4:20: `q_proj` is not one of query, key, value, output, gate, up and down",
    ),
    (
        "model: base",
        "model: folder(\"GOLDEN/families/gpt2\"), lora: (targets: [up, gate])",
        "lora.targets[1]: the model has no `gate`\n  it has query, key, value, output, up, down",
    ),
    (
        "model: base",
        "model: folder(\"GOLDEN/families/gpt2\"), lora: (rank: 64)",
        "lora.rank: the rank of `query` is 32, and its change cannot have rank 64\n  write 32 or less",
    ),
    (
        "model: base",
        "lora: (), model: new(vocab_size: 400, hidden_size: 64, intermediate_size: 64, layers: 1, heads: 4, max_positions: 64)",
        "bad.ron:4:9: lora: a new model's weights are random, and adapters leave them as they are",
    ),
    ("model: base", "precision: f16", "bad.ron:4:14: `f16` is not one of f32 and bf16"),
    ("world(train: 64, held_out: 16)", "lab(), precision: bf16", "precision: only a language model's products can be"),
    ("world(train: 64, held_out: 16)", "lab(), lora: ()", "lora: only a language model has matrices to adapt"),
    ("train: 64", "train: 4000", "bad.ron:5:22: data.train: 4000 + 16 questions are more than the world has"),
    ("train: 64", "overlap: 1.5", "bad.ron:5:24: data.overlap: 1.5 is not between 0 and 1"),
    ("train: 64", "chosen_exponent: -1", "bad.ron:5:32: data.chosen_exponent: -1 is no Zipf exponent"),
    (
        "world(train: 64, held_out: 16)",
        "world_documents()",
        "bad.ron:9:30: stages[1].objective: `sigmoid` needs a rejected answer",
    ),
    ("world(train: 64, held_out: 16)", "jsonl(train: \"no.jsonl\")", "data.train: there is no file no.jsonl"),
    ("seed: 1", "claims: [\"S9\"]", "bad.ron:3:11: claims: \"S9\" is no claim\n  known here: S1, S2"),
    ("seed: 1", "baseline: \"nowhere.ron\"", "bad.ron:3:13: baseline: there is no file nowhere.ron"),
    ("model: base", "model: mlp([64])", "bad.ron:4:10: model: this model reads pictures only"),
    ("world(train: 64, held_out: 16)", "digits()", "model: a language model cannot look at pictures"),
    ("world(train: 64, held_out: 16)", "lab(rank: 60)", "data.rank: rank 60 of 50 classes"),
    ("sigmoid(beta: 0.1)", "robust(label_smoothing: 0.5)", "label_smoothing: 0.5 is not between 0 and 0.5"),
    ("sigmoid(beta: 0.1)", "slic(delta: 0)", "objective.delta: 0 is not above 0"),
    ("sigmoid(beta: 0.1)", "gate_dpo(sharpness: -1)", "objective.sharpness: -1 is not above 0"),
    ("objective: sft,", "objective: sft, on_policy: (),", "stages[0].on_policy: `sft` reads no rejected answer"),
    (
        "sigmoid(beta: 0.1)",
        "sigmoid(), on_policy: (replaces: both)",
        "stages[1].on_policy.candidates: one answer cannot be better than itself",
    ),
    ("sigmoid(beta: 0.1)", "sigmoid(), on_policy: (temperature: 0)", "on_policy.temperature: 0 is not above 0"),
    ("sigmoid(beta: 0.1)", "sigmoid(), on_policy: (top_p: 1.5)", "on_policy.top_p: 1.5 is no share"),
    ("prompts: 8", "prompts: 0", "bad.ron:6:21: probes.prompts: 0 is too few"),
    ("prompts: 8", "prompts: 65", "probes.prompts: 65 prompts are to be observed, but there are 64 training examples"),
    ("objective: sft", "objective: stf", "bad.ron:8:30: `stf` is not one of sft, sft_extended, sigmoid(…), robust(…)"),
    (
        "sigmoid(beta: 0.1)",
        "sigmoid",
        "bad.ron:9:30: `sigmoid` is written `sigmoid(…)`, found `sigmoid`\n  write `sigmoid()`",
    ),
    ("beta: 0.1", "beta: 0", "bad.ron:9:44: stages[1].objective.beta: 0 is not above 0"),
    ("steps: 8, learning_rate: 5e-4", "steps: 0, learning_rate: 5e-4", "bad.ron:8:42: stages[0].steps: 0 is too few"),
    ("steps: 8, learning_rate: 5e-4", "steps: 1e3, learning_rate: 5e-4", "found the number 1e3\n  write 1000"),
    ("5e-4", "-5e-4", "bad.ron:8:60: stages[0].learning_rate: -0.0005 is not above 0"),
    ("5e-4", "NaN", "stages[0].learning_rate: NaN is not above 0"),
    ("warmup_steps: 2", "warmup_steps: 9", "stages[0].warmup_steps: a warm-up of 9 steps does not fit into 8 steps"),
    ("warmup_steps: 2", "batch_size: 0", "stages[0].batch_size: 0 is too few"),
    ("warmup_steps: 2", "gradient_accumulation_steps: 0", "stages[0].gradient_accumulation_steps: 0 is too few"),
    ("warmup_steps: 2", "evaluate_every: 0", "stages[0].evaluate_every: 0 is too few"),
    ("warmup_steps: 2", "schedule: cosine(2)", "stages[0].schedule: 2 is not between 0 and 1"),
    (
        "warmup_steps: 2",
        "optimizer: adam()",
        "`adam` is not one of adamw(…), rmsprop(…) and sgd\n  did you mean `adamw`?",
    ),
    ("warmup_steps: 2", "optimizer: rmsprop(alpha: 1)", "stages[0].optimizer.alpha: 1 is no decay rate"),
    ("warmup_steps: 2", "max_grad_norm: -1", "stages[0].max_grad_norm: -1 is no norm"),
    (
        "  stages: [",
        "  detector: (window: 3), stages: [",
        "`window` is no setting any more\n  leave it out: changes are counted from where the stage began",
    ),
    ("  stages: [", "  detector: (patience: 2), stages: [", "`patience` is no setting any more"),
    ("  stages: [", "  detector: (healthy_rate: 0.05), stages: [", "write `leave: 0.5`"),
    ("  stages: [", "  detector: (noise: -1), stages: [", "detector.noise: -1 is not a multiple of the noise"),
    (
        "  stages: [",
        "  detector: (squeezed_share: 25), stages: [",
        "detector.squeezed_share: 25 is not between 0 and 1",
    ),
    ("  stages: [", "  forces: (prompts: 0), stages: [", "forces.prompts: 0 is too few"),
    (
        "  stages: [",
        "  forces: (nodes: 9), stages: [",
        "forces.nodes: slopes cannot be taken at 9 places\n  write 1 to 4",
    ),
    ("  stages: [", "  forces: (tolerance: 1.5), stages: [", "forces.tolerance: 1.5 is not between 0 and 1"),
    ("  stages: [", "  forces: (kinds: []), stages: [", "unknown field `kinds`"),
    ("world(train: 64, held_out: 16)", "lab(), forces: ()", "forces: only answers of a language model are pulled and"),
    ("  stages: [", "  output: (save_model: yes), stages: [", "expected true or false, found `yes`"),
    ("\n)\n", "\n) ()\n", "bad.ron:11:3: there is something after the end of the value"),
];

/// A second row of training data, and what is said of it.
const PAIRS: &[(&str, &str)] = &[
    ("{\"prompt\": \"a\", \"chosen\"", "bad.jsonl:2:"),
    ("{\"prompt\": \"a\"}", "bad.jsonl:2: has no \"chosen\""),
    ("{\"chosen\": \" b\", \"rejected\": \" c\"}", "bad.jsonl:2: has no \"prompt\""),
    ("{\"prompt\": \"\", \"chosen\": \" b\", \"rejected\": \" c\"}", "bad.jsonl:2: \"prompt\" is empty"),
    ("{\"prompt\": \"a\", \"chosen\": null, \"rejected\": \" c\"}", "bad.jsonl:2: has no \"chosen\""),
    ("{\"prompt\": \"a\", \"chosen\": NaN}", "bad.jsonl:2: \"chosen\" is no text: it holds NaN or Infinity"),
    ("{\"prompt\": \"a\", \"chosen\": \" b\", \"tools\": [1]}", "\"tools\" holds something that is not a JSON schema"),
    ("{\"prompt\": \"a\", \"chosen\": 3, \"rejected\": \" c\"}", "bad.jsonl:2: \"chosen\" is "),
    (
        "{\"prompt\": \"a\", \"chosen\": \" b\"}",
        "stages[1].objective: `sigmoid` needs a rejected answer to every prompt",
    ),
];

/// A row of `score`'s data, and what is said of it.
const ROWS: &[(&str, &str)] = &[
    ("{\"prompt\": \"a\", \"response\":", "bad.jsonl:2:"),
    ("[1, 2]", "bad.jsonl:2:"),
    ("{\"prompt\": \"a\", \"respons\": \"b\"}", "bad.jsonl:2:25: unknown field `respons`"),
    ("{\"prompt\": \"a\"}", "bad.jsonl:2: the row is neither a text pair nor a pair of id lists"),
    ("{\"prompt\": \"a\", \"response\": \"\"}", "bad.jsonl:2: the response is empty"),
    ("{\"prompt_ids\": [1], \"ids\": []}", "bad.jsonl:2: `ids` is empty"),
    ("{\"prompt_ids\": [-1], \"ids\": [1]}", "bad.jsonl:2:"),
    ("{\"prompt\": 3, \"response\": \"b\"}", "bad.jsonl:2:12: invalid type: integer `3`"),
];

/// A line of a run file that follows nothing, and what is said of it.
const RUN_FILES: &[(&str, &str)] = &[
    ("", "events.jsonl"),
    ("nonsense\n", "events.jsonl:1"),
    ("{\"event\":\"stage_started\",\"stage\":0,\"step\":0}\n", "events.jsonl"),
];

/// A file of the paper's curves, its second line broken, and what is said of it.
const CURVES: &[(&str, &str)] = &[
    ("{\"logps_eval_prob_train/chosen\": -1", "sft.jsonl:2: is not a JSON object: EOF while parsing an object"),
    ("[1, 2]", "sft.jsonl:2: is not a JSON object: invalid type: sequence, expected a map"),
    ("{\"logps_eval_prob_train/chosen\": \"-1\", \"p_e\": 1}", "`logps_eval_prob_train/chosen` is not a number"),
    ("{\"p_e\": 1}", "sft.jsonl:2: lacks `logps_eval_prob_train/chosen`"),
    ("{\"logps_eval_prob_train/chosen\": -1}", "sft.jsonl:2: lacks `p_e`, unlike the first row"),
    (
        "{\"logps_eval_prob_train/chosen\": -1, \"p_e\": 1, \"energy\": 1}",
        "sft.jsonl:2: has `energy`, unlike the first row",
    ),
    ("{\"logps_eval_prob_train/chosen\": -\u{1b}[2J}", "sft.jsonl:2: is not a JSON object: "),
];

/// Runs a command that must fail with status 2; returns what it said.
fn refused(folder: &Path, args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_ldyn-tui")).args(args).current_dir(folder).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{args:?}: {stderr}");
    assert!(stderr.starts_with("error: ") && stderr.matches("error: ").count() == 1, "told once: {stderr}");
    stderr
}

#[test]
fn the_experiment_that_the_rows_break_is_valid() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("good.ron"), VALID).unwrap();
    let output =
        Command::new(env!("CARGO_BIN_EXE_ldyn-tui")).args(["check", "good.ron"]).current_dir(&folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn broken_experiments() {
    let folder = tempfile::tempdir().unwrap();
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");
    let mut wrong = Vec::new();
    for (from, to, message) in EXPERIMENTS {
        assert!(VALID.contains(from), "the row {from:?} changes nothing");
        let text = VALID.replacen(from, to, 1).replace("GOLDEN", golden);
        std::fs::write(folder.path().join("bad.ron"), text).unwrap();
        let said = refused(folder.path(), &["check", "bad.ron"]);
        if !said.contains(message) {
            wrong.push(format!("{to}\n expected: {message}\n     said: {said}\n"));
        }
        // What `check` refuses is never run.
        assert_eq!(refused(folder.path(), &["run", "bad.ron", "--headless"]), said);
    }
    assert!(wrong.is_empty(), "{}", wrong.concat());
    assert!(!folder.path().join("runs").exists(), "nothing is written for a refused experiment");
}

#[test]
fn every_mistake_is_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let text = VALID.replace("steps: 8", "steps: 0").replace("\"x\"", "\"\"").replace("beta: 0.1", "beta: -1");
    std::fs::write(folder.path().join("bad.ron"), text).unwrap();
    let said = refused(folder.path(), &["check", "bad.ron"]);
    for part in ["name: the name is empty", "stages[0].steps: 0", "stages[1].steps: 0", "stages[1].objective.beta: -1"]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn broken_overrides() {
    let folder = tempfile::tempdir().unwrap();
    for (argument, message) in [
        ("seed", "--set seed: there is no `=`"),
        ("sead=3", "did you mean `seed`?"),
        ("stages[7].steps=3", "`stages[7]` is not known\n  known here: 0 (SFT)"),
        ("stages[DPO].steps=3", "`stages[DPO]` is not known"),
        ("stages[SFT].steps=zero", "--set stages[SFT].steps=zero: expected a whole number, 0 or larger, found `zero`"),
        ("stages[SFT].steps=0", "--set stages[SFT].steps=0: stages[0].steps: 0 is too few"),
        ("seed=1, name: \"y\"", "is not one value"),
    ] {
        let said = refused(folder.path(), &["run", "sft", "--headless", "--set", argument]);
        assert!(said.contains(message), "{argument}: {said}");
    }
}

#[test]
fn broken_pairs() {
    let folder = tempfile::tempdir().unwrap();
    let experiment = VALID
        .replace("world(train: 64, held_out: 16)", "jsonl(train: \"bad.jsonl\")")
        .replace("prompts: 8", "prompts: 1");
    std::fs::write(folder.path().join("x.ron"), experiment).unwrap();
    for (row, message) in PAIRS {
        let text = format!("{{\"prompt\": \"a\", \"chosen\": \" b\", \"rejected\": \" c\"}}\n{row}\n");
        std::fs::write(folder.path().join("bad.jsonl"), text).unwrap();
        let said = refused(folder.path(), &["check", "x.ron"]);
        assert!(said.contains(message), "{row}\n expected: {message}\n     said: {said}");
    }
}

#[test]
fn broken_rows() {
    let folder = tempfile::tempdir().unwrap();
    for (row, message) in ROWS {
        let text = format!("{{\"prompt\": \"fine\", \"response\": \" row\"}}\n{row}\n");
        std::fs::write(folder.path().join("bad.jsonl"), text).unwrap();
        let said = refused(folder.path(), &["score", "--model", "nowhere", "--data", "bad.jsonl"]);
        assert!(said.contains(message), "{row}\n expected: {message}\n     said: {said}");
    }
}

#[test]
fn broken_run_files() {
    let folder = tempfile::tempdir().unwrap();
    for (text, message) in RUN_FILES {
        std::fs::write(folder.path().join("events.jsonl"), text).unwrap();
        for args in [vec!["verify", "events.jsonl"], vec!["export", "events.jsonl", "--format", "csv"]] {
            let said = refused(folder.path(), &args);
            assert!(said.contains(message), "{text}\n expected: {message}\n     said: {said}");
        }
    }
}

/// How a copy of the base model's folder is broken.
type Breakage = fn(&mut Vec<u8>);

/// Replaces the first occurrence; the text must be there.
fn replace(bytes: &mut Vec<u8>, from: &str, to: &str) {
    let at = bytes.windows(from.len()).position(|w| w == from.as_bytes()).expect("the text to be broken");
    bytes.splice(at..at + from.len(), to.bytes());
}

/// A file of the folder, what is done to it, and the message.
const CHECKPOINTS: &[(&str, Breakage, &str)] = &[
    ("model.safetensors", |b| b.truncate(b.len() / 2), "model.safetensors: is not a sound safetensors file"),
    ("model.safetensors", Vec::clear, "is not a sound safetensors file"),
    ("model.safetensors", |b| b[..8].fill(0xff), "is not a sound safetensors file"),
    ("model.safetensors", |b| b[..8].copy_from_slice(&(1u64 << 40).to_le_bytes()), "is not a sound safetensors file"),
    (
        "model.safetensors",
        |b| replace(b, "model.norm.weight", "model.nork.weight"),
        "holds the tensor model.nork.weight, which config.json has no place for",
    ),
    ("model.safetensors", |b| replace(b, "\"F16\"", "\"I16\""), "has element type I16"),
    (
        "model.safetensors",
        |b| {
            let end = b.len();
            b[end - 2..].copy_from_slice(&[0x00, 0x7e]);
        },
        "holds NaN at element",
    ),
    ("config.json", |b| b.truncate(40), "config.json:3:"),
    ("config.json", |b| replace(b, "\"hidden_size\"", "\"hidden_sise\""), "missing field `hidden_size`"),
    ("config.json", |b| replace(b, "\"vocab_size\": 1500", "\"vocab_size\": \"many\""), "config.json:6:"),
    (
        "config.json",
        |b| replace(b, "\"llama\"", "\"mamba\""),
        "model_type is 'mamba', and only llama, qwen2, qwen3, gpt_neox, gpt2 can be trained here",
    ),
    ("config.json", |b| replace(b, "\"silu\"", "\"mish\""), "hidden_act is 'mish'"),
    ("config.json", |b| replace(b, "_attention_heads\": 6", "_attention_heads\": 5"), "is not a whole number"),
    (
        "config.json",
        |b| replace(b, "_value_heads\": 6", "_value_heads\": 4"),
        "is not a multiple of num_key_value_heads 4",
    ),
    ("config.json", |b| replace(b, "_hidden_layers\": 3", "_hidden_layers\": 0"), "num_hidden_layers is 0"),
    ("config.json", |b| replace(b, "_hidden_layers\": 3", "_hidden_layers\": 4"), "lacks the tensor model.layers.3."),
    (
        "config.json",
        |b| replace(b, "\"intermediate_size\": 512", "\"intermediate_size\": 256"),
        "has shape [192, 512], and config.json asks for [192, 256]",
    ),
    (
        "config.json",
        |b| replace(b, "\"rope_theta\"", "\"rope_scaling\": {\"factor\": 2.0}, \"rope_theta\""),
        "rope_scaling has factor: 2.0, which is not known in the type 'default'",
    ),
    (
        "config.json",
        |b| replace(b, "eos_token_id\": 0", "eos_token_id\": 1500"),
        "token id 1500 is outside the vocabulary",
    ),
    (
        "config.json",
        |b| replace(b, "\"vocab_size\": 1500", "\"vocab_size\": 900"),
        "has shape [1500, 192], and config.json asks for [900, 192]",
    ),
    ("tokenizer.json", |b| b.truncate(b.len() / 3), "tokenizer.json: is not a tokenizer"),
    ("tokenizer.json", |b| *b = b"{}".to_vec(), "tokenizer.json: is not a tokenizer"),
];

#[test]
fn broken_checkpoints() {
    let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/base");
    let mut wrong = Vec::new();
    for (file, breakage, message) in CHECKPOINTS {
        let folder = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(&base).unwrap() {
            let path = entry.unwrap().path();
            std::fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
        }
        let path = folder.path().join(file);
        let mut bytes = std::fs::read(&path).unwrap();
        breakage(&mut bytes);
        std::fs::write(&path, bytes).unwrap();
        std::fs::write(folder.path().join("rows.jsonl"), "{\"prompt\": \"a\", \"response\": \" b\"}\n").unwrap();
        let said = refused(folder.path(), &["score", "--model", ".", "--data", "rows.jsonl"]);
        if !said.contains(message) {
            wrong.push(format!("{file}\n expected: {message}\n     said: {said}\n"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.concat());
}

#[test]
fn broken_files_of_the_papers() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    for (line, message) in CURVES {
        let text = format!("{{\"logps_eval_prob_train/chosen\": -2.5, \"p_e\": NaN}}\n{line}\n");
        write("sft.jsonl", text.as_bytes());
        for args in [["verify", "--import", "sft.jsonl"].as_slice(), &["verify", "sft.jsonl"]] {
            let said = refused(folder.path(), args);
            assert!(said.contains(message), "{line}\n expected: {message}\n     said: {said}");
        }
    }
    write("sft.jsonl", b"\n");
    assert!(refused(folder.path(), &["verify", "--import", "sft.jsonl"]).contains("sft.jsonl: holds no row"));
    write("some.jsonl", b"{\"logps_eval_prob_train/chosen\": -2.5}\n");
    let said = refused(folder.path(), &["verify", "--import", "some.jsonl"]);
    assert!(said.contains("neither in the file nor in its name") && said.contains("--as sft"), "{said}");
    assert!(refused(folder.path(), &["verify", "--import", "no_such.npy"]).contains("cannot be read"));

    // As numpy writes it: one row of 17 columns and one prompt.
    let array = |version: &[u8], header: &str, numbers: usize| {
        let mut bytes = [b"\x93NUMPY", version].concat();
        bytes.extend(u16::try_from(header.len()).unwrap().to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(std::iter::repeat_n((-1.0_f64).to_le_bytes(), numbers).flatten());
        bytes
    };
    let header = |descr: &str, order: &str, shape: &str| {
        format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}\n")
    };
    let good = header("<f8", "False", "(1, 17, 1)");
    let v1: &[u8] = &[1, 0];
    let huge = header("<f8", "False", "(4611686018427387904, 17, 500)");
    let billion = header("<f8", "False", "(1000000, 17, 1000000)");
    for (bytes, message) in [
        (b"\x93NUMPY\x01".to_vec(), "dpo.npy: breaks off in the header, at byte 7"),
        (array(v1, &good, 0)[..40].to_vec(), "dpo.npy: breaks off in the header, at byte 40"),
        (array(&[3, 0], &good, 17), "is of npy version 3.0; 1.0 and 2.0 are read"),
        (array(v1, &header("<f4", "False", "(1, 17, 1)"), 17), "holds elements of type '<f4', and only '<f8'"),
        (array(v1, &header("<f8", "True", "(1, 17, 1)"), 17), "is in Fortran order"),
        (array(v1, &header("<f8", "False", "(1, 17)"), 17), "has 2 dimensions, not the three"),
        (
            array(v1, &header("<f8", "False", "(17, 1, 1)"), 17),
            "has the shape (17, 1, 1), not (rows, 17 columns, prompts)",
        ),
        (array(v1, &header("<f8", "False", "(0, 17, 1)"), 0), "has the shape (0, 17, 1)"),
        (array(v1, &header("<f8", "False", "(x, 17, 1)"), 17), "the header's shape is (x, 17, 1), not three numbers"),
        (array(v1, "{'descr': '<f8', }\n", 17), "the header has no 'fortran_order'"),
        (array(v1, &huge, 17), "numbers of 8 bytes, but 136 bytes follow from byte "),
        (array(v1, &billion, 17), "the header promises 1000000 × 17 × 1000000 numbers"),
        (array(v1, &good, 16), "the header promises 1 × 17 × 1 numbers of 8 bytes, but 128 bytes follow"),
        (array(v1, &good, 18), "but 144 bytes follow"),
    ] {
        write("dpo.npy", &bytes);
        let said = refused(folder.path(), &["verify", "--import", "dpo.npy"]);
        assert!(said.contains(message), "expected: {message}\n    said: {said}");
        assert!(said.contains("np.save"), "{said}");
    }
}
