"""The command line and the catalogue → the model that is wanted, and the consent to its licence."""

import argparse
import re
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cutout.options import MODEL_NAME
from download import Refused, sha256_of

TAKEN = {"erase-s", "training"}
PERMISSIVE = {"0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0", "ISC"}
PERMISSIVE |= {"MIT", "MIT-0", "Unlicense", "Zlib"}
CARD_KEYS = ("input_size", "mean", "std", "resize", "range", "output")
OWN_CARD: Mapping[str, Any] = {
    "version": "1",
    "input_size": None,  # what the file itself says
    "mean": [0.485, 0.456, 0.406],
    "std": [0.229, 0.224, 0.225],
    "resize": "lanczos",
    "range": "max",
    "output": "minmax",
}
"""What the card of a model of one's own says if the command line does not: as U2-Net is run."""

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A model to add. ``size`` in bytes and ``sha256`` are what its file must be, where known.

    ``asked`` is the part of ``card``, and of the version, that the command line said.
    """

    name: str
    url: str | None
    file: Path | None
    size: int | None
    sha256: str
    version: str
    licence: str
    source: str
    note: str
    card: Mapping[str, Any]
    asked: Mapping[str, Any]


def wanted(options: argparse.Namespace) -> Wanted:
    """Return what the command line and the catalogue say.

    :raises Refused: it is not enough, or contradicts itself.
    """
    catalogue = _read_catalogue(options.catalog)
    known = ", ".join(catalogue)
    if not re.fullmatch(MODEL_NAME, options.name):
        raise Refused(
            f"NAME= must be one of {known}, or a name of your own, of letters, digits and . _ -,"
            f" for a model of your own: {options.name!r} is neither."
        )
    if options.name in TAKEN:
        raise Refused(f"models/{options.name} is the repository's own: take another name.")
    if options.url and options.file:
        raise Refused("Say URL= or FILE=, not both.")
    if options.sha256 and not _SHA256.fullmatch(options.sha256):
        raise Refused("SHA256= must be 64 lower-case hex digits.")
    entry = catalogue.get(options.name)
    want = _listed(options, entry) if entry else _own(options, known)
    return _at_hand(want, pinned_here=bool(options.sha256)) if want.file else want


def _read_catalogue(path: Path) -> dict[str, Any]:
    try:
        models: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))["models"]
    except (OSError, KeyError, ValueError) as error:
        raise Refused(f"{path} is not a catalogue: {type(error).__name__}: {error}") from error
    return models


def _listed(options: argparse.Namespace, entry: Mapping[str, Any]) -> Wanted:
    """Return a model of the catalogue; a SHA256= takes another file, whose version tells it.

    :raises Refused: the command line says, too, how it is run.
    """
    if words := asked_words(_asked(options)):
        raise Refused(
            f"The catalogue says how {options.name} is run: leave {' '.join(words)} out, or take"
            " another name."
        )
    is_other = options.sha256 and options.sha256 != entry["sha256"]
    return Wanted(
        name=options.name,
        url=options.url or entry["url"],
        file=options.file,
        size=None if is_other else entry["size"],
        sha256=options.sha256 or entry["sha256"],
        version=f"{entry['version']}-{options.sha256[:8]}" if is_other else entry["version"],
        licence=entry["licence"],
        source=entry["source"],
        note="SHA256= names another file than the catalogue's: see that what is said here holds."
        if is_other
        else entry.get("note", ""),
        card={key: entry[key] for key in CARD_KEYS},
        asked={},
    )


def _own(options: argparse.Namespace, known: str) -> Wanted:
    """Return a model that the catalogue does not have."""
    if not (options.url or options.file):
        raise Refused(
            f"{options.name} is not in the catalogue, which has {known}. For any other model:"
            f" make model NAME={options.name} LICENCE=MIT URL=https://… SHA256=…, or FILE=…"
        )
    if not options.licence:
        raise Refused("LICENCE= must say under which licence the model is, such as LICENCE=MIT.")
    if options.url and not options.sha256:
        raise Refused(
            "SHA256= must say which file is at the URL: take it from the model's publisher, or"
            " download the file from a place that you trust, and run: sha256sum FILE"
        )
    asked = _asked(options)
    card = {**OWN_CARD, **asked}
    return Wanted(
        name=options.name,
        url=options.url,
        file=options.file,
        size=None,
        sha256=options.sha256 or "",
        version=card["version"],
        licence=options.licence,
        source=options.url or options.file.name,
        note="",
        card={key: card[key] for key in CARD_KEYS},
        asked=asked,
    )


def _asked(options: argparse.Namespace) -> dict[str, Any]:
    """Return what the command line says of the card."""
    given = {key: getattr(options, key) for key in OWN_CARD}
    return {key: value for key, value in given.items() if value is not None}


def asked_words(asked: Mapping[str, Any]) -> list[str]:
    """Return the words of a command line that say this of the card."""
    words: list[str] = []
    for key, value in asked.items():
        values = value if isinstance(value, list) else [value]
        words += [f"--{key.replace('_', '-')}", *map(str, values)]
    return words


def _at_hand(want: Wanted, *, pinned_here: bool) -> Wanted:
    """Return it with what its file on the disk is.

    :raises Refused: the file is missing, or it is another one.
    """
    file = want.file or Path()
    if not file.is_file():
        raise Refused(f"There is no file {file}.")
    digest, size = sha256_of(file), file.stat().st_size
    if want.sha256 not in {"", digest}:
        trust = "" if pinned_here else f" If you trust it, take it as it is: SHA256={digest}"
        raise Refused(
            f"{file} is not {want.name}: its SHA-256 is {digest}, of {size:,} bytes, and"
            f" {want.sha256} is expected.{trust}"
        )
    return replace(want, sha256=digest, size=size)


def agree(want: Wanted, *, accepted: bool) -> None:
    """Show the licence; ask where it is not permissive.

    :raises Refused: nobody agrees.
    """
    print(f"{want.name} {want.version}: licence {want.licence}, from {want.source}")
    if want.note:
        print(want.note)
    if want.licence in PERMISSIVE or accepted:
        return
    meaning = "none is stated" if want.licence == "NOASSERTION" else "it is not a permissive one"
    if not sys.stdin.isatty():
        raise Refused(
            f"The licence of {want.name} is {want.licence}: {meaning}. Read its source, and if you"
            " may use it, say ACCEPT_LICENCE=1."
        )
    try:
        answer = input(f"Its licence is {want.licence}: {meaning}. Use it all the same? [y/N] ")
    except EOFError:  # Ctrl-D
        answer = ""
    if answer.strip().lower() not in {"y", "yes"}:
        raise Refused(f"{want.name} was not added.")
