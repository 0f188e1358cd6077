"""Pictures between numpy and Pillow: memory that they share, and the files that Pillow makes of it.

Neither copies a picture for the other. Pillow keeps a pixel of RGB in a word of four bytes, the
last of them unused, where numpy cannot see it. Here numpy makes the memory, as uint8 (H, W, 4), and
Pillow works in it. At 12 MP this saves 40 of 70 ms of reading a JPEG, and the second copy of the
picture.
"""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cutout.image.memory import memory_shortage_told
from cutout.image.rgba import behind

_MODES = {2: "L", 3: "RGBX"}  # dimensions → Pillow's name for what each pixel is
_GIVEN_MODES = {3: "RGB", 4: "RGBA"}  # channels → Pillow's name for them


def image_of(pixels: NDArray[np.uint8]) -> Image.Image:
    """Return an image of ``pixels``, uint8 (H, W), (H, W, 3) or (H, W, 4).

    The image is RGBX, in which Pillow takes the fourth channel for nothing, or L for (H, W). It
    shares the memory of what has one or four bytes for each pixel and rows without gaps. Colours,
    (H, W, 3), that have memory of their own give an RGB image, which is a copy.
    """
    if pixels.ndim == 3 and pixels.shape[2] == 3:  # noqa: PLR2004 - dimensions and channels
        words = behind(pixels)
        if words is None:
            return Image.fromarray(pixels)
        pixels = words
    mode = _MODES[pixels.ndim]
    size = (pixels.shape[1], pixels.shape[0])
    return Image.frombuffer(mode, size, np.ascontiguousarray(pixels), "raw", mode, 0, 1)


def image_giving(pixels: NDArray[np.uint8]) -> Image.Image:
    """Return an image for an encoder that asks Pillow for all bytes at once, as that of AVIF does.

    They are the memory of ``pixels``, uint8 (H, W, 3) or (H, W, 4), if it has no gaps, where Pillow
    would give a copy. The image is good for nothing else: its own memory is never touched.
    """
    height, width, channels = pixels.shape
    given = np.ascontiguousarray(pixels)
    image = Image.new(_GIVEN_MODES[channels], (width, height), None)
    image.tobytes = lambda *_: given  # type: ignore[method-assign,assignment]
    return image


def file_of(image: Image.Image, pillow_format: str, **settings: object) -> bytes:
    """Return an image as a file of the format that Pillow calls ``pillow_format``.

    ``settings`` are those of the format's encoder.

    :raises MemoryError: the encoder needs more memory than there is.
    """
    with io.BytesIO() as file, memory_shortage_told(image.width * image.height):
        image.save(file, pillow_format, **settings)
        return file.getvalue()


def pixels_of(image: Image.Image) -> NDArray[np.uint8]:
    """Return the pixels of an image as uint8: (H, W) of L, and (H, W, 4) of RGB, RGBX and CMYK.

    The fourth channel means nothing where it is not the black of CMYK.
    """
    channels = () if image.mode == "L" else (4,)
    pixels = np.empty((image.height, image.width, *channels), np.uint8)
    image_of(pixels).im.paste(image.im, (0, 0, image.width, image.height))
    return pixels


def decoded_into(image: Image.Image) -> NDArray[np.uint8]:
    """Return the memory, uint8 (H, W, 4), into which ``image.load()`` then decodes.

    ``image`` is a file that was opened and not loaded, RGB or RGBA. The memory holds 0 where a
    decoder writes nothing.
    """
    pixels = np.zeros((image.height, image.width, 4), np.uint8)
    image.im = image_of(pixels).im  # as load_prepare() of Pillow's own plugins does
    return pixels
