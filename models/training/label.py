r"""Labels photographs: mattes by a teacher, its mirrored pass, and second opinions.

    python label.py --photos photos.zip --teacher isnet/card.toml --second ../erase-s/card.toml \
        --out labels --unseen unseen.toml

Run it again to resume: what is there is not made again. The order mixes kinds and sources, people
and small things first, so that it can be stopped at any time. What a label comes to is decided when
it is read (`labels.py`), so more opinions can follow later.

The mirrored pass costs as much as the first. `--mirror doubtful` takes it only where no second
opinion overlaps the teacher's by an IoU of 0.9, and for sources that judge (`--unseen`); never
where the teacher is undecided, since such a matte is not used whatever the mirror says.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast, get_args

import numpy as np
from labels import (
    GREY_SHARE_MAX,
    SAME_IOU,
    Unseen,
    check_size,
    grey_share,
    iou,
    read_unseen,
)
from mattings import Card, Matting, matting, read_card
from opinions import MIRRORED, TEACHER, Opinions
from photographs import Photograph, Photographs, photographs
from programs import run_program

from data import PICTURES, UnreadableError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from data import Bytes

Mirror = Literal["never", "doubtful", "always"]
# How often a kind's turn comes; what is not named here counts 1. People and small things are what
# the pack lacks, scenes seldom have a subject.
PACE = {
    "person": 3.0,
    "product": 3.0,
    "animal": 2.5,
    "clothes": 2.0,
    "food": 1.5,
    "building": 0.7,
    "other": 0.7,
    "scene": 0.3,
}
REPORT_EVERY = 20  # photographs


def ordered(index: Sequence[Photograph]) -> list[Photograph]:
    """Interleave kinds by their pace, and within a kind the sources."""
    of_source: dict[tuple[str, str], int] = {}
    turns = []
    for photo in sorted(index, key=lambda p: p.file):
        key = (photo.kind, photo.source)
        of_source[key] = of_source.get(key, 0) + 1
        turns.append((of_source[key], photo.source, photo))
    of_kind: dict[str, int] = {}
    timed = []
    for _, _, photo in sorted(turns, key=lambda turn: turn[:2]):
        of_kind[photo.kind] = of_kind.get(photo.kind, 0) + 1
        timed.append((of_kind[photo.kind] / PACE.get(photo.kind, 1.0), photo.file, photo))
    return [photo for _, _, photo in sorted(timed, key=lambda item: item[:2])]


@dataclass(frozen=True, slots=True, kw_only=True)
class Labeller:
    """Makes the opinions on a photograph that are missing; `seconds` by name, quickest first."""

    photos: Photographs
    opinions: Opinions
    teacher: Matting
    seconds: Mapping[str, Matting]
    mirror: Mirror
    unseen: Unseen

    def __call__(self, photo: Photograph) -> None:
        """Label one photograph."""
        rgb = self.photos.rgb(photo.file)
        first = self._opinion(TEACHER, photo, self.teacher, rgb)
        check_size(photo, rgb, first)
        agreed = False
        for name, run in self.seconds.items():
            agreed = iou(first, self._opinion(name, photo, run, rgb)) >= SAME_IOU
            if agreed:
                break
        judges = photo.source in self.unseen.sources
        wanted = self.mirror == "always" or (self.mirror == "doubtful" and (judges or not agreed))
        if wanted and grey_share(first) <= GREY_SHARE_MAX:
            self._opinion(MIRRORED, photo, _mirrored(self.teacher), rgb)

    def _opinion(self, name: str, photo: Photograph, run: Matting, rgb: Bytes) -> Bytes:
        """Return an opinion as stored, made first if it is not there."""
        if not self.opinions.has(name, photo.file):
            self.opinions.write(name, photo.file, run(rgb))
        return cast("Bytes", self.opinions.read(name, photo.file))


def _mirrored(run: Matting) -> Matting:
    """Show a network the mirrored photograph, and mirror its matte back."""
    return lambda rgb: run(np.ascontiguousarray(rgb[:, ::-1]))[:, ::-1]


def labeller(options: argparse.Namespace) -> Labeller:
    """Open the networks and folders of the command line."""
    # By name, for it needs PyTorch, which nothing else here does.
    of_teacher = import_module("bfloat16").matting if options.bfloat16 else matting
    return Labeller(
        photos=photographs(options.photos),
        opinions=Opinions(options.out),
        teacher=of_teacher(read_card(options.teacher)),
        seconds={opinion_name(card): matting(card) for card in map(read_card, options.second)},
        mirror=options.mirror,
        unseen=read_unseen(options.unseen),
    )


def opinion_name(card: Card) -> str:
    """Name the folder of a second opinion: `erase-s 0.3.0` is `erase-s-0.3.0`."""
    return card.name.replace(" ", "-")


def work(part: int, options: argparse.Namespace) -> None:
    """Label every `--processes`th photograph; tell how far it is, and which cannot be read.

    A process that is left alone, since the program was killed, ends at the next photograph.
    """
    parent = multiprocessing.parent_process()
    run = labeller(options)
    todo = ordered(run.photos.index)[part :: options.processes]
    started = time.monotonic()
    for done, photo in enumerate(todo, 1):
        if parent and not parent.is_alive():
            return
        try:
            run(photo)
        except UnreadableError as error:
            print(f"left out: {error}", file=sys.stderr, flush=True)
        if done % REPORT_EVERY == 0 or done == len(todo):
            print(progress(part, done, len(todo), time.monotonic() - started), flush=True)


def progress(part: int, done: int, total: int, spent_s: float) -> str:
    """Write a line: how many photographs of how many, and how long the rest takes."""
    left_min = spent_s / done * (total - done) / 60
    return (
        f"process {part}: {done} of {total}, {spent_s / done:.2f} s each, {left_min:.0f} min left"
    )


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    add = parser.add_argument
    add("--photos", type=Path, required=True, help="a folder, or a zip with index.csv")
    add("--teacher", type=Path, required=True, help="its card.toml")
    add(
        "--second", type=Path, action="append", default=[], help="card.toml of another (repeatable)"
    )
    add("--out", type=Path, required=True, help="folder of labels")
    add("--unseen", type=Path, help="unseen.toml: sources that judge are always mirrored")
    add("--mirror", choices=get_args(Mirror), default="doubtful")
    add("--processes", type=int, default=1, help="one thread each")
    add("--bfloat16", action="store_true", help="run the teacher on PyTorch; for IS-Net")
    options = parser.parse_args(words)
    if options.processes < 1:
        parser.error("--processes must be at least 1")
    if options.out.resolve().is_relative_to(options.photos.resolve()):
        parser.error("--out must lie outside of --photos: labels would be taken for photographs")
    return options


def main() -> None:
    """Label all photographs."""
    options = arguments()
    if not photographs(options.photos).index:
        raise SystemExit(
            f"{options.photos} has no photographs: files are read that end in"
            f" {', '.join(sorted(PICTURES))}"
        )
    if options.processes == 1:
        work(0, options)
        return
    context = multiprocessing.get_context("spawn")
    workers = [
        # Daemons end with this process, which Ctrl-C ends whether it reaches them or not.
        context.Process(target=run_program, args=(partial(work, part, options),), daemon=True)
        for part in range(options.processes)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if any(worker.exitcode for worker in workers):
        raise SystemExit("a process failed, and said why; run it again to resume")


if __name__ == "__main__":
    run_program(main)
