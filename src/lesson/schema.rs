//! The fields of a lesson's file, as a table: by it every mistake is found with its place.

use crate::experiment::schema::Type::{self, Enum, List, Optional, Real, Struct, Text, Whole};
use crate::experiment::schema::{LAB, Row, optional, required, unit, with};

/// The whole lesson.
pub(super) const LESSON: Type = Struct(&[
    required("title", Text, "\"What a gate does\""),
    optional("about", Text),
    optional(
        "recordings",
        List(&Struct(&[required("name", Text, "\"off\""), required("file", Text, "\"dpo_offpolicy.jsonl.gz\"")])),
    ),
    optional("lab", Optional(&LAB)),
    optional("facts", List(&Struct(&[required("name", Text, "\"fell\""), required("is", MEASURE, "alarms()")]))),
    required("steps", List(&STEP), "[(text: \"…\")]"),
]);

const OF: Row = optional("of", Optional(&Text));
const CURVE: Row = required("curve", Text, "\"chosen\"");
const AT: Row = required("at", Whole, "64");
const FROM: Row = required("from", Whole, "64");
const TO: Row = required("to", Whole, "352");

const WHO: Type = Enum(&[unit("y"), unit("star"), unit("others")]);

const MEASURE: Type = Enum(&[
    with("level", Struct(&[CURVE, AT, OF])),
    with("change", Struct(&[CURVE, FROM, TO, OF])),
    with("displaced", Struct(&[AT, OF])),
    with("squeezed", Struct(&[AT, OF])),
    with("to_star", Struct(&[AT, OF])),
    with("alarms", Struct(&[OF])),
    with("first_alarm", Struct(&[OF])),
    with("prompts", Struct(&[OF])),
    with("metric", Struct(&[required("key", Text, "\"weights/rejected\""), FROM, TO, OF])),
    with("before", WHO),
    with("after", WHO),
    with("gain", WHO),
    unit("falling"),
    unit("others"),
]);

const FACT: Row = required("fact", Text, "\"fell\"");

const CONDITION: Type = Enum(&[
    with("above", Struct(&[FACT, required("than", Real, "0.5")])),
    with("below", Struct(&[FACT, required("than", Real, "-0.5")])),
    with("between", Struct(&[FACT, required("low", Real, "-0.5"), required("high", Real, "0.5")])),
    with("more", Struct(&[FACT, required("than", Text, "\"rose\"")])),
]);

const STEP: Type = Struct(&[
    required("text", Text, "\"Look at y⁺.\""),
    optional("recording", Optional(&Text)),
    optional("at", Optional(&Whole)),
    optional("since", Optional(&Whole)),
    optional("lab", Optional(&LAB)),
    optional(
        "panels",
        List(&Enum(&[
            unit("chart"),
            unit("curves"),
            unit("prompt"),
            unit("pairs"),
            unit("events"),
            unit("dynamics"),
            unit("forces"),
        ])),
    ),
    optional("curves", List(&Text)),
    optional("prompt", Optional(&Whole)),
    optional("beside", Optional(&Text)),
    optional("keys", List(&Text)),
    optional("ask", Optional(&ASK)),
    optional("hint", Text),
    optional("claims", List(&CONDITION)),
]);

const QUESTION: Row = required("question", Text, "\"What will y⁺ do?\"");
const BECAUSE: Row = required("because", Text, "\"It {fell}.\"");

const ASK: Type = Enum(&[
    with(
        "choice",
        Struct(&[
            QUESTION,
            optional("curve", Optional(&Text)),
            required(
                "answers",
                List(&Struct(&[
                    required("text", Text, "\"it falls\""),
                    required("when", CONDITION, "below(fact: \"fell\", than: -0.5)"),
                    optional("by", Optional(&Real)),
                ])),
                "[(text: \"it falls\", when: below(fact: \"fell\", than: -0.5))]",
            ),
            optional("to", Optional(&Whole)),
            OF,
            optional("lab", Optional(&LAB)),
            BECAUSE,
        ]),
    ),
    with("sketch", Struct(&[QUESTION, CURVE, TO, OF, BECAUSE])),
    with("task", Struct(&[QUESTION, required("until", CONDITION, "below(fact: \"falling\", than: 1)"), BECAUSE])),
]);
