"""Whether a failure comes from too little memory, which compiled libraries do not say clearly.

Some answer a failed allocation with the same words as a damaged file. The caller must not be told
that the photo is damaged where it is only too large for the deployment.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

_BYTES_PER_PX = 32
"""More than a codec was seen to take for a pixel. Beside the picture itself AVIF's encoder took 21
to 24 for photographs and 29 for noise, and WebP's decoder took 22 (Pillow 13.0, 6 and 12 MP)."""

_LEAST_BYTES = 64 << 20
"""What is asked for at the least. A picture whose size only Pillow can tell counts as 0 px until
its file is open."""


@contextmanager
def memory_shortage_told(size_px: int) -> Iterator[None]:
    """Turn an exception in the block into ``MemoryError`` if memory is what was missing.

    ``size_px`` is the number of pixels of the picture that a library works on in the block.

    :raises MemoryError: the block failed, and as much memory as it can need is not there.
    """
    try:
        yield
    except MemoryError:
        raise
    except Exception:
        check_memory(size_px)
        raise


def check_memory(size_px: int) -> None:
    """Check that a library gets the memory that it can need for a picture of ``size_px`` px.

    :raises MemoryError: it does not.
    """
    np.empty(max(_BYTES_PER_PX * size_px, _LEAST_BYTES), np.uint8)  # reserves, and writes nothing
