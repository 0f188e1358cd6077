"""What makes mattes: a network by its card alone, or a model as the function runs it."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime
from PIL import Image

from data import IMAGENET_MEAN, IMAGENET_STD, Bytes, Floats, UnreadableError

if TYPE_CHECKING:  # only served_mattes() needs the function
    from cutout.image.card import Point
    from cutout.image.matte import Matte

FILTERS = {"bilinear": Image.Resampling.BILINEAR, "lanczos": Image.Resampling.LANCZOS}

Matting = Callable[[Bytes], Floats]  # uint8 (H,W,3) sRGB -> float32 (H,W), 0 background … 1 subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What evaluation needs of a model's card; names as in `card.toml`."""

    name: str
    file: Path
    input_size: int  # px
    resize: str
    range: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    output: str


def read_card(path: Path) -> Card:
    """Read a card from its TOML.

    Raises UnreadableError for a file that is no card.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        return Card(
            name=f"{table['name']} {table['version']}",
            file=path.parent / table["file"],
            input_size=table["input_size"],
            resize=table["resize"],
            range=table["range"],
            mean=tuple(table["mean"]),
            std=tuple(table["std"]),
            output=table["output"],
        )
    except KeyError as error:
        raise UnreadableError(f"{path} is no card of a model: it lacks {error.args[0]}") from error
    except ValueError as error:
        raise UnreadableError(f"{path} is no card of a model: {error}") from error


def u2netp_card(file: Path) -> Card:
    """Describe U2-Net-p as rembg runs it."""
    return Card(
        name="u2netp",
        file=file,
        input_size=320,
        resize="lanczos",
        range="max",
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        output="minmax",
    )


def session(file: Path) -> onnxruntime.InferenceSession:
    """Open a session on one thread.

    Raises UnreadableError if the file is not there or is no network.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    try:
        return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime's errors share no base but Exception
        raise UnreadableError(f"{file} cannot be run: {error}") from error


def tensor(rgb: Bytes, card: Card) -> Floats:
    """Turn uint8 (H,W,3) sRGB into the card's input, float32 (1,3,S,S)."""
    side = card.input_size
    pixels = np.asarray(Image.fromarray(rgb).resize((side, side), FILTERS[card.resize]), np.float32)
    top = max(float(pixels.max()), 1e-6) if card.range == "max" else 255.0
    normal = (pixels / top - np.array(card.mean, np.float32)) / np.array(card.std, np.float32)
    return np.ascontiguousarray(normal.transpose(2, 0, 1)[None].astype(np.float32))


def alpha(output: Floats, card: Card) -> Floats:
    """Turn the first output (1,1,S,S) into alpha, float32 (S,S) in 0…1."""
    plane: Floats = output[0, 0].astype(np.float32)
    if card.output == "minmax":
        plane = (plane - plane.min()) / np.float32(max(float(plane.max() - plane.min()), 1e-6))
    if card.output == "logit":
        plane = np.float32(1) / (np.float32(1) + np.exp(-plane))
    return plane


def as_matting(card: Card, network: Callable[[Floats], Floats]) -> Matting:
    """Put a network between the card's preprocessing and postprocessing.

    The network takes float32 (1,3,S,S) and returns (1,1,S,S); the matte is resized by the card's
    filter.
    """

    def run(rgb: Bytes) -> Floats:
        plane = alpha(network(tensor(rgb, card)), card)
        image = Image.fromarray(plane).resize((rgb.shape[1], rgb.shape[0]), FILTERS[card.resize])
        return np.clip(np.asarray(image, np.float32), 0, 1)

    return run


def matting(card: Card) -> Matting:
    """Make the network with its own pre- and postprocessing, on onnxruntime."""
    network = session(card.file)
    name, output = network.get_inputs()[0].name, network.get_outputs()[0].name

    def run(pixels: Floats) -> Floats:
        found: Floats = network.run([output], {name: pixels})[0]
        return found

    return as_matting(card, run)


def served_mattes(
    folder: Path, points: tuple[Point, ...] | None = None
) -> Callable[[Bytes], Matte]:
    """Make what the function makes of a model: refined at the picture's size, zoom and all.

    `points` replace the card's own, which turn how decided a matte is into its confidence. The same
    photos are looked at mirrored as with the card's own.

    Raises UnreadableError if the folder has no model that the function would load.
    """
    sys.path.append(str(Path(__file__).resolve().parents[2] / "function"))
    from cutout.errors import ModelUnavailable  # noqa: PLC0415 - only for --served
    from cutout.image.card import read_card as read_model_card  # noqa: PLC0415 - the same
    from cutout.image.decode import Photo  # noqa: PLC0415 - the same
    from cutout.image.matte import extract_matte  # noqa: PLC0415 - the same
    from cutout.image.model import load_network  # noqa: PLC0415 - the same
    from cutout.options import InputAlpha  # noqa: PLC0415 - the same

    try:
        card = read_model_card(folder)
        network = load_network(card, folder)
    except ModelUnavailable as error:
        raise UnreadableError(f"{folder} cannot be served: {error.facts['reason']}") from error
    if points and card.mirror:
        decided, confidence = zip(*card.confidence, strict=True)
        limit = np.interp(card.mirror, confidence, decided)
        from_decided, to_confidence = zip(*points, strict=True)
        mirror = float(np.interp(limit, from_decided, to_confidence))
        card = replace(card, mirror=mirror)
    card = replace(card, confidence=points or card.confidence)

    def run(rgb: Bytes) -> Matte:
        photo = Photo(pixels=rgb, alpha=None)
        return extract_matte(photo, card, network, input_alpha=InputAlpha.DISCARD)

    return run


def served(folder: Path) -> Matting:
    """Make the mattes that the function makes of a model, without their confidence."""
    run = served_mattes(folder)
    return lambda rgb: floats(run(rgb).alpha)


def floats(alpha: Bytes) -> Floats:
    """Turn alpha of 0…255 into 0…1."""
    return alpha.astype(np.float32) / np.float32(255)
