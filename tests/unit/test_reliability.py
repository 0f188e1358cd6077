"""What a card says of confidence: fitted to pictures whose IoU is known by hand."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from mattings import served_mattes
from reliability import (
    AS_IT_IS,
    Judged,
    at,
    fitted,
    judged,
    rank_correlation,
    table,
    told,
    trial_error,
)

from cutout.image.card import read_card
from data import Pair

ROOT = Path(__file__).resolve().parents[2]
OURS = ROOT / "models/erase-s"


def found(count: int = 200) -> Judged:
    """Return pictures whose IoU is the square of how decided they are; every other one unseen."""
    decided = np.linspace(0.5, 1, count)
    return Judged(decided=decided, iou=decided**2, unseen=np.arange(count) % 2 == 0)


def test_the_fit_follows_what_was_measured() -> None:
    """Within a hundredth, from the first group's mean to the last's."""
    points = fitted(found().decided, found().iou)
    assert points[0] == (0.0, 0.0)
    assert points[-1] == (1.0, points[-2][1])
    expected = at(points, np.array([0.6, 0.75, 0.9]))
    assert expected == pytest.approx(np.array([0.36, 0.5625, 0.81]), abs=0.01)


def test_groups_that_would_fall_are_pooled() -> None:
    """Where more decided mattes are worse, all of them have their common mean."""
    decided = np.linspace(0.5, 1, 100)
    iou = np.where(decided < 0.75, 0.9, 0.5)
    heights = [height for _, height in fitted(decided, iou)[1:]]
    assert heights == [pytest.approx(0.7, abs=1e-3)] * len(heights)


@pytest.mark.parametrize(
    ("empty", "sure", "expected"),
    [
        (10, 0.9996, [(0, 0), (0.75, 0.728), (1, 0.97)]),
        (0, 0.98, [(0, 0), (0.98, 0.97), (1, 0.97)]),
    ],
)
def test_a_card_takes_what_was_fitted(
    tmp_path: Path, empty: int, sure: float, expected: list[tuple[float, float]]
) -> None:
    """Also where many pictures are equally decided: none has a subject, or every one is clear."""
    counts = (empty, 100 - empty)
    points = fitted(np.repeat([0.0, sure], counts), np.repeat([0.0, 0.97], counts))
    assert list(points) == expected
    text = (OURS / "card.toml").read_text(encoding="utf-8")
    line = f"confidence = {[list(point) for point in points]}"
    (tmp_path / "card.toml").write_text(re.sub("(?m)^confidence = .*$", line, text))
    assert read_card(tmp_path).confidence == points


def test_the_order_of_the_pictures_does_not_matter() -> None:
    """They are sorted by how decided they are."""
    order = np.random.default_rng(0).permutation(200)
    assert fitted(found().decided[order], found().iou[order]) == fitted(
        found().decided, found().iou
    )


def test_the_table_counts_each_picture_once() -> None:
    """Number / mean confidence / mean IoU / share of poor ones, by band and by split."""
    pictures = Judged(
        decided=np.array([0.5, 0.7, 0.85, 0.96, 1.0]),
        iou=np.array([0.2, 0.9, 0.7, 0.9, 1.0]),
        unseen=np.array([True, False, False, True, True]),
    )
    rows = table(pictures, ((0.0, 0.0), (1.0, 1.0))).splitlines()
    assert rows[2:] == [
        "| 0.00 … 0.60 | 1 / 0.50 / 0.20 / 100 % | 0 | 1 / 0.50 / 0.20 / 100 % |",
        "| 0.60 … 0.80 | 0 | 1 / 0.70 / 0.90 / 0 % | 1 / 0.70 / 0.90 / 0 % |",
        "| 0.80 … 0.90 | 0 | 1 / 0.85 / 0.70 / 100 % | 1 / 0.85 / 0.70 / 100 % |",
        "| 0.90 … 0.95 | 0 | 0 | 0 |",
        "| 0.95 … 1.00 | 2 / 0.98 / 0.95 / 0 % | 0 | 2 / 0.98 / 0.95 / 0 % |",
    ]
    lines = told(found(), fitted(found().decided, found().iou))
    assert lines[0] == "157 of 200 have an IoU below 0.8."
    assert lines[1] == "Rank correlation of confidence and IoU: 1.000."
    assert lines[3] == "Below 0.8: 78% of all, 99% of those."


def test_a_fit_that_holds_is_told_from_one_that_does_not() -> None:
    """One half is fitted and the other tried."""
    assert trial_error(found()) < 0.02
    rng = np.random.default_rng(0)
    noise = Judged(decided=rng.random(60), iou=rng.random(60), unseen=np.ones(60, np.bool_))
    assert trial_error(noise) > 0.05
    assert abs(rank_correlation(noise)) < 0.3


def test_pictures_are_judged_as_they_are_served() -> None:
    """The matte's own decidedness, not what the card makes of it."""
    rgb = skimage.data.astronaut()
    whole = np.full(rgb.shape[:2], 255, np.uint8)
    pair = Pair(name="a", set="a", kind="gt", rgb=rgb, alpha=whole)
    result = judged(OURS, [pair], [pair])
    assert result.unseen.tolist() == [True, False]
    assert 0.9 < result.decided[0] == result.decided[1] < 1
    assert 0 < result.iou[0] == result.iou[1] < 0.9


def test_the_same_photos_are_looked_at_mirrored_as_in_the_function(tmp_path: Path) -> None:
    """A limit of the card's confidence is no limit of decidedness."""
    once = Path(shutil.copytree(OURS, tmp_path / "once"))
    text = (once / "card.toml").read_text()
    (once / "card.toml").write_text(re.sub("(?m)^mirror = .*$", "mirror = 0.0", text))
    rgb = np.ascontiguousarray(skimage.data.chelsea()[::-1])
    own, plain = served_mattes(OURS)(rgb), served_mattes(OURS, AS_IT_IS)(rgb)
    unmirrored = served_mattes(once, AS_IT_IS)(rgb)
    assert not np.array_equal(own.alpha, unmirrored.alpha)  # the mirrored look counts, …
    assert unmirrored.confidence > read_card(OURS).mirror  # … although the first was decided
    assert np.array_equal(own.alpha, plain.alpha)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "at least 50 pictures must judge"),
        (["--photos", "photos.zip"], "--photos needs --labels and --unseen"),
    ],
)
def test_the_command_refuses_what_it_cannot_judge(arguments: list[str], reason: str) -> None:
    """A reason, and no table."""
    program = [sys.executable, str(ROOT / "models/training/reliability.py"), "--model", str(OURS)]
    done = subprocess.run([*program, *arguments], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert reason in done.stderr
