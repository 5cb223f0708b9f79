//! The model against itself: reading in one pass and after a kept prefix, generating, writing and reading back.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use burn::tensor::backend::AutodiffBackend;

use super::family::tests;
use super::{Architecture, Checkpoint, Transformer, generate};
use crate::backend::TestBackend;
use crate::backend::{floats, int_tensor};
use crate::data::Sequence;
use crate::data::tokenizer::Tokenizer;
use crate::experiment::NewModel;
use crate::model::batch::{Batch, prompts};
use crate::probe::score;

type B = <TestBackend as AutodiffBackend>::InnerBackend;

/// A model of random weights with grouped-query attention and an output matrix of its own, or neither.
fn random(grouped: bool) -> Checkpoint {
    let tokenizer = Tokenizer::train(&["a small world of few words".to_owned()], 300).unwrap();
    let shape =
        NewModel { vocab_size: 300, hidden_size: 32, intermediate_size: 48, layers: 2, heads: 4, max_positions: 64 };
    let config = Architecture::new_llama(&shape, tokenizer.vocab_size());
    if grouped {
        let config = Architecture { key_value_heads: 2, tied_output: false, ..config };
        return Checkpoint::random_llama(config, tokenizer, 9);
    }
    Checkpoint::random_llama(config, tokenizer, 5)
}

/// A new Llama with and without its own choices, and one model of every kind of every family.
fn models() -> Vec<(String, Transformer<B>)> {
    let new = [false, true].map(|grouped| (format!("new, grouped: {grouped}"), load(&random(grouped))));
    let family = |name: &str| (name.to_owned(), load(&Checkpoint::read(&tests::folder().join(name)).unwrap()));
    new.into_iter().chain(tests::CASES.map(family)).collect()
}

fn load(checkpoint: &Checkpoint) -> Transformer<B> {
    checkpoint.load(&Default::default()).unwrap()
}

const PROMPTS: [&[u32]; 3] = [&[7, 8, 9], &[10, 11, 12, 13, 14], &[15]];
const ANSWERS: [&[u32]; 3] = [&[20, 21, 22, 23], &[24], &[25, 26, 27]];

#[test]
fn a_kept_prefix_changes_nothing() {
    for (name, model) in models() {
        let device = model.device();
        let sequences: Vec<Sequence> =
            PROMPTS.iter().zip(ANSWERS).map(|(p, a)| Sequence::new(p.to_vec(), a.to_vec())).collect();
        let whole = score::completions(&model, &sequences.iter().collect::<Vec<_>>(), 1);
        let (tokens, lengths) = prompts(&PROMPTS, 1, &device);
        let (_, mut past) = model.read_prompts(tokens, lengths);
        let batch: Batch<B> = Batch::completions(&ANSWERS, 1, &device);
        let hidden = model.forward_after(batch.tokens.clone(), &mut past, false);
        let rows = int_tensor(batch.predicting.iter().map(|&i| i as i64).collect(), &device);
        let labels = int_tensor(batch.labels.iter().map(|&id| i64::from(id)).collect(), &device);
        let logps = floats(crate::objective::logps::per_token_logps(model.logits(hidden.select(0, rows)), labels));
        let mut after: Vec<Vec<f32>> = vec![Vec::new(); ANSWERS.len()];
        for (&row, logp) in batch.owner.iter().zip(logps) {
            after[row].push(logp);
        }
        for (whole, after) in whole.iter().zip(after) {
            assert_eq!(whole.logps.len(), after.len() + 1, "the first token is the prompt's to predict");
            for (a, b) in whole.logps[1..].iter().zip(after) {
                assert!((a - b).abs() < 2e-5, "{name}: {a} in one pass, {b} after the kept prefix");
            }
        }
    }
}

#[test]
fn greedy_answers_are_the_argmax_of_whole_passes() {
    for (name, model) in models() {
        let device = model.device();
        let (tokens, lengths) = prompts(&PROMPTS, 1, &device);
        let width = tokens.dims()[1];
        let ends: Vec<i64> = lengths.iter().enumerate().map(|(row, n)| (row * width + n - 1) as i64).collect();
        let (hidden, past) = model.read_prompts(tokens, lengths);
        let first = model.logits(hidden.select(0, int_tensor(ends, &device)));
        let answers = generate::generate(&model, past, first, |_| false, 6, generate::Decoding::Greedy);
        for (prompt, answer) in PROMPTS.iter().zip(answers) {
            assert_eq!(answer.len(), 6);
            let scored = &score::completions(&model, &[&Sequence::new(prompt.to_vec(), answer)], 1)[0];
            for (label, largest) in scored.logps.iter().zip(&scored.argmax_logps) {
                assert!(largest >= label && largest - label < 2e-5, "{name}: {label} is not the argmax {largest}");
            }
        }
    }
}

/// A model reads no further than its positions go.
#[test]
fn answers_end_where_the_positions_end() {
    for (_, model) in models() {
        let device = model.device();
        let long: Vec<u32> = (0..62).map(|i| 2 + i).collect();
        let (tokens, lengths) = prompts(&[&long, &[5]], 1, &device);
        let (hidden, past) = model.read_prompts(tokens, lengths);
        let first = model.logits(hidden.select(0, int_tensor(vec![61, 62], &device)));
        let answers = generate::generate(&model, past, first, |_| false, 5, generate::Decoding::Greedy);
        assert_eq!((answers[0].len(), answers[1].len()), (2, 5));
    }
}

#[test]
fn a_written_checkpoint_is_read_back_in_half_precision() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = random(true);
    checkpoint.write(folder.path()).unwrap();
    let read = Checkpoint::read(folder.path()).unwrap();
    assert_eq!(read.config, checkpoint.config);
    for (ours, theirs) in load(&checkpoint).to_parameters().iter().zip(load(&read).to_parameters()) {
        for (a, b) in ours.iter().zip(theirs) {
            assert!((a - b).abs() <= a.abs() / 1024.0 + 1e-7, "{a} became {b}");
        }
    }
}

/// Token by token what `transformers` computes of the shipped model (`tests/golden/transformers_logps.py --print`).
#[test]
fn the_base_model_scores_as_in_transformers() {
    #[derive(serde::Deserialize)]
    struct Row {
        prompt_ids: Vec<u32>,
        ids: Vec<u32>,
        logps: Vec<f32>,
        argmax_logps: Vec<f32>,
    }
    let rows: Vec<Row> = include_str!("../../tests/golden/base_logps.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let model = load(&Checkpoint::base().unwrap());
    let sequences: Vec<Sequence> = rows.iter().map(|r| Sequence::new(r.prompt_ids.clone(), r.ids.clone())).collect();
    let scored = score::completions(&model, &sequences.iter().collect::<Vec<_>>(), 1);
    assert_eq!(rows.len(), 8);
    for (row, ours) in rows.iter().zip(scored) {
        let pairs = row.logps.iter().zip(&ours.logps).chain(row.argmax_logps.iter().zip(&ours.argmax_logps));
        for (theirs, ours) in pairs {
            assert!((theirs - ours).abs() < 1e-4, "{ours}, and transformers has {theirs}");
        }
        assert_eq!(row.ids.len(), ours.logps.len());
    }
}
