//! The schema of an experiment, as a table: one row a field. Serde reads the values; by this table every mistake is found
//! at once, where serde would stop at the first (see `check`). A test holds the two together.

use crate::protocol::ProbeKind;

/// The type of a value.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Type {
    Text,
    Bool,
    Whole,
    Real,
    List(&'static Type),
    Optional(&'static Type),
    Struct(&'static [Row]),
    Enum(&'static [Variant]),
    /// A field that there was, and the way out.
    Retired(&'static str),
}

/// A field: name, type, and an example where it has no default.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    pub name: &'static str,
    pub ty: Type,
    pub example: Option<&'static str>,
}

/// A variant and its payload.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Variant {
    pub name: &'static str,
    pub payload: Option<Type>,
}

/// A field that must be there, with an example of its value.
pub(crate) const fn required(name: &'static str, ty: Type, example: &'static str) -> Row {
    Row { name, ty, example: Some(example) }
}

/// A field that may be left out.
pub(crate) const fn optional(name: &'static str, ty: Type) -> Row {
    Row { name, ty, example: None }
}

const fn retired(name: &'static str, way_out: &'static str) -> Row {
    Row { name, ty: Retired(way_out), example: None }
}

/// A variant that is a word.
pub(crate) const fn unit(name: &'static str) -> Variant {
    Variant { name, payload: None }
}

/// A variant with a payload.
pub(crate) const fn with(name: &'static str, payload: Type) -> Variant {
    Variant { name, payload: Some(payload) }
}

use Type::{Bool, Enum, List, Optional, Real, Retired, Struct, Text, Whole};

/// The whole experiment.
pub(super) const EXPERIMENT: Type = Struct(&[
    required("name", Text, "\"my_experiment\""),
    optional("description", Text),
    optional("seed", Whole),
    optional(
        "model",
        Enum(&[
            unit("base"),
            with("folder", Text),
            with("file", Text),
            with("hub", Text),
            with("new", NEW_MODEL),
            with("mlp", List(&Whole)),
            unit("lenet"),
        ]),
    ),
    optional("lora", Optional(&LORA)),
    optional("precision", Enum(&[unit("f32"), unit("bf16")])),
    optional("check_device", Bool),
    required("data", DATA, "world()"),
    optional(
        "probes",
        Struct(&[
            optional("prompts", Whole),
            optional("greedy", Whole),
            optional("max_new_tokens", Whole),
            optional("held_out", Whole),
            optional("kinds", List(&PROBE_KIND)),
            optional("tokens", Whole),
        ]),
    ),
    optional("forces", Optional(&FORCES)),
    optional("stages", List(&STAGE)),
    optional("claims", List(&Text)),
    optional("baseline", Optional(&Text)),
    optional("detector", DETECTOR),
    optional(
        "output",
        Struct(&[
            optional("directory", Text),
            optional("save_model", Bool),
            optional("checkpoint_every", Optional(&Whole)),
            optional("snapshots_mb", Whole),
        ]),
    ),
]);

const FORCES: Type = Struct(&[optional("prompts", Whole), optional("nodes", Whole), optional("tolerance", Real)]);

const PROBE_KIND: Type = Enum(&PROBE_KINDS);

const PROBE_KINDS: [Variant; ProbeKind::ALL.len()] = {
    let mut variants = [unit(""); ProbeKind::ALL.len()];
    let mut kind = 0;
    while kind < variants.len() {
        variants[kind] = unit(ProbeKind::KEYS[kind]);
        kind += 1;
    }
    variants
};

const NEW_MODEL: Type = Struct(&[
    required("vocab_size", Whole, "1400"),
    required("hidden_size", Whole, "192"),
    required("intermediate_size", Whole, "512"),
    required("layers", Whole, "3"),
    required("heads", Whole, "6"),
    required("max_positions", Whole, "128"),
]);

const LORA: Type = Struct(&[
    optional("rank", Whole),
    optional("alpha", Real),
    optional(
        "targets",
        List(&Enum(&[
            unit("query"),
            unit("key"),
            unit("value"),
            unit("output"),
            unit("gate"),
            unit("up"),
            unit("down"),
        ])),
    ),
]);

const DATA: Type = Enum(&[
    with(
        "world",
        Struct(&[
            optional("train", Whole),
            optional("held_out", Whole),
            optional("chosen_exponent", Real),
            optional("rejected_exponent", Real),
            optional("overlap", Real),
        ]),
    ),
    with("world_documents", Struct(&[optional("train", Whole), optional("held_out", Whole)])),
    with("preferences", PREFERENCES),
    // The older name.
    with("jsonl", PREFERENCES),
    with("digits", Struct(&[optional("train", Whole), optional("held_out", Whole), optional("variety", Real)])),
    with("mnist", Text),
    with("lab", LAB),
]);

/// The settings of the squeeze lab.
pub(crate) const LAB: Type = Struct(&[
    optional("classes", Whole),
    optional("shape", Enum(&[unit("uniform"), unit("flat"), with("peaks", Whole), unit("one_peak")])),
    optional("rank", Whole),
    optional("eta", Real),
    optional("push_down", Bool),
]);

const PREFERENCES: Type = Struct(&[
    required("train", Text, "\"train.jsonl\""),
    optional("held_out", Optional(&Text)),
    optional("max_length", Optional(&Whole)),
    optional("max_prompt_length", Optional(&Whole)),
    optional("chat_template", Optional(&Text)),
]);

/// The objectives' variants, read off their table.
macro_rules! objective_variants {
    (@ty f64) => { Real };
    (@ty bool) => { Bool };
    (@variant $name:ident) => { unit(stringify!($name)) };
    (@variant $name:ident $($field:ident $ty:ident)+) => {
        with(stringify!($name), Struct(&[ $( optional(stringify!($field), objective_variants!(@ty $ty)), )+ ]))
    };
    ($(
        $(#[$doc:meta])*
        $variant:ident = $name:ident [$($traits:tt)*]
        $({ $( $(#[$about:meta])* $field:ident: $ty:ident = $default:expr, $bound:expr; )+ })?
        => |$pair:ident| $equation:expr;
    )+) => {
        const OBJECTIVE: Type = Enum(&[ $( objective_variants!(@variant $name $($($field $ty)+)?), )+ ]);
    };
}
crate::objective::each_objective!(objective_variants);

const ON_POLICY: Type = Struct(&[
    optional("replaces", Enum(&[unit("rejected"), unit("both")])),
    optional("every", Whole),
    optional("candidates", Whole),
    optional("temperature", Real),
    optional("top_p", Real),
    optional("max_new_tokens", Whole),
]);

const STAGE: Type = Struct(&[
    required("name", Text, "\"SFT\""),
    required("objective", OBJECTIVE, "sft"),
    optional("on_policy", Optional(&ON_POLICY)),
    required("steps", Whole, "128"),
    optional("batch_size", Whole),
    optional("gradient_accumulation_steps", Whole),
    optional("gradient_checkpointing", Bool),
    optional(
        "optimizer",
        Enum(&[
            with(
                "adamw",
                Struct(&[optional("beta_1", Real), optional("beta_2", Real), optional("weight_decay", Real)]),
            ),
            with("rmsprop", Struct(&[optional("alpha", Real)])),
            unit("sgd"),
        ]),
    ),
    required("learning_rate", Real, "5e-4"),
    optional("warmup_steps", Whole),
    optional("schedule", Enum(&[unit("constant"), with("cosine", Real)])),
    optional("max_grad_norm", Real),
    optional("evaluate_every", Whole),
]);

const DETECTOR: Type = Struct(&[
    optional("tau", Real),
    optional("noise", Real),
    optional("noise_of_means", Real),
    optional("recent", Real),
    optional("displacing_rate", Real),
    optional("squeezing_rate", Real),
    optional("leave", Real),
    optional("squeezed_share", Real),
    optional("collapse_distinct_2_drop", Real),
    optional("collapse_repeat_4", Real),
    retired("window", "leave it out: changes are counted from where the stage began, however often is measured"),
    retired("patience", "leave it out: enough pairs decide, however often is measured"),
    retired("healthy_rate", "write `leave: 0.5`: a state is left below this part of the rate at which it is entered"),
]);

impl Type {
    /// Whether a field of this type is refused.
    pub(super) fn is_retired(&self) -> bool {
        matches!(self, Retired(_))
    }
}
