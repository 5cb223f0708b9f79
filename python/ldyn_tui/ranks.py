"""The processes that train together, as far as the measurement needs to know them."""

from __future__ import annotations

import sys
from typing import Any


def world() -> tuple[int, int]:
    """The rank of this process and how many there are; (0, 1) where torch is not distributed, or not there at all."""
    distributed = _distributed()
    if distributed is None:
        return 0, 1
    return int(distributed.get_rank()), int(distributed.get_world_size())


def gather(thing: Any) -> list[Any]:
    """What every rank has, in their order, on every rank. All ranks must call it."""
    distributed = _distributed()
    if distributed is None or distributed.get_world_size() == 1:
        return [thing]
    things: list[Any] = [None] * distributed.get_world_size()
    distributed.all_gather_object(things, thing)
    return things


def _distributed() -> Any | None:
    """torch.distributed, where the training has begun to use it. Torch is not imported for that: who trains has it."""
    torch = sys.modules.get("torch")
    if torch is None:
        return None
    distributed = getattr(torch, "distributed", None)
    if distributed is None or not distributed.is_available() or not distributed.is_initialized():
        return None
    return distributed
