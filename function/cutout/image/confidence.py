"""The network's matte → how well it can be expected to fit, as a number from 0 to 1.

A network that recognises the subject answers 0 or 1 almost everywhere. How decided its answers are
around the subject tells good mattes from bad ones: on 564 judged photographs the rank correlation
with the intersection over union (IoU) is 0.84. The card's table turns it into the IoU to expect.
``models/training/reliability.py`` measures both and fits the table.
"""

import numpy as np

from cutout.image.card import Point
from cutout.image.tiles import Plane, within

_SUBJECT = 0.05  # alpha from which a cell belongs to the subject
_AROUND_SHARE = 1 / 88  # of the side: how far the subject's surroundings reach; 4 of 352 cells


def confidence(coarse: Plane, points: tuple[Point, ...]) -> float:
    """Return the IoU with the truth that can be expected of a matte, 0..1; 0 without a subject.

    ``coarse`` is the network's own matte, float32 (S, S), 0 background … 1 subject. The refined one
    says less: its soft edges depend on the photo. ``points`` are the card's, each a
    :func:`decidedness` and an IoU, in rising order.
    """
    places, ious = zip(*points, strict=True)
    return float(np.interp(decidedness(coarse), places, ious))


def decidedness(coarse: Plane) -> float:
    """Return the mean of ``|2 * alpha - 1|`` over the subject and its surroundings, 0..1.

    ``coarse`` is float32 (S, S) 0..1. The result is 0 if there is no subject.
    """
    distance = max(1, round(_AROUND_SHARE * len(coarse)))
    near = within(coarse > _SUBJECT, distance)
    if not near.any():
        return 0.0
    return float(np.abs(2 * coarse[near] - 1).mean(dtype=np.float64))
