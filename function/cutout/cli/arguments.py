"""What was typed → :class:`Command`. Every row of the options table is a flag by itself."""

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import NoReturn

from cutout import __version__
from cutout.cli.streams import escaped, tell
from cutout.errors import CutoutError
from cutout.image.background import check_background
from cutout.options import BOOLEANS, DEFAULTS, OPTIONS, Option, Options, parse_options
from cutout.settings import Settings

MODELS = Path(__file__).resolve().parents[3] / "models"
"""Where a clone of the project keeps its models, a folder for each."""

STREAM = "-"
"""The name that stands for standard input and standard output."""

# A result on this machine is always a file, so there is no choice of how it is delivered. A picture
# for the background is a file too. The model is one of all folders, by a flag of its own.
_LEFT_OUT = {"response", "bg_image_url", "model"}

# Where the message of an error names an option: at its beginning, or by a name of several words.
_FIELD = re.compile(rf"^(?:{'|'.join(option.name for option in OPTIONS)})\b|\bbg_[a-z_]+")
_FEWEST_PATHS = 2  # an input and an output

_ABOUT = """Remove the background of photos.

  cutout photo.jpg out.png --bg-color white     one photo
  cutout photos/ cutouts/ --format webp         a folder and the folders in it
  cutout "photos/*.jpg" more.png cutouts/       several photos and patterns
  cutout - - <photo.jpg >out.png                standard input and output"""

_EXITS = """exit status: 0 all photos are done; 1 some failed; 2 the command is wrong;
3 the model is not available; 130 interrupted"""


class UsageError(Exception):
    """The command cannot be run as it was typed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command that can be run. ``has_format`` says whether ``--format`` was given."""

    inputs: tuple[str, ...]
    output: str
    options: Options
    has_format: bool
    model: Path
    max_pixels: int
    jobs: int
    overwrite: bool
    keep_suffix: bool
    verbose: bool


class _Parser(argparse.ArgumentParser):
    """Ends with status 2 where standard error is full, too, which Python 3.11.2 does not."""

    def error(self, message: str) -> NoReturn:
        """Print what is wrong, and end. The usage would be ten lines before it."""
        tell(f"{self.prog}: error: {escaped(message)}\n")
        raise SystemExit(2)


def read_command(arguments: Sequence[str]) -> Command:
    """Return the command that the arguments spell.

    :raises SystemExit: 2 with a message where they are wrong, 0 after ``--help`` and ``--version``.
    """
    parser = _parser()
    # After -- every word is a path; the parser itself would refuse those that begin with a dash.
    end = arguments.index("--") if "--" in arguments else len(arguments)
    for word in arguments[:end]:
        flag, _, value = word.partition("=")
        if flag in _switches() and value:
            parser.error(_takes_no_value(flag, value))
        if flag in _underscored():
            parser.error(f"{flag} is written {_flag(flag[2:])} here")
    given = parser.parse_intermixed_args(arguments[:end])
    paths = [*given.paths, *arguments[end + 1 :]]
    if len(paths) < _FEWEST_PATHS:
        parser.error(
            "give at least one photo or folder, and then the output, as in make cutout IN=photos/ "
            "OUT=cutouts/; --help shows how"
        )
    if "" in paths:  # as a variable that is not set gives; Path("") is the current folder
        parser.error("a name is empty; the current folder is .")
    # The last word of a command with two paths is no value: it is the output, or a flag.
    words = arguments[:-1] if len(paths) == _FEWEST_PATHS else arguments
    for flag, word in pairwise(words[:end]):
        if flag in _switches() and word.lower() in BOOLEANS and not Path(word).exists():
            parser.error(_takes_no_value(flag, word))
    fields = {
        option.name: value
        for option in _flags()
        if (value := getattr(given, option.name)) is not None
    }
    try:
        options, _ = parse_options(fields.items())
    except CutoutError as error:
        parser.error(_FIELD.sub(lambda found: _flag(found[0]), str(error)))
    return Command(
        inputs=tuple(paths[:-1]),
        output=paths[-1],
        options=options,
        has_format="format" in fields,
        model=given.model_dir / given.model,
        max_pixels=given.max_pixels,
        jobs=given.jobs,
        overwrite=given.overwrite,
        keep_suffix=given.keep_suffix,
        verbose=given.verbose,
    )


def _flags() -> list[Option]:
    return [option for option in OPTIONS if option.name not in _LEFT_OUT]


def _underscored() -> set[str]:
    """Return what people type who know the options' names from the API, and what is no flag."""
    return {f"--{option.name}" for option in _flags() if "_" in option.name}


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _switches() -> set[str]:
    names = [option.name for option in _flags() if isinstance(getattr(DEFAULTS, option.name), bool)]
    return {sign + _flag(name)[2:] for name in names for sign in ("--", "--no-")}


def _takes_no_value(switch: str, value: str) -> str:
    name = switch.removeprefix("--no-")
    advice = f"--{name} turns it on" if name != switch else f"--no-{name[2:]} turns it off"
    return f"{switch} takes no value such as {value}; {advice}"


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="cutout",
        description=_ABOUT,
        epilog=_EXITS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    default = Settings()
    add = parser.add_argument
    add("paths", nargs="*", metavar="PATH", help="photos, folders or patterns; the last: output")
    add("--jobs", type=_positive, default=1, metavar="N", help="photos at a time (default: 1)")
    add("--overwrite", action="store_true", help="redo the photos that have a result")
    add(
        "--keep-suffix", action="store_true", help="in a folder: a.jpg becomes a.jpg.png, not a.png"
    )
    add("-v", "--verbose", action="store_true", help="print a line for each photo")
    add("--model", default=default.model_names[0], help="the model's folder (default: %(default)s)")
    add("--model-dir", type=Path, default=MODELS, help="where the models' folders are")
    add(
        "--max-pixels",
        type=_positive,
        default=default.max_pixels,
        metavar="N",
        help="refuse photos of more pixels (default: %(default)s)",
    )
    add("--version", action="version", version=f"cutout {__version__}")
    group = parser.add_argument_group("options of the result")
    for option in _flags():
        _add_flag(group, option)
    return parser


def _add_flag(group: argparse._ArgumentGroup, option: Option) -> None:
    flag = _flag(option.name)
    value = getattr(DEFAULTS, option.name)
    default = "" if value is None else f" (default: {str(value).lower()})"
    text = option.summary.replace("%", "%%")
    if isinstance(value, bool):
        group.add_argument(
            flag, dest=option.name, action="store_const", const="true", help=text + default
        )
        group.add_argument(
            f"--no-{flag[2:]}", dest=option.name, action="store_const", const="false"
        )
    elif option.name == "bg_image_file":
        group.add_argument(flag, dest=option.name, metavar="FILE", type=_picture, help=text)
    else:
        accepted = f" Accepted: {option.accepted}.".replace("%", "%%")
        group.add_argument(flag, dest=option.name, metavar="VALUE", help=text + accepted + default)


def _picture(path: str) -> bytes:
    """Return the file of a picture for the background. An empty one would count as no option."""
    try:
        data = Path(path).read_bytes()
        check_background(data)
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{path}: {error.strerror}") from error
    except CutoutError as error:
        raise argparse.ArgumentTypeError(f"{path}: {error}") from error
    return data


def _positive(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() else 0
    if number < 1:
        raise argparse.ArgumentTypeError("must be a positive integer")
    return number
