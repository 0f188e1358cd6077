"""Measures models beside each other, as the function runs them: quality, time and memory.

Each model has a process of its own on one core, so that its memory is its own; they take turns, so
that other work on the machine meets all of them. With a folder it is such a process.
"""

import itertools
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from download import Refused

SCENE_PX = (800, 600)
GROUNDS = ("brick", "grass", "gravel")
_SUBJECT = 0.5  # of alpha, from which a pixel is the subject's
_WARM_UP = 1  # turns that are not counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Means over the scenes: 0..1; CPU time of one core: medians, in ms."""

    model: str
    mae: float
    iou: float
    network_ms: float
    image_ms: float
    peak_mib: float


def compare(*folders: Path) -> list[Measured]:
    """Measure the models in these folders.

    :raises Refused: one of them cannot be.
    """
    pixels, alpha = _drawn()
    with tempfile.TemporaryDirectory() as place, ExitStack() as stack:
        drawn = Path(place) / "scenes.npz"
        np.savez(drawn, pixels=pixels, alpha=alpha)
        workers = [
            stack.enter_context(
                subprocess.Popen(  # noqa: S603 # this very program
                    [sys.executable, __file__, folder, drawn],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    process_group=0,  # Ctrl-C is for this process, which then ends them
                )
            )
            for folder in folders
        ]
        for worker in workers:
            stack.callback(worker.kill)
        turns = [0] * _WARM_UP + list(range(len(pixels)))
        asked = list(zip(workers, folders, strict=True))
        answers = [[_ask(worker, folder, scene) for worker, folder in asked] for scene in turns]
    return [_summary(list(of_model)) for of_model in zip(*answers[_WARM_UP:], strict=True)]


def _drawn() -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Return pictures, uint8 (N, H, W, 3), and their true mattes, float32 (N, H, W).

    The grounds are photographs without a subject: it must be clear which one is meant.
    """
    import skimage.data  # noqa: PLC0415 - as the next: the workers do not need them
    from PIL import Image  # noqa: PLC0415

    from scenes import DRAWN  # noqa: PLC0415

    scenes = [draw(*SCENE_PX) for draw in DRAWN.values()]
    pixels = []
    for scene, ground in zip(scenes, itertools.cycle(GROUNDS), strict=False):
        grey = Image.fromarray(getattr(skimage.data, ground)())
        back = np.asarray(grey.convert("RGB").resize(SCENE_PX), np.float32)
        alpha = scene.alpha[..., None]
        mixed = alpha * scene.foreground + (1 - alpha) * back
        pixels.append(np.rint(mixed).astype(np.uint8))
    return np.stack(pixels), np.stack([scene.alpha for scene in scenes])


def table(rows: Sequence[Measured]) -> str:
    """Return the comparison as a Markdown table."""
    lines = [
        "| model | MAE | IoU | network, ms | image, ms | peak, MiB |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {row.model} | {row.mae:.4f} | {row.iou:.4f} | {row.network_ms:.0f} |"
        f" {row.image_ms:.0f} | {row.peak_mib:.0f} |"
        for row in rows
    ]
    return "\n".join(lines)


def _ask(worker: "subprocess.Popen[str]", folder: Path, scene: int) -> dict[str, float | str]:
    """Let a process do one scene.

    :raises Refused: it ended before it was done.
    """
    if worker.stdin is None or worker.stdout is None:
        raise RuntimeError("a worker has both")
    with suppress(BrokenPipeError):
        print(scene, file=worker.stdin, flush=True)
    line = worker.stdout.readline()
    if not line:
        with suppress(BrokenPipeError):
            worker.stdin.close()
        raise Refused(
            f"{folder} is there, but cannot be measured: the process that ran it ended with status"
            f" {worker.wait()}. If that is -9, it had too little memory, as a rule."
        )
    answer: dict[str, float | str] = json.loads(line)
    return answer


def _summary(answers: Sequence[dict[str, float | str]]) -> Measured:
    numbers = {key: [float(a[key]) for a in answers] for key in answers[0] if key != "model"}
    return Measured(
        model=str(answers[0]["model"]),
        mae=statistics.fmean(numbers["mae"]),
        iou=statistics.fmean(numbers["iou"]),
        network_ms=statistics.median(numbers["network_ms"]),
        image_ms=statistics.median(numbers["image_ms"]),
        peak_mib=max(numbers["peak_mib"]),
    )


def _work(folder: Path, drawn: Path) -> None:
    """Answer each scene's number with what the model makes of it, a line of JSON each."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    from cutout.image.card import read_card  # noqa: PLC0415 - after it: the runtime counts the cores
    from cutout.image.composite import shares  # noqa: PLC0415 - the same
    from cutout.image.decode import Photo  # noqa: PLC0415 - the same
    from cutout.image.matte import extract_matte  # noqa: PLC0415 - the same
    from cutout.image.model import load_network  # noqa: PLC0415 - the same
    from cutout.options import InputAlpha  # noqa: PLC0415 - the same

    card = read_card(folder)
    network = load_network(card, folder)
    passes_ms: list[float] = []

    def timed(tensor: NDArray[np.float32]) -> NDArray[np.float32]:
        start = time.process_time()
        output = network(tensor)
        passes_ms.append((time.process_time() - start) * 1000)
        return output

    with np.load(drawn) as arrays:
        pictures, truths = arrays["pixels"], arrays["alpha"]
    for line in sys.stdin:
        scene = int(line)
        photo = Photo(pixels=pictures[scene], alpha=None)
        start = time.process_time()
        matte = extract_matte(photo, card, timed, input_alpha=InputAlpha.DISCARD)
        image_ms = (time.process_time() - start) * 1000
        found = shares(matte.alpha)
        ours, true = found >= _SUBJECT, truths[scene] >= _SUBJECT
        answer = {
            "model": f"{card.name} {card.version}",
            "mae": float(np.abs(found - truths[scene]).mean()),
            "iou": float((ours & true).sum() / (ours | true).sum()),
            "network_ms": passes_ms[-1],
            "image_ms": image_ms,
            "peak_mib": _peak_mib(),
        }
        print(json.dumps(answer), flush=True)


def _peak_mib() -> float:
    """Return this process's peak memory; what getrusage says on Linux may be its parent's."""
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = (row for row in status.read_text().splitlines() if row.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20)  # macOS counts bytes


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "function"))
    _work(Path(sys.argv[1]), Path(sys.argv[2]))
