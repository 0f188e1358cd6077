"""The blocks of a GIF file before its first picture (GIF89a, appendix B): only what that one needs.

Comments and the data of applications never reach the decoder. Pillow keeps an object for each part
of a comment, so that a comment in parts of one byte takes 45 times its size in memory.
"""

import re

from cutout.errors import InvalidImage

_SCREEN_ENDS = 13  # behind the signature and the logical screen descriptor
_FLAGS_AT = 10
_HAS_TABLE, _TABLE_BITS = 0x80, 7
_EXTENSION, _PICTURE = b"!", b","
_BLOCK = re.compile(rb"[!,;]")  # what may begin one; Pillow skips all else
_CONTROL = b"\xf9"  # the extension that tells the picture's transparent colour
_MAX_PARTS = 100_000  # a comment of 1 MB has 4,000, and a file without a mistake has few others


def first_picture_of(data: bytes) -> bytes:
    """Return a GIF file without the extensions before its first picture, but with its control.

    Of two controls the last one counts, as in browsers. What follows the picture's descriptor is
    left as it is: the decoder reads no more than that picture.

    :raises InvalidImage: there is no picture, or an absurd number of parts before it.
    """
    if len(data) < _SCREEN_ENDS:
        raise InvalidImage(reason="it is a damaged or truncated GIF file")
    start = _SCREEN_ENDS
    if data[_FLAGS_AT] & _HAS_TABLE:
        start += 6 << (data[_FLAGS_AT] & _TABLE_BITS)  # three bytes for each of 2 to 256 colours
    walk = _Walk(data, start)
    picture = walk.picture()
    kept = [data[:start], walk.control]
    if sum(map(len, kept)) == picture:
        return data
    return b"".join([*kept, memoryview(data)[picture:]])


class _Walk:
    """One pass over the blocks before the first picture, of which ``control`` remains."""

    def __init__(self, data: bytes, start: int) -> None:
        self.control = b""
        self._data = data
        self._start = start
        self._parts = 0

    def picture(self) -> int:
        """Return where the first picture's descriptor begins.

        :raises InvalidImage: see :func:`first_picture_of`.
        """
        at = self._start
        while found := _BLOCK.search(self._data, at):
            self._count()
            at = found.start()
            if found.group() == _PICTURE:
                return at
            if found.group() != _EXTENSION:
                break
            at = self._skip_extension(at)
        raise InvalidImage(reason="it is a damaged or truncated GIF file")

    def _skip_extension(self, start: int) -> int:
        """Return where an extension ends, and keep it if it is a control."""
        at = start + 2
        if self._data[start + 1 : at] == _CONTROL and self._size(at):
            self.control = self._data[start : at + 1 + self._size(at)] + b"\0"
        while size := self._size(at):
            self._count()
            at += 1 + size
        return at + 1

    def _size(self, at: int) -> int:
        """Return the bytes of an extension's part that begins at an offset; 0 ends it."""
        return self._data[at] if at < len(self._data) else 0

    def _count(self) -> None:
        self._parts += 1
        if self._parts > _MAX_PARTS:
            raise InvalidImage(reason=f"it has more than {_MAX_PARTS} parts before its picture")
