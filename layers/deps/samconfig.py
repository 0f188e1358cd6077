"""Checks the parameters that ``sam deploy`` takes from samconfig.toml against what make has built.

With another model than the built one the function would answer ``model_unavailable``, and with
another architecture none of its libraries would load. Parameters that samconfig.toml keeps for
``deploy`` must name the same model and architecture: what they do not name stays as the stack has
it, whatever was built. The same holds for ``--parameter-overrides`` among the arguments of
``sam deploy``, which take the place of those in the file. This prints what is to be added to these
arguments: where there are neither of them, ``--parameter-overrides`` with the model and the
architecture that were built, and where there is no such file yet, ``--guided``, with which SAM asks
for the answers that it then keeps there. (``--config-file`` names another file.)

``DefaultOptions`` are read as the worker reads them when it starts. CloudFormation cannot check
them, and with wrong ones the worker ends before it looks at an upload.

``UploadReservedConcurrency`` must not be less than ``UploadConcurrency``. CloudFormation's rules
cannot compare numbers, and Lambda takes both. It then refuses to run the worker for a part of the
uploads that it has taken from the queue, and each refusal is one of an upload's five tries.
"""

import argparse
import shlex
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cutout.errors import InvalidSettings
from cutout.settings import read_settings

VARIABLES = {"ModelName": ("MODEL_NAME", "model"), "Architecture": ("ARCHITECTURE", "architecture")}
"""Parameter of the template → the variable of make, and what it names."""

GUIDED = ["--guided", "--stack-name", "cutout"]
"""For the first deployment; the name is what SAM suggests for the stack."""


class Refused(Exception):  # noqa: N818 # a fact about the parameters, which its message says
    """The deployment would not work with these parameters, or not with what is built."""


def kept_parameters(file: Path, environment: str) -> dict[str, str] | None:
    """Return the parameters that ``sam deploy`` takes from a file; ``None`` where there are none.

    As SAM does, it looks in the table of the command and then in that of all commands.
    """
    if not file.is_file():
        return None
    tables = tomllib.loads(file.read_text(encoding="utf-8")).get(environment, {})
    for command in ("deploy", "global"):
        parameters = tables.get(command, {}).get("parameters", {})
        if "parameter_overrides" in parameters:
            return dict(_pairs(parameters["parameter_overrides"]))
    return None


def _pairs(value: Any) -> Iterator[tuple[str, str]]:
    """Yield each name and its value, in all the forms that SAM reads: text, a list, a table."""
    if isinstance(value, Mapping):
        for name, one in value.items():
            several = one if isinstance(one, list) else [one]
            yield name, ",".join(str(each) for each in several)
    elif isinstance(value, list):
        for one in value:
            yield from _pairs(one)
    else:
        for word in shlex.split(str(value)):
            if word.startswith("ParameterKey="):
                name, _, one = word.removeprefix("ParameterKey=").partition(",ParameterValue=")
            else:
                name, _, one = word.partition("=")
            yield name, one


def compare(place: str, entry: str, kept: Mapping[str, str], built: Mapping[str, str]) -> None:
    """Compare the parameters that a place keeps in an entry of it with what was built.

    :raises Refused: SAM would deploy something else, or might.
    """
    for parameter, (variable, what) in VARIABLES.items():
        value = built[parameter]
        write = f"write {parameter}={value} into its {entry}"
        if parameter not in kept:
            raise Refused(
                f"{place} names no {what}, so a stack would keep the one that it has: {write}."
            )
        if kept[parameter] != value:
            raise Refused(
                f"{place} names another {what} than {variable}={value}: {write}, or run make with"
                f" the {variable}= that {place} has."
            )


def check_options(place: str, entry: str, kept: Mapping[str, str]) -> None:
    """Read the default options that a place keeps in an entry of it.

    :raises Refused: the worker would not start with them.
    """
    options = kept.get("DefaultOptions", "")
    try:
        read_settings({"DEFAULT_OPTIONS": options, "MODEL_NAME": kept["ModelName"]})
    except InvalidSettings as error:
        problems = str(error).removesuffix(".")
        raise Refused(
            f"{place} has DefaultOptions={options} in its {entry}, and the worker for S3 would not"
            f" start with them. {problems}."
        ) from None


def check_concurrency(place: str, entry: str, kept: Mapping[str, str]) -> None:
    """Compare how many uploads a place has Lambda take at a time with what it lets run.

    A number that is not there is the stack's or, in a first deployment, the template's, and nothing
    is said about it. What is no number is CloudFormation's to refuse.

    :raises Refused: uploads with which nothing is wrong would end in the dead-letter queue.
    """
    texts = [kept.get(name, "") for name in ("UploadReservedConcurrency", "UploadConcurrency")]
    if not all(text.isdecimal() for text in texts):
        return
    reserved, at_once = map(int, texts)
    if 0 < reserved < at_once:
        raise Refused(
            f"{place} has UploadReservedConcurrency={reserved} and UploadConcurrency={at_once} in"
            f" its {entry}, so Lambda would take more uploads from the queue than it runs, and the"
            " others would end in the dead-letter queue. UploadReservedConcurrency must be"
            f" {at_once} or more, or 0 for no limit."
        )


def main() -> int:
    """Run the program; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--built", nargs="+", metavar="NAME=VALUE", required=True)
    parser.add_argument("sam", nargs="*", help="after --: the other arguments of sam deploy")
    given = parser.parse_args()
    chosen = argparse.ArgumentParser(allow_abbrev=False, add_help=False)
    chosen.add_argument("--config-file", type=Path, default=Path("samconfig.toml"))
    chosen.add_argument("--config-env", default="default")
    chosen.add_argument("--parameter-overrides", nargs="+")
    sam, _ = chosen.parse_known_args(given.sam)
    try:
        built = dict(_pairs(given.built))
        kept = kept_parameters(sam.config_file, sam.config_env)
        place, entry = str(sam.config_file), "parameter_overrides"
        if sam.parameter_overrides:
            place, entry = "ARGS", "--parameter-overrides"
            kept = dict(_pairs(sam.parameter_overrides))
        added = [] if sam.config_file.is_file() else GUIDED
        if kept is None:
            print(*added, "--parameter-overrides", *given.built)
        else:
            print(*added)
            compare(place, entry, kept, built)
            check_options(place, entry, kept)
            check_concurrency(place, entry, kept)
    except Refused as error:
        print(error, file=sys.stderr)
        return 1
    except (OSError, ValueError) as error:
        print(f"{sam.config_file} cannot be read: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
