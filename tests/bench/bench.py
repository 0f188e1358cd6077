"""Time, memory and cost of the function on this machine: ``make bench``.

Times are medians of CPU time on one core, so that other work on the machine disturbs them little;
what is compared runs side by side in the same run. With ``--rembg`` the table of
rembg's figures beside ours comes first. With ``--out tests/bench/results.md`` that file holds all
that was printed, once everything is measured.
"""

import argparse
import contextlib
import io
import os
import sys
import zlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path

if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # one core, as 1,769 MB of Lambda have

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / part) for part in ("function", "events/local", "tests")]

import numpy as np  # noqa: E402
from photos import photo  # noqa: E402
from PIL import Image  # noqa: E402
from tables import Both, medians, table  # noqa: E402

from context import prepare_import  # noqa: E402

prepare_import()

import default_model  # noqa: E402 - as the others here: its path stands above
import whole  # noqa: E402

import app  # noqa: E402
from cutout.image.compose import compose  # noqa: E402
from cutout.image.decode import Limits, decode  # noqa: E402
from cutout.image.encode import CODECS, encode  # noqa: E402
from cutout.image.matte import extract_matte  # noqa: E402
from cutout.image.model import Model  # noqa: E402
from cutout.image.png import write_png  # noqa: E402
from cutout.options import Format, InputAlpha, Options  # noqa: E402
from image_files import encoded  # noqa: E402

SIZES_MP = (0.25, 1.0, 3.0, 12.0)
FORMATS_MP = 3.0
LARGE_MP = 12.0
MEMORY_MP = (12.0, 50.0)
CORES_MP = (1.0, 12.0)
RUNS = 7
LIMITS = Limits(max_pixels=50_000_000)


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

    pillow = partial(encoded, image)
    fastest = partial(encoded, image, compress_level=1, compress_type=zlib.Z_RLE)
    ours, default, quick = medians(runs, partial(write_png, pixels), pillow, fastest)
    size = len(write_png(pixels))
    table(
        ["writer", "ms", "bytes, against ours"],
        [
            ["ours", f"{ours:.0f}", "x 1.00"],
            ["Pillow, run lengths", f"{quick:.0f}", f"x {len(fastest()) / size:.2f}"],
            ["Pillow, default", f"{default:.0f}", f"x {len(pillow()) / size:.2f}"],
        ],
        title=f"PNG of {megapixels:g} MP, side by side",
    )


def webp(model: Model, megapixels: float, runs: int) -> None:
    """Print our WebP beside Pillow's default of the same cutout and quality."""
    options = Options(format=Format.WEBP)
    decoded = decode(photo(megapixels), limits=LIMITS)
    matte = extract_matte(decoded, model.card, model.network, input_alpha=InputAlpha.MULTIPLY)
    cutout = compose(decoded, matte, options)
    pillow = partial(encoded, Image.fromarray(cutout.pixels), "WEBP", quality=options.quality)
    ours, default = medians(runs, partial(encode, cutout, options), pillow)
    size, other = len(encode(cutout, options).body), len(pillow())
    table(
        ["writer", "ms", "time", "bytes"],
        [
            ["ours", f"{ours:.0f}", f"x {ours / default:.2f}", f"x {size / other:.2f}"],
            ["Pillow, default", f"{default:.0f}", "x 1.00", "x 1.00"],
        ],
        title=f"WebP of {megapixels:g} MP, side by side",
    )


def main() -> None:
    """Print the tables, and write them to a file if one is named."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=RUNS, help="runs of which a time is the median")
    parser.add_argument(
        "--sizes", type=float, nargs="+", default=SIZES_MP, metavar="MP", help="of the photos"
    )
    parser.add_argument(
        "--formats-size", type=float, default=FORMATS_MP, metavar="MP", help="of the formats"
    )
    parser.add_argument(
        "--large-size", type=float, default=LARGE_MP, metavar="MP", help="of PNG and WebP"
    )
    parser.add_argument(
        "--memory-sizes", type=float, nargs="+", default=MEMORY_MP, metavar="MP", help="of memory"
    )
    parser.add_argument(
        "--cores-sizes", type=float, nargs="+", default=CORES_MP, metavar="MP", help="on two cores"
    )
    parser.add_argument(
        "--requests", type=int, default=whole.REQUESTS, help="after which growth is measured"
    )
    parser.add_argument("--rembg", action="store_true", help="measure rembg with u2netp beside it")
    parser.add_argument("--out", type=Path, metavar="FILE", help="for the tables, beside printing")
    given = parser.parse_args()
    printed = io.StringIO()
    with contextlib.redirect_stdout(Both(printed)):
        print(whole.heading())
        if given.rembg:
            whole.beside_rembg(given.sizes, given.runs)
        model = default_model.loaded()
        stages(model, given.sizes, given.runs)
        formats(model, given.formats_size, given.runs)
        png(given.large_size, given.runs)
        webp(model, given.large_size, given.runs)
        whole.processes(given.memory_sizes, given.requests, rembg=given.rembg)
        whole.refusal(given.runs)
        whole.cores(given.cores_sizes, given.runs)
        whole.cost(given.sizes, given.runs)
    if given.out is not None:
        given.out.write_text(printed.getvalue(), encoding="utf-8")


if __name__ == "__main__":
    main()
