"""What the opinions on photographs come to: labels, and which of them train or judge.

`label.py` writes the opinions; training and evaluation read them here. Mattes and trust are uint8
(H,W) at the photograph's own size: 0 background … 255 subject, 0 not believed … 255 fully believed.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from opinions import MIRRORED, TEACHER, Opinions
from PIL import Image, ImageFilter
from scores import overlap

from data import HALF, Bytes, Pair, UnreadableError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from photographs import Photograph, Photographs

    from data import Kind

OURS = "erase-s"  # the start of the names of opinions by any version of it

SAME_IOU = 0.9  # two mattes that overlap this far show the same subject
DOUBT_IOU = 0.6  # below it nothing is believed
TRAIN_IOU = 0.7  # of the teacher with another opinion: what trains
SURE_IOU = 0.95  # teacher and mirror must overlap this far for a matte to judge by
TRUST_POWER = 3.0
# Where no other opinion is near the teacher's, but the picture's subject is agreed: fine parts
# (fingers, saucers, legs of chairs) that only the teacher sees. It is the best of them.
TRUST_MIN = 0.4
GREY = (25, 230)  # of 255: between them a matte does not decide
GREY_RADIUS_PX = 5  # an edge is at most twice as wide; hair, too, at 512 px
GREY_SHARE_MAX = 0.12  # of the subject's area: more is undecided matting, not an edge
SUBJECT_SHARE_MIN, SUBJECT_SHARE_MAX = 0.01, 0.92
# Of these kinds, teacher and U2-Net-p often take a part for the subject: the food without its
# plate, the print on a shirt, a face without its hair. erase-s seldom does.
PART_KINDS = {"food", "clothes", "person"}
# A label may show a part if erase-s sees at least this many times its area, …
PART_AREA = 1.2
PART_HELD = 0.9  # … and at least this share of it
PART_MARGIN_PX = 4  # nothing is taught this near to what erase-s sees more, either
PART_TRUST = 0.8  # of the rest: less than what is cut out and pasted must have
EMPTY_SHARE = 0.002  # of the picture: no subject, if all opinions agree


def iou(one: Bytes, other: Bytes) -> float:
    """Intersection over union of two mattes at 0.5; 1 if both are empty."""
    return overlap((one > HALF).astype(np.uint8), (other > HALF).astype(np.uint8))


class Label(NamedTuple):
    """What the opinions on a photograph come to."""

    alpha: Bytes
    trust: Bytes
    agreement: float  # IoU of the teacher's matte with the opinion nearest to it
    mirrored: float | None  # IoU with the mirrored pass, where there was one
    grey: float  # share of the subject's area that is undecided, away from any edge


def grey_share(alpha: Bytes) -> float:
    """Divide the area that is grey in all its surroundings by the subject's."""
    low, high = GREY
    undecided = ((alpha > low) & (alpha < high)).astype(np.uint8) * 255
    inner = Image.fromarray(undecided).filter(ImageFilter.MinFilter(2 * GREY_RADIUS_PX + 1))
    return float(np.count_nonzero(np.asarray(inner))) / max(1, int(np.count_nonzero(alpha > low)))


def resolved(teacher: Bytes, mirrored: Bytes | None, seconds: Sequence[Bytes]) -> Label:
    """Make a label of all opinions: the teacher's matte, believed where another one is near it.

    A teacher's matte and its mirrored pass are averaged if they show the same subject. Trust is
    (1 - |distance to the nearest opinion|)³, at least `TRUST_MIN`, times how far the picture is
    agreed: 0 at an IoU of `DOUBT_IOU`, 1 from `SAME_IOU` on.
    """
    others = [*seconds] if mirrored is None else [mirrored, *seconds]
    overlaps = [iou(teacher, other) for other in others]
    agreement = max(overlaps, default=0.0)
    distance = np.full(teacher.shape, 255, np.int16)
    for other in others:
        distance = np.minimum(distance, np.abs(teacher.astype(np.int16) - other))
    near = np.maximum((1 - distance / 255) ** TRUST_POWER, TRUST_MIN)
    agreed = float(np.clip((agreement - DOUBT_IOU) / (SAME_IOU - DOUBT_IOU), 0, 1))
    alpha = teacher
    if mirrored is not None and overlaps[0] >= SAME_IOU:
        alpha = ((teacher.astype(np.uint16) + mirrored + 1) // 2).astype(np.uint8)
    return Label(
        alpha=alpha,
        trust=(255 * agreed * near + 0.5).astype(np.uint8),
        agreement=agreement,
        mirrored=None if mirrored is None else overlaps[0],
        grey=grey_share(alpha),
    )


def label_of(photo: Photograph, opinions: Opinions, seconds: Sequence[str]) -> Label | None:
    """Make the label of a photograph, or None if the teacher has not seen it yet."""
    teacher = opinions.read(TEACHER, photo.file)
    if teacher is None:
        return None
    found = {name: opinions.read(name, photo.file) for name in seconds}
    there = {name: plane for name, plane in found.items() if plane is not None}
    label = resolved(teacher, opinions.read(MIRRORED, photo.file), list(there.values()))
    ours = [plane for name, plane in there.items() if name.startswith(OURS)]
    return hedged(label, ours) if photo.kind in PART_KINDS else label


def hedged(label: Label, ours: Sequence[Bytes]) -> Label:
    """Do not teach what erase-s sees around a label that may show a part; believe the rest less.

    `ours` are the opinions of versions of erase-s.
    """
    shown = label.alpha > HALF
    area = np.count_nonzero(shown)
    more = np.zeros_like(shown)
    for opinion in ours:
        seen = opinion > HALF
        is_larger = np.count_nonzero(seen) >= PART_AREA * area > 0
        if is_larger and np.count_nonzero(shown & seen) >= PART_HELD * area:
            more |= (opinion > HALF // 2) & ~shown
    if not more.any():
        return label
    image = Image.fromarray(more.astype(np.uint8) * 255)
    near = np.asarray(image.filter(ImageFilter.MaxFilter(2 * PART_MARGIN_PX + 1))) > 0
    return label._replace(trust=np.where(near, 0, label.trust * PART_TRUST).astype(np.uint8))


@dataclass(frozen=True, slots=True, kw_only=True)
class Unseen:
    """What does not train, or does not judge.

    `sources` never train and only judge, but for the files in `rejected`, whose mattes the eye
    rejected. The files in `partial` do not train either: their labels show a part of the subject.
    """

    sources: frozenset[str]
    rejected: frozenset[str]
    partial: frozenset[str]

    @classmethod
    def nothing(cls) -> Unseen:
        """Hold nothing out."""
        return cls(sources=frozenset(), rejected=frozenset(), partial=frozenset())


def read_unseen(path: Path | None) -> Unseen:
    """Read a file such as `unseen.toml`; a list that is not in it is empty, and all without a file.

    Raises UnreadableError for a file that is no TOML, and for an entry of another name, which would
    hold nothing out.
    """
    if path is None:
        return Unseen.nothing()
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UnreadableError(f"{path} cannot be read: {error}") from error
    names = Unseen.__slots__
    if unknown := sorted(table.keys() - set(names)):
        raise UnreadableError(f"{path} has {', '.join(unknown)}, and may have {', '.join(names)}")
    return Unseen(**{name: frozenset(table.get(name, ())) for name in names})


def _shows(label: Label) -> bool:
    """Tell whether a matte has a subject and decides about it."""
    share = float((label.alpha > HALF).mean())
    return SUBJECT_SHARE_MIN < share < SUBJECT_SHARE_MAX and label.grey <= GREY_SHARE_MAX


def check_size(photo: Photograph, rgb: Bytes, alpha: Bytes) -> None:
    """Raise an UnreadableError if a label is of another size than its photograph is now."""
    if rgb.shape[:2] != alpha.shape:
        (height, width), (rows, columns) = rgb.shape[:2], alpha.shape
        raise UnreadableError(
            f"{photo.file} has {width} × {height} px, and its label {columns} × {rows}: remove the"
            " labels of what has changed, and run label.py again"
        )


def _pair(photo: Photograph, rgb: Bytes, label: Label, kind: Kind) -> Pair:
    check_size(photo, rgb, label.alpha)
    return Pair(
        name=photo.file,
        set=photo.kind or photo.source,
        kind=kind,
        rgb=rgb,
        alpha=label.alpha,
        weight=None if kind == "gt" else label.trust,
    )


def trains(label: Label) -> bool:
    """Tell whether a label is agreed enough, and decided enough, to train on."""
    return label.agreement >= TRAIN_IOU and _shows(label)


def judges(photo: Photograph, label: Label, unseen: Unseen) -> bool:
    """Tell whether a photograph is kept from training and its label is sure enough to judge by."""
    held_out = photo.source in unseen.sources and photo.file not in unseen.rejected
    return held_out and (label.mirrored or 0) > SURE_IOU and _shows(label)


def training_pairs(photos: Photographs, folder: Path, unseen: Unseen) -> list[Pair]:
    """Read what may train: sets are kinds of subjects; `label`, or `bg` where nobody sees one."""
    opinions = Opinions(folder)
    seconds = opinions.seconds()
    pairs = []
    for photo in photos.index:
        label = None
        if photo.source not in unseen.sources and photo.file not in unseen.partial:
            label = label_of(photo, opinions, seconds)
        if label is None:
            continue
        if trains(label):
            pairs.append(_pair(photo, photos.rgb(photo.file), label, "label"))
        elif _is_empty(photo.file, opinions, seconds):
            empty = label._replace(alpha=np.zeros_like(label.alpha))
            pairs.append(_pair(photo, photos.rgb(photo.file), empty, "bg"))
    return pairs


def _is_empty(file: str, opinions: Opinions, seconds: Sequence[str]) -> bool:
    """Tell whether every opinion sees next to nothing."""
    found = [opinions.read(name, file) for name in (TEACHER, *seconds)]
    return all((plane > HALF).mean() < EMPTY_SHARE for plane in found if plane is not None)


def judging_pairs(photos: Photographs, folder: Path, unseen: Unseen) -> list[Pair]:
    """Read what judges: sources kept from training, on which the teacher and its mirror agree."""
    opinions = Opinions(folder)
    pairs = []
    for photo in photos.index:
        label = label_of(photo, opinions, ())
        if label is not None and judges(photo, label, unseen):
            pairs.append(_pair(photo, photos.rgb(photo.file), label, "gt"))
    return pairs
