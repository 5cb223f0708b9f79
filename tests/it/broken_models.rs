//! Checkpoints that are broken or lie, folders and GGUF files: a clear error each, bounded memory, no panic.

use std::path::{Path, PathBuf};

use ldyn_tui::Checkpoint;

use crate::memory::peak;

/// Memory beyond the file's own size.
const BOUND: usize = 64 << 20;

type Breakage = fn(&mut Vec<u8>);

/// What is broken (a folder's file, or a GGUF file), how, and what is said of it.
type Row = (&'static str, Breakage, &'static str);

/// Replaces the first occurrence; the text must be there.
fn replace(bytes: &mut Vec<u8>, from: &str, to: &str) {
    let at = bytes.windows(from.len()).position(|w| w == from.as_bytes()).expect("the text to be broken");
    bytes.splice(at..at + from.len(), to.bytes());
}

/// The same within a safetensors header, whose length is told anew.
fn in_header(bytes: &mut Vec<u8>, from: &str, to: &str) {
    let before = bytes.len();
    replace(bytes, from, to);
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) + bytes.len() as u64 - before as u64;
    bytes[..8].copy_from_slice(&length.to_le_bytes());
}

/// Overwrites the number of a key of a GGUF file.
fn set_u32(bytes: &mut [u8], key: &str, value: u32) {
    let at = bytes.windows(key.len()).position(|w| w == key.as_bytes()).expect("the key") + key.len() + 4;
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

const SECOND: &str = "qwen2/model-00002-of-00002.safetensors";
const INDEX: &str = "qwen2/model.safetensors.index.json";
const ONE: &str = "gpt2/model.safetensors";

/// What Git leaves in the place of a large file.
const POINTER: &[u8] = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n";

const SAFETENSORS: &[Row] = &[
    (ONE, |b| *b = POINTER.to_vec(), "model.safetensors: is a pointer of Git LFS"),
    (SECOND, |b| *b = POINTER.to_vec(), "model-00002-of-00002.safetensors: is a pointer of Git LFS"),
    (INDEX, |b| b.truncate(200), "model.safetensors.index.json:"),
    (INDEX, |b| *b = b"{}".to_vec(), "missing field `weight_map`"),
    (INDEX, |b| *b = b"{\"weight_map\": {}}".to_vec(), "names 0 shards"),
    (INDEX, |b| replace(b, "model-00002", "../odel-00002"), "which is not the plain name of a .safetensors file"),
    (INDEX, |b| replace(b, "model-00002", "/etc/x"), "which is not the plain name"),
    (INDEX, |b| replace(b, "model-00002", "C:\\\\x"), "which is not the plain name"),
    (INDEX, |b| replace(b, "model-00002", ".hidden"), "which is not the plain name"),
    (INDEX, |b| replace(b, "model-00002", "a\\u0000b"), "which is not the plain name"),
    (INDEX, |b| replace(b, "model-00001-of", "model-00000-of"), "model-00000-of-00002.safetensors: cannot be read"),
    (INDEX, |b| replace(b, "model-00002-of", "model-00001-of"), "which the index does not say"),
    (
        INDEX,
        |b| {
            replace(
                b,
                "\"model.norm.weight\"",
                "\"model.n\": \"model-00002-of-00002.safetensors\", \"model.norm.weight\"",
            )
        },
        "lacks the tensor model.n, which the index says is here",
    ),
    (INDEX, |b| replace(b, "layers.1.mlp.down_proj", "layers.1.mlp.gate_proj"), "is there twice"),
    (SECOND, Vec::clear, "is not a sound safetensors file: it has no header"),
    (SECOND, |b| b.truncate(b.len() - 2), "is not a sound safetensors file: its tensors end at byte"),
    (SECOND, |b| b.push(0), "is not a sound safetensors file: its tensors end at byte"),
    (SECOND, |b| b.truncate(60), "its header claims"),
    (SECOND, |b| b[..8].fill(0xff), "its header claims 18446744073709551615 bytes"),
    (SECOND, |b| b[..8].copy_from_slice(&(1u64 << 40).to_le_bytes()), "its header claims 1099511627776 bytes"),
    (SECOND, |b| b[8..40].fill(b'['), "is not a sound safetensors file: its header: "),
    (SECOND, |b| b[8..].fill(0), "is not a sound safetensors file: its header: "),
    (SECOND, |b| replace(b, "layers.1.mlp.gate_proj", "layers.1.mlp.down_proj"), "is there twice"),
    (SECOND, |b| in_header(b, "[48,32]", "[1099511627776,32]"), "has shape [1099511627776, 32] of F16 and claims 3072"),
    (SECOND, |b| in_header(b, "[48,32]", "[18446744073709551615,2]"), "and claims 3072 bytes"),
    (SECOND, |b| in_header(b, "[48,32]", "[99999999999999999999999]"), "is not a sound safetensors file: its header: "),
    (SECOND, |b| in_header(b, "[48,32]", "[-48,32]"), "is not a sound safetensors file: its header: "),
    (SECOND, |b| in_header(b, "[48,32]", "[32,48]"), "has shape [32, 48], and config.json asks for [48, 32]"),
    (SECOND, |b| in_header(b, "\"data_offsets\":[0,", "\"data_offsets\":[9999999999999,"), "ends before it begins"),
    (SECOND, |b| in_header(b, "\"data_offsets\":[0,", "\"data_offsets\":[2,"), "bytes"),
    (SECOND, |b| in_header(b, "\"F16\"", "\"F64\""), "of F64 and claims"),
    (SECOND, |b| in_header(b, "\"F16\"", "\"I16\""), "has element type I16"),
    (SECOND, |b| in_header(b, "\"F16\"", "\"F99\""), "unknown variant `F99`"),
    (ONE, |b| in_header(b, "transformer.ln_f.bias", "transformer.ln_f.bios"), "holds the tensor transformer.ln_f.bios"),
    (ONE, |b| in_header(b, "transformer.h.1.attn.c_attn.bias", "transformer.h.1.attn.bias"), "lacks the tensor"),
    (
        ONE,
        |b| {
            let end = b.len();
            b[end - 2..].copy_from_slice(&[0x00, 0xfc]);
        },
        "holds -inf at element",
    ),
    ("llama_tied_linear/model.safetensors", |b| b.iter_mut().rev().take(4).for_each(|b| *b = 0xff), "holds NaN"),
];

const DECODER: &str = "\"decoder\":{";
const NORMALIZER: &str = "\"normalizer\":null";
const PRECOMPILED: &str =
    r#""normalizer":{"type":"Sequence","normalizers":[{"type":"Precompiled","precompiled_charsmap":"/////w=="}]}"#;

const CONFIGS: &[Row] = &[
    ("gpt2/config.json", |b| *b = b"[]".to_vec(), "config.json:1:"),
    ("gpt2/config.json", |b| *b = vec![b'['; 900_000], "config.json:1:"),
    ("gpt2/config.json", |b| b.resize(3 << 20, b' '), "config.json: is larger than 1048576 bytes"),
    ("gpt2/config.json", |b| replace(b, "\"n_head\": 4", "\"n_head\": 0"), "over num_attention_heads 0"),
    ("gpt2/config.json", |b| replace(b, "\"n_head\": 4", "\"n_head\": 5"), "is not a whole number"),
    (
        "gpt2/config.json",
        |b| replace(b, "\"n_layer\": 2", "\"n_layer\": 1000000000"),
        "num_hidden_layers is 1000000000",
    ),
    (
        "gpt2/config.json",
        |b| replace(b, "\"vocab_size\": 290", "\"vocab_size\": 99999999999"),
        "vocab_size is 99999999999",
    ),
    ("gpt2/config.json", |b| replace(b, "_positions\": 64", "_positions\": 65"), "wpe.weight has shape [64, 32]"),
    ("gpt2/config.json", |b| replace(b, "gelu_new", "relu6"), "hidden_act is 'relu6'"),
    ("gpt2/config.json", |b| replace(b, "layer_idx\": false", "layer_idx\": true"), "asks for another attention"),
    ("gpt2/config.json", |b| replace(b, "\"eos_token_id\": 0", "\"eos_token_id\": [290]"), "token id 290 is outside"),
    (
        "gpt2/config.json",
        |b| replace(b, "\"eos_token_id\": 0", "\"eos_token_id\": \"x\""),
        "eos_token_id has \"x\", which is not a token id",
    ),
    ("gpt2/config.json", |b| replace(b, "epsilon\": 1e-05", "epsilon\": 0"), "the norms' epsilon is 0"),
    ("llama_gqa_rope/config.json", |b| replace(b, "\"llama3\"", "\"yarn\""), "rope_scaling is of type 'yarn'"),
    (
        "llama_gqa_rope/config.json",
        |b| replace(b, "low_freq_factor", "lo_freq_factor"),
        "rope_scaling has lo_freq_factor: 1.0",
    ),
    (
        "llama_gqa_rope/config.json",
        |b| replace(b, "_heads\": 2", "_heads\": 3"),
        "is not a multiple of num_key_value_heads 3",
    ),
    (
        "llama_gqa_rope/config.json",
        |b| replace(b, "\"head_dim\": 8", "\"head_dim\": 7"),
        "which must be an even number of them",
    ),
    (
        "qwen2/config.json",
        |b| replace(b, "sliding_window\": false", "sliding_window\": true"),
        "use_sliding_window is set",
    ),
    (
        "gpt_neox_parallel/config.json",
        |b| replace(b, "rotary_pct\": 0.25", "rotary_pct\": 1.5"),
        "which this family goes by, is 1.5",
    ),
    (
        "gpt_neox_parallel/config.json",
        |b| replace(b, "\"rope_theta\": 10000", "\"rope_theta\": 50000"),
        "rope_theta is 50000, and rotary_emb_base, which this family goes by, is 10000",
    ),
    (
        "gpt_neox_parallel/config.json",
        |b| replace(b, "\"rope_scaling\": null", "\"rope_parameters\": {\"partial_rotary_factor\": 2}"),
        "rotary_pct is 2",
    ),
    (
        "qwen3/config.json",
        |b| replace(b, "\"rope_scaling\": null", "\"rope_parameters\": {\"rope_type\": \"yarn\", \"factor\": 4.0}"),
        "rope_parameters is of type 'yarn'",
    ),
    (
        "qwen2/config.json",
        |b| replace(b, "\"rope_scaling\": null", "\"rope_scaling\": {\"factor\": 4.0}"),
        "rope_scaling has factor: 4.0, which is not known in the type 'default'",
    ),
    (
        "gpt2/config.json",
        |b| replace(b, "\"n_embd\": 32", "\"n_embd\": 32, \"rope_theta\": 1e4"),
        "rope_theta is 10000.0, which says something of positions",
    ),
    (
        "llama_gqa_rope/config.json",
        |b| replace(b, "\"factor\": 8.0", "\"mscale\": 8.0"),
        "rope_scaling has mscale: 8.0",
    ),
    ("gpt2/config.json", |b| *b = POINTER.to_vec(), "config.json: is a pointer of Git LFS"),
    ("gpt2/tokenizer.json", |b| *b = POINTER.to_vec(), "tokenizer.json: is a pointer of Git LFS"),
    ("gpt2/tokenizer.json", |b| b.truncate(500), "tokenizer.json: is not a tokenizer"),
    ("gpt2/tokenizer.json", |b| *b = vec![b'{'; 100_000], "tokenizer.json: is not a tokenizer"),
    ("gpt2/tokenizer.json", |b| *b = vec![0xff; 1000], "tokenizer.json: is not a tokenizer"),
    ("gpt2/tokenizer.json", |b| replace(b, "\"BPE\"", "\"BPQ\""), "tokenizer.json: is not a tokenizer"),
    ("gpt2/tokenizer.json", |b| replace(b, DECODER, "\"decoder\":{\"a\":\"\\ud800\","), "is not a tokenizer"),
    ("gpt2/tokenizer.json", |b| replace(b, DECODER, "\"decoder\":{\"a\":1e999,"), "is not a tokenizer"),
    ("gpt2/tokenizer.json", |b| replace(b, NORMALIZER, PRECOMPILED), "of the type Precompiled, which is not known"),
    (
        "gpt2/tokenizer_config.json",
        |b| *b = b"{\"eos_token\": \"<none>\"}".to_vec(),
        "the end token \"<none>\" (eos_token) is in no vocabulary",
    ),
    ("gpt2/tokenizer_config.json", |b| *b = b"{".to_vec(), "tokenizer_config.json:1:1: EOF while parsing"),
    ("gpt2/tokenizer_config.json", |b| *b = b"{\"pad_token\": 1}".to_vec(), "pad_token is no token"),
    ("gpt2/tokenizer_config.json", |b| *b = b"{\"chat_template\": 3}".to_vec(), "chat_template is not a template"),
    ("gpt2/special_tokens_map.json", |b| *b = b"[]".to_vec(), "special_tokens_map.json:1:"),
    (
        "gpt2/special_tokens_map.json",
        |b| *b = b"{\"eos_token\": \"<none>\"}".to_vec(),
        "the end token \"<none>\" (eos_token) is in no vocabulary",
    ),
    ("gpt2/added_tokens.json", |b| *b = b"{\"a\": \"b\"}".to_vec(), "the id of \"a\" is not a whole number"),
    ("gpt2/generation_config.json", |b| *b = b"[]".to_vec(), "generation_config.json:1:"),
    ("gpt2/tokenizer.json", |b| replace(b, "\"merges\":[", "\"merges\":[[\"xx\",\"yy\"],"), "is not a tokenizer"),
];

const GGUF: &[Row] = &[
    ("gpt2.gguf", |b| *b = POINTER.to_vec(), "gpt2.gguf: is a pointer of Git LFS"),
    ("qwen3.gguf", |b| replace(b, "qwen3.rope.freq_base", "qwen3.rope.freq_bass"), "qwen3.rope.freq_bass is 10000"),
    ("gpt2.gguf", Vec::clear, "gpt2.gguf: is not a sound GGUF file"),
    ("gpt2.gguf", |b| b.truncate(b.len() / 20), "is not a sound GGUF file"),
    ("gpt2.gguf", |b| b.truncate(b.len() / 2), "ends beyond the end of the file"),
    ("gpt2.gguf", |b| *b = b"PK\x03\x04".repeat(100), "it does not begin with GGUF"),
    ("gpt2.gguf", |b| b[8..16].fill(0xff), "it claims 18446744073709551615 tensors"),
    ("gpt2.gguf", |b| b[16..24].copy_from_slice(&(1u64 << 40).to_le_bytes()), "it claims 1099511627776 keys"),
    ("gpt2.gguf", |b| b[24..32].copy_from_slice(&(1u64 << 40).to_le_bytes()), "a key claims a length of 1099511627776"),
    ("gpt2.gguf", |b| set_u32(b, "gpt2.block_count", 3), "lacks the tensor blk.2.attn_norm.weight"),
    ("gpt2.gguf", |b| set_u32(b, "gpt2.block_count", u32::MAX), "num_hidden_layers is 4294967295"),
    ("gpt2.gguf", |b| set_u32(b, "gpt2.block_count", 1), "holds the tensor blk.1."),
    ("gpt2.gguf", |b| set_u32(b, "gpt2.embedding_length", 36), "and its metadata asks for"),
    ("gpt2.gguf", |b| set_u32(b, "gpt2.attention.head_count", 0), "over num_attention_heads 0"),
    ("gpt2.gguf", |b| set_u32(b, "ggml.eos_token_id", 290), "token id 290 is outside the vocabulary"),
    ("gpt2.gguf", |b| replace(b, "gpt2.block_count", "gpt2.block_cound"), "lacks gpt2.block_count"),
    ("gpt2.gguf", |b| replace(b, "tokenizer.ggml.pre", "tokenizer.ggml.prf"), "tokenizer.ggml.pre is ''"),
    ("gpt2.gguf", |b| replace(b, "gpt-2", "gpt-9"), "tokenizer.ggml.pre is 'gpt-9'"),
    ("gpt2.gguf", |b| replace(b, "tokenizer.ggml.tokens", "tokenizer.ggml.tokenz"), "lacks tokenizer.ggml.tokens"),
    ("gpt2.gguf", |b| replace(b, "[PAD268]", "[PAD269]"), "has the token \"[PAD269]\" twice"),
    ("gpt2.gguf", |b| replace(b, "blk.0.ffn_up.bias", "blk.0.ffn_ap.bias"), "holds the tensor blk.0.ffn_ap.bias"),
    (
        "gpt2.gguf",
        |b| {
            let end = b.len();
            b[end - 128..].fill(0xff);
        },
        "holds NaN at element",
    ),
    (
        "llama_gqa_rope.gguf",
        |b| {
            let end = b.len();
            b[end - 32..end - 28].copy_from_slice(&3.0f32.to_le_bytes());
        },
        "rope_freqs.weight stretches the rotary frequencies in an unknown way",
    ),
];

fn seeds() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/families")
}

/// Copies what the row is about, breaks it, and reads all of it; the error, and the most memory that was held.
fn read_broken((path, breakage, _): &Row) -> (String, usize, usize) {
    let copy = tempfile::tempdir().unwrap();
    let (model, broken) = match path.split_once('/') {
        Some((folder, file)) => {
            for entry in std::fs::read_dir(seeds().join(folder)).unwrap() {
                let path = entry.unwrap().path();
                std::fs::copy(&path, copy.path().join(path.file_name().unwrap())).unwrap();
            }
            (copy.path().to_owned(), copy.path().join(file))
        }
        None => {
            std::fs::copy(seeds().join(path), copy.path().join(path)).unwrap();
            (copy.path().join(path), copy.path().join(path))
        }
    };
    // A file that is not there is written anew.
    let mut bytes = std::fs::read(&broken).unwrap_or_default();
    breakage(&mut bytes);
    std::fs::write(&broken, &bytes).unwrap();
    let (result, most) = peak(|| Checkpoint::read(&model).and_then(|checkpoint| checkpoint.check_numbers()));
    let error = result.expect_err(&format!("{path} is broken"));
    assert_eq!(error.exit_status(), 2, "{path}: {error}");
    (error.to_string(), most, bytes.len())
}

#[test]
fn broken_models_are_refused_in_bounded_memory() {
    let mut most_beyond = 0;
    let mut wrong = Vec::new();
    for row in SAFETENSORS.iter().chain(CONFIGS).chain(GGUF) {
        let (said, most, length) = read_broken(row);
        if !said.contains(row.2) {
            wrong.push(format!("{}\n expected: {}\n     said: {said}\n", row.0, row.2));
        }
        assert!(most < length + BOUND, "{}: {} bytes were held for a file of {length}", row.2, most);
        most_beyond = most_beyond.max(most.saturating_sub(length));
    }
    assert!(wrong.is_empty(), "{}", wrong.concat());
    println!("at most {most_beyond} bytes beyond the file");
}

#[test]
fn sound_models_are_accepted() {
    for entry in std::fs::read_dir(seeds()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e == "gguf") {
            Checkpoint::read(&path).and_then(|checkpoint| checkpoint.check_numbers()).unwrap();
        }
    }
}

/// A file full of empty texts claims little and would weigh much.
#[test]
fn many_small_things_stay_small() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.gguf");
    let mut bytes = b"GGUF\x03\0\0\0".to_vec();
    bytes.extend([0u64, 1].map(u64::to_le_bytes).concat());
    let key = b"tokenizer.ggml.tokens";
    bytes.extend([&(key.len() as u64).to_le_bytes()[..], key].concat());
    let count = 1u64 << 20;
    bytes.extend([&9u32.to_le_bytes()[..], &8u32.to_le_bytes(), &count.to_le_bytes()].concat());
    bytes.resize(bytes.len() + 8 * count as usize, 0);
    std::fs::write(&path, &bytes).unwrap();
    let (result, most) = peak(|| Checkpoint::read(&path));
    assert!(result.is_err());
    assert!(most < bytes.len() + BOUND, "{most}");
}

/// What lies in a folder, how much of it is a model's, and what is said of it.
#[test]
fn what_is_no_checkpoint_is_told_by_name_with_the_way_out() {
    let adapter = r#"{"peft_type": "LORA", "base_model_name_or_path": "some/base"}"#;
    for (files, sound, expected) in [
        (&[][..], 2, "model.safetensors: cannot be read"),
        (&[("pytorch_model.bin", "")], 2, "holds its weights as pytorch_model.bin, which can run code"),
        (
            &[("pytorch_model-00001-of-00002.bin", ""), ("pytorch_model.bin.index.json", "{}")],
            2,
            "holds its weights as pytorch_model-00001-of-00002.bin, which can run code",
        ),
        (
            &[("adapter_config.json", adapter), ("adapter_model.safetensors", "")],
            0,
            "holds an adapter (PEFT) of some/base",
        ),
        (&[("adapter_config.json", "{"), ("adapter_model.bin", "")], 2, "holds an adapter (PEFT), not a model"),
        (&[("m-Q8_0.gguf", "")], 0, "holds a GGUF file, m-Q8_0.gguf"),
        (&[("consolidated.00.pth", "")], 0, "holds its weights as consolidated.00.pth"),
        (&[("tf_model.h5", "")], 2, "holds tf_model.h5, a file of TensorFlow"),
        (&[("tokenizer.model", "")], 1, "holds its tokenizer as tokenizer.model, and no tokenizer.json"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        for file in &["config.json", "tokenizer.json"][..sound] {
            std::fs::copy(seeds().join("gpt2").join(file), folder.path().join(file)).unwrap();
        }
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let error = Checkpoint::read(folder.path()).unwrap_err();
        assert!(error.to_string().contains(expected), "{files:?}: {error}");
        assert_eq!(error.exit_status(), 2);
        if files.is_empty() {
            std::fs::create_dir(folder.path().join("model.safetensors")).unwrap();
            let said = Checkpoint::read(folder.path()).unwrap_err().to_string();
            assert!(said.contains("is not a regular file"), "{said}");
            continue;
        }
        // The same where an experiment names it, at its place.
        let text = format!(
            "(name: \"x\", model: folder({:?}), data: world(),\nstages: [(name: \"S\", objective: sft, steps: 1, \
             learning_rate: 1.0)])",
            folder.path()
        );
        let said = ldyn_tui::Experiment::parse(Path::new("x.ron"), &text, &[]).unwrap_err().to_string();
        assert!(said.contains("x.ron:1:") && said.contains(expected), "{files:?}: {said}");
    }
}

#[test]
fn a_file_that_is_no_whole_model_is_told_by_name() {
    let folder = tempfile::tempdir().unwrap();
    for (name, from, expected) in [
        ("m-00001-of-00003.gguf", "gpt2.gguf", "is one of several parts of a GGUF file"),
        ("model.safetensors", "gpt2/model.safetensors", "holds weights and nothing else"),
        ("pytorch_model.bin", "gpt2/model.safetensors", "is a file of PyTorch"),
    ] {
        let path = folder.path().join(name);
        std::fs::copy(seeds().join(from), &path).unwrap();
        let said = Checkpoint::read(&path).unwrap_err().to_string();
        assert!(said.contains(expected), "{name}: {said}");
    }
}

/// A base model's files leave out what comes before every name; a causal model's have it.
#[test]
fn names_are_found_with_and_without_what_comes_before_them() {
    for (model, prefix) in [
        ("llama_tied_linear", "model."),
        ("llama_gqa_rope", "model."),
        ("qwen3", "model."),
        ("gpt_neox_parallel", "gpt_neox."),
        ("gpt2", "transformer."),
    ] {
        let copy = tempfile::tempdir().unwrap();
        for file in ["config.json", "tokenizer.json"] {
            std::fs::copy(seeds().join(model).join(file), copy.path().join(file)).unwrap();
        }
        let mut bytes = std::fs::read(seeds().join(model).join("model.safetensors")).unwrap();
        let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let header = String::from_utf8(bytes[8..8 + length].to_vec()).unwrap();
        let short = header.replace(&format!("\"{prefix}"), "\"");
        assert_ne!(short, header, "{model}");
        bytes.splice(8..8 + length, short.bytes());
        bytes[..8].copy_from_slice(&(short.len() as u64).to_le_bytes());
        std::fs::write(copy.path().join("model.safetensors"), &bytes).unwrap();
        let checkpoint = Checkpoint::read(copy.path()).unwrap_or_else(|e| panic!("{model}: {e}"));
        checkpoint.check_numbers().unwrap();
        if model == "llama_gqa_rope" {
            let lacking = short.replace("lm_head.weight", "lm_head.weighs");
            bytes.splice(8..8 + short.len(), lacking.bytes());
            std::fs::write(copy.path().join("model.safetensors"), &bytes).unwrap();
            assert!(Checkpoint::read(copy.path()).is_err());
        }
    }
}
