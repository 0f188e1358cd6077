"""What a deployment takes: the bytes that Lambda unpacks, and the time that a request has."""

from dataclasses import dataclass
from pathlib import Path

from download import Refused

ROOT = Path(__file__).resolve().parent.parent

LAMBDA_LIMIT_BYTES = 262_144_000  # function and layers, unzipped

# What the template gives the API's function, unless its parameters say otherwise; a test compares.
API_TIMEOUT_S = 28
MEMORY_MB = 1769
MORE_MEMORY_MB = (3538, 5307, 7076, 10_240)  # two, three and four processors, and the most

_BUILT = ROOT / ".aws-sam" / "build"
_PARTS = ("ApiFunction", "DepsLayer", "HeifLayer")
MEASURED_BYTES = {"ApiFunction": 1_647_606, "DepsLayer": 110_732_764, "HeifLayer": 27_393_535}
"""Of x86_64, the larger one, as `make e2e` built them in November 2026; see layers/README.md."""

_INT8_SHARE = 0.27  # of a float file, what int8 leaves: a quarter, and the scales
_MEMORY_SHARE = 0.8  # of a function's memory, from which larger photos would not fit beside it
_MARGIN = 2  # a core of Lambda may be so much slower than one of this machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What is deployed beside a model, in bytes, and how that is known."""

    function: int
    packages: int
    heic: int
    known: str


def beside(built: Path = _BUILT) -> Beside:
    """Return the sizes of what `make build` made, or of what was measured."""
    sizes, known = MEASURED_BYTES, "as measured for x86_64, since nothing is built here"
    if all((built / part).is_dir() for part in _PARTS):
        sizes = {part: _size(built / part) for part in _PARTS}
        known = "as built in .aws-sam/build"
    function, packages, heic = (sizes[part] for part in _PARTS)
    return Beside(function=function, packages=packages, heic=heic, known=known)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def fit(name: str, model_bytes: int, others: Beside, *, is_int8: bool) -> str:
    """Return the sum of a deployment with this model, in words.

    :raises Refused: it is more than Lambda takes.
    """
    bare = others.function + others.packages + model_bytes
    total = bare + others.heic
    text = (
        f"Unzipped ({others.known}): function {others.function:,} + packages {others.packages:,}"
        f" + HEIC {others.heic:,} + {name} {model_bytes:,} = {total:,}"
        f" of {LAMBDA_LIMIT_BYTES:,} bytes"
    )
    if total <= LAMBDA_LIMIT_BYTES:
        return f"{text}: it fits."
    if bare <= LAMBDA_LIMIT_BYTES:
        return f"{text}: it fits without HEIC only, {bare:,}; deploy with EnableHeic=false."
    raise Refused(
        f"{text}, and {bare:,} without HEIC: it does not fit. "
        + _smaller(name, model_bytes, LAMBDA_LIMIT_BYTES - (bare - model_bytes), is_int8=is_int8)
    )


def _smaller(name: str, model_bytes: int, room: int, *, is_int8: bool) -> str:
    """Say whether the int8 form would fit into ``room`` bytes, and how to get it."""
    int8_bytes = int(model_bytes * _INT8_SHARE)
    if is_int8 or int8_bytes > room:
        return f"A model may have {room:,} bytes, and its int8 form has more, too."
    return (
        f"Its int8 form of about {int8_bytes / 1e6:.0f} MB does:"
        f" make model NAME={name} QUANTIZE=1, which makes {name}-int8."
    )


def deadline(image_s: float, peak_mib: float) -> str:
    """Return what an image's time on one core and memory are against the API function's."""
    text = (
        f"An image takes {image_s:.2f} s of one core here, and {peak_mib:.0f} MiB; the API's"
        f" function has {API_TIMEOUT_S} s, and at {MEMORY_MB} MB one core."
    )
    if image_s * _MARGIN > API_TIMEOUT_S:
        text += " That is too slow, or too near to it: deploy with more MemoryMb, or another model."
    if peak_mib > MEMORY_MB * _MEMORY_SHARE:
        enough = [mb for mb in MORE_MEMORY_MB if peak_mib <= mb * _MEMORY_SHARE]
        text += (
            f" It needs more memory: deploy with MemoryMb={enough[0]} or more."
            if enough
            else " It needs more memory than a function can have."
        )
    return text
