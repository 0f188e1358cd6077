"""The photo that is measured, at any size."""

import io


def photo(megapixels: float) -> bytes:
    """Return scikit-image's astronaut as a JPEG of that many megapixels."""
    import skimage.data  # noqa: PLC0415 - not a part of what starts
    from PIL import Image  # noqa: PLC0415

    side = round((megapixels * 1e6) ** 0.5)
    image = Image.fromarray(skimage.data.astronaut()).resize((side, side), Image.Resampling.BICUBIC)
    with io.BytesIO() as file:
        image.save(file, "JPEG", quality=90)
        return file.getvalue()
