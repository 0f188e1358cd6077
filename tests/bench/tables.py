"""Measures in turn, and prints tables as Markdown, as the documents show them."""

import gc
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from io import TextIOBase
from typing import IO


class Both(TextIOBase):
    """A stream that writes to a file and to what was the standard output."""

    def __init__(self, file: IO[str]) -> None:
        """Keep both."""
        self._streams = (file, sys.stdout)

    def write(self, text: str) -> int:
        """Write a text to both."""
        for stream in self._streams:
            stream.write(text)
            stream.flush()
        return len(text)


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, title: str = "") -> None:
    """Print a table under its title, where it has one."""
    if title:
        print(f"\n{title}")
    print()
    for cells in (head, ["---"] * len(head), *rows):
        print("| " + " | ".join(cells) + " |")


def medians(
    runs: int, *jobs: Callable[[], object], clock: Callable[[], float] = time.process_time
) -> list[float]:
    """Return the median time of each job in ms, of the CPU where ``clock`` is not another one.

    They run in turn after one warm-up.
    """
    times: list[list[float]] = [[] for _ in jobs]
    for run in range(runs + 1):
        for job, elapsed in zip(jobs, times, strict=True):
            gc.collect()
            start = clock()
            job()
            if run:
                elapsed.append((clock() - start) * 1000)
    return [statistics.median(elapsed) for elapsed in times]
