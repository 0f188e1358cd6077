"""What a deployment takes beside a model, and what an image's time is against the API's."""

from pathlib import Path

import pytest

from cloudformation import TEMPLATE
from deployment_size import API_TIMEOUT_S, MEMORY_MB, MORE_MEMORY_MB, Beside, beside, deadline, fit
from download import Refused

OTHERS = Beside(function=1_000_000, packages=100_000_000, heic=30_000_000, known="as drawn")


def build(root: Path, **sizes: int) -> Path:
    """Make what `make build` leaves, with files of these sizes."""
    for part, size in sizes.items():
        folder = root / part / "python"
        folder.mkdir(parents=True)
        (folder / "file").write_bytes(bytes(size))
    return root


def test_what_is_built_is_measured(tmp_path: Path) -> None:
    """The sizes are those of the files, and the text says so."""
    built = build(tmp_path, ApiFunction=3, DepsLayer=5, HeifLayer=7, ModelLayer=11)
    assert beside(built) == Beside(
        function=3, packages=5, heic=7, known="as built in .aws-sam/build"
    )


def test_what_is_built_in_part_is_not(tmp_path: Path) -> None:
    """Then the numbers are those of the table in layers/README.md, in MiB."""
    others = beside(build(tmp_path, ApiFunction=3, DepsLayer=5))
    assert others.known == "as measured for x86_64, since nothing is built here"
    mib = [round(size / 1024 / 1024, 1) for size in (others.packages, others.heic)]
    assert mib == [105.6, 26.1]


@pytest.mark.parametrize(
    ("model_bytes", "verdict"),
    [
        (131_144_000, "= 262,144,000 of 262,144,000 bytes: it fits."),
        (
            131_144_001,
            (
                "= 262,144,001 of 262,144,000 bytes: it fits without HEIC only, 232,144,001; deploy"
                " with EnableHeic=false."
            ),
        ),
        (
            161_144_000,
            (
                "= 292,144,000 of 262,144,000 bytes: it fits without HEIC only, 262,144,000; deploy"
                " with EnableHeic=false."
            ),
        ),
    ],
)
def test_what_fits(model_bytes: int, verdict: str) -> None:
    """To the byte, with HEIC and without."""
    assert fit("mine", model_bytes, OTHERS, is_int8=False) == (
        "Unzipped (as drawn): function 1,000,000 + packages 100,000,000 + HEIC 30,000,000 + mine"
        f" {model_bytes:,} {verdict}"
    )


@pytest.mark.parametrize(
    ("is_int8", "hint"),
    [
        (
            False,
            (
                "Its int8 form of about 44 MB does: make model NAME=mine QUANTIZE=1, which makes"
                " mine-int8."
            ),
        ),
        (True, "A model may have 161,144,000 bytes, and its int8 form has more, too."),
    ],
)
def test_what_does_not_fit(hint: str, *, is_int8: bool) -> None:
    """A byte more; int8 is named where that is not it already."""
    with pytest.raises(Refused) as caught:
        fit("mine", 161_144_001, OTHERS, is_int8=is_int8)
    assert str(caught.value) == (
        "Unzipped (as drawn): function 1,000,000 + packages 100,000,000 + HEIC 30,000,000 + mine"
        " 161,144,001 = 292,144,001 of 262,144,000 bytes, and 262,144,001 without HEIC: it does not"
        f" fit. {hint}"
    )


@pytest.mark.parametrize(
    ("image_s", "peak_mib", "advice"),
    [
        (14.0, 1415, ""),
        (
            14.1,
            1415,
            (" That is too slow, or too near to it: deploy with more MemoryMb, or another model."),
        ),
        (1.0, 1416, " It needs more memory: deploy with MemoryMb=3538 or more."),
        (1.0, 4000, " It needs more memory: deploy with MemoryMb=5307 or more."),
        (1.0, 9000, " It needs more memory than a function can have."),
    ],
)
def test_the_deadline(image_s: float, peak_mib: float, advice: str) -> None:
    """The template's own, with a margin of two, and a fifth of the memory for larger photos."""
    assert deadline(image_s, peak_mib) == (
        f"An image takes {image_s:.2f} s of one core here, and {peak_mib:.0f} MiB; the API's"
        f" function has 28 s, and at 1769 MB one core.{advice}"
    )


def test_the_limits_are_those_of_the_template() -> None:
    """The numbers that the advice is made of."""
    properties = TEMPLATE["Resources"]["ApiFunction"]["Properties"]
    assert properties["Timeout"] == API_TIMEOUT_S
    assert TEMPLATE["Parameters"]["MemoryMb"]["Default"] == MEMORY_MB
    assert set(MORE_MEMORY_MB) < set(TEMPLATE["Parameters"]["MemoryMb"]["AllowedValues"])
