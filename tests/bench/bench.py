"""Time of the function on this machine: ``make bench``.

Figures are medians of CPU time on one core, so that other work on the machine disturbs them little;
what is compared runs side by side in the same run.
"""

import argparse
import gc
import io
import os
import statistics
import sys
import time
import zlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # one core, as 1,769 MB of Lambda have

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "function")]

import numpy as np  # noqa: E402
import skimage.data  # noqa: E402
from PIL import Image  # noqa: E402
from tables import table  # noqa: E402

import app  # noqa: E402 - its path stands above
from cutout.image.compose import compose  # noqa: E402
from cutout.image.decode import Limits, decode  # noqa: E402
from cutout.image.encode import CODECS, encode  # noqa: E402
from cutout.image.matte import extract_matte  # noqa: E402
from cutout.image.model import Model  # noqa: E402
from cutout.image.png import write_png  # noqa: E402
from cutout.options import InputAlpha, Options  # noqa: E402

SIZES_MP = (0.25, 1.0, 3.0, 12.0)
FORMATS_MP = 3.0
PNG_MP = 12.0
RUNS = 7
LIMITS = Limits(max_pixels=50_000_000)


def photo(megapixels: float) -> bytes:
    """Return scikit-image's astronaut as a JPEG of so many megapixels."""
    side = round((megapixels * 1e6) ** 0.5)
    image = Image.fromarray(skimage.data.astronaut()).resize((side, side), Image.Resampling.BICUBIC)
    with io.BytesIO() as file:
        image.save(file, "JPEG", quality=90)
        return file.getvalue()


def medians(runs: int, *jobs: Callable[[], object]) -> list[float]:
    """Return the median CPU time of each job in ms; they run in turn after one warm-up."""
    times: list[list[float]] = [[] for _ in jobs]
    for run in range(runs + 1):
        for job, elapsed in zip(jobs, times, strict=True):
            gc.collect()
            start = time.process_time()
            job()
            if run:
                elapsed.append((time.process_time() - start) * 1000)
    return [statistics.median(elapsed) for elapsed in times]


def stages(model: Model, sizes_mp: Sequence[float], runs: int) -> None:
    """Print the time of each stage by the photo's size."""
    options = Options()
    rows = []
    for megapixels in sizes_mp:
        data = photo(megapixels)
        decoded = decode(data, limits=LIMITS)
        matte = extract_matte(decoded, model.card, model.network, input_alpha=InputAlpha.MULTIPLY)
        cutout = compose(decoded, matte, options)
        each = medians(
            runs,
            partial(decode, data, limits=LIMITS),
            partial(
                extract_matte, decoded, model.card, model.network, input_alpha=InputAlpha.MULTIPLY
            ),
            partial(compose, decoded, matte, options),
            partial(encode, cutout, options),
        )
        rows.append([f"{megapixels:g} MP", *(f"{value:.0f}" for value in each), f"{sum(each):.0f}"])
    table(
        ["photo", "decode", "matte", "compose", "encode", "all"],
        rows,
        title="The stages, ms on one core, JPEG in and PNG out",
    )


def formats(model: Model, megapixels: float, runs: int) -> None:
    """Print each format's time and bytes."""
    decoded = decode(photo(megapixels), limits=LIMITS)
    matte = extract_matte(decoded, model.card, model.network, input_alpha=InputAlpha.MULTIPLY)
    rows = []
    for name in CODECS:
        options = Options(format=name)
        cutout = compose(decoded, matte, options)
        (elapsed,) = medians(runs, partial(encode, cutout, options))
        size = len(encode(cutout, options).body)
        rows.append([name, f"{elapsed:.0f}", f"{size / 1000:.0f}"])
    table(
        ["format", "ms", "kB"],
        rows,
        title=f"The formats, encoding a cutout of {megapixels:g} MP",
    )


def png(megapixels: float, runs: int) -> None:
    """Print our PNG writer beside Pillow's, at its default and at its fastest."""
    file = app.remover.remove(photo(megapixels), Options()).file
    image = Image.open(io.BytesIO(file.body))
    image.load()
    pixels = np.asarray(image)

    def pillow(**settings: int) -> bytes:
        with io.BytesIO() as target:
            image.save(target, "PNG", **settings)
            return target.getvalue()

    fastest = {"compress_level": 1, "compress_type": zlib.Z_RLE}
    ours, default, quick = medians(
        runs, partial(write_png, pixels), pillow, partial(pillow, **fastest)
    )
    size = len(write_png(pixels))
    table(
        ["writer", "ms", "bytes, against ours"],
        [
            ["ours", f"{ours:.0f}", "x 1.00"],
            ["Pillow, run lengths", f"{quick:.0f}", f"x {len(pillow(**fastest)) / size:.2f}"],
            ["Pillow, default", f"{default:.0f}", f"x {len(pillow()) / size:.2f}"],
        ],
        title=f"PNG of {megapixels:g} MP, side by side",
    )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=RUNS, help="runs of which a time is the median")
    parser.add_argument(
        "--sizes", type=float, nargs="+", default=SIZES_MP, metavar="MP", help="of the stages"
    )
    parser.add_argument(
        "--formats-size", type=float, default=FORMATS_MP, metavar="MP", help="of the formats"
    )
    parser.add_argument("--png-size", type=float, default=PNG_MP, metavar="MP", help="of PNG")
    given = parser.parse_args()
    loaded = app.load_model(app.settings)
    if not isinstance(loaded, Model):
        raise loaded
    stages(loaded, given.sizes, given.runs)
    formats(loaded, given.formats_size, given.runs)
    png(given.png_size, given.runs)


if __name__ == "__main__":
    main()
