"""Contact sheets of labels, to be looked at: photograph, cutout on green, trust, side by side.

    python sheets.py --photos photos.zip --labels labels --unseen unseen.toml --out sheets

Series: `train` (what training takes), `doubt` (what it leaves out), `part` (what the eye left out),
`judge` (what judges), `judge-doubt` (what does not, of the sources that never train).
Under each photograph: its name, agreement, overlap of the mirrored pass (- if there was none),
share of undecided area.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from labels import Label, Unseen, judges, label_of, read_unseen, trains
from opinions import Opinions
from photographs import Photograph, Photographs, photographs
from PIL import Image, ImageDraw, ImageOps
from programs import run_program

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from data import Bytes

CELL_PX, TEXT_PX, COLUMNS, ROWS = 170, 26, 3, 6
GREEN = np.array([0, 190, 0], np.float32)


def tile(rgb: Bytes, label: Label, name: str) -> Image.Image:
    """Draw one photograph's three pictures and its line of text."""
    share = label.alpha[..., None].astype(np.float32) / 255
    cutout = (share * rgb + (1 - share) * GREEN).astype(np.uint8)
    trust = np.repeat(label.trust[..., None], 3, 2)
    sheet = Image.new("RGB", (3 * CELL_PX, CELL_PX + TEXT_PX), "white")
    for column, pixels in enumerate((rgb, cutout, trust)):
        small = ImageOps.contain(Image.fromarray(pixels), (CELL_PX - 2, CELL_PX - 2))
        sheet.paste(small, (column * CELL_PX, 0))
    mirrored = "-" if label.mirrored is None else f"{label.mirrored:.2f}"
    numbers = f"agree {label.agreement:.2f}  mirror {mirrored}  grey {label.grey:.2f}"
    draw = ImageDraw.Draw(sheet)
    draw.text((2, CELL_PX), name[-80:], fill="black")
    draw.text((2, CELL_PX + TEXT_PX // 2), numbers, fill="black")
    return sheet


def sheets(tiles: Sequence[Image.Image]) -> Iterator[Image.Image]:
    """Put tiles on pages of COLUMNS × ROWS."""
    for start in range(0, len(tiles), COLUMNS * ROWS):
        page = Image.new("RGB", (COLUMNS * 3 * CELL_PX, ROWS * (CELL_PX + TEXT_PX)), "white")
        for place, picture in enumerate(tiles[start : start + COLUMNS * ROWS]):
            row, column = divmod(place, COLUMNS)
            page.paste(picture, (column * 3 * CELL_PX, row * (CELL_PX + TEXT_PX)))
        yield page


def series(photo: Photograph, label: Label, unseen: Unseen) -> str:
    """Tell which series a photograph belongs to."""
    if photo.source in unseen.sources:
        return "judge" if judges(photo, label, unseen) else "judge-doubt"
    if photo.file in unseen.partial:
        return "part"
    return "train" if trains(label) else "doubt"


def collected(
    photos: Photographs, opinions: Opinions, unseen: Unseen, most: int
) -> dict[str, list[Image.Image]]:
    """Draw up to `most` tiles per series, evenly spaced over all that there are."""
    seconds = opinions.seconds()
    found: dict[str, list[tuple[Photograph, Label]]] = {}
    for photo in photos.index:
        label = label_of(photo, opinions, seconds)
        if label is not None:
            found.setdefault(series(photo, label, unseen), []).append((photo, label))
    return {
        name: [
            tile(photos.rgb(photo.file), label, photo.file)
            for photo, label in items[:: max(1, -(-len(items) // most))]
        ]
        for name, items in found.items()
    }


def main() -> None:
    """Write the sheets."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--labels", type=Path, required=True)
    parser.add_argument("--unseen", type=Path, help="unseen.toml: the sources that judge")
    parser.add_argument("--out", type=Path, required=True, help="folder for the JPEGs")
    parser.add_argument("--most", type=int, default=90, help="photographs per series")
    options = parser.parse_args()
    if options.most < 1:
        parser.error("--most must be at least 1")
    photos = photographs(options.photos)
    unseen = read_unseen(options.unseen)
    drawn = collected(photos, Opinions(options.labels), unseen, options.most)
    if not drawn:
        raise SystemExit(f"no photograph of {options.photos} has a label in {options.labels}")
    options.out.mkdir(parents=True, exist_ok=True)
    for name, tiles in drawn.items():
        for number, page in enumerate(sheets(tiles)):
            page.save(options.out / f"{name}-{number}.jpg", quality=85)


if __name__ == "__main__":
    run_program(main)
