"""Adds a model to those that can be deployed: ``make model NAME=u2netp``.

The file is downloaded or taken from the disk, checked, asked about where its licence is not
permissive, quantized on request, run once, and put into ``models/<name>/`` with its card. Then it
is measured beside ours. A model that does not fit into a deployment is not added. Whatever fails,
nothing is left behind.
"""

import argparse
import shlex
import signal
import sys
import urllib.parse
from pathlib import Path, PurePosixPath

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path[:0] = [str(ROOT / "function"), str(HERE)]

from compare import compare, table  # noqa: E402 - as those below: their paths stand above
from deployment_size import beside, deadline, fit  # noqa: E402
from download import Refused, Unreachable, copy, download  # noqa: E402
from model_folder import finish, folder_name, is_there, quantize, workplace  # noqa: E402
from wanted import OWN_CARD, Wanted, agree, asked_words, wanted  # noqa: E402

OURS = HERE / "erase-s"


def add(options: argparse.Namespace) -> Path:
    """Add the model; return its folder.

    :raises Refused: it is not added.
    """
    want = wanted(options)
    is_int8 = options.quantize is not None
    name = folder_name(want.name, is_int8=is_int8)
    target: Path = options.models / name
    agree(want, accepted=options.accept_licence)
    others = beside()
    if is_there(want, target):
        print(f"{target} is there already.")
        print(fit(name, (target / "model.onnx").stat().st_size, others, is_int8=is_int8))
        return target
    if want.size is not None and not is_int8:
        fit(name, want.size, others, is_int8=False)  # before a download for nothing
    with workplace(options.models) as folder:
        model = folder / "model.onnx"
        if want.file:
            copy(want.file, model, name=want.name)
        else:
            url = want.url or ""
            try:
                download(url, model, name=want.name, size=want.size, sha256=want.sha256)
            except Unreachable as error:
                raise Refused(f"{error} {_by_hand(want, url, options)}") from error
        if is_int8:
            quantize(want, folder, options.quantize)
        finish(want, name, folder)
        verdict = fit(name, model.stat().st_size, others, is_int8=is_int8)
        folder.chmod(0o755)
        folder.rename(target)
    print(f"{target} is added: {_described(want, is_int8=is_int8)}")
    print(verdict)
    return target


def _by_hand(want: Wanted, url: str, options: argparse.Namespace) -> str:
    """Say how to do without a network: the same command, with a file."""
    file = PurePosixPath(urllib.parse.urlsplit(url).path).name or "model.onnx"
    given = {
        "LICENCE": options.licence,
        "SHA256": options.sha256,
        "ACCEPT_LICENCE": "1" if options.accept_licence else None,
        "QUANTIZE": "1" if options.quantize else None,
        "CARD": shlex.join(asked_words(want.asked)),
    }
    also = "".join(f" {name}={shlex.quote(value)}" for name, value in given.items() if value)
    return (
        "Without a network, bring the file here in another way, and run:"
        f" make model NAME={want.name} FILE=/path/to/{file}{also}"
    )


def _described(want: Wanted, *, is_int8: bool) -> str:
    place = want.file or urllib.parse.urlsplit(want.url or "").netloc
    return f"{'int8 made of ' if is_int8 else ''}the file of SHA-256 {want.sha256} from {place}"


def report(folder: Path) -> None:
    """Print the model's quality and time beside ours, and how to run and deploy it."""
    rows = compare(folder, OURS)
    print(
        "\nMeasured in turns, as the function runs them, on one core of this machine: seven drawn"
        "\nsubjects with known mattes over photographed grounds (models/scenes.py). They tell"
        "\nif a model runs right and how fast; to choose one, look at photographs of your own.\n"
    )
    print(table(rows))
    print(f"\n{deadline(rows[0].image_ms / 1000, rows[0].peak_mib)}")
    print(
        f"\nRun it:    MODEL_NAME={folder.name} make serve"
        f"\nDeploy it: make deploy MODEL_NAME={folder.name}, with its parameter ModelName the same"
    )


def arguments() -> argparse.Namespace:
    """Read the command line, which the Makefile writes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--name", default="")
    parser.add_argument("--url")
    parser.add_argument("--file", type=Path)
    parser.add_argument("--sha256", help="which file it must be; of a catalogued model, another")
    parser.add_argument("--licence", help="SPDX name, of a model that is not in the catalogue")
    parser.add_argument("--accept-licence", action="store_true")
    parser.add_argument("--quantize", type=Path, help="a Python that has what int8.py needs")
    parser.add_argument("--catalog", type=Path, default=HERE / "catalog.toml")
    parser.add_argument("--models", type=Path, default=HERE, help="where the folder is made")
    own = parser.add_argument_group("the card of a model that is not in the catalogue")
    own.add_argument("--version", help=f"default {OWN_CARD['version']}")
    own.add_argument("--input-size", type=int, help="px; else what the file itself says")
    own.add_argument("--mean", type=float, nargs=3, help=f"of RGB; default {OWN_CARD['mean']}")
    own.add_argument("--std", type=float, nargs=3, help=f"of RGB; default {OWN_CARD['std']}")
    own.add_argument(
        "--resize", choices=("bilinear", "lanczos"), help=f"default {OWN_CARD['resize']}"
    )
    own.add_argument(
        "--range",
        choices=("255", "max"),
        help=f"what RGB is divided by: 255, or its own maximum; default {OWN_CARD['range']}",
    )
    own.add_argument(
        "--output",
        choices=("alpha", "logit", "minmax"),
        help="what the network puts out: alpha of 0 to 1, a logit, or what is stretched from its"
        f" minimum to its maximum; default {OWN_CARD['output']}",
    )
    return parser.parse_args()


def main() -> int:
    """Run the program; return the exit status."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # cleans up as Ctrl-C does
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr] # in order with stderr
    folder = None
    try:
        folder = add(arguments())
        report(folder)
    except Refused as refusal:
        print(refusal, file=sys.stderr)
        return 1
    except OSError as error:  # such as a full disk
        print(f"{error}: {_left(folder)}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"Interrupted: {_left(folder)}.", file=sys.stderr)
        return 130
    return 0


def _left(folder: Path | None) -> str:
    """Say what a run that was cut short has left."""
    return "nothing was added" if folder is None else f"{folder} is there, but not measured"


if __name__ == "__main__":
    sys.exit(main())
