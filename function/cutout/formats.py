"""The formats of images that are read, as messages, documents and ``GET /v2/account`` list them."""

from importlib.util import find_spec

FORMATS = ("jpeg", "png", "webp", "gif", "bmp", "tiff", "avif", "heic")
"""What :mod:`cutout.image.decode` can read where every layer is deployed."""

# The layer for HEIC is optional. To look for its package takes no import of it, which would cost
# every cold start 20 ms.
_IS_HEIC_READ = find_spec("pillow_heif") is not None

FORMATS_IN = tuple(name for name in FORMATS if name != "heic" or _IS_HEIC_READ)
"""What this deployment reads."""
