"""The folder of a model in the making: its file, card and licence, and int8 on request."""

import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from cutout.errors import ModelUnavailable
from cutout.image.card import CARD_FILE, ModelCard, Output, read_card
from cutout.image.model import load_network
from cutout.image.tensor import alpha_of, square_of, tensor_of
from download import Refused, sha256_of
from wanted import Wanted

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent

MAX_NAME = 40
"""Characters of the template's parameter ModelName; a test compares."""

_ALPHA = (-0.5, 1.5)
"""What a network that puts out alpha stays between; some go a little beyond 0 and 1."""


@contextmanager
def workplace(models: Path) -> Iterator[Path]:
    """Make a folder beside the models, on their disk; at the end nothing is left of it."""
    models.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".adding-", dir=models))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def folder_name(name: str, *, is_int8: bool) -> str:
    """Return the name of the folder that a model gets.

    :raises Refused: it is longer than a deployment takes.
    """
    full = f"{name}-int8" if is_int8 else name
    if len(full) > MAX_NAME:
        raise Refused(
            f"{full} has {len(full)} characters, and the parameter ModelName takes {MAX_NAME}: take"
            " a shorter name."
        )
    return full


def is_there(want: Wanted, target: Path) -> bool:
    """Tell whether this very model was added before.

    :raises Refused: another one has its name.
    """
    if not target.exists():
        return False
    if not (target / CARD_FILE).exists():
        raise Refused(f"{target} is there, and it is no model: take another name.")
    try:
        card = read_card(target)
        load_network(card, target)
        made_from = tomllib.loads((target / "card.toml").read_text("utf-8")).get("made_from")
    except ModelUnavailable as error:
        raise Refused(
            f"{target} is there and does not run: {error.facts['reason']}. Remove it, and run this"
            " again."
        ) from error
    if want.sha256 not in {card.sha256, made_from}:
        raise Refused(
            f"{target} is there with another file, of SHA-256 {made_from or card.sha256}. Remove"
            " it, or take another name."
        )
    for key, value in want.asked.items():
        there = getattr(card, key)
        if (list(there) if isinstance(value, list) else there) != value:
            raise Refused(
                f"{target} is there with another card, whose {key} is {there}. Remove it, or take"
                " another name."
            )
    return True


def finish(want: Wanted, name: str, folder: Path) -> ModelCard:
    """Write card and licence beside ``model.onnx``, load it as the function does, run it once.

    :raises Refused: it is not a network that such a card describes.
    """
    _write_card(want, name, folder / "model.onnx")
    (folder / "LICENSE").write_text(_licence(want), encoding="utf-8")
    return _tried(want, folder)


def _write_card(want: Wanted, name: str, model: Path) -> None:
    """Write the card beside a model's file.

    :raises Refused: the card cannot say how large the network's input is.
    """
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
    (model.parent / "card.toml").write_text(text, encoding="utf-8")


def _tried(want: Wanted, folder: Path) -> ModelCard:
    """Load a model as the function does and run it on a photograph; return its card.

    :raises Refused: it is not a network that its card describes.
    """
    import skimage.data  # noqa: PLC0415 - it takes a second

    try:
        card = read_card(folder)
        network = load_network(card, folder)
        output = network(tensor_of(square_of(skimage.data.astronaut(), None, card), card))
        alpha_of(output, card)
    except ModelUnavailable as error:
        reason = str(error.facts["reason"]).replace(f"{folder}/", "")
        raise _cannot_be_run(want.name, reason) from error
    except Exception as error:  # the runtime's errors share no base but Exception
        side = card.input_size
        raise Refused(f"{want.name} does not run on 1 × 3 × {side} × {side}: {error}") from error
    _check_output(want, card, float(output.min()), float(output.max()))
    return card


def _check_output(want: Wanted, card: ModelCard, low: float, high: float) -> None:
    """See that what a network puts out for a photograph can be what its card says.

    :raises Refused: it cannot; a matte would be made of it all the same, and be wrong.
    """
    found = f"{want.name} answers a photograph with values from {low:.3g} to {high:.3g}"
    if card.output is Output.LOGIT and low >= 0 and high <= 1:
        raise Refused(f"{found}, which are no logits: say CARD='--output alpha'.")
    least, most = _ALPHA
    if card.output is Output.ALPHA and not (least <= low and high <= most):
        kind = "logit" if low < 0 else "minmax"
        raise Refused(f"{found}, which are no alpha from 0 to 1: say CARD='--output {kind}'.")


def _cannot_be_run(name: str, reason: str) -> Refused:
    """Return the refusal of a file that the runtime does not load, with what helps if one knows."""
    help_text = ""
    if "xternal data" in reason:
        help_text = (
            ". Its weights are in a second file: save it as one, such as by"
            " onnx.save(onnx.load('model.onnx'), 'whole.onnx')."
        )
    return Refused(f"{name} cannot be run: {reason}{help_text}")


def _side(model: Path, name: str) -> int:
    """Return the side of a network's input in px.

    :raises Refused: it takes any size, or no square picture, or is not a network.
    """
    import onnxruntime  # noqa: PLC0415 - for a model only that no catalogue knows

    try:
        shape = onnxruntime.InferenceSession(model.read_bytes()).get_inputs()[0].shape
    except Exception as error:  # the runtime's errors share no base but Exception
        raise _cannot_be_run(name, str(error)) from error
    sides = {side for side in shape[2:] if isinstance(side, int)}
    if not sides:
        raise Refused(f"{name} takes any size: say which, such as CARD='--input-size 320'.")
    # Batch, channels, height, width. A last side of 3 is the channels, beside sides of any size.
    if len(shape) != 4 or len(sides) > 1 or sides == {3}:  # noqa: PLR2004
        told = " × ".join("?" if side is None else str(side) for side in shape)
        raise Refused(f"{name} takes {told}, and must take a square picture, 1 × 3 × S × S.")
    return int(sides.pop())


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
