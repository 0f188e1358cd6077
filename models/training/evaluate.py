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
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from differences import differences, most_changed
from labels import judging_pairs, read_unseen
from mattings import Card, Matting, matting, read_card, served, session, u2netp_card
from pasting import validation_pastes
from photographs import photographs
from programs import add_material, run_program
from scores import THRESHOLD, Score, by_set, judge, mean

from data import Pair, read_folder, read_pack

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Results = Mapping[str, Sequence[Score]]  # of each column, in the order of the pictures

WARM_UP_ROUNDS = 2  # of timing, not counted
# Kinds of photographs that the pack's training part has annotated; the rest are new to the model.
SEEN_KINDS = {"animal", "clothes", "furniture", "product"}
PICTURES_MIN = 6  # of a kind; fewer count as `other`


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


def command_line() -> argparse.ArgumentParser:
    """Return what reads the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    add_material(
        parser,
        pack="its validation part is judged",
        unseen="unseen.toml: the sources that judge",
    )
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
    parser.add_argument(
        "--against",
        metavar="COLUMN",
        help="compare the other columns with this one, picture by picture",
    )
    parser.add_argument(
        "--pictures",
        type=int,
        default=0,
        metavar="N",
        help="with --against, name the N pictures that lose and gain most",
    )
    return parser


def against(pairs: Sequence[Pair], results: Results, options: argparse.Namespace) -> str:
    """Write how the models differ from `--against`, and which pictures differ most."""
    base = results[options.against]
    text = f"\nAgainst {options.against}, in points, by picture ({len(pairs)}):\n\n" + differences(
        results, options.against
    )
    for name, scores in results.items():
        changed = most_changed(pairs, base, scores, options.pictures)
        if changed:
            text += f"\n\n{name}, by IoU:\n" + "\n".join(changed)
    return text


def judged(
    mattings: Mapping[str, Matting],
    pairs: Sequence[Pair],
    options: argparse.Namespace,
    times: Sequence[float],
    *,
    kinds: bool = False,
) -> str:
    """Judge all models by these pictures: their table, and how they differ from `--against`.

    With `kinds` the sets are kinds of subjects, and those that the pack has are averaged apart.
    """
    results = {name: judge(run, pairs, options.threshold) for name, run in mattings.items()}
    means = [by_set(pairs, scores) for scores in results.values()]
    text = table(list(results), [with_means(m) if kinds else m for m in means], times)
    return text + "\n" + against(pairs, results, options) if options.against else text


def main() -> None:
    """Print the tables."""
    parser = command_line()
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
    if options.against and options.against not in mattings:
        parser.error(f"--against must be a column: {', '.join(mattings)}")
    if options.against and (len(mattings) == 1 or 1 in {len(pairs), len(unseen)}):
        parser.error("--against needs two models, and two pictures to judge by")
    if min(options.pictures, options.rounds) < 0:
        parser.error("--pictures and --rounds must be at least 0")
    if options.pictures and not options.against:
        parser.error("--pictures needs --against")
    print("MAE / IoU / boundary IoU")
    times = times_ms(cards, options.rounds) if options.rounds and cards else []
    if pairs:
        print("\n" + judged(mattings, pairs, options, times))
    if unseen:
        counts = Counter(pair.set for pair in unseen)
        print("\nUnseen sources: " + ", ".join(f"{n} {kind}" for kind, n in sorted(counts.items())))
        print("\n" + judged(mattings, unseen, options, [] if pairs else times, kinds=True))


if __name__ == "__main__":
    run_program(main)
