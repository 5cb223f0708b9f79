//! The files beside a `tokenizer.json`, put together as transformers does.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use crate::data::tokenizer::Tokenizer;

fn settings(files: &[(&str, &str)]) -> Result<Settings> {
    let files = files.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect();
    Settings::read(&files, Path::new("m"))
}

/// A byte-level tokenizer of 258 tokens, with what the files say.
fn tokenizer(files: &[(&str, &str)]) -> Result<Tokenizer> {
    Tokenizer::train(&[], 258).unwrap().with_settings(&settings(files)?)
}

fn ids(files: &[(&str, &str)], text: &str) -> Vec<u32> {
    tokenizer(files).unwrap().encode(text).unwrap()
}

#[test]
fn listed_tokens_are_added_by_their_ids_and_have_their_flags() {
    let config = r#"{"added_tokens_decoder": {
        "270": {"content": "<b>", "lstrip": true, "special": true}, "260": {"content": "<a>", "rstrip": true}}}"#;
    let files = [(TOKENIZER_CONFIG, config)];
    // As transformers has it: one after the other, whatever number is written.
    assert_eq!(ids(&files, "<a>  <b>"), [258, 259]);
    assert_eq!(ids(&files, "<b> <a>").len(), 3, "a space that no flag takes");
    assert_eq!(tokenizer(&files).unwrap().decode(&[258, 259]), "<a>", "special tokens are left out");
}

#[test]
fn older_folders_keep_their_tokens_in_two_more_files() {
    let config = (TOKENIZER_CONFIG, r#"{"eos_token": "<eos>", "additional_special_tokens": ["<x>"]}"#);
    let map =
        (SPECIAL_TOKENS_MAP, r#"{"eos_token": {"content": "<end>"}, "additional_special_tokens": ["<x>", "<y>"]}"#);
    let added = (ADDED_TOKENS, r#"{"<end>": 258, "<x>": 259, "word": 260}"#);
    let files = [config, map, added];
    let read = settings(&files).unwrap();
    assert_eq!(read.token("eos_token"), Some("<end>"));
    assert_eq!(read.for_templates().1, ["<x>", "<y>"]);
    assert_eq!(ids(&files, "<end><x>word<y>"), [258, 259, 260, 261]);
    // Where the configuration lists its tokens itself, the two are not read.
    let listing = (TOKENIZER_CONFIG, r#"{"eos_token": "<eos>", "added_tokens_decoder": {}}"#);
    assert_eq!(settings(&[listing, map, added]).unwrap().token("eos_token"), Some("<eos>"));
    assert_eq!(ids(&[listing, map, added], "<x>").len(), 3);
}

/// As transformers 5 writes them.
#[test]
fn special_tokens_of_a_models_own_have_names_too() {
    let config = r#"{"image_token": "<img>", "boi_token": {"content": "<boi>", "rstrip": true},
        "model_specific_special_tokens": {"eoi_token": "<eoi>"}, "extra_special_tokens": {"audio_token": "<snd>"},
        "add_bos_token": true, "chat_template": "x"}"#;
    let files = [(TOKENIZER_CONFIG, config)];
    let (mut named, listed) = settings(&files).unwrap().for_templates();
    named.sort();
    let expected = [("audio_token", "<snd>"), ("boi_token", "<boi>"), ("eoi_token", "<eoi>"), ("image_token", "<img>")];
    assert_eq!((named, listed), (expected.map(|(name, token)| (name.to_owned(), token.to_owned())).into(), vec![]));
    assert_eq!(ids(&files, "<img><boi>  <eoi><snd>").len(), 4);
}

#[test]
fn special_tokens_that_are_to_be_split_are() {
    let split =
        |flag: &str| ids(&[(TOKENIZER_CONFIG, &format!("{{\"split_special_tokens\": {flag}}}"))], "<eos>").len();
    assert_eq!((split("false"), split("true")), (1, 5));
}

#[test]
fn an_end_token_that_no_vocabulary_has_is_an_error() {
    let error = tokenizer(&[(TOKENIZER_CONFIG, r#"{"eos_token": "<nowhere>"}"#)]).unwrap_err();
    assert_eq!(error.exit_status(), 2);
    assert!(error.to_string().contains("the end token \"<nowhere>\" (eos_token) is in no vocabulary"), "{error}");
    // Other special tokens are added.
    assert_eq!(ids(&[(TOKENIZER_CONFIG, r#"{"pad_token": "[PAD]"}"#)], "[PAD]"), [258]);
}

#[test]
fn a_class_begins_and_ends_a_text_whatever_the_file_says() {
    let begun = |config: &str| tokenizer(&[(TOKENIZER_CONFIG, config)]).unwrap().encode_begun("a").unwrap().len();
    for (config, tokens) in [
        (r#"{"tokenizer_class": "LlamaTokenizer", "bos_token": "<pad>", "eos_token": "<eos>"}"#, 2),
        (
            r#"{"tokenizer_class": "LlamaTokenizerFast", "bos_token": "<pad>", "eos_token": "<eos>", "add_bos_token": false}"#,
            1,
        ),
        (r#"{"tokenizer_class": "GPTNeoXTokenizer", "bos_token": "<pad>", "eos_token": "<eos>"}"#, 1),
        (r#"{"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<pad>", "add_bos_token": true}"#, 1),
    ] {
        assert_eq!(begun(config), tokens, "{config}");
    }
    let twice = tokenizer(&[(TOKENIZER_CONFIG, r#"{"tokenizer_class": "LlamaTokenizer", "bos_token": "<pad>"}"#)]);
    let twice = twice.unwrap();
    assert_eq!(twice.encode_begun("<pad>a").unwrap(), twice.encode_begun("a").unwrap(), "a text begins once");
}

#[test]
fn what_is_broken_is_named() {
    for (file, text, expected) in [
        (TOKENIZER_CONFIG, "{", "m/tokenizer_config.json:1:1: EOF while parsing"),
        (TOKENIZER_CONFIG, r#"{"bos_token": 3}"#, "bos_token is no token"),
        (TOKENIZER_CONFIG, r#"{"chat_template": 3}"#, "chat_template is not a template"),
        (TOKENIZER_CONFIG, r#"{"added_tokens_decoder": []}"#, "added_tokens_decoder is not an object"),
        (
            TOKENIZER_CONFIG,
            r#"{"added_tokens_decoder": {"x": {"content": "a"}}}"#,
            "the id \"x\" in added_tokens_decoder",
        ),
        (
            TOKENIZER_CONFIG,
            r#"{"added_tokens_decoder": {"3": "a"}}"#,
            "token 3 of added_tokens_decoder is not an object",
        ),
        (SPECIAL_TOKENS_MAP, "[]", "m/special_tokens_map.json:1:"),
        (ADDED_TOKENS, r#"{"a": -1}"#, "m/added_tokens.json: the id of \"a\" is not a whole number"),
    ] {
        let error = settings(&[(file, text)]).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
}
