"""How much better one model is than another, picture by picture.

Means over sets hide whether all pictures changed a little or one was lost. The same pictures are
judged by both models, so the differences tell more than the two means do.
"""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scores import Score

    from data import Pair

POINTS = 100  # in 1
CLEAR_POINTS = 0.5  # from here on a picture counts as better or worse
MEASURES = {"IoU": "iou", "boundary IoU": "boundary_iou"}


def points(base: Sequence[Score], other: Sequence[Score], measure: str) -> list[float]:
    """Subtract the first model's scores from the other's, in points, picture by picture."""
    return [
        (getattr(b, measure) - getattr(a, measure)) * POINTS
        for a, b in zip(base, other, strict=True)
    ]


def summary(gains: Sequence[float]) -> str:
    """Write the mean with its standard error, the median, and how many are better and worse.

    Raises statistics.StatisticsError for less than two pictures, which have no standard error.
    """
    error = statistics.stdev(gains) / math.sqrt(len(gains))
    better = sum(gain > CLEAR_POINTS for gain in gains)
    worse = sum(gain < -CLEAR_POINTS for gain in gains)
    mean, median = statistics.fmean(gains), statistics.median(gains)
    return f"{mean:+.2f} ± {error:.2f}, median {median:+.2f}; {better} better, {worse} worse"


def differences(results: Mapping[str, Sequence[Score]], base: str) -> str:
    """Write Markdown: a row for each model but `base`, in points of its scores."""
    lines = ["| model | " + " | ".join(MEASURES) + " |", "|---" * (len(MEASURES) + 1) + "|"]
    for name, scores in results.items():
        if name != base:
            cells = [summary(points(results[base], scores, key)) for key in MEASURES.values()]
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def most_changed(
    pairs: Sequence[Pair], base: Sequence[Score], other: Sequence[Score], count: int
) -> list[str]:
    """Name the pictures that lose most and those that gain most in IoU, `count` of each at most.

    Those that do not change by `CLEAR_POINTS` are left out.
    """
    gains = zip(points(base, other, "iou"), pairs, base, other, strict=True)
    ranked = sorted(gains, key=lambda item: item[0])
    ends = [*ranked[:count], *ranked[max(count, len(ranked) - count) :]]
    return [
        f"{gain:+.1f}  {old.iou:.3f} → {new.iou:.3f}  {pair.set}  {pair.name}"
        for gain, pair, old, new in ends
        if abs(gain) > CLEAR_POINTS
    ]
