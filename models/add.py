"""Adds a model to those that can be deployed: ``make model NAME=u2netp``.

The file is downloaded or taken from the disk, checked, asked about where its licence is not
permissive, quantized on request, run once, and put into ``models/<name>/`` with its card. Then it
is measured beside ours. A model that does not fit into a deployment is not added. Whatever fails,
nothing is left behind.
"""

import argparse
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import tomllib
import urllib.parse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path[:0] = [str(ROOT / "function"), str(HERE)]

import numpy as np  # noqa: E402 - as those below: their paths stand above

from compare import compare, table  # noqa: E402
from cutout.errors import ModelUnavailable  # noqa: E402
from cutout.image.card import ModelCard, read_card  # noqa: E402
from cutout.image.model import load_network  # noqa: E402
from cutout.options import MODEL_NAME  # noqa: E402
from deployment_size import beside, deadline, fit  # noqa: E402
from download import Refused, Unreachable, copy, download, sha256_of  # noqa: E402

OURS = HERE / "erase-s"
TAKEN = {"erase-s", "training"}
PERMISSIVE = {"0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0", "ISC"}
PERMISSIVE |= {"MIT", "MIT-0", "Unlicense", "Zlib"}
CARD_KEYS = ("input_size", "mean", "std", "resize", "range", "output")

_SHA256 = re.compile(r"[0-9a-f]{64}")
_OWN_VERSION = "1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A model to add. ``size`` in bytes and ``sha256`` are what its file must be, where known."""

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


# --------------------------------------------------------------------------- what is wanted


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
    """Return a model of the catalogue; a SHA256= takes another file, whose version tells it."""
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
    return Wanted(
        name=options.name,
        url=options.url,
        file=options.file,
        size=None,
        sha256=options.sha256 or "",
        version=options.version,
        licence=options.licence,
        source=options.url or options.file.name,
        note="",
        card={key: getattr(options, key) for key in CARD_KEYS},
    )


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
    answer = input(f"Its licence is {want.licence}: {meaning}. Use it all the same? [y/N] ")
    if answer.strip().lower() not in {"y", "yes"}:
        raise Refused(f"{want.name} was not added.")


# --------------------------------------------------------------------------- the folder


@contextmanager
def workplace(models: Path) -> Iterator[Path]:
    """Make a folder beside the models, on their disk; at the end nothing is left of it."""
    models.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".adding-", dir=models))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def is_there(target: Path, sha256: str) -> bool:
    """Tell whether this very model was added before.

    :raises Refused: another one has its name.
    """
    if not target.exists():
        return False
    try:
        card = read_card(target)
        load_network(card, target)
        made_from = tomllib.loads((target / "card.toml").read_text("utf-8")).get("made_from")
    except ModelUnavailable as error:
        raise Refused(
            f"{target} is there and does not run: {error.facts['reason']}. Remove it, and run this"
            " again."
        ) from error
    if sha256 not in {card.sha256, made_from}:
        raise Refused(
            f"{target} is there with another file, of SHA-256 {made_from or card.sha256}. Remove"
            " it, or take another name."
        )
    return True


def finish(want: Wanted, name: str, folder: Path) -> ModelCard:
    """Write card and licence beside ``model.onnx``, load it as the function does, run it once.

    :raises Refused: it is not a network that such a card describes.
    """
    model = folder / "model.onnx"
    digest = sha256_of(model)
    side = want.card["input_size"] or _side(model, want.name)
    values: dict[str, Any] = {
        "name": name,
        "version": want.version,
        "file": model.name,
        "sha256": digest,
    }
    values |= {**want.card, "input_size": side, "licence": want.licence, "source": want.source}
    if digest != want.sha256:  # int8.py made it
        values |= {"made_from": want.sha256, "optimized": True}
    text = "".join(f"{key} = {_toml(value)}\n" for key, value in values.items())
    (folder / "card.toml").write_text(text, encoding="utf-8")
    (folder / "LICENSE").write_text(_licence(want), encoding="utf-8")
    try:
        card = read_card(folder)
        network = load_network(card, folder)
    except ModelUnavailable as error:
        reason = str(error.facts["reason"]).replace(f"{folder}/", "")
        raise Refused(f"{want.name} cannot be run: {reason}") from error
    try:
        shape = network(np.zeros((1, 3, side, side), np.float32)).shape
    except Exception as error:  # the runtime's errors share no base but Exception
        raise Refused(f"{want.name} does not run on 1 × 3 × {side} × {side}: {error}") from error
    if shape != (1, 1, side, side):
        raise Refused(
            f"{want.name} puts out {shape}, and a matte of its input would be"
            f" {(1, 1, side, side)}: it is of another kind."
        )
    return card


def _side(model: Path, name: str) -> int:
    """Return the side of a network's input in px.

    :raises Refused: it takes any size, or is not a network.
    """
    import onnxruntime  # noqa: PLC0415 - for a model only that no catalogue knows

    try:
        shape = onnxruntime.InferenceSession(model.read_bytes()).get_inputs()[0].shape
    except Exception as error:  # the runtime's errors share no base but Exception
        raise Refused(f"{name} cannot be run: {error}") from error
    side = shape[-1] if shape else None
    if not isinstance(side, int):
        raise Refused(f"{name} takes any size: say which, such as CARD='--input-size 320'.")
    return side


def _toml(value: object) -> str:
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return str(value).lower() if isinstance(value, bool) else str(value)


def _licence(want: Wanted) -> str:
    """Return what stands beside the model; Apache's text is the repository's own licence."""
    head = f"{want.name}, {want.source}\nSPDX-License-Identifier: {want.licence}\n{want.note}\n"
    if want.licence == "Apache-2.0":
        return head + "\n" + (ROOT / "LICENSE").read_text(encoding="utf-8")
    return head + "The text of the licence stands with the source.\n"


def quantize(want: Wanted, folder: Path, python: Path) -> None:
    """Turn ``model.onnx`` into int8, calibrated on photographs.

    :raises Refused: it cannot be.
    """
    card = finish(want, want.name, folder)  # what does not run as it is will not as int8
    tensors, int8 = folder / "tensors.npz", folder / "int8.onnx"
    np.savez(tensors, tensors=_calibration(card))
    model = folder / "model.onnx"
    print(f"Quantizing {want.name} to int8 ...", file=sys.stderr, flush=True)
    command = [str(path) for path in (python, HERE / "int8.py", model, tensors, int8)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 # ours
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
        raise Refused(f"{want.name} cannot be quantized: {reason}")
    tensors.unlink()
    int8.replace(model)


def _calibration(card: ModelCard) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return what the network sees of photographs, float32 (N, 3, S, S)."""
    import skimage.data  # noqa: PLC0415 - as all here: for this only
    import sklearn.datasets  # noqa: PLC0415

    from cutout.image.decode import Photo  # noqa: PLC0415
    from cutout.image.matte import extract_matte  # noqa: PLC0415
    from cutout.options import InputAlpha  # noqa: PLC0415

    names = ("astronaut", "chelsea", "coffee", "rocket")
    pictures = [getattr(skimage.data, name)() for name in names]
    pictures += sklearn.datasets.load_sample_images().images
    seen = []

    def spy(tensor: Any) -> Any:
        seen.append(tensor)
        return np.zeros_like(tensor[:, :1])

    for picture in pictures:
        extract_matte(Photo(pixels=picture, alpha=None), card, spy, input_alpha=InputAlpha.DISCARD)
    return np.concatenate(seen)


# --------------------------------------------------------------------------- the program


def add(options: argparse.Namespace) -> Path:
    """Add the model; return its folder.

    :raises Refused: it is not added.
    """
    want = wanted(options)
    is_int8 = options.quantize is not None
    name = f"{want.name}-int8" if is_int8 else want.name
    target: Path = options.models / name
    agree(want, accepted=options.accept_licence)
    others = beside()
    if is_there(target, want.sha256):
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
    }
    also = "".join(f" {name}={value}" for name, value in given.items() if value)
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
    own.add_argument("--version", default=_OWN_VERSION)
    own.add_argument("--input-size", type=int, help="px; else what the file itself says")
    own.add_argument("--mean", type=float, nargs=3, default=[0.485, 0.456, 0.406])
    own.add_argument("--std", type=float, nargs=3, default=[0.229, 0.224, 0.225])
    own.add_argument("--resize", choices=("bilinear", "lanczos"), default="lanczos")
    own.add_argument("--range", choices=("255", "max"), default="max")
    own.add_argument("--output", choices=("alpha", "logit", "minmax"), default="minmax")
    return parser.parse_args()


def main() -> int:
    """Run the program; return the exit status."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # cleans up as Ctrl-C does
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr] # in order with stderr
    try:
        report(add(arguments()))
    except Refused as refusal:
        print(refusal, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted: nothing was added.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
