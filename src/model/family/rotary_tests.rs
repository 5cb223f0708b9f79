#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::{Value, json};

use super::super::FAMILIES;
use super::{PARTS_OF_HEADS, Refusal, Rotary, Scaling, WHOLE_HEADS, rotary};
use crate::model::architecture::Positions;

fn read(config: &Value) -> Result<Rotary, String> {
    of(config, &WHOLE_HEADS)
}

fn of(config: &Value, spelling: &super::Spelling) -> Result<Rotary, String> {
    rotary(config.as_object().unwrap(), spelling, 8).map_err(|refusal| match refusal {
        Refusal::Unknown(problem, advice) => format!("{problem}; {advice}"),
        Refusal::Json(e) => e.to_string(),
    })
}

fn plain(theta: f64) -> Rotary {
    Rotary { size: 8, theta, scaling: Scaling::None }
}

#[test]
fn theta_is_found_wherever_it_lies() {
    for (config, theta) in [
        (json!({}), 1e4),
        (json!({"rope_theta": 5e5}), 5e5),
        (json!({"rope_theta": 500_000}), 5e5),
        (json!({"rope_theta": 5e5, "rope_scaling": null, "rope_parameters": {}}), 5e5),
        (json!({"rope_parameters": {"rope_theta": 5e5}}), 5e5),
        (json!({"rope_parameters": {"rope_theta": 5e5, "rope_type": "default"}}), 5e5),
        (json!({"rope_parameters": {"rope_type": "default"}, "rope_theta": 5e5}), 5e5),
        (json!({"rope_parameters": {"rope_type": "default", "rope_theta": null}, "rope_theta": 5e5}), 5e5),
        (json!({"rope_scaling": {"type": "default", "rope_theta": 5e5}, "rope_theta": 1e4}), 5e5),
        (json!({"rope_parameters": {"full_attention": {"rope_theta": 5e5}}}), 5e5),
        (
            json!({"rope_parameters": {"full_attention": {"rope_type": "default"}, "sliding_attention": null},
                   "layer_types": ["full_attention"], "rope_theta": 5e5}),
            5e5,
        ),
    ] {
        assert_eq!(read(&config), Ok(plain(theta)), "{config}");
    }
}

#[test]
fn a_stretch_is_read_with_its_own_theta() {
    let linear = Rotary { scaling: Scaling::Linear { factor: 4.0 }, ..plain(5e5) };
    for config in [
        json!({"rope_scaling": {"type": "linear", "factor": 4}, "rope_theta": 5e5}),
        json!({"rope_scaling": {"rope_type": "linear", "type": "linear", "factor": 4.0, "rope_theta": 5e5}}),
        json!({"rope_parameters": {"rope_type": "linear", "factor": 4.0, "rope_theta": 5e5}}),
        json!({"rope_parameters": {"full_attention": {"rope_type": "linear", "factor": 4.0}}, "rope_theta": 5e5}),
        json!({"rope_scaling": {"rope_type": "linear", "factor": 4.0, "rope_theta": 5e5},
               "rope_parameters": {"rope_type": "linear", "factor": 4.0, "rope_theta": 5e5}}),
    ] {
        assert_eq!(read(&config), Ok(linear.clone()), "{config}");
    }
    let llama3 = json!({"rope_type": "llama3", "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4});
    let beside = json!({"rope_parameters": llama3, "original_max_position_embeddings": 64});
    let scaling = Scaling::Llama3 { factor: 8.0, low: 1.0, high: 4.0, original_positions: 64.0 };
    assert_eq!(read(&beside), Ok(Rotary { scaling, ..plain(1e4) }));
    let dynamic = json!({"rope_scaling": {"type": "dynamic", "factor": 2.0}, "max_position_embeddings": 64});
    assert_eq!(read(&dynamic), Ok(plain(1e4)));
    assert_eq!(read(&json!({"rope_scaling": {"rope_type": "default", "factor": 1.0}})), Ok(plain(1e4)));
}

#[test]
fn a_share_of_a_head_is_found_wherever_it_lies() {
    let neox = |config| of(&config, &PARTS_OF_HEADS).map(|rotary| (rotary.size, rotary.theta));
    assert_eq!(neox(json!({})), Ok((2, 1e4)));
    assert_eq!(neox(json!({"rotary_pct": 0.5, "rotary_emb_base": 5e4})), Ok((4, 5e4)));
    assert_eq!(
        neox(json!({"rotary_pct": 0.5, "partial_rotary_factor": 0.5, "rotary_emb_base": 5e4, "rope_theta": 50_000})),
        Ok((4, 5e4))
    );
    assert_eq!(neox(json!({"rope_parameters": {"partial_rotary_factor": 1.0, "rope_theta": 5e4}})), Ok((8, 5e4)));
    assert_eq!(
        neox(json!({"rope_parameters": {"rope_type": "default"}, "rotary_pct": 1.0, "rotary_emb_base": 5e4})),
        Ok((8, 5e4))
    );
}

#[test]
fn what_is_not_understood_is_named() {
    for (config, said) in [
        (json!({"rope_scaling": {"rope_type": "yarn", "factor": 2}}), "rope_scaling is of type 'yarn'"),
        (json!({"rope_parameters": {"rope_type": "longrope"}}), "rope_parameters is of type 'longrope'"),
        (json!({"rope_scaling": {"factor": 4.0}}), "rope_scaling has factor: 4.0, which is not known in the type"),
        (json!({"rope_scaling": {"type": "linear", "factor": 2, "mscale": 1.0}}), "rope_scaling has mscale: 1.0"),
        (json!({"rope_parameters": {"mrope_section": [1, 1, 2]}}), "rope_parameters has mrope_section"),
        (json!({"rope_scaling": {"type": "linear"}}), "rope_scaling lacks `factor`"),
        (json!({"rope_scaling": {"type": "linear", "rope_type": "llama3"}}), "the rope_type 'llama3' and the type"),
        (json!({"rope_scaling": "linear"}), "rope_scaling is \"linear\""),
        (json!({"rope_scaling": {"type": 3}}), "type of rope_scaling is 3"),
        (json!({"rope_theta": "10000"}), "rope_theta is \"10000\""),
        (
            json!({"rope_scaling": {"type": "linear", "factor": 2}, "rope_parameters": {"rope_type": "default"}}),
            "rope_scaling and rope_parameters are both there",
        ),
        (json!({"partial_rotary_factor": 0.5}), "partial_rotary_factor is 0.5, and this family rotates whole heads"),
        (json!({"rope_parameters": {"partial_rotary_factor": 0.5}}), "this family rotates whole heads"),
        (json!({"rotary_emb_base": 5e4}), "rotary_emb_base is 50000.0, which says something of positions"),
        (json!({"rope_local_base_freq": 1e4}), "rope_local_base_freq is 10000.0"),
        (json!({"position_embedding_type": "alibi"}), "position_embedding_type is \"alibi\""),
        (json!({"layer_types": ["full_attention", "sliding_attention"]}), "layer_types has \"sliding_attention\""),
        (
            json!({"rope_parameters": {"sliding_attention": {"rope_theta": 1e4}}}),
            "rope_parameters is told for sliding_attention and not for full_attention",
        ),
        (
            json!({"rope_parameters": {"full_attention": {}, "rope_theta": 1e4}}),
            "rope_parameters has rope_theta beside parameters for full_attention",
        ),
        (
            json!({"rope_scaling": {"type": "dynamic", "factor": 2, "original_max_position_embeddings": 32},
                   "max_position_embeddings": 64}),
            "of type 'dynamic' and has original_max_position_embeddings",
        ),
    ] {
        let found = read(&config).unwrap_err();
        assert!(found.contains(said), "{config}\n expected: {said}\n    found: {found}");
    }
    let contradiction = of(&json!({"rope_theta": 5e4}), &PARTS_OF_HEADS).unwrap_err();
    assert!(
        contradiction.contains("rope_theta is 50000, and rotary_emb_base, which this family goes by, is not there")
    );
    assert!(read(&json!({"rope_interleaved": false, "use_mrope": false, "rope_scaling": null})).is_ok());
}

/// The smallest configuration of every family, with what is added to it.
fn in_every_family(added: &Value) -> Vec<(&'static str, Result<Positions, String>)> {
    let read = |family: &'static super::super::Family| {
        let mut config = json!({
            "vocab_size": 16, "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1,
            "num_attention_heads": 2, "head_dim": 8, "rotary_pct": 1.0,
        });
        let config = config.as_object_mut().unwrap();
        if family.model_type != "gpt_neox" {
            config.remove("rotary_pct");
        }
        config.extend(added.as_object().unwrap().clone());
        let read = (family.architecture)(&serde_json::to_vec(&config).unwrap());
        let told = read.map(|architecture| architecture.positions).map_err(|refusal| match refusal {
            Refusal::Unknown(problem, _) => problem,
            Refusal::Json(e) => e.to_string(),
        });
        (family.model_type, told)
    };
    FAMILIES.into_iter().map(read).collect()
}

#[test]
fn every_family_reads_the_parameters_or_refuses_them_by_name() {
    let parameters = json!({"rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 5e5}});
    let rotated = Rotary { scaling: Scaling::Linear { factor: 2.0 }, ..plain(5e5) };
    for (family, found) in in_every_family(&parameters) {
        match family {
            "gpt2" => assert!(found.unwrap_err().starts_with("rope_parameters is {"), "{family}"),
            _ => assert_eq!(found, Ok(Positions::Rotary(rotated.clone())), "{family}"),
        }
    }
    for (family, found) in in_every_family(&json!({"alibi_bias": true})) {
        assert!(found.unwrap_err().starts_with("alibi_bias is true"), "{family}");
    }
}
