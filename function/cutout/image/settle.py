"""The network's doubt → an answer by the photo's colours: what is grey and far from any edge.

Where a network does not know whether a part belongs to the subject, it answers with grey: a patch
of a coat, the glass of a helmet. Such a patch most often looks like what is around it, and belongs
to the same side.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from cutout.image.tiles import Plane, within

# The numbers were chosen on the validation pictures of models/training with erase-s 0.8.
_SURE = 0.05  # a cell this near to 0 or 1 is sure
_EDGE_CELLS = 3  # a cell with sure ones of both sides so near is at an edge, which is refined later
_COLOUR = 25.5  # of 255: how far the colours of neighbours may differ and still belong together
_LEAST_LINK = 1e-3  # of neighbours of any colours, so that every patch has one answer
_OWN_SHARE = 0.005  # how much the answer of a cell that is nearly sure counts beside its neighbours
# The steps of the equation's solution. Each takes an answer one cell further, so a patch that is
# more than twice as wide keeps its grey in the middle.
_MAX_STEPS = 120
_ENOUGH = 1e-3  # of alpha: a step that changes no cell by more is the last one

_Values = NDArray[np.float32]  # one for each cell that is settled


def settled(seen: NDArray[np.uint8], coarse: Plane) -> Plane:
    """Return the coarse matte, float32 (S, S) 0..1, with its doubtful patches decided.

    ``seen`` is what the network saw, uint8 (S, S, 3) sRGB; ``coarse`` its matte, float32 (S, S)
    0..1. Cells that are sure, or near to the edge between sure ones of both sides, stay as they
    are, and so does a matte in which nothing is sure.

    This is the random walker of Grady 2005, "Multilabel random walker image segmentation using
    prior models": a cell's alpha is the chance that a walk, which prefers neighbours of the same
    colour, ends in the subject. The network's answer is the prior.
    """
    is_doubtful = _doubtful(coarse)
    if is_doubtful.all() or not is_doubtful.any():
        return coarse
    row = coarse.shape[1] + 2  # the frame of cells around the plane spares the ends of rows
    cells = np.flatnonzero(np.pad(is_doubtful, 1))
    neighbours = cells + np.array([[1], [-1], [row], [-row]])
    links = _links(np.pad(seen, ((1, 1), (1, 1), (0, 0))).reshape(-1, 3), cells, neighbours)
    links *= np.pad(np.ones_like(is_doubtful), 1).ravel()[neighbours]
    own = coarse[is_doubtful]
    prior = np.float32(_OWN_SHARE) * np.square(2 * own - 1)
    total = prior + links.sum(axis=0)
    plane = np.pad(coarse, 1).ravel()

    def from_neighbours(values: _Values | float) -> _Values:
        plane[cells] = values
        pulled: _Values = (links * plane[neighbours]).sum(axis=0)
        return pulled

    wanted = prior * own + from_neighbours(0)
    plane[:] = 0  # what is known is in ``wanted``
    values = _solved(lambda x: total * x - from_neighbours(x), wanted, total, own)
    found = coarse.copy()
    found[is_doubtful] = np.clip(values, 0, 1)
    return found


def _doubtful(coarse: Plane) -> NDArray[np.bool_]:
    """Tell which cells are unsure, and not near to the edge between sure ones of both sides."""
    solid, clear = coarse > 1 - _SURE, coarse < _SURE
    is_edge = within(solid, _EDGE_CELLS) & within(clear, _EDGE_CELLS)
    return ~(solid | clear | is_edge)


def _links(
    colours: NDArray[np.uint8], cells: NDArray[np.intp], neighbours: NDArray[np.intp]
) -> NDArray[np.float32]:
    """Return how much cells belong together with their neighbours, float32 (4, n), up to 1."""
    differences = colours[neighbours].astype(np.float32) - colours[cells]
    distances = np.square(differences).sum(axis=2)
    links: NDArray[np.float32] = np.exp(distances / np.float32(-2 * _COLOUR**2))
    return links + np.float32(_LEAST_LINK)


def _solved(
    product: Callable[[_Values], _Values], wanted: _Values, diagonal: _Values, start: _Values
) -> _Values:
    """Return x of ``product(x) = wanted``, a symmetric positive system with this diagonal.

    These are conjugate gradients, preconditioned by the diagonal (Hestenes & Stiefel 1952, "Methods
    of conjugate gradients for solving linear systems").
    """
    values = start.copy()
    rest = wanted - product(values)
    step = direction = rest / diagonal
    size = rest @ step
    for _ in range(_MAX_STEPS):
        if not size:  # the start is the solution
            break
        image = product(direction)
        share = size / (direction @ image)
        change = share * direction
        values += change
        if np.abs(change).max() < _ENOUGH:
            break
        rest -= share * image
        step = rest / diagonal
        size, previous = rest @ step, size
        direction = step + size / previous * direction
    return values
