//! Random rows of six tokenizers against transformers and TRL (`tests/golden/round_trip.py`): from the file to the ids.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::chat::{ChatTemplate, SpecialTokens};
use super::lengths::{Lengths, Tokenised, Trainable};
use super::preferences::PreferenceData;
use super::row::{Arguments, Message};
use super::tokenizer::settings::Settings;
use super::tokenizer::{ModelIds, Tokenizer};
use crate::experiment::{ModelSource, PreferenceFiles};
use crate::model::model_files;
use crate::protocol::ProbeKind;

#[derive(Deserialize)]
struct Golden {
    templates: BTreeMap<String, String>,
    tokenizers: Vec<Made>,
    talk: Vec<BTreeMap<String, String>>,
    expressions: Vec<(String, String)>,
}

#[derive(Deserialize)]
struct Made {
    name: String,
    files: BTreeMap<String, String>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    template: Option<String>,
    row: Box<RawValue>,
    merges: bool,
    prompt: Vec<u32>,
    chosen: Vec<u32>,
    rejected: Vec<u32>,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("../../tests/golden/round_trip.json")).unwrap()
}

impl Made {
    fn write(&self, folder: &Path) {
        for (name, text) in &self.files {
            std::fs::write(folder.join(name), text).unwrap();
        }
    }

    fn tokenizer(&self, folder: &Path) -> Tokenizer {
        let files = self.files.iter().map(|(name, text)| (name.clone(), text.as_bytes().to_vec())).collect();
        let settings = Settings::read(&files, folder).unwrap();
        let tokenizer = Tokenizer::from_file(&folder.join("tokenizer.json")).unwrap().with_settings(&settings).unwrap();
        let eos = settings.token("eos_token").and_then(|eos| tokenizer.token_id(eos));
        tokenizer.with_model(ModelIds { eos, embedded: usize::MAX, ..ModelIds::default() })
    }
}

#[test]
fn random_rows_have_the_ids_that_transformers_and_trl_give_them() {
    let golden = golden();
    let (mut cases, mut merged) = (0, 0);
    for made in &golden.tokenizers {
        let folder = tempfile::tempdir().unwrap();
        made.write(folder.path());
        let tokenizer = made.tokenizer(folder.path());
        for case in &made.cases {
            let train = folder.path().join("rows.jsonl");
            std::fs::write(&train, case.row.get()).unwrap();
            let chat_template = case.template.as_ref().map(|name| golden.templates[name].clone());
            let files =
                PreferenceFiles { train, held_out: None, max_length: None, max_prompt_length: None, chat_template };
            let data = PreferenceData::open(&files, model_files(&ModelSource::Folder(folder.path().to_owned())));
            let mut found = None;
            let kinds = [ProbeKind::Chosen, ProbeKind::Rejected];
            data.visit(0, 1, &mut |_, example| {
                let tokenised =
                    Lengths::default().tokenise(&tokenizer, example, &kinds)?.or_refuse(|unfit| unfit).unwrap();
                let truncation = tokenised.truncation;
                found = Some(tokenised);
                Ok(Trainable::Yes(truncation))
            })
            .unwrap();
            let Tokenised { prompt, responses, truncation } = found.unwrap();
            let text = format!("{} {:?} {}", made.name, case.template, case.row.get());
            assert_eq!(prompt[..], case.prompt, "prompt of {text}");
            assert_eq!(responses[0], (ProbeKind::Chosen, case.chosen.clone()), "{text}");
            assert_eq!(responses[1], (ProbeKind::Rejected, case.rejected.clone()), "{text}");
            assert_eq!(truncation.merged, case.merges, "{text}");
            cases += 1;
            merged += usize::from(case.merges);
        }
    }
    assert!(cases >= 100 && merged >= 5, "{cases} cases, {merged} merge");
}

#[test]
fn what_templates_ask_of_python_is_answered_as_python_answers() {
    let golden = golden();
    let made = golden.tokenizers.iter().find(|made| made.name == "flags").unwrap();
    let folder = tempfile::tempdir().unwrap();
    made.write(folder.path());
    let special = SpecialTokens::of(&(model_files(&ModelSource::Base).settings)(folder.path()).unwrap());
    let talk: Vec<Message> = golden.talk.iter().map(|m| Message::plain(&m["role"], m["content"].clone())).collect();
    for (source, expected) in &golden.expressions {
        let template = ChatTemplate::new(Path::new("x.jinja"), source, &special).unwrap();
        assert_eq!(template.render(&talk, &Arguments::default(), false).as_ref(), Ok(expected), "{source}");
    }
}
