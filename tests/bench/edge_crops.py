"""Six edges of real photographs, before and after refinement, as one picture for the README.

python tests/bench/edge_crops.py tests/pictures/edges.jpg

Each has the photo, the network's matte enlarged by Lanczos with the photo's own colours, as rembg
composes, and ours, both on a plain colour.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / folder) for folder in ("function", "tests")]

import default_model  # noqa: E402 - its path stands above
import numpy as np  # noqa: E402 - its path stands above
from numpy.typing import NDArray  # noqa: E402
from PIL import Image, ImageColor, ImageDraw, ImageFont  # noqa: E402

from cutout.color import parse_color  # noqa: E402
from cutout.image.compose import compose  # noqa: E402
from cutout.image.decode import Limits, decode  # noqa: E402
from cutout.image.matte import extract_matte  # noqa: E402
from cutout.image.model import Model  # noqa: E402
from cutout.image.tensor import alpha_of  # noqa: E402
from cutout.options import InputAlpha, Options  # noqa: E402
from demo import FAINT, INK, PAPER, Photograph  # noqa: E402

GROUND = "#3CB45A"
LIMITS = Limits(max_pixels=50_000_000)
PANEL_PX = 192
COLUMNS = ("photo", "Lanczos", "ours")


@dataclass(frozen=True, slots=True, kw_only=True)
class Crop:
    """A square of a photograph, in px of the file."""

    title: str
    package: str
    file: str
    left: int
    top: int
    side: int


CROPS: Sequence[Crop] = (
    Crop(title="Hair", package="skimage.data", file="astronaut.png", left=140, top=8, side=96),
    Crop(title="Fur", package="skimage.data", file="chelsea.png", left=320, top=105, side=96),
    Crop(
        title="Petals",
        package="sklearn.datasets.images",
        file="flower.jpg",
        left=162,
        top=190,
        side=80,
    ),
    Crop(title="Tripod", package="skimage.data", file="camera.png", left=235, top=365, side=120),
    Crop(
        title="Roof",
        package="sklearn.datasets.images",
        file="china.jpg",
        left=158,
        top=20,
        side=96,
    ),
    Crop(title="Cup, spoon", package="skimage.data", file="coffee.png", left=335, top=40, side=96),
)


def main() -> None:
    """Run the program."""
    parser = argparse.ArgumentParser(description="Draw the README's picture of edges.")
    parser.add_argument("out", type=Path, help="the picture, .jpg or .png")
    given = parser.parse_args()
    model = default_model.loaded()
    picture = sheet([(crop.title, panels(crop, model)) for crop in CROPS])
    picture.save(given.out, quality=80, optimize=True)
    print(f"{given.out}: {given.out.stat().st_size:,} bytes")


def panels(crop: Crop, model: Model) -> list[Image.Image]:
    """Return the crop of the photo, of the plain cutout and of ours."""
    data = Photograph(title=crop.title, package=crop.package, file=crop.file).data()
    photo = decode(data, limits=LIMITS)
    outputs: list[NDArray[np.float32]] = []

    def network(tensor: NDArray[np.float32]) -> NDArray[np.float32]:
        outputs.append(model.network(tensor))
        return outputs[-1]

    matte = extract_matte(photo, model.card, network, input_alpha=InputAlpha.DISCARD)
    coarse = Image.fromarray(alpha_of(outputs[0], model.card))
    lanczos = coarse.resize((photo.width, photo.height), Image.Resampling.LANCZOS)
    share = np.asarray(lanczos).clip(0, 1)[..., None]
    ground = np.array(ImageColor.getrgb(GROUND))
    plain = np.rint(photo.pixels * share + ground * (1 - share)).astype(np.uint8)
    ours = compose(photo, matte, Options(bg_color=parse_color(GROUND))).pixels[..., :3]
    box = (crop.left, crop.top, crop.left + crop.side, crop.top + crop.side)
    return [
        Image.fromarray(np.ascontiguousarray(pixels))
        .crop(box)
        .resize((PANEL_PX, PANEL_PX), Image.Resampling.BICUBIC)
        for pixels in (photo.pixels, plain, ours)
    ]


def sheet(rows: Sequence[tuple[str, Sequence[Image.Image]]]) -> Image.Image:
    """Return the crops in two columns, each a title over its panels."""
    gap, head, title = PANEL_PX // 16, PANEL_PX // 6, PANEL_PX // 8
    block = len(COLUMNS) * (PANEL_PX + gap // 3) + gap
    line = PANEL_PX + title + gap // 3
    size = (2 * block + gap, head + -(-len(rows) // 2) * line + gap)
    picture = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(picture)
    heading, caption = (ImageFont.load_default(PANEL_PX / share) for share in (11, 14))
    for place, (name, crops) in enumerate(rows):
        left, top = gap + place % 2 * block, head + place // 2 * line
        draw.text((left, top + title // 2), name, FAINT, font=caption, anchor="lm")
        for column, (label, crop) in enumerate(zip(COLUMNS, crops, strict=True)):
            at = left + column * (PANEL_PX + gap // 3)
            picture.paste(crop, (at, top + title))
            if place < 2:
                middle = (at + PANEL_PX // 2, head // 2 + gap // 3)
                draw.text(middle, label, INK, font=heading, anchor="mm")
    return picture


if __name__ == "__main__":
    main()
