r"""Fits what a card says of confidence, and tells how far it can be believed.

    python reliability.py --pack pack.zip --photos photos.zip --labels labels \
        --unseen unseen.toml --model ../erase-s

Each judged picture gives a pair: how decided the network's matte was (`decidedness` in the
function) and the IoU of the served matte with the truth. The first line of the output belongs in
`card.toml`, the table in the model's README.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from evaluate import unseen_pairs, validation
from mattings import floats, served_mattes
from programs import add_material, run_program
from scores import bounded, score

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cutout.image.card import Point
    from data import Pair

    Values = NDArray[np.float64]

AS_IT_IS: tuple[Point, ...] = ((0.0, 0.0), (1.0, 1.0))
# Shares of the pictures, least decided first, whose means are the points: doubtful mattes are few,
# and there the curve is steepest.
GROUP_ENDS = (0.03, 0.08, 0.16, 0.3, 0.5, 0.75, 1.0)
BANDS = (0.0, 0.6, 0.8, 0.9, 0.95, 1.0)  # of confidence, in the table
POOR_IOU = 0.8  # such a matte is one to look at
PICTURES_MIN = 50  # fewer say nothing about doubtful mattes
TRIALS = 20  # of fitting one half and trying the other


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judged:
    """Of every picture: how decided its matte is, its IoU, and whether its source never trained."""

    decided: Values
    iou: Values
    unseen: NDArray[np.bool_]


def judged(model: Path, pack: Sequence[Pair], unseen: Sequence[Pair]) -> Judged:
    """Serve every picture and compare it with the truth."""
    run = served_mattes(model, AS_IT_IS)
    rows = []
    for pair in (*unseen, *pack):
        rgb, truth = bounded(pair)
        matte = run(rgb)
        rows.append((matte.confidence, score(floats(matte.alpha), truth).iou))
    decided, iou = np.array(rows).T
    return Judged(decided=decided, iou=iou, unseen=np.arange(len(rows)) < len(unseen))


def fitted(decided: Values, iou: Values) -> tuple[Point, ...]:
    """Fit a rising line: the means of groups, equal where they would fall (isotonic regression)."""
    order = np.argsort(decided, kind="stable")
    ends = [round(share * len(order)) for share in (0.0, *GROUP_ENDS)]
    groups = [order[first:last] for first, last in pairwise(ends) if last > first]
    places = [float(decided[group].mean()) for group in groups]
    pooled: list[list[float]] = []  # [sum of IoU, pictures, groups]
    for group in groups:
        pooled.append([float(iou[group].sum()), len(group), 1])
        while len(pooled) > 1 and pooled[-2][0] / pooled[-2][1] >= pooled[-1][0] / pooled[-1][1]:
            last = pooled.pop()
            pooled[-1] = [one + other for one, other in zip(pooled[-1], last, strict=True)]
    heights = [total / count for total, count, span in pooled for _ in range(int(span))]
    # A card has one point at a place: of groups that are equally decided the last one counts.
    points = {
        round(place, 3): round(height, 3) for place, height in zip(places, heights, strict=True)
    }
    inner = [point for point in points.items() if 0 < point[0] < 1]
    return ((0.0, 0.0), *inner, (1.0, round(heights[-1], 3)))


def at(points: Sequence[Point], decided: Values) -> Values:
    """Read the line."""
    places, heights = zip(*points, strict=True)
    expected: Values = np.interp(decided, places, heights)
    return expected


def ranked(values: Values) -> Values:
    """Return each value's rank."""
    return np.argsort(np.argsort(values, kind="stable"), kind="stable").astype(np.float64)


def trial_error(found: Judged) -> float:
    """Fit one half, try the other: the mean difference of confidence and IoU over six groups."""
    rng = np.random.default_rng(0)
    errors = []
    for _ in range(TRIALS):
        order = rng.permutation(len(found.iou))
        one, other = np.array_split(order, 2)
        expected = at(fitted(found.decided[one], found.iou[one]), found.decided[other])
        errors += [
            abs(expected[group].mean() - found.iou[other][group].mean())
            for group in np.array_split(np.argsort(expected), 6)
        ]
    return float(np.mean(errors))


def table(found: Judged, points: Sequence[Point]) -> str:
    """Write the reliability table as Markdown."""
    expected = at(points, found.decided)
    lines = ["| confidence | sources not trained on | pack | all |", "|---|---|---|---|"]
    everything = np.ones_like(found.unseen)
    for low, high in pairwise(BANDS):
        inside = (expected >= low) & ((expected < high) | (high == BANDS[-1]))
        cells = [
            cell(found, expected, inside & part)
            for part in (found.unseen, ~found.unseen, everything)
        ]
        lines.append(f"| {low:.2f} … {high:.2f} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def cell(found: Judged, expected: Values, part: NDArray[np.bool_]) -> str:
    """Write number / mean confidence / mean IoU / share of poor mattes of a part."""
    if not part.any():
        return "0"
    iou = found.iou[part]
    poor = 100 * float((iou < POOR_IOU).mean())
    return f"{part.sum()} / {expected[part].mean():.2f} / {iou.mean():.2f} / {poor:.0f} %"


def told(found: Judged, points: Sequence[Point]) -> list[str]:
    """Write what looking at doubtful mattes finds, and how sure all of this is."""
    expected, poor = at(points, found.decided), found.iou < POOR_IOU
    lines = [
        f"{poor.sum()} of {len(poor)} have an IoU below {POOR_IOU}.",
        f"Rank correlation of confidence and IoU: {rank_correlation(found):.3f}.",
    ]
    lines += [
        f"Below {limit}: {(expected < limit).mean():.0%} of all,"
        f" {(poor & (expected < limit)).sum() / max(poor.sum(), 1):.0%} of those."
        for limit in (0.7, 0.8, 0.9)
    ]
    return [*lines, f"Half fitted, half tried: off by {trial_error(found):.3f}."]


def rank_correlation(found: Judged) -> float:
    """Return Spearman's coefficient."""
    return float(np.corrcoef(ranked(found.decided), ranked(found.iou))[0, 1])


def main() -> None:
    """Judge a model, fit, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    add_material(
        parser, pack="its validation part judges", unseen="unseen.toml: the sources that judge"
    )
    parser.add_argument("--model", type=Path, required=True, help="the folder of a model")
    options = parser.parse_args()
    if options.photos and not (options.labels and options.unseen):
        parser.error("--photos needs --labels and --unseen")
    pack, unseen = validation(options.pack, options.folder), unseen_pairs(options)
    if len(pack) + len(unseen) < PICTURES_MIN:
        parser.error(f"at least {PICTURES_MIN} pictures must judge")
    found = judged(options.model, pack, unseen)
    points = fitted(found.decided, found.iou)
    print("confidence = " + str([list(point) for point in points]))
    print("\n" + table(found, points) + "\n")
    print("\n".join(told(found, points)))


if __name__ == "__main__":
    run_program(main)
