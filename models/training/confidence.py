"""How sure a matte is of itself, as a number from 0 to 1 that means something."""

import numpy as np
from numpy.typing import NDArray

_CELLS = 160  # along the longer side: the matte is averaged down to them
_SUBJECT = 0.05  # alpha from which a cell belongs to the subject
_AROUND = 4  # cells around it that count as its surroundings

# Decidedness -> mean IoU with the truth of mattes that were as decided: of 366 mattes of erase-s
# 0.3.0 as served, 123 of sources that it was not trained on and 243 of its pack's validation part.
# Between the points it is interpolated. models/erase-s/README.md says how well it holds.
_DECIDED = (0.0, 0.894, 0.919, 0.942, 0.955, 0.965, 0.98, 1.0)
_IOU = (0.0, 0.52, 0.62, 0.87, 0.93, 0.94, 0.955, 0.97)


def confidence(alpha: NDArray[np.float32]) -> float:
    """Return how well a matte can be expected to fit, from how decided it is about its subject.

    A network that knows what the subject is gives 0 and 1 and little between. The mean of
    ``|2 * alpha - 1|`` over the subject and its surroundings says how far it does; a table turns
    that into the intersection over union that such mattes had with the truth.

    :param alpha: float32 (H, W), 0 background … 1 subject.
    :returns: 0 … 1, the expected intersection over union; 0 for a matte without a subject.
    """
    cells = _reduced(alpha)
    near = _near(cells > _SUBJECT)
    if not near.any():
        return 0.0
    decided = float(np.abs(2 * cells[near] - 1).mean())
    return float(np.interp(decided, _DECIDED, _IOU))


def _reduced(alpha: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return alpha as means over blocks of whole px, at most ``_CELLS`` along the longer side."""
    step = -(-max(alpha.shape) // _CELLS)
    for axis in (0, 1):
        starts = np.arange(0, alpha.shape[axis], step)
        sizes = np.diff(np.append(starts, alpha.shape[axis])).astype(np.float32)
        sums = np.add.reduceat(alpha, starts, axis=axis, dtype=np.float32)
        alpha = np.divide(sums, sizes[:, None] if axis == 0 else sizes, dtype=np.float32)
    return alpha


def _near(found: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the cells that are at most ``_AROUND`` rows and columns from a found one."""
    near = found
    for axis in (0, 1):
        ends = [(0, 0), (0, 0)]
        ends[axis] = (_AROUND, _AROUND)
        windows = np.lib.stride_tricks.sliding_window_view(
            np.pad(near, ends), 2 * _AROUND + 1, axis=axis
        )
        near = np.asarray(windows.any(axis=-1), np.bool_)
    return near
