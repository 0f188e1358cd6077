"""The whole pipeline with networks that say what they are told to: no photo may break it."""

import gc
import io
import tracemalloc
from collections.abc import Mapping

import numpy as np
import pytest
import skimage.data
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from cutout.errors import InvalidOption, ModelUnavailable
from cutout.image.card import ModelCard, Output, Range, Resize
from cutout.image.decode import Limits
from cutout.image.model import Model
from cutout.image.place import SUBJECT_ALPHA
from cutout.options import Options, parse_options
from cutout.remover import Remover

SIDE = 88  # cells: a quarter of the shipped network's, so that many photos can be tried
LIMITS = Limits(max_pixels=50_000_000)
CARD = ModelCard(
    name="drawn",
    version="1",
    file="none",
    sha256="",
    input_size=SIDE,
    mean=(0.5, 0.5, 0.5),
    std=(0.5, 0.5, 0.5),
    resize=Resize.BILINEAR,
    range=Range.FULL,
    output=Output.ALPHA,
    licence="none",
    source="none",
    zoom=0.5,
)
ASTRONAUT = Image.fromarray(skimage.data.astronaut())


class Says:
    """A network whose first look finds ``subject``, a rectangle of cells; all others find all."""

    def __init__(self, top: int, bottom: int, left: int, right: int, alpha: float = 1.0) -> None:
        self.first = np.zeros((1, 1, SIDE, SIDE), np.float32)
        self.first[..., top:bottom, left:right] = alpha
        self.looks = 0

    def __call__(self, _: NDArray[np.float32]) -> NDArray[np.float32]:
        self.looks += 1
        return self.first if self.looks == 1 else np.ones_like(self.first)


def photo(width: int, height: int, mode: str = "RGB") -> bytes:
    """Return a PNG of the astronaut at a size; in RGBA its left half is half transparent."""
    image = ASTRONAUT.resize((width, height)).convert(mode)
    if mode == "RGBA":
        image.putalpha(
            Image.fromarray(np.tile(np.linspace(0, 255, width), (height, 1)).astype("u1"))
        )
    with io.BytesIO() as file:
        image.save(file, "PNG", compress_level=0)
        return file.getvalue()


SIZES = st.integers(2, 90) | st.integers(2, 400)
SUBJECTS = st.one_of(
    st.tuples(*[st.integers(0, SIDE - 1)] * 4).map(
        lambda cells: (*sorted(cells[:2]), *sorted(cells[2:]))
    ),
    st.sampled_from(
        [
            (0, 0, 0, 0),  # nothing
            (0, SIDE, 0, SIDE),  # everything
            *[
                (row, row + 1, column, column + 1)
                for row in (0, SIDE - 1)
                for column in (0, SIDE - 1)
            ],
            (0, SIDE, SIDE - 1, SIDE),
            (SIDE - 1, SIDE, 0, SIDE),
        ]
    ),
)
VALUES: Mapping[str, st.SearchStrategy[str]] = {
    "format": st.sampled_from(["png", "jpg", "webp", "bmp", "gif", "tiff", "zip", "auto"]),
    "bg_color": st.sampled_from(["#123456", "white", "0F0"]),
    "channels": st.sampled_from(["rgba", "alpha"]),
    "size": st.sampled_from(["preview", "medium", "hd", "full"]),
    "crop": st.sampled_from(["true", "false"]),
    "crop_margin": st.sampled_from(["3px", "50%", "0px 7%", "1% 2px 3% 500px"]),
    "quality": st.sampled_from(["1", "50", "100"]),
    "input_alpha": st.sampled_from(["multiply", "keep", "discard"]),
}


@given(
    width=SIZES,
    height=SIZES,
    mode=st.sampled_from(["RGB", "RGBA", "L"]),
    subject=SUBJECTS,
    alpha=st.sampled_from([1.0, 0.6, 0.35]),
    fields=st.fixed_dictionaries({}, optional=dict(VALUES)),
)
def test_no_subject_in_no_photo_with_no_options_breaks_it(
    width: int,
    height: int,
    mode: str,
    subject: tuple[int, int, int, int],
    alpha: float,
    fields: dict[str, str],
) -> None:
    """Subjects at every edge and corner, empty, full, of one cell; only refusals of the caller's.

    And what the report says of the result is true of its pixels.
    """
    remover = Remover(Model(card=CARD, network=Says(*subject, alpha=alpha)), LIMITS)
    options, _ = parse_options(list(fields.items()))
    try:
        result = remover.remove(photo(width, height, mode), options)
    except InvalidOption:  # the one refusal that depends on what was found
        assert "crop_margin" in fields
        return
    box = result.report.subject
    assert 0 <= result.report.coverage <= 1
    assert 0 <= box.left <= box.left + box.width <= result.file.width
    assert 0 <= box.top <= box.top + box.height <= result.file.height
    if result.file.format == "png":
        with Image.open(io.BytesIO(result.file.body)) as image:
            assert image.size == (result.file.width, result.file.height)
            if image.mode == "RGBA":
                visible = np.asarray(image)[..., 3] >= SUBJECT_ALPHA
                rows, columns = np.flatnonzero(visible.any(1)), np.flatnonzero(visible.any(0))
                assert box.width == (columns[-1] - columns[0] + 1 if columns.size else 0)
                assert box.height == (rows[-1] - rows[0] + 1 if rows.size else 0)


def test_a_missing_model_keeps_no_photo() -> None:
    """An exception that is raised again keeps the frames of every raise, and a photo with each."""
    remover = Remover(ModelUnavailable(reason="no such folder"), LIMITS)
    data = photo(1000, 1000)

    def refuse() -> None:
        with pytest.raises(ModelUnavailable, match="model"):
            remover.remove(data, Options())

    refuse()
    gc.collect()
    tracemalloc.start()
    try:
        for _ in range(20):  # 3 MB of pixels each
            refuse()
        gc.collect()
        current, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert current < 1_000_000


def test_a_missing_model_says_why_each_time() -> None:
    """For the log: the reason stays with every error, and each is a new one."""
    remover = Remover(ModelUnavailable(reason="no such folder"), LIMITS)
    with pytest.raises(ModelUnavailable) as first:
        remover.check()
    with pytest.raises(ModelUnavailable) as second:
        remover.check()
    assert first.value is not second.value
    assert first.value.facts == second.value.facts == {"reason": "no such folder"}
