"""Judges matting networks by their cards, side by side, on the validation part of a pack.

    python evaluate.py --pack pack.zip --u2netp u2netp.onnx --card ../erase-s/card.toml

Sets: every annotated (`gt`) set, and `pasted`: each `cut` object on two `bg` photographs, fixed by
a seed. Items that U2-Net-p labelled (`pseudo`) are never judged: it would be its own reference.
Mattes are resized to the photograph, at most 640 px; then MAE, IoU and boundary IoU per picture,
mean per set, plain mean over sets.

A second split says what a model is worth on kinds and sources that it was not trained on:

    python evaluate.py --photos photos.zip --labels labels --unseen unseen.toml --card ...

Its truth is the teacher's matte where the teacher and its mirrored pass agree (`labels.py`), so the
teacher itself is not judged by it. Kinds of subjects that the pack trains and others are averaged
apart.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime
from pasting import validation_pastes
from PIL import Image, ImageFilter

from data import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    Bytes,
    Floats,
    Pair,
    read_folder,
    read_pack,
)

if TYPE_CHECKING:  # only --served needs the function
    from cutout.image.card import Point
    from cutout.image.matte import Matte

SIDE_MAX_PX = 640
WARM_UP_ROUNDS = 2  # of timing, not counted
THRESHOLD = 0.5  # of alpha: what counts as subject for both IoUs
BAND_SHARE = 0.02  # of the diagonal: the band of boundary IoU
# Kinds of photographs that the pack's training part has annotated; the rest are new to the model.
SEEN_KINDS = {"animal", "clothes", "furniture", "product"}
PICTURES_MIN = 6  # of a kind; fewer count as `other`
FILTERS = {"bilinear": Image.Resampling.BILINEAR, "lanczos": Image.Resampling.LANCZOS}


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Means over pictures; each 0…1."""

    mae: float
    iou: float
    boundary_iou: float


Matting = Callable[[Bytes], Floats]  # uint8 (H,W,3) sRGB -> float32 (H,W), 0 background … 1 subject


def read_card(path: Path) -> Card:
    """Read a card from its TOML."""
    table = tomllib.loads(path.read_text())
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
    """Open a session on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])


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
    """
    sys.path.append(str(Path(__file__).resolve().parents[2] / "function"))
    from cutout.image.card import read_card as read_model_card  # noqa: PLC0415 - only for --served
    from cutout.image.decode import Photo  # noqa: PLC0415 - the same
    from cutout.image.matte import extract_matte  # noqa: PLC0415 - the same
    from cutout.image.model import load_network  # noqa: PLC0415 - the same
    from cutout.options import InputAlpha  # noqa: PLC0415 - the same

    card = read_model_card(folder)
    network = load_network(card, folder)
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


def eroded(mask: Bytes, steps: int) -> Bytes:
    """Erode 0/1 uint8 (H,W) `steps` times by 3×3; outside the frame counts as background."""
    image = Image.fromarray(np.pad(mask, steps) * 255)
    while steps > 0:
        step = min(steps, 3)
        image = image.filter(ImageFilter.MinFilter(2 * step + 1))
        steps -= step
    width = (image.width - mask.shape[1]) // 2
    pixels = np.asarray(image) // 255
    return pixels[width : width + mask.shape[0], width : width + mask.shape[1]]


def overlap(one: Bytes, other: Bytes) -> float:
    """Divide intersection by union of two 0/1 masks; 1 if both are empty."""
    union = np.count_nonzero(one | other)
    return np.count_nonzero(one & other) / union if union else 1.0


def boundary(mask: Bytes) -> Bytes:
    """Keep the inner band of a mask, 2 % of the diagonal wide (Cheng et al., 2021)."""
    steps = max(1, round(BAND_SHARE * float(np.hypot(*mask.shape))))
    return mask - eroded(mask, steps)


def score(found: Floats, truth: Floats, threshold: float = THRESHOLD) -> Score:
    """Score one picture; both float32 (H,W) in 0…1. What is found counts above `threshold`."""
    ours, theirs = (found > threshold).astype(np.uint8), (truth > THRESHOLD).astype(np.uint8)
    return Score(
        mae=float(np.abs(found - truth).mean()),
        iou=overlap(ours, theirs),
        boundary_iou=overlap(boundary(ours), boundary(theirs)),
    )


def mean(scores: Sequence[Score]) -> Score:
    """Average each part."""
    return Score(
        mae=statistics.fmean(s.mae for s in scores),
        iou=statistics.fmean(s.iou for s in scores),
        boundary_iou=statistics.fmean(s.boundary_iou for s in scores),
    )


def bounded(pair: Pair) -> tuple[Bytes, Floats]:
    """Shrink to 640 px at most: photograph uint8 (H,W,3) and truth float32 (H,W)."""
    rgb, truth = Image.fromarray(pair.rgb), Image.fromarray(pair.alpha)
    for image in (rgb, truth):
        image.thumbnail((SIDE_MAX_PX, SIDE_MAX_PX), Image.Resampling.BILINEAR)
    return np.asarray(rgb), np.asarray(truth, np.float32) / np.float32(255)


def judge(run: Matting, pairs: Sequence[Pair], threshold: float = THRESHOLD) -> dict[str, Score]:
    """Score per set, and the `mean` over the sets. Mattes count above `threshold`."""
    by_set: dict[str, list[Score]] = {}
    for pair in pairs:
        rgb, truth = bounded(pair)
        by_set.setdefault(pair.set, []).append(score(run(rgb), truth, threshold))
    scores = {name: mean(items) for name, items in sorted(by_set.items())}
    scores["mean"] = mean(list(scores.values()))
    return scores


def validation(pack: Path | None, folders: Sequence[Path]) -> list[Pair]:
    """Read what is judged: annotated pairs, objects pasted on backgrounds, and folders given."""
    pairs = read_pack(pack, "val") if pack else []
    pasted = validation_pastes(
        [p for p in pairs if p.kind == "cut"], [p for p in pairs if p.kind == "bg"]
    )
    return (
        [p for p in pairs if p.kind == "gt"]
        + pasted
        + [p for folder in folders for p in read_folder(folder)]
    )


def unseen_pairs(options: argparse.Namespace) -> list[Pair]:
    """Read the second split; a set is a kind of subject, rare kinds together are `other`."""
    if not options.photos:
        return []
    from labels import judging_pairs, photographs, read_unseen  # noqa: PLC0415 - only for --photos

    photos = photographs(options.photos)
    return grouped(judging_pairs(photos, options.labels, read_unseen(options.unseen)))


def grouped(pairs: Sequence[Pair]) -> list[Pair]:
    """Put pairs of sets with fewer than `PICTURES_MIN` pictures into the set `other`."""
    counts = Counter(pair.set for pair in pairs)
    return [p if counts[p.set] >= PICTURES_MIN else replace(p, set="other") for p in pairs]


def with_means(scores: dict[str, Score]) -> dict[str, Score]:
    """Add the means over the kinds that the pack has and over those that it has not."""
    found = dict(scores)
    kinds = found.keys() - {"mean"}
    for name, part in (("seen kinds", kinds & SEEN_KINDS), ("unseen kinds", kinds - SEEN_KINDS)):
        if part:
            found[f"mean of {name}"] = mean([scores[kind] for kind in part])
    return found


def times_ms(cards: Sequence[Card], rounds: int) -> list[float]:
    """Take the median time of one pass on one thread; passes interleave to share conditions."""
    sessions = [session(card.file) for card in cards]
    noise = np.random.default_rng(0)
    feeds = [
        {
            s.get_inputs()[0].name: noise.normal(0, 1, (1, 3, c.input_size, c.input_size)).astype(
                np.float32
            )
        }
        for s, c in zip(sessions, cards, strict=True)
    ]
    taken: list[list[float]] = [[] for _ in cards]
    for turn in range(rounds + WARM_UP_ROUNDS):
        for number, (network, feed) in enumerate(zip(sessions, feeds, strict=True)):
            start = time.perf_counter()
            network.run(None, feed)
            if turn >= WARM_UP_ROUNDS:
                taken[number].append((time.perf_counter() - start) * 1000)
    return [statistics.median(values) for values in taken]


def table(names: Sequence[str], results: Sequence[dict[str, Score]], times: Sequence[float]) -> str:
    """Write Markdown: a row per set (MAE / IoU / boundary IoU), then time, ratio to the first."""
    lines = [
        "| set | " + " | ".join(names) + " |",
        "|---" * (len(names) + 1) + "|",
    ]
    for name in results[0]:
        cells = [
            f"{r[name].mae:.4f} / {r[name].iou:.4f} / {r[name].boundary_iou:.4f}" for r in results
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    if times:
        cells = [f"{ms:.0f} ms ({ms / times[0]:.3f})" for ms in times]
        cells += ["-"] * (len(names) - len(cells))
        lines.append("| network, one thread | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--pack", type=Path, help="its validation part is judged")
    parser.add_argument(
        "--folder",
        type=Path,
        action="append",
        default=[],
        help="more sets: im/ and gt/ (repeatable)",
    )
    parser.add_argument("--photos", type=Path, help="photographs that label.py labelled")
    parser.add_argument("--labels", type=Path, help="the folder of their labels")
    parser.add_argument("--unseen", type=Path, help="unseen.toml: the sources that judge")
    parser.add_argument("--u2netp", type=Path, help="the peer, run as rembg runs it; first column")
    parser.add_argument(
        "--card", type=Path, action="append", default=[], help="card.toml of a model (repeatable)"
    )
    parser.add_argument("--rounds", type=int, default=20, help="of timing; 0 for none")
    parser.add_argument(
        "--threshold",
        type=float,
        default=THRESHOLD,
        help="alpha from which a matte counts as subject in both IoUs; the truth counts from 0.5",
    )
    parser.add_argument(
        "--served",
        type=Path,
        action="append",
        default=[],
        help="folder of a model, judged as the function serves it (repeatable)",
    )
    options = parser.parse_args()
    cards = [u2netp_card(options.u2netp)] if options.u2netp else []
    cards += [read_card(path) for path in options.card]
    if options.photos and not (options.labels and options.unseen):
        parser.error("--photos needs --labels and --unseen")
    names = [card.name for card in cards] + [f"{folder.name} served" for folder in options.served]
    if len(set(names)) < len(names):
        parser.error("two models have the same name: each needs a column of its own")
    pairs, unseen = validation(options.pack, options.folder), unseen_pairs(options)
    mattings = {card.name: matting(card) for card in cards}
    mattings |= {f"{folder.name} served": served(folder) for folder in options.served}
    if not (pairs or unseen) or not mattings:
        parser.error(
            "name something to judge by (--pack, --folder, --photos) and a model (--card, --served)"
        )
    print("MAE / IoU / boundary IoU")
    times = times_ms(cards, options.rounds) if options.rounds and cards else []
    if pairs:
        results = [judge(run, pairs, options.threshold) for run in mattings.values()]
        print("\n" + table(list(mattings), results, times))
    if unseen:
        counts = Counter(pair.set for pair in unseen)
        print("\nUnseen sources: " + ", ".join(f"{n} {kind}" for kind, n in sorted(counts.items())))
        results = [with_means(judge(run, unseen, options.threshold)) for run in mattings.values()]
        print("\n" + table(list(mattings), results, [] if pairs else times))


if __name__ == "__main__":
    main()
