"""What the programs here have in common: photographs on the command line, and how they end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from data import UnreadableError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

INTERRUPTED = 130  # the exit status of a program that Ctrl-C has ended


def add_material(parser: argparse.ArgumentParser, *, pack: str, unseen: str) -> None:
    """Add the options that name photographs and mattes; `pack` and `unseen` are two helps."""
    add = parser.add_argument
    add("--pack", type=Path, help=pack)
    add(
        "--folder",
        type=Path,
        action="append",
        default=[],
        help="pairs of your own: photographs in im/, mattes in gt/ (repeatable)",
    )
    add("--photos", type=Path, help="photographs that label.py labelled")
    add("--labels", type=Path, help="the folder of their labels")
    add("--unseen", type=Path, help=unseen)


def run_program(main: Callable[[], None]) -> None:
    """Run a program. What a user can mend, such as a wrong file, ends it with one line.

    Ctrl-C ends it with the shell's status for that, and without a traceback.
    """
    try:
        main()
    except (UnreadableError, OSError) as error:
        raise SystemExit(str(error)) from error
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None
