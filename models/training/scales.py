"""The factor by which an ONNX `Resize` grows a side, in px, to exactly another one."""

from __future__ import annotations

import numpy as np


def growth(side: int, goal: int) -> np.float32:
    """Return the factor from `side` to `goal`.

    `Resize` multiplies in float32 and cuts off what is behind the point. The float32 that is
    nearest to goal / side can be below it: 7 times 13/7 gives 12. Then the next one is taken.
    """
    factor = np.float32(goal / side)
    if int(np.float32(side) * factor) < goal or int(side * float(factor)) < goal:
        factor = np.nextafter(factor, np.float32(np.inf))
    return factor
