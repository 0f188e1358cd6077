"""How sure a matte is of itself: on drawn mattes, at any size."""

import numpy as np
import pytest
from confidence import confidence
from numpy.typing import NDArray

Plane = NDArray[np.float32]


def disc(size: int, *, inside: float = 1.0, outside: float = 0.0) -> Plane:
    """Return a disc of one alpha on a ground of another, float32 (size, size)."""
    y, x = np.mgrid[:size, :size] / size
    found = np.hypot(x - 0.5, y - 0.5) < 0.3
    return np.where(found, inside, outside).astype(np.float32)


def test_a_decided_matte_is_sure() -> None:
    """And less so the greyer it is; half of everything is no answer at all."""
    values = [confidence(disc(320, inside=value)) for value in (1.0, 0.9, 0.8, 0.7, 0.5)]
    assert values == sorted(values, reverse=True)
    assert values[0] > 0.9
    assert values[0] > values[-1] + 0.3
    assert all(0 <= value <= 1 for value in values)


def test_what_lies_far_from_the_subject_does_not_count() -> None:
    """A small subject is judged as a large one is: by itself and its surroundings."""
    small = np.zeros((800, 800), np.float32)
    small[300:500, 300:500] = disc(200, inside=0.8)
    alone = confidence(small)
    wider = confidence(np.pad(small, 400))
    assert alone == pytest.approx(wider, abs=0.12)
    assert wider < confidence((small > 0).astype(np.float32))


def test_doubt_around_the_subject_counts() -> None:
    """Haze where the background begins is doubt about what the subject is."""
    assert confidence(disc(320, outside=0.3)) < confidence(disc(320)) - 0.1


@pytest.mark.parametrize("shape", [(1, 1), (3, 2000), (161, 7), (720, 1280)])
def test_any_shape_has_a_value(shape: tuple[int, int]) -> None:
    """Full for a picture that is all subject, none for one without a subject."""
    whole = confidence(np.ones(shape, np.float32))
    assert 0.9 < whole <= 1
    assert confidence(np.zeros(shape, np.float32)) == 0


def test_the_value_hardly_depends_on_the_size() -> None:
    """The same matte at four times the size is as sure."""
    small, large = disc(300, inside=0.85), disc(1200, inside=0.85)
    assert confidence(small) == pytest.approx(confidence(large), abs=0.02)


def test_the_matte_stays_as_it_is() -> None:
    """It is measured, not changed."""
    alpha = disc(200, inside=0.9)
    before = alpha.copy()
    confidence(alpha)
    assert (alpha == before).all()
