//! The tokenizer: a Hugging Face `tokenizer.json` and the small files beside it, or a byte-level BPE trained on documents.

pub(crate) mod boundary;
pub mod picture;
pub(crate) mod settings;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::Error as _;
use serde_json::{Value, json};
use tokenizers::decoders::DecoderWrapper;
use tokenizers::decoders::byte_level::ByteLevel;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::{AddedToken, NormalizerWrapper, PostProcessorWrapper, PreTokenizerWrapper, TokenizerImpl};

use self::settings::Settings;
use crate::error::Location;
use crate::{Error, Result};

/// Ends a document and a completion, in a tokenizer of [`Tokenizer::train`]; id 0.
pub const EOS: &str = "<eos>";
/// Fills up a batch, in a tokenizer of [`Tokenizer::train`]; id 1.
pub const PAD: &str = "<pad>";

/// The bytes and the special tokens: the least a byte-level vocabulary has.
const SMALLEST_VOCABULARY: usize = 256 + 2;

/// Text to token ids and back.
#[derive(Clone)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    eos: Option<u32>,
    pad: Option<u32>,
    /// What ends a generation besides [`Self::eos`].
    stops: Arc<[u32]>,
    /// What the tokenizer's call puts before a text.
    before: Arc<[u32]>,
    /// Rows of the model's embedding, where there is a model; ids may go beyond.
    embedded: Option<usize>,
}

/// What a model's configuration says of its tokenizer's ids.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ModelIds {
    /// Ends an answer.
    pub(crate) eos: Option<u32>,
    /// Fills up a batch.
    pub(crate) pad: Option<u32>,
    /// Any of them ends a generation.
    pub(crate) stops: Vec<u32>,
    /// Rows of the embedding.
    pub(crate) embedded: usize,
}

impl fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokenizer").field("vocab_size", &self.vocab_size()).finish_non_exhaustive()
    }
}

impl Tokenizer {
    /// Trains a byte-level BPE of at most `vocab_size` entries, [`EOS`] = 0, [`PAD`] = 1 and every byte among them, so
    /// that any text can be encoded. The same documents give the same tokenizer.
    ///
    /// # Errors
    /// When `vocab_size` has no room for the bytes.
    pub fn train(documents: &[String], vocab_size: usize) -> Result<Self> {
        if vocab_size < SMALLEST_VOCABULARY {
            return Err(Error::usage(format!(
                "vocab_size is {vocab_size}; a byte-level vocabulary has at least {SMALLEST_VOCABULARY} entries"
            )));
        }
        let failed = |error: tokenizers::Error| Error::failed(format!("the tokenizer cannot be trained: {error}"));
        let mut trainer = BpeTrainer::builder()
            .vocab_size(vocab_size)
            .show_progress(false)
            .special_tokens([EOS, PAD].map(|token| AddedToken::from(token, true)).into())
            .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
            .build();
        let byte_level = ByteLevel::new(false, true, true);
        let mut inner: TokenizerImpl<BPE, NormalizerWrapper, ByteLevel, ByteLevel, ByteLevel> =
            TokenizerImpl::new(BPE::default());
        inner.with_pre_tokenizer(Some(byte_level)).with_decoder(Some(byte_level));
        inner.train(&mut trainer, documents.iter()).map_err(failed)?;
        // Through JSON, so that a trained tokenizer is the very one that its file gives.
        Self::parse(inner.to_string(false).map_err(failed)?.as_bytes()).map_err(Error::failed)
    }

    /// The tokenizer of a `tokenizer.json`; `file` is what errors call it.
    ///
    /// # Errors
    /// When the bytes are no tokenizer.
    pub fn from_json(file: &Path, json: &[u8]) -> Result<Self> {
        Self::parse(json).map_err(|problem| {
            Error::input(
                Location::file(file),
                format!("is not a tokenizer: {problem}"),
                "expected a tokenizer.json of Hugging Face's tokenizers",
            )
        })
    }

    /// The tokenizer in a `tokenizer.json`.
    ///
    /// # Errors
    /// When the file cannot be read or holds no tokenizer.
    pub fn from_file(file: &Path) -> Result<Self> {
        let json = std::fs::read(file).map_err(|error| Error::reading(file, &error))?;
        Self::from_json(file, &json)
    }

    fn parse(json: &[u8]) -> Result<Self, String> {
        serde_json::from_slice::<Fragile>(json).and_then(Fragile::check).map_err(|error| error.to_string())?;
        let mut inner = tokenizers::Tokenizer::from_bytes(json).map_err(|error| error.to_string())?;
        // A file may ask for texts to be cut or filled up; here that is the batch's affair.
        inner.with_padding(None).with_truncation(None).map_err(|error| error.to_string())?;
        let (eos, pad) = (inner.token_to_id(EOS), inner.token_to_id(PAD));
        let (stops, before) = ([].into(), before(&inner));
        Ok(Self { inner, eos, pad, stops, before, embedded: None })
    }

    /// The same tokenizer with the tokens that the files beside it add or describe, and with what its class puts around a
    /// text.
    ///
    /// # Errors
    /// When the end token that they name is in no vocabulary, or a token cannot be added.
    pub(crate) fn with_settings(mut self, settings: &Settings) -> Result<Self> {
        let failed = |error: tokenizers::Error| Error::failed(format!("a token cannot be added: {error}"));
        let further = settings.further(|token| self.inner.token_to_id(token).is_some())?;
        self.inner.add_tokens(further).map_err(failed)?;
        self.inner.set_encode_special_tokens(settings.splits_special);
        if let Some([begins, ends]) = settings.around() {
            let around = [begins, ends].map(|token| token.and_then(|token| Some((token, self.token_id(token)?))));
            self.inner.with_post_processor(post_processor(around));
        }
        if let (Some(wanted), Some(PreTokenizerWrapper::ByteLevel(there))) =
            (settings.prefix_space(), self.inner.get_pre_tokenizer())
            && there.add_prefix_space != wanted
        {
            let changed = ByteLevel::new(wanted, there.trim_offsets, there.use_regex);
            self.inner.with_pre_tokenizer(Some(changed));
        }
        self.before = before(&self.inner);
        Ok(self)
    }

    /// The same tokenizer with what a model's configuration says of its ids.
    pub(crate) fn with_model(self, ids: ModelIds) -> Self {
        let ModelIds { eos, pad, mut stops, embedded } = ids;
        let eos = eos.or(self.eos);
        stops.retain(|&id| Some(id) != eos);
        Self { eos, pad: pad.or(self.pad), stops: stops.into(), embedded: Some(embedded), ..self }
    }

    /// The `tokenizer.json`, indented.
    ///
    /// # Errors
    /// When a part of a foreign tokenizer cannot be written.
    pub fn to_json(&self) -> Result<String> {
        self.inner.to_string(true).map_err(|error| Error::failed(format!("the tokenizer cannot be written: {error}")))
    }

    /// The ids of `text`; no special tokens are added.
    ///
    /// # Errors
    /// When a foreign tokenizer has no token for the text.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        self.inner
            .encode_fast(text, false)
            .map(|encoding| encoding.get_ids().to_vec())
            .map_err(|error| Error::failed(format!("text cannot be tokenized: {error}")))
    }

    /// The ids of `text` after what the tokenizer's call puts before it (a token that begins a text), which stands there
    /// once even if the text begins with it; what the call would put after it is left out.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn encode_begun(&self, text: &str) -> Result<Vec<u32>> {
        let ids = self.encode(text)?;
        Ok(if ids.starts_with(&self.before) { ids } else { [&self.before[..], &ids].concat() })
    }

    /// The text of `ids`, special tokens left out; bytes that are no UTF-8 become U+FFFD, unknown ids nothing.
    pub fn decode(&self, ids: &[u32]) -> String {
        self.inner.decode(ids, true).unwrap_or_default()
    }

    /// The raw text of one token, its leading space kept, U+FFFD for part of a character; special tokens as they are
    /// spelled.
    pub fn token(&self, id: u32) -> String {
        let Some(piece) = self.inner.id_to_token(id) else { return format!("<unknown token {id}>") };
        match self.inner.get_decoder() {
            Some(DecoderWrapper::ByteLevel(_)) => self.inner.decode(&[id], false).unwrap_or(piece),
            // SentencePiece spells a space like this; its decoder would drop it from a lone token.
            _ => piece.replace('▁', " "),
        }
    }

    /// The id of a token, spelled as in the vocabulary (`"<eos>"`, `"<|im_end|>"`).
    pub fn token_id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// The token that ends a text, where the vocabulary or the model's configuration has one.
    pub fn eos(&self) -> Option<u32> {
        self.eos
    }

    /// What the tokenizer's call puts before a text; mostly nothing, or the token that begins one.
    pub fn begins(&self) -> &[u32] {
        &self.before
    }

    /// Whether a token ends a generation: the end token, or any other that the model's configurations name as one.
    pub fn is_stop(&self, id: u32) -> bool {
        Some(id) == self.eos || self.stops.contains(&id)
    }

    /// A generated answer without the token that ended it.
    pub fn without_stop<'a>(&self, ids: &'a [u32]) -> &'a [u32] {
        match ids.split_last() {
            Some((&last, rest)) if self.is_stop(last) => rest,
            _ => ids,
        }
    }

    /// The first of the ids that the model has no embedding for.
    pub fn beyond_the_model(&self, ids: &[u32]) -> Option<u32> {
        let embedded = self.embedded?;
        ids.iter().copied().find(|&id| id as usize >= embedded)
    }

    /// The token that fills up a batch; any that the model has will do where none is named, since padding is never attended
    /// to.
    pub fn pad(&self) -> u32 {
        let there = |id: &u32| self.beyond_the_model(&[*id]).is_none();
        self.pad.filter(there).or(self.eos.filter(there)).unwrap_or(0)
    }

    /// The ids of a completion: the text's, and the token that ends it, unless a chat template has written that already
    /// (white space may follow it).
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn encode_completion(&self, text: &str) -> Result<Vec<u32>> {
        self.ended(text, self.encode(text)?, false)
    }

    /// `ids`, those of `text`, and the token that ends it, unless it is there (white space may follow it). A turn that a
    /// chat template wrote has its end where it ends with any special token.
    fn ended(&self, text: &str, mut ids: Vec<u32>, is_turn: bool) -> Result<Vec<u32>> {
        let Some(eos) = self.eos else { return Ok(ids) };
        let last = ids.iter().rev().copied().find(|&id| !self.is_blank(id));
        if last.is_some_and(|last| last == eos || is_turn && (self.is_stop(last) || self.is_special(last))) {
            return Ok(ids);
        }
        let added = self.inner.get_added_vocabulary();
        let takes_spaces = added.get_added_tokens_decoder().get(&eos).is_some_and(|token| token.lstrip);
        if takes_spaces && text.ends_with(char::is_whitespace) {
            ids = [&ids[..ids.len() - self.encode(text)?.len()], &self.encode(text.trim_end())?].concat();
        }
        ids.reserve_exact(1);
        ids.push(eos);
        Ok(ids)
    }

    /// Whether a token is white space, spelled as a byte too.
    fn is_blank(&self, id: u32) -> bool {
        let token = self.token(id);
        token.trim().is_empty() || ["<0x09>", "<0x0A>", "<0x0D>", "<0x20>"].contains(&token.as_str())
    }

    fn is_special(&self, id: u32) -> bool {
        self.inner.get_added_vocabulary().get_added_tokens_decoder().get(&id).is_some_and(|token| token.special)
    }

    /// One more than the largest id, added tokens included; a vocabulary may have holes.
    pub fn vocab_size(&self) -> usize {
        self.inner.get_vocab(true).into_values().max().map_or(0, |id| id as usize + 1)
    }
}

/// What the tokenizer's call puts before a text.
fn before(inner: &tokenizers::Tokenizer) -> Arc<[u32]> {
    let ids = |special| inner.encode_fast("a", special).map(|encoding| encoding.get_ids().to_vec()).unwrap_or_default();
    let (with, without) = (ids(true), ids(false));
    let at = with.windows(without.len().max(1)).position(|window| window == without);
    at.map_or_else(|| [].into(), |at| with[..at].into())
}

/// What puts the given tokens before and after a text.
fn post_processor(around: [Option<(&str, u32)>; 2]) -> Option<PostProcessorWrapper> {
    let special =
        |token: Option<(&str, u32)>| token.map(|(token, _)| json!({"SpecialToken": {"id": token, "type_id": 0}}));
    let text = |name: &str| Some(json!({"Sequence": {"id": name, "type_id": 0}}));
    let [before, after] = around.map(special);
    let one = |name| [before.clone(), text(name), after.clone()].into_iter().flatten();
    let tokens: serde_json::Map<String, Value> = around
        .into_iter()
        .flatten()
        .map(|(token, id)| (token.to_owned(), json!({"id": token, "ids": [id], "tokens": [token]})))
        .collect();
    serde_json::from_value(json!({
        "type": "TemplateProcessing",
        "single": one("A").collect::<Vec<_>>(),
        "pair": one("A").chain(one("B")).collect::<Vec<_>>(),
        "special_tokens": tokens,
    }))
    .ok()
}

/// The parts of a `tokenizer.json` that are looked at before the crate reads it: it panics on a decoder that is no JSON, and
/// trusts the tables of a normaliser of the kind `Precompiled`, which no model of the families known here has.
#[derive(Deserialize)]
struct Fragile {
    #[serde(rename = "decoder")]
    _decoder: Option<Value>,
    normalizer: Option<Value>,
}

impl Fragile {
    fn check(self) -> serde_json::Result<()> {
        if self.normalizer.as_ref().is_none_or(is_known) {
            return Ok(());
        }
        Err(serde_json::Error::custom(
            "a normalizer is of no type, or of the type Precompiled, which is not known here",
        ))
    }
}

/// Whether a normaliser, and every one of a sequence, says what it is and is not given as tables.
fn is_known(normalizer: &Value) -> bool {
    match normalizer["type"].as_str() {
        None | Some("Precompiled") => false,
        Some("Sequence") => normalizer["normalizers"].as_array().is_none_or(|all| all.iter().all(is_known)),
        Some(_) => true,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use proptest::prelude::*;

    use super::*;
    use crate::data::world::documents;
    use crate::experiment::WorldDocuments;

    fn small() -> Tokenizer {
        Tokenizer::train(&documents(1, &WorldDocuments { train: 300, held_out: 0 }).0, 600).unwrap()
    }

    #[test]
    fn training_is_deterministic_and_the_file_gives_the_same_tokenizer() {
        let tokenizer = small();
        let json = tokenizer.to_json().unwrap();
        assert_eq!(json, small().to_json().unwrap());
        let read = Tokenizer::from_json(Path::new("tokenizer.json"), json.as_bytes()).unwrap();
        assert_eq!(read.to_json().unwrap(), json);
        assert_eq!((tokenizer.eos(), tokenizer.pad(), tokenizer.vocab_size()), (Some(0), 1, 600));
    }

    #[test]
    fn tokens_are_shown_as_text() {
        let tokenizer = small();
        let ids = tokenizer.encode(" the mill.").unwrap();
        assert_eq!(ids.iter().map(|&id| tokenizer.token(id)).collect::<String>(), " the mill.");
        assert_eq!(tokenizer.token(ids[0]), " the");
        assert_eq!(tokenizer.token(0), "<eos>");
        assert_eq!(tokenizer.decode(&[&ids[..], &[0]].concat()), " the mill.");
        assert_eq!(tokenizer.token(600), "<unknown token 600>");
    }

    #[test]
    fn what_is_no_tokenizer_is_refused_with_its_name() {
        let error = Tokenizer::from_json(Path::new("some/tokenizer.json"), b"{}").unwrap_err();
        assert!(error.to_string().starts_with("some/tokenizer.json: is not a tokenizer"), "{error}");
        assert_eq!(error.exit_status(), 2);
        assert_eq!(Tokenizer::train(&[], 10).unwrap_err().exit_status(), 2);
        assert_eq!(Tokenizer::from_file(Path::new("no/such.json")).unwrap_err().exit_status(), 2);
    }

    #[test]
    fn a_file_that_truncates_does_not_cut_text() {
        let json = small().to_json().unwrap().replacen(
            r#""truncation": null"#,
            r#""truncation": {"direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0}"#,
            1,
        );
        assert!(json.contains("LongestFirst"));
        let tokenizer = Tokenizer::from_json(Path::new("tokenizer.json"), json.as_bytes()).unwrap();
        assert!(tokenizer.encode(" the mill by the mill.").unwrap().len() > 2);
    }

    #[test]
    fn any_text_comes_back() {
        let tokenizer = small();
        proptest!(
            ProptestConfig { failure_persistence: None, ..ProptestConfig::default() },
            |(text in "\\PC*|[\\x00-\\x7f]*")| {
                prop_assume!(!text.contains(EOS) && !text.contains(PAD));
                prop_assert_eq!(tokenizer.decode(&tokenizer.encode(&text).unwrap()), text);
            }
        );
    }
}
