"""How true the edges are, beside closed-form matting: ``make bench-edges``.

Every method gets the same coarse matte, the true one at the size and softness of the network's, so
that refinement is judged and not recognition. Errors are taken in the band where that coarse matte
is unsure, and one cell around.
"""

import argparse
import contextlib
import os
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # one core, as 1,769 MB of Lambda have

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "function"), str(ROOT / "models")]

import default_model  # noqa: E402 - its path and threads stand above
import numpy as np  # noqa: E402 - the same
import pymatting  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from PIL import Image, ImageFilter  # noqa: E402
from scipy.ndimage import gaussian_filter  # noqa: E402
from tables import table  # noqa: E402

import scenes  # noqa: E402 - the same
from cutout.image.card import ModelCard, Output  # noqa: E402
from cutout.image.composite import quantized, shares  # noqa: E402
from cutout.image.foreground import estimate_foreground  # noqa: E402
from cutout.image.matte import Matte, extract_matte  # noqa: E402
from cutout.options import InputAlpha  # noqa: E402

Result = TypeVar("Result")
Plane = NDArray[np.float32]
Mask = NDArray[np.bool_]

SIZE = (1400, 1050)  # px, 1.5 MP
BESIDE_PX = 2  # half a cell of 320: so far out, and more, is erase-s 0.1 around a dahlia
# Scenes of which a network that cuts 2 px off each side, or adds them, leaves the parts in place.
SOLID = ("fur", "basket", "plant", "jug", "blurred")
GRADIENT_SIGMA = 1.4  # px, Rhemann et al. 2009, A Perceptually Motivated Online Benchmark
PAPER = (64, 128, 192)  # the plain background that cutouts are judged on
METHODS = ("bilinear", "Lanczos", "ours", "closed form", "closed form by a true trimap")
COLOURS = ("the photo's", "ours", "ML")
CUTOUTS = ("Lanczos and the photo's colours", "ours", "closed form and ML")
MEASURES = ("sad", "mse", "gradient")
TITLES = ("SAD, thousands", "MSE, 10⁻³", "gradient, thousands")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A scene's errors, in the order of ``METHODS``, ``COLOURS``, ``CUTOUTS``, and CPU seconds."""

    scene: str
    sad: Sequence[float]
    mse: Sequence[float]
    gradient: Sequence[float]
    colour: Sequence[float]
    composite: Sequence[float]
    seconds: Sequence[float]  # matte: ours, closed form; colours: ours, ML


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--size", type=int, nargs=2, default=SIZE, metavar="PX", help="of a scene")
    parser.add_argument("--scenes", nargs="+", choices=scenes.DRAWN, default=[*scenes.DRAWN])
    given = parser.parse_args()
    card = default_model.loaded().card
    side = card.input_size
    warnings.filterwarnings("ignore", module="pymatting")  # advice on trimaps
    measured("warm-up", scenes.disc(200, 150), card)  # numba compiles
    rows, shifted = [], []
    for name in given.scenes:
        scene = scenes.DRAWN[name](*given.size)
        rows.append(measured(name, scene, card))
        for beside_px in (BESIDE_PX, -BESIDE_PX) if name in SOLID else ():
            title = f"{name}, {abs(beside_px)} px {'out' if beside_px > 0 else 'in'}"
            shifted.append(measured(title, scene, card, beside_px))
    print(
        f"\nScenes of {given.size[0]} x {given.size[1]} px, from a coarse matte of {side} x {side}."
        f" In each cell: {', '.join(METHODS)}."
    )
    mattes(rows)
    if shifted:
        print("\nThe same where the coarse matte's edge is too far out or in.")
        mattes(shifted)
    colours(rows)


def measured(name: str, scene: scenes.Scene, card: ModelCard, beside_px: int = 0) -> Row:
    """Return the errors of all methods on a scene."""
    width, height = scene.photo.width, scene.photo.height
    coarse = scene.coarse(card.input_size, soft=True, beside_px=beside_px)
    band = scenes.unknown(coarse, width, height)
    bilinear = scenes.enlarged(coarse, width, height, Image.Resampling.BILINEAR)
    lanczos = scenes.enlarged(coarse, width, height, Image.Resampling.LANCZOS)
    ours, ours_s = timed(lambda: refined(scene, coarse, card))
    closed, closed_s = timed(lambda: closed_form(scene, bilinear, band))
    best = closed_form(scene, scene.alpha, mixed(scene.alpha))
    alphas = (bilinear, lanczos, ours, closed, best)

    photo = scene.photo.pixels.astype(np.float32)
    own, own_s = timed(lambda: estimate_foreground(scene.photo, Matte(alpha=quantized(ours))))
    ml, ml_s = timed(lambda: pymatting.estimate_foreground_ml(photo / 255, ours) * 255)
    closed_ml = pymatting.estimate_foreground_ml(photo / 255, closed) * 255
    cutouts = ((photo, lanczos), (own, ours), (closed_ml, closed))
    truth = composed(scene.foreground, scene.alpha)
    return Row(
        scene=name,
        sad=[float(np.abs(alpha - scene.alpha)[band].sum()) / 1000 for alpha in alphas],
        mse=[float(np.square(alpha - scene.alpha)[band].mean()) * 1000 for alpha in alphas],
        gradient=[gradient_error(alpha, scene.alpha, band) / 1000 for alpha in alphas],
        colour=[colour_error(each, scene, band) for each in (photo, own, ml)],
        composite=[float(np.abs(composed(*cutout) - truth)[band].mean()) for cutout in cutouts],
        seconds=[ours_s, closed_s, own_s, ml_s],
    )


def mixed(alpha: Plane) -> Mask:
    """Return what a careful hand marks as unknown: where alpha is mixed, and 2 px around."""
    marked = Image.fromarray(((alpha > 0.02) & (alpha < 0.98)).astype(np.uint8))
    return np.asarray(marked.filter(ImageFilter.MaxFilter(5))) > 0


def timed(job: Callable[[], Result]) -> tuple[Result, float]:
    """Return what the job returns, and its CPU time in s."""
    start = time.process_time()
    done = job()
    return done, time.process_time() - start


def refined(scene: scenes.Scene, coarse: Plane, card: ModelCard) -> Plane:
    """Return our matte, float32 (H, W), by the whole path but for the network."""
    said = coarse
    if card.output is Output.LOGIT:
        inside = np.clip(coarse, 1e-6, 1 - 1e-6)
        said = np.log(inside / (1 - inside))
    # The greys of this coarse matte are shares of the subject, as no network's are, and no doubt.
    card = replace(card, settle=False)
    matte = extract_matte(scene.photo, card, lambda _: said, input_alpha=InputAlpha.DISCARD)
    return shares(matte.alpha)


def closed_form(scene: scenes.Scene, known: Plane, band: Mask) -> Plane:
    """Return the matte of Levin, Lischinski & Weiss 2008 from a trimap.

    ``band`` is unknown, and the rest 0 or 1 by ``known``.
    """
    trimap = np.where(band, 0.5, known > 0.5)
    with contextlib.redirect_stdout(sys.stderr):  # it prints its troubles
        alpha = pymatting.estimate_alpha_cf(scene.photo.pixels / 255.0, trimap)
    clipped: Plane = np.clip(alpha, 0, 1).astype(np.float32)
    return clipped


def gradient_error(matte: Plane, truth: Plane, band: Mask) -> float:
    """Return the sum of the squared differences of the gradients' lengths."""
    lengths = []
    for plane in (matte, truth):
        down, across = (
            gaussian_filter(plane, GRADIENT_SIGMA, order=order) for order in ((1, 0), (0, 1))
        )
        lengths.append(np.hypot(down, across))
    return float(np.square(lengths[0] - lengths[1])[band].sum())


def colour_error(colours: Plane | NDArray[np.uint8], scene: scenes.Scene, band: Mask) -> float:
    """Return the mean error of the subject's colours, 0..255, weighted by the true alpha."""
    seen = band & (scene.alpha > 0.05)
    error = np.abs(colours - scene.foreground.astype(np.float32)).mean(axis=2)
    return float((error * scene.alpha)[seen].sum() / scene.alpha[seen].sum())


def composed(colours: Plane | NDArray[np.uint8], alpha: Plane) -> Plane:
    """Return a cutout on plain paper, float32 (H, W, 3) 0..255."""
    share = alpha[..., None]
    return (colours * share + np.array(PAPER, np.float32) * (1 - share)).astype(np.float32)


def gain(rows: Sequence[Row], measure: str, place: int) -> str:
    """Return how much of what a slow method takes from bilinear's error ours takes.

    Over the scenes where the slow one takes any; the others are counted.
    """
    errors: list[Sequence[float]] = [getattr(row, measure) for row in rows]
    better = [each for each in errors if each[place] < each[0]]
    if not better:
        return "it has none"
    bilinear, ours, slow = (statistics.fmean(each[k] for each in better) for k in (0, 2, place))
    share = f"{(bilinear - ours) / (bilinear - slow):.0%}"
    return share if len(better) == len(rows) else f"{share}, in {len(better)} of {len(rows)} scenes"


def mattes(rows: Sequence[Row]) -> None:
    """Print the errors of the mattes."""
    lines = [
        [row.scene, *(cell(getattr(row, name)) for name in MEASURES)] for row in [*rows, mean(rows)]
    ]
    for place in (3, 4):
        shares = (gain(rows, measure, place) for measure in MEASURES)
        lines.append([f"our gain, of that of {METHODS[place]}", *shares])
    table(["scene", *TITLES], lines)


def colours(rows: Sequence[Row]) -> None:
    """Print the errors of colours and of whole cutouts, and the times."""
    print(f"\nMean errors, 0..255. Colours: {', '.join(COLOURS)}. Cutouts: {', '.join(CUTOUTS)}.")
    table(
        ["scene", "colour in the band", "cutout on plain paper"],
        [[row.scene, cell(row.colour), cell(row.composite)] for row in [*rows, mean(rows)]],
    )
    ours, closed, own, ml = mean(rows).seconds
    print(
        f"\nCPU time a scene: matte {ours:.3f} s, closed form {closed:.2f} s ({ours / closed:.2%});"
        f" colours {own:.3f} s, ML {ml:.3f} s."
    )


def mean(rows: Sequence[Row]) -> Row:
    """Return the means over all scenes."""

    def of(name: str) -> list[float]:
        return [
            statistics.fmean(each) for each in zip(*(getattr(r, name) for r in rows), strict=True)
        ]

    names = ("sad", "mse", "gradient", "colour", "composite", "seconds")
    return Row(scene="mean", **{name: of(name) for name in names})


def cell(errors: Sequence[float]) -> str:
    """Return errors as one cell of a table."""
    return " · ".join(f"{error:.3g}" for error in errors)


if __name__ == "__main__":
    main()
