"""Eyes for a training run: what a model believes about chosen, rejected and other answers while it is finetuned.

`LdynCallback` watches any `transformers.Trainer` (TRL's DPOTrainer, SFTTrainer, GRPOTrainer, ...), `Recorder` a loop of
your own. Both write a run file that the program `ldyn-tui` shows (`ldyn-tui attach runs/NAME`), replays and exports.

    from ldyn_tui import LdynCallback

    trainer = DPOTrainer(..., callbacks=[LdynCallback(probes="probes.jsonl", out="runs/mine")])

The package has no compiled code and no dependencies of its own. The callback and the reading of models need the torch and
transformers that the training has anyway; everything else runs on Python alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .kinds import KINDS
from .probes import Probe, read_rows
from .reading import Reading
from .recorder import Recorder
from .runfile import FORMAT_VERSION, RunFile, Stage
from .samples import Samples

if TYPE_CHECKING:
    from .callback import LdynCallback

__version__ = "0.1.0"

__all__ = [
    "FORMAT_VERSION",
    "KINDS",
    "LdynCallback",
    "Probe",
    "Reading",
    "Recorder",
    "RunFile",
    "Samples",
    "Stage",
    "__version__",
    "read_rows",
]


def __getattr__(name: str) -> Any:
    """The callback is imported when it is asked for: it needs transformers, which a bare `Recorder` does not."""
    if name == "LdynCallback":
        from .callback import LdynCallback

        return LdynCallback
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
