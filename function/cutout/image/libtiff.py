"""Keeps libtiff from writing to the process's standard error.

It writes a line for each damaged row of a fax, up to 65,535 for a picture, and others for damaged
tags. No such line is JSON or tells of which request it is. Pillow reports what counts by an
exception, and leaves the rest as it is.
"""

import ctypes
from contextlib import suppress
from functools import cache

from PIL import _imaging


@cache
def silence_libtiff() -> None:
    """Take libtiff's writer of errors away, for all of the process.

    Pillow's own library leads to the libtiff that it brings. There is no other way to it, since its
    file has another name in each release. Where Pillow was built in a way that hides libtiff's
    functions, it goes on writing.
    """
    with suppress(AttributeError, OSError):
        set_handler = ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler
        set_handler.argtypes, set_handler.restype = [ctypes.c_void_p], ctypes.c_void_p
        set_handler(None)
