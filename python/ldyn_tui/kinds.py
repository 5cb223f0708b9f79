"""Names of the kinds of answers that are observed, as the run file and the paper's released code spell them."""

from __future__ import annotations

from typing import Final

#: Kinds that `ldyn-tui` knows by name, each with what it is. Other names are allowed: the program shows them under their
#: name, as a kind that it does not know.
KINDS: Final[dict[str, str]] = {
    "chosen": "the preferred answer",
    "chosen_initial": "the model's own answer before finetuning",
    "chosen_selfr": "the preferred answer's opening, continued by the model before finetuning",
    "chosen_gptsemantic": "the preferred answer in other words",
    "chosen_gptformat": "the preferred answer's format with other meaning",
    "rejected": "the dispreferred answer",
    "reject_gptsemantic": "the dispreferred answer in other words",
    "reject_gptformat": "the dispreferred answer's format with other meaning",
    "irr_train": "the chosen answer of another training question",
    "irr_test": "the chosen answer of a held-out question: the control of irr_train",
    "repeater": "a short phrase, repeated",
    "irr_hum": "grammatical sentences that answer nothing",
    "random_permute": "the words of the preferred answer, shuffled",
    "random_nonhum": "the words of irr_test, shuffled",
}

#: Kinds along which the whole distribution is read at every position: argmax, entropy, mass flow.
READ_WHOLE: Final[tuple[str, str]] = ("chosen", "rejected")
