"""Pictures turned upright, as EXIF's orientation says (CIPA DC-008, tag 274)."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cutout.image.tiles import tiles

# Each orientation but 1 → the upright picture as a view of the stored one, (H, W).
_VIEWS: dict[int, Callable[[NDArray[Any]], NDArray[Any]]] = {
    2: lambda plane: plane[:, ::-1],
    3: lambda plane: plane[::-1, ::-1],
    4: lambda plane: plane[::-1],
    5: lambda plane: plane.T,
    6: lambda plane: plane.T[:, ::-1],
    7: lambda plane: plane.T[::-1, ::-1],
    8: lambda plane: plane.T[::-1],
}
_SIDEWAYS = {5, 6, 7, 8}


def is_sideways(orientation: int) -> bool:
    """Tell whether width and height change places."""
    return orientation in _SIDEWAYS


def upright(plane: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Return ``plane``, uint8 (H, W) or (H, W, 4), turned upright; itself if nothing is to turn."""
    if orientation not in _VIEWS:
        return plane
    turned = _VIEWS[orientation](_values(plane))
    result = np.empty((*turned.shape, *plane.shape[2:]), np.uint8)
    for part in tiles(*turned.shape):  # parts that stay in a core's cache
        _values(result)[part] = turned[part]
    return result


def _values(plane: NDArray[np.uint8]) -> NDArray[Any]:
    """Return one value for each pixel: that of (H, W), or a word of (H, W, 4)."""
    return plane if plane.ndim == 2 else plane.view(np.uint32)[..., 0]  # noqa: PLR2004 - dimensions
