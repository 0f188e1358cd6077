"""The clock of a removal: how long its stages take, and whether there is time for another one."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from cutout.errors import OutOfTime


class StageTimer:
    """Times the stages, and refuses to begin one after the budget is spent."""

    def __init__(self, budget_ms: float | None) -> None:
        self.stage_ms: dict[str, float] = {}
        self._budget_ms = budget_ms
        self._start = time.perf_counter()

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Time the block as ``stage``.

        :raises OutOfTime: the budget is spent before it begins.
        """
        if not self.has_time():
            raise OutOfTime(before=stage)
        start = time.perf_counter()
        yield
        self.stage_ms[stage] = (time.perf_counter() - start) * 1000

    def has_time(self) -> bool:
        """Tell whether anything is left of the budget."""
        left_ms = self.left_ms()
        return left_ms is None or left_ms >= 0

    def left_ms(self) -> float | None:
        """Return what is left of the budget, in ms; ``None`` if there is none."""
        if self._budget_ms is None:
            return None
        return self._budget_ms - (time.perf_counter() - self._start) * 1000
