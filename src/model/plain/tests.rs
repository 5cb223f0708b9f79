//! The model over plain numbers against the tensor operations that it stands for.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use burn::tensor::Tensor;
use burn::tensor::backend::AutodiffBackend;

use super::super::family::tests::{CASES, folder};
use super::super::generate::{Decoding, generate, write};
use super::super::{Checkpoint, Transformer, label_and_largest};
use super::{Answer, ROWS};
use crate::backend::{TestBackend, floats, int_tensor};
use crate::experiment::{Lora, Precision, Role};
use crate::model::batch;
use crate::objective::logps::label_and_largest_logps;

type B = <TestBackend as AutodiffBackend>::InnerBackend;

/// Nats; of log-probs beyond one nat, a share.
const TOLERANCE: f32 = 1e-5;

fn models() -> Vec<(String, Transformer<B>)> {
    let family = |name: &str| (name.to_owned(), load(&Checkpoint::read(&folder().join(name)).unwrap()));
    let base: Transformer<B> = load(&Checkpoint::base().unwrap());
    let lora = Lora { targets: vec![Role::Query, Role::Down], ..Lora::default() };
    let adapted = base.clone().adapt(&lora, 3);
    let others = [("base".to_owned(), base), ("adapted".to_owned(), adapted)];
    CASES.map(family).into_iter().chain(others).collect()
}

fn load(checkpoint: &Checkpoint) -> Transformer<B> {
    checkpoint.load(&Default::default()).unwrap()
}

/// Tokens that look like none.
fn tokens(count: usize, salt: u32, vocab: usize) -> Vec<u32> {
    (0..count).map(|i| (i as u32 * 7919 + salt * 104_729) % 977 % vocab as u32).collect()
}

/// log π of a completion's tokens and of the likeliest ones, in one pass over tensors.
fn expected(model: &Transformer<B>, prompt: &[u32], completion: &[u32]) -> Vec<(f32, f32)> {
    let device = model.device();
    let all = [prompt, completion].concat();
    let read = int_tensor(all[..all.len() - 1].iter().map(|&t| i64::from(t)).collect(), &device);
    let hidden = model.forward(read.reshape([1, all.len() - 1]));
    let [rows, _] = hidden.dims();
    let predicting: Tensor<B, 2> = hidden.narrow(0, prompt.len() - 1, rows + 1 - prompt.len());
    let labels = int_tensor(completion.iter().map(|&t| i64::from(t)).collect(), &device);
    let (label, largest) = label_and_largest_logps(model.logits(predicting), labels);
    floats(label).into_iter().zip(floats(largest)).collect()
}

#[test]
fn every_family_reads_as_over_tensors() {
    for (name, model) in models() {
        let (vocab, positions) = (model.vocab_size(), model.max_positions());
        // Completions of one token, several of one prompt, and more than are read together.
        let prompts = [tokens(3, 1, vocab), tokens(1, 2, vocab), tokens(17, 3, vocab)];
        let lengths = [1, 5, 2, 11, 30, 1, 9].map(|n: usize| n.min(positions - 18));
        let completions: Vec<Vec<u32>> = (0..3 * 7).map(|i| tokens(lengths[i % 7], i as u32, vocab)).collect();
        assert!(completions.iter().map(Vec::len).sum::<usize>() + 21 > ROWS / 2);
        let plain = model.plain(positions).unwrap();
        let read = plain.read_prompts(&prompts.each_ref().map(Vec::as_slice));
        let answers: Vec<_> =
            completions.iter().enumerate().map(|(i, tokens)| Answer { prompt: i / 7, tokens }).collect();
        let found = plain.read_answers(&read, &answers, |_, logits, token| label_and_largest(logits, token));
        let mut worst = 0.0f32;
        for (answer, found) in answers.iter().zip(found) {
            let expected = expected(&model, &prompts[answer.prompt], answer.tokens);
            assert_eq!(found.len(), expected.len(), "{name}");
            for ((label, largest), (their_label, their_largest)) in found.into_iter().zip(expected) {
                assert!(largest >= label, "{name}: {largest} lies below {label}");
                for (ours, theirs) in [(label, their_label), (largest, their_largest)] {
                    worst = worst.max((ours - theirs).abs() / theirs.abs().max(1.0));
                }
            }
        }
        println!("{name}: largest difference {worst:.2e}");
        assert!(worst < TOLERANCE, "{name}: {worst}");
    }
}

#[test]
fn every_family_answers_as_over_tensors() {
    for (name, model) in models() {
        let vocab = model.vocab_size();
        let prompts: Vec<Vec<u32>> = (0..11).map(|i| tokens(1 + i * 2, i as u32, vocab)).collect();
        let prompts: Vec<&[u32]> = prompts.iter().map(Vec::as_slice).collect();
        let plain = model.plain(model.max_positions()).unwrap();
        // Some rows end early, so that rows are dropped.
        let stops = |token: u32| token.is_multiple_of(5);
        let unit = || {
            let mut state = 1u32;
            move || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                f64::from(state) / 4_294_967_296.0
            }
        };
        let (mut left, mut right) = (unit(), unit());
        let sampled = |unit| Decoding::Sample { temperature: 1.0, top_p: 0.9, unit };
        for (ours, theirs) in
            [(Decoding::Greedy, Decoding::Greedy), (sampled(&mut left as &mut dyn FnMut() -> f64), sampled(&mut right))]
        {
            let device = model.device();
            let (ids, lengths) = batch::prompts(&prompts, 1, &device);
            let width = ids.dims()[1];
            let ends = lengths.iter().enumerate().map(|(row, n)| (row * width + n - 1) as i64).collect();
            let (hidden, past) = model.read_prompts(ids, lengths);
            let first = model.logits(hidden.select(0, int_tensor(ends, &device)));
            let expected = generate(&model, past, first, stops, 9, theirs);
            let writing = plain.continuing(plain.read_prompts(&prompts));
            assert_eq!(write(writing, model.max_positions(), stops, 9, ours), expected, "{name}");
        }
    }
}

#[test]
fn numbers_do_not_depend_on_threads() {
    let model = load(&Checkpoint::base().unwrap());
    let vocab = model.vocab_size();
    let prompts: Vec<Vec<u32>> = (0..9).map(|i| tokens(1 + i * 5, i as u32, vocab)).collect();
    let completions: Vec<Vec<u32>> = (0..27).map(|i| tokens(1 + i * 3, i as u32, vocab)).collect();
    let read = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let plain = model.plain(256).unwrap();
            let read = plain.read_prompts(&prompts.iter().map(Vec::as_slice).collect::<Vec<_>>());
            let answers: Vec<_> =
                completions.iter().enumerate().map(|(i, tokens)| Answer { prompt: i / 3, tokens }).collect();
            let read_answers = plain.read_answers(&read, &answers, |_, logits, _| logits.to_vec());
            let written = write(plain.continuing(read), 256, |_| false, 12, Decoding::Greedy);
            (read_answers, written)
        })
    };
    let once = read(1);
    assert_eq!(read(2), once);
    assert_eq!(read(5), once);
}

#[test]
fn what_is_differentiated_or_in_another_precision_is_not_read() {
    let checkpoint = Checkpoint::base().unwrap();
    assert!(checkpoint.load::<TestBackend>(&Default::default()).unwrap().plain(8).is_none());
    assert!(load(&checkpoint).compute_in(Precision::Bf16).plain(8).is_none());
    #[cfg(feature = "ndarray")]
    {
        type Other = <crate::backend::OtherTestBackend as AutodiffBackend>::InnerBackend;
        assert!(checkpoint.load::<Other>(&Default::default()).unwrap().plain(8).is_none());
    }
}
