//! Rotary positions as a `config.json` spells them, every way in which `transformers` does: θ, the rotated share and the
//! stretch beside other fields, inside `rope_scaling` or inside `rope_parameters`, there once or layer type by layer type.
//! A field about positions that is not understood is refused by name: to pass over it would give wrong log-probs silently.

use serde_json::{Map, Value};

use super::config::Refusal;
use crate::model::architecture::{Rotary, Scaling};

type Fields = Map<String, Value>;

/// The base θ of a model that does not tell it.
const THETA: f64 = 10_000.0;

/// How a family spells its rotary positions where they lie beside other fields.
pub(super) struct Spelling {
    /// The base of the frequencies.
    theta: &'static str,
    /// The share of a head that is rotated.
    share: &'static str,
    /// The rotated share where nobody tells it; 1 where the family rotates whole heads and no others.
    usual_share: f64,
}

/// Most families'.
pub(super) const WHOLE_HEADS: Spelling =
    Spelling { theta: "rope_theta", share: "partial_rotary_factor", usual_share: 1.0 };
/// GPT-NeoX's.
pub(super) const PARTS_OF_HEADS: Spelling =
    Spelling { theta: "rotary_emb_base", share: "rotary_pct", usual_share: 0.25 };

/// Beside other fields, of every family.
const BESIDE: [&str; 6] = [
    "max_position_embeddings",
    "original_max_position_embeddings",
    "partial_rotary_factor",
    "rope_parameters",
    "rope_scaling",
    "rope_theta",
];

/// Inside a stretch of any type.
const INSIDE: [&str; 5] =
    ["rope_type", "type", "rope_theta", "partial_rotary_factor", "original_max_position_embeddings"];

/// The only kind of layer whose attention sees everything before it.
const FULL: &str = "full_attention";

/// How heads of `head_size` numbers are rotated.
pub(super) fn rotary(config: &Fields, spelling: &Spelling, head_size: usize) -> Result<Rotary, Refusal> {
    refuse_others(config, &[&BESIDE[..], &[spelling.theta, spelling.share]].concat())?;
    refuse_windows(config)?;
    let stretch = Stretch::find(config)?;
    let theta = stretch.told("rope_theta", config, spelling.theta)?.unwrap_or(THETA);
    let share = stretch.told("partial_rotary_factor", config, spelling.share)?.unwrap_or(spelling.usual_share);
    if !(share > 0.0 && share <= 1.0) {
        return refuse(format!("{} is {share}", spelling.share), "a share lies between 0 and 1");
    }
    #[allow(clippy::float_cmp, reason = "the default itself")]
    if spelling.usual_share == 1.0 && share != 1.0 {
        return refuse(
            format!("{} is {share}, and this family rotates whole heads", spelling.share),
            "leave it out or write 1.0; in transformers this family does not know it either",
        );
    }
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share")]
    let size = (head_size as f64 * share) as usize;
    Ok(Rotary { size, theta, scaling: stretch.scaling(config)? })
}

/// Refuses every field about rotation, of a family whose positions are learned.
pub(super) fn none(config: &Fields, known: &[&str]) -> Result<(), Refusal> {
    refuse_others(config, &[known, &["max_position_embeddings"]].concat())?;
    refuse_windows(config)
}

fn refuse<T>(problem: String, advice: &'static str) -> Result<T, Refusal> {
    Err(Refusal::Unknown(problem, advice))
}

/// Whether a value says that nothing is asked for.
fn is_off(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Object(fields) => fields.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

/// Refuses fields that speak of positions and are none of `known`.
fn refuse_others(config: &Fields, known: &[&str]) -> Result<(), Refusal> {
    const ABOUT_POSITIONS: [&str; 7] = ["rope", "rotary", "position", "theta", "alibi", "yarn", "ntk"];
    let other = config.iter().find(|(name, value)| {
        let name = name.to_ascii_lowercase();
        ABOUT_POSITIONS.iter().any(|word| name.contains(word)) && !known.contains(&name.as_str()) && !is_off(value)
    });
    match other {
        None => Ok(()),
        Some((name, value)) => refuse(
            format!("{name} is {value}, which says something of positions that is not known here"),
            "take the field out if the model does not need it; otherwise its log-probs would be wrong",
        ),
    }
}

/// Refuses layers that do not attend to everything before them.
fn refuse_windows(config: &Fields) -> Result<(), Refusal> {
    let layers = config.get("layer_types").and_then(Value::as_array);
    match layers.into_iter().flatten().find(|layer| layer.as_str() != Some(FULL)) {
        None => Ok(()),
        Some(other) => {
            refuse(format!("layer_types has {other}"), "only full_attention is known here, no sliding window")
        }
    }
}

/// The fields of `rope_scaling` or `rope_parameters`.
struct Stretch {
    /// Which of the two.
    name: &'static str,
    /// The fields that are there; θ and the rotated share may be among them.
    fields: Fields,
    /// The type.
    kind: &'static str,
}

impl Stretch {
    /// The one that is there; where both are they must say the same, for readers differ in which they take.
    fn find(config: &Fields) -> Result<Self, Refusal> {
        let read = |name: &'static str| match config.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(fields)) => flat(name, fields).map(|fields| (!fields.is_empty()).then_some(fields)),
            Some(other) => refuse(format!("{name} is {other}"), "write fields in braces"),
        };
        let (name, fields) = match (read("rope_scaling")?, read("rope_parameters")?) {
            (Some(older), Some(newer)) if older != newer => {
                return refuse(
                    "rope_scaling and rope_parameters are both there and say different things".to_owned(),
                    "keep one: transformers before 5 reads rope_scaling, 5 and later write rope_parameters",
                );
            }
            (Some(older), _) => ("rope_scaling", older),
            (None, newer) => ("rope_parameters", newer.unwrap_or_default()),
        };
        let kind = match (text(name, &fields, "rope_type")?, text(name, &fields, "type")?) {
            (Some(a), Some(b)) if a != b => {
                return refuse(format!("{name} has the rope_type '{a}' and the type '{b}'"), "keep the right one");
            }
            (Some(kind), _) | (None, Some(kind)) => known_kind(name, kind)?,
            (None, None) => "default",
        };
        let this = Self { name, fields, kind };
        this.refuse_others()?;
        Ok(this)
    }
}

/// What types of stretch there are, by `transformers`' names.
fn known_kind(name: &str, kind: &str) -> Result<&'static str, Refusal> {
    ["default", "linear", "dynamic", "llama3"].into_iter().find(|known| *known == kind).map_or_else(
        || refuse(format!("{name} is of type '{kind}'"), "only default, linear, dynamic and llama3 are known here"),
        Ok,
    )
}

/// The fields without those that are null. Where they are told layer type by layer type, those of the types in use, which
/// must be equal.
fn flat(name: &str, fields: &Fields) -> Result<Fields, Refusal> {
    let there = |fields: &Fields| -> Fields {
        fields.iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.clone(), value.clone())).collect()
    };
    let Some((first, _)) = fields.iter().find(|(_, value)| value.is_object()) else { return Ok(there(fields)) };
    // Of other types than these there is no layer: `layer_types` was looked at before.
    let Some(Value::Object(full)) = fields.get(FULL) else {
        return refuse(
            format!("{name} is told for {first} and not for {FULL}"),
            "only layers of full_attention are known here: write their parameters",
        );
    };
    match fields.iter().find(|(_, value)| !value.is_object() && !value.is_null()) {
        None => Ok(there(full)),
        Some((beside, _)) => refuse(
            format!("{name} has {beside} beside parameters for {FULL}"),
            "write it inside, or all of them beside",
        ),
    }
}

fn text<'a>(name: &str, fields: &'a Fields, field: &str) -> Result<Option<&'a str>, Refusal> {
    match fields.get(field) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => refuse(format!("{field} of {name} is {other}"), "write one of the types in double quotes"),
    }
}

fn number(fields: &Fields, field: &str) -> Result<Option<f64>, Refusal> {
    match fields.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_f64() {
            Some(number) => Ok(Some(number)),
            None => refuse(format!("{field} is {value}"), "write a number"),
        },
    }
}

impl Stretch {
    /// A number that may lie inside under its usual name, or beside under the family's; inside comes first, as in
    /// `transformers`. The usual name beside the family's own must not contradict it: readers pass over it.
    fn told(&self, usual: &str, config: &Fields, own: &str) -> Result<Option<f64>, Refusal> {
        if let Some(inside) = number(&self.fields, usual)? {
            return Ok(Some(inside));
        }
        let (of_family, beside) = (number(config, own)?, number(config, usual)?);
        match beside {
            Some(beside) if usual != own && of_family != Some(beside) => {
                let found = of_family.map_or_else(|| "not there".to_owned(), |number| number.to_string());
                refuse(
                    format!("{usual} is {beside}, and {own}, which this family goes by, is {found}"),
                    "let both say the same",
                )
            }
            _ => Ok(of_family),
        }
    }

    /// Refuses fields that a stretch of this type does not have.
    fn refuse_others(&self) -> Result<(), Refusal> {
        let own: &[&str] = match self.kind {
            "linear" | "dynamic" => &["factor"],
            "llama3" => &["factor", "low_freq_factor", "high_freq_factor"],
            _ => &[],
        };
        let known = |name: &str| INSIDE.contains(&name) || own.contains(&name);
        // A factor of one stretches nothing, whatever the type.
        let idle = |name: &str, value: &Value| name == "factor" && value.as_f64() == Some(1.0);
        match self.fields.iter().find(|(name, value)| !known(name) && !idle(name, value)) {
            None => Ok(()),
            Some((name, value)) => refuse(
                format!("{} has {name}: {value}, which is not known in the type '{}'", self.name, self.kind),
                "compare with the model's page on the hub: is the rope_type right?",
            ),
        }
    }

    fn scaling(&self, config: &Fields) -> Result<Scaling, Refusal> {
        let need = |field: &str| match number(&self.fields, field)? {
            Some(number) => Ok(number),
            None => refuse(format!("{} lacks `{field}`", self.name), "compare with the model's page on the hub"),
        };
        let original = self.original_positions(config)?;
        match self.kind {
            "linear" => Ok(Scaling::Linear { factor: need("factor")? }),
            "llama3" => Ok(Scaling::Llama3 {
                factor: need("factor")?,
                low: need("low_freq_factor")?,
                high: need("high_freq_factor")?,
                original_positions: match original {
                    Some(positions) => positions,
                    None => need("original_max_position_embeddings")?,
                },
            }),
            // Dynamic stretching begins beyond max_position_embeddings, where nothing is read here.
            "dynamic" if original.is_some() && original != number(config, "max_position_embeddings")? => refuse(
                format!("{} is of type 'dynamic' and has original_max_position_embeddings", self.name),
                "dynamic stretching is known here only where it begins at max_position_embeddings",
            ),
            _ => Ok(Scaling::None),
        }
    }

    /// The longest sequence of pretraining, told inside or beside.
    fn original_positions(&self, config: &Fields) -> Result<Option<f64>, Refusal> {
        const NAME: &str = "original_max_position_embeddings";
        match (number(&self.fields, NAME)?, number(config, NAME)?) {
            (Some(inside), Some(beside)) if inside.to_bits() != beside.to_bits() => refuse(
                format!("{NAME} is {inside} inside {} and {beside} beside it", self.name),
                "let both say the same",
            ),
            (inside, beside) => Ok(inside.or(beside)),
        }
    }
}

#[cfg(test)]
#[path = "rotary_tests.rs"]
mod tests;
