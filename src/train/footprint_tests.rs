//! The formula by hand and in its consequences; `tests/it/footprint.rs` holds it against measurements.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use crate::model::Checkpoint;

fn load(architecture: &Architecture) -> Load {
    Load {
        trained: architecture.parameter_count(),
        averages: 1,
        followed: 0,
        halves: false,
        recomputes: false,
        kernels: false,
        slice: Slice { rows: 8, positions: 100, predicting: 300 },
        accumulates: false,
        frozen_copy: false,
        referenced: 500,
        scored: 0,
        observed: Observed { prompts: 16, prompt: 60, response: 50, chosen: 600 },
    }
}

#[test]
fn the_shipped_models_numbers_are_those_of_the_formula() {
    let config = Checkpoint::base().unwrap().config;
    // d 192, 3 blocks, 6 heads of 32, 512 wide, SwiGLU.
    let (d, q, f, heads, vocab) = (192, 192, 512, 6, config.vocab_size as u64);
    let bytes = footprint(&config, &load(&config));
    let block = 800 * (6 * d + 4 * q + 5 * f) + 2 * 8 * heads * 100 * 100;
    let passing = (2 * 8 * heads * 100 * 100).max(3 * 800 * f);
    assert_eq!(bytes.activations, 4 * (3 * block + passing + 800 * 3 * d));
    let kernels = footprint(&config, &Load { kernels: true, ..load(&config) });
    let block = 800 * (4 * d + 2 * (q + q) + 3 * f);
    assert_eq!(kernels.activations, 4 * (3 * block + 3 * 800 * f + 800 * 3 * d));
    assert_eq!((bytes.logits, kernels.logits), (4 * 5 * 300 * vocab, 4 * 2 * 300 * vocab));
    assert_eq!(bytes.weights, 4 * config.parameter_count() as u64);
    assert_eq!((bytes.optimiser, bytes.gradients), (bytes.weights, bytes.weights));
    assert_eq!(bytes.reference, 500 * 16);
    assert_eq!(bytes.probes, 4 * 3 * 600 * vocab);
    assert_eq!(bytes.peak(), bytes.tensors() + bytes.probes);
}

#[test]
fn every_way_out_is_one() {
    let config = Checkpoint::base().unwrap().config;
    let whole = load(&config);
    let needed = |load: &Load| footprint(&config, load).peak();
    let halved = Slice { rows: 4, predicting: 150, ..whole.slice };
    let shorter = Slice { positions: 50, predicting: 100, ..whole.slice };
    let fewer = Observed { prompts: 4, chosen: 150, ..whole.observed };
    for (way, load) in [
        ("half the batch, accumulated", Load { slice: halved, accumulates: true, ..whole }),
        ("shorter sequences", Load { slice: shorter, ..whole }),
        ("blocks computed anew", Load { recomputes: true, ..whole }),
        ("kernels", Load { kernels: true, ..whole }),
        ("adapters", Load { trained: whole.trained / 100, ..whole }),
        ("no averages", Load { averages: 0, ..whole }),
        ("fewer prompts", Load { observed: fewer, ..whole }),
    ] {
        assert!(needed(&load) < needed(&whole), "{way}: {} and {}", needed(&load), needed(&whole));
    }
    assert!(needed(&Load { frozen_copy: true, ..whole }) > needed(&whole));
    assert!(needed(&Load { scored: 120, ..whole }) > needed(&whole));
    assert!(needed(&Load { followed: 5, ..whole }) > needed(&whole));
    assert_eq!(footprint(&config, &Load { halves: true, ..whole }).gradients, 2 * footprint(&config, &whole).gradients);
}

#[test]
fn it_is_told_in_words() {
    let config = Checkpoint::base().unwrap().config;
    let text = footprint(&config, &load(&config)).to_string();
    assert!(text.starts_with("about ") && text.contains("activations ") && text.contains("weights "), "{text}");
}
