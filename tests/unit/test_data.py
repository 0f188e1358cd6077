"""Training samples: labelled photographs beside annotated ones, whole and pasted."""

from dataclasses import replace

import numpy as np
import pytest
from mixer import RECIPES, Mixer

from data import Bytes, Pair, UnreadableError

SIDE = 96


def pair(kind: str, *, grey: int, weight: int | None = None, name: str = "people") -> Pair:
    """Return a photograph all of one grey, whose subject is its lower middle."""
    alpha = np.zeros((SIDE, SIDE), np.uint8)
    if kind != "bg":
        alpha[40:, 30:70] = 255
    return Pair(
        name=f"{kind}-{grey}",
        set=name,
        kind=kind,  # type: ignore[arg-type]
        rgb=np.full((SIDE, SIDE, 3), grey, np.uint8),
        alpha=alpha,
        weight=None if weight is None else np.full((SIDE, SIDE), weight, np.uint8),
    )


def everything() -> list[Pair]:
    """Return a pair of each kind; the label is believed all over."""
    return [
        pair("gt", grey=60),
        pair("pseudo", grey=90, weight=200),
        pair("cut", grey=120),
        pair("label", grey=180, weight=250),
        pair("bg", grey=20),
    ]


def weights(mixer: Mixer, count: int = 120) -> set[int]:
    """Return every value of trust in that many samples."""
    return {int(v) for n in range(count) for v in np.unique(mixer(n, 64).weight)}


def test_a_label_trains_with_its_trust() -> None:
    """A pseudo-labelled pixel counts less on top of its own; whatever is pasted is true."""
    assert weights(Mixer(everything(), 1)) == {255, 250, 120}


def test_a_doubtful_label_is_not_cut_out_and_pasted() -> None:
    """It trains where it is; what is pasted on another background must be right all over."""
    doubtful = [*everything()[:3], pair("label", grey=180, weight=150), pair("bg", grey=20)]
    counts = []
    for pairs in (everything(), doubtful):
        mixer = Mixer(pairs, 1)
        counts.append(mixer.shares)
    assert "label transplant" in counts[0]
    assert "label transplant" not in counts[1]
    assert counts[1]["label"] > counts[0]["label"]


def test_shares_add_up_without_labels() -> None:
    """A pack alone trains as before: in the proportions that its recipes have."""
    shares = Mixer([p for p in everything() if p.kind != "label"], 1).shares
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["photo"] / shares["cut"] == pytest.approx(RECIPES["photo"] / RECIPES["cut"])
    assert not any(name.startswith("label") for name in shares)


def test_nothing_to_train_on_is_said() -> None:
    """Such as labels of which none is agreed enough: no sample can be made."""
    for pairs in ([], [replace(pair("gt", grey=60), alpha=np.zeros((SIDE, SIDE), np.uint8))]):
        with pytest.raises(UnreadableError, match=r"^there is nothing to train on: "):
            Mixer(pairs, 1)


def test_a_sample_depends_on_seed_and_number_alone() -> None:
    """So that a run that was stopped goes on as if it had not been."""
    one, other = Mixer(everything(), 3), Mixer(everything(), 3)
    for number in (0, 7, 30):
        first, second = one(number, 64), other(number, 64)
        assert same(first.rgb, second.rgb)
        assert same(first.alpha, second.alpha)
    assert not all(same(one(n, 64).rgb, Mixer(everything(), 4)(n, 64).rgb) for n in range(5))


def test_without_backgrounds_what_is_pasted_stands_on_plain_grounds() -> None:
    """As with photographs of one's own alone: each has a subject."""
    mixer = Mixer([pair("gt", grey=60), pair("label", grey=180, weight=250)], 1)
    assert mixer.shares.keys() == {"photo", "label", "transplant", "label transplant"}
    assert {mixer(number, 64).rgb.shape for number in range(40)} == {(64, 64, 3)}


def test_sets_that_are_lacked_come_more_often() -> None:
    """People twice as often as another set of the same size."""
    labels = [pair("label", grey=200, weight=40, name="person")]
    labels.append(pair("label", grey=200, weight=80, name="plant"))
    mixer = Mixer([*labels, pair("bg", grey=20)], 1)
    drawn = [int(np.median(mixer(n, 32).weight)) for n in range(300)]
    assert 1.4 < drawn.count(40) / drawn.count(80) < 2.8


def test_every_sample_has_the_size_asked_for() -> None:
    """In all three planes, whatever the photograph's own shape."""
    wide = [replace(p, rgb=p.rgb[:60], alpha=p.alpha[:60], weight=None) for p in everything()]
    mixer = Mixer(wide, 2)
    for number in range(40):
        sample = mixer(number, 64)
        assert sample.rgb.shape == (64, 64, 3)
        assert sample.alpha.shape == sample.weight.shape == (64, 64)


def same(one: Bytes, other: Bytes) -> bool:
    """Tell whether two pictures are the same to the last bit."""
    return bool((one == other).all())
