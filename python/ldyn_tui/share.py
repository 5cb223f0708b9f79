"""What measuring costs: seconds of the forward passes, seconds of everything else that is ours, and their shares."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass


@dataclass
class _Span:
    seconds: float = 0.0


class Share:
    """The time that a callback takes, held against the time that the training takes without it."""

    def __init__(self, now: Callable[[], float] = time.perf_counter) -> None:
        """Begins to count now; `now` gives seconds."""
        self._now = now
        self._began = now()
        self._ours = _Span()
        self._forwards = _Span()

    @contextmanager
    def _counted(self, span: _Span) -> Iterator[object]:
        began = self._now()
        try:
            yield
        finally:
            span.seconds += self._now() - began

    def ours(self) -> AbstractContextManager[object]:
        """A context in which everything counts as the callback's."""
        return self._counted(self._ours)

    def forwards(self) -> AbstractContextManager[object]:
        """A context, within `ours`, of a forward pass through the model."""
        return self._counted(self._forwards)

    def restart(self) -> None:
        """Forgets everything so far: what is done once, when a run begins, says nothing of what goes on."""
        self._began = self._now()
        self._ours, self._forwards = _Span(), _Span()

    def _training(self) -> float:
        return max(self._now() - self._began - self._ours.seconds, 1e-9)

    def overhead(self) -> float:
        """What the callback took beyond forward passes, as a share of the training's own time."""
        return max(self._ours.seconds - self._forwards.seconds, 0.0) / self._training()

    def forward_share(self) -> float:
        """What the forward passes of measurements took, as a share of the training's own time."""
        return self._forwards.seconds / self._training()
