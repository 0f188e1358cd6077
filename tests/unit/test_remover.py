"""The whole pipeline with networks that say what they are told to: no photo may break it."""

import gc
import io
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from drawn_models import FirstLook, card_of
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from cutout.errors import (
    CutoutError,
    InvalidBackground,
    InvalidOption,
    ModelUnavailable,
    OutOfMemory,
    RoiExceedsBounds,
    RoiRegionEmpty,
    envelope,
)
from cutout.image.card import Output
from cutout.image.decode import Limits
from cutout.image.model import Model
from cutout.image.place import SUBJECT_ALPHA, Box
from cutout.options import Channels, Options, parse_options
from cutout.remover import Remover, Result
from cutout.report import Report
from image_files import encoded, exif_of

SIDE = 88  # cells: a quarter of the shipped network's, so that many photos can be tried
LIMITS = Limits(max_pixels=50_000_000)
CARD = card_of(SIDE, zoom=0.5)
ASTRONAUT = Image.fromarray(skimage.data.astronaut())


def finds(top: int, bottom: int, left: int, right: int, alpha: float = 1.0) -> Model:
    """Return a model that finds this rectangle of cells in its first look."""
    network = FirstLook(SIDE, slice(top, bottom), slice(left, right), alpha)
    return Model(card=CARD, network=network)


def photo(width: int, height: int, mode: str = "RGB") -> bytes:
    """Return a PNG of the astronaut at a size; in RGBA its alpha rises from left to right."""
    image = ASTRONAUT.resize((width, height)).convert(mode)
    if mode == "RGBA":
        image.putalpha(
            Image.fromarray(np.tile(np.linspace(0, 255, width), (height, 1)).astype("u1"))
        )
    return encoded(image, compress_level=0)


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
    "channels": st.sampled_from(["rgba", "alpha"]),
    "size": st.sampled_from(["preview", "medium", "hd", "full"]),
    "crop": st.sampled_from(["true", "false"]),
    "crop_margin": st.sampled_from(["3px", "50%", "0px 7%", "1% 2px 3% 500px"]),
    "quality": st.sampled_from(["1", "50", "100"]),
    "input_alpha": st.sampled_from(["multiply", "keep", "discard"]),
    "roi": st.sampled_from(
        ["0 0 100% 100%", "10% 20% 60% 90%", "1px 1px 2px 2px", "0 0 30px 100%"]
    ),
    "scale": st.sampled_from(["10%", "55%", "100%", "original"]),
    "position": st.sampled_from(["original", "center", "0%", "100% 0%", "30% 70%"]),
    "shadow_type": st.sampled_from(["drop", "none"]),
    "shadow_opacity": st.sampled_from(["0", "50", "100"]),
    "clean_edges": st.sampled_from(["true", "false"]),
    "despill": st.sampled_from(["true", "false"]),
}
BACKGROUNDS: st.SearchStrategy[dict[str, object]] = st.sampled_from(
    [
        {},
        {"bg_color": "#123456"},
        {"bg_color": "white"},
        {"bg_blur": "0"},
        {"bg_blur": "2"},
        {"bg_blur": "100"},
        {"bg_image_file": photo(30, 20)},
        {"bg_image_file": photo(7, 300, "RGBA")},
    ]
)


@given(
    width=SIZES,
    height=SIZES,
    mode=st.sampled_from(["RGB", "RGBA", "L"]),
    subject=SUBJECTS,
    alpha=st.sampled_from([1.0, 0.6, 0.35]),
    fields=st.fixed_dictionaries({}, optional=dict(VALUES)),
    background=BACKGROUNDS,
)
def test_no_subject_in_no_photo_with_no_options_breaks_it(
    width: int,
    height: int,
    mode: str,
    subject: tuple[int, int, int, int],
    alpha: float,
    fields: dict[str, str],
    background: dict[str, object],
) -> None:
    """Subjects at every edge and corner, empty, full, of one cell; only refusals of the caller's.

    And what the report says of the result is true of its pixels.
    """
    remover = Remover(finds(*subject, alpha=alpha), LIMITS)
    options, ignored = parse_options([*fields.items(), *background.items()])
    assert ignored == ()
    try:
        result = remover.remove(photo(width, height, mode), options)
    except InvalidOption:  # it depends on what was found
        assert "crop_margin" in fields
        return
    except (RoiExceedsBounds, RoiRegionEmpty):  # and these on the photo's size
        assert "roi" in fields
        return
    box = result.report.subject
    assert 0 <= result.report.coverage <= 1
    assert 0 <= box.left <= box.left + box.width <= result.file.width
    assert 0 <= box.top <= box.top + box.height <= result.file.height
    if options.channels is Channels.ALPHA or not (background or "shadow_type" in fields):
        check_box(result)


def check_box(result: Result) -> None:
    """Hold the report of a result without shadow and background against its alpha."""
    if result.file.format != "png":
        return
    with Image.open(io.BytesIO(result.file.body)) as image:
        assert image.size == (result.file.width, result.file.height)
        if image.mode == "RGB":
            return
        visible = np.asarray(image.getchannel("A") if image.mode == "RGBA" else image)
    rows, columns = (np.flatnonzero((visible >= SUBJECT_ALPHA).any(axis)) for axis in (1, 0))
    box = result.report.subject
    if not rows.size:
        assert box == Box()
        return
    assert box == Box(
        top=int(rows[0]),
        left=int(columns[0]),
        width=int(columns[-1] - columns[0]) + 1,
        height=int(rows[-1] - rows[0]) + 1,
    )


@given(
    width=SIZES,
    height=SIZES,
    subject=SUBJECTS,
    alpha=st.sampled_from([1.0, 0.6]),
    fields=st.fixed_dictionaries(
        {"size": st.sampled_from(["preview", "full"])},
        optional={
            name: VALUES[name] for name in ("roi", "crop", "crop_margin", "scale", "position")
        },
    ),
    opacity=st.sampled_from(["0", "60"]),
    background=BACKGROUNDS,
)
def test_shadow_and_background_change_no_geometry(
    width: int,
    height: int,
    subject: tuple[int, int, int, int],
    alpha: float,
    fields: dict[str, str],
    opacity: str,
    background: dict[str, object],
) -> None:
    """For every combination: the box is that of the matte alone, which is where its pixels are."""
    shown = {"shadow_type": "drop", "shadow_opacity": opacity, **background}
    reports: list[object] = []
    for extra in ({"channels": "alpha"}, shown):
        remover = Remover(finds(*subject, alpha=alpha), LIMITS)
        options, _ = parse_options([*fields.items(), *extra.items()])
        try:
            result = remover.remove(photo(width, height), options)
        except (InvalidOption, RoiExceedsBounds, RoiRegionEmpty) as error:
            reports.append(error.code)
            continue
        if extra is not shown:
            check_box(result)
        file, report = result.file, result.report
        reports.append((file.width, file.height, report.subject, report.coverage))
    assert reports[0] == reports[1]


@pytest.mark.parametrize(
    ("found", "own_alpha", "fields"),
    [
        (0.08, 255, {}),  # fainter than what counts as subject
        (0.4, 255, {"semitransparency": "false"}),
        (1.0, 0, {}),  # where the photo has nothing
        (1.0, 0, {"input_alpha": "keep"}),
    ],
)
def test_nothing_is_sure_where_no_subject_is_found(
    found: float, own_alpha: int, fields: dict[str, str]
) -> None:
    """However sure the network is of what it sees; the same photo with a subject is not at 0."""
    data = encoded(Image.new("RGBA", (60, 40), (90, 90, 90, own_alpha)))

    def report(alpha: float, fields: dict[str, str]) -> Report:
        options, _ = parse_options(fields.items())
        model = finds(0, SIDE, 0, SIDE, alpha=alpha)
        return Remover(model, LIMITS).remove(data, options).report

    empty, sure = report(found, fields), report(1.0, {"input_alpha": "discard"})
    assert (empty.subject, empty.confidence) == (Box(), 0)
    assert (sure.subject, sure.confidence) == (Box(width=60, height=40), 1)


def test_a_margin_makes_no_canvas_that_does_not_fit_into_memory() -> None:
    """The photo has 5,000 px; half the subject on each side makes four times as many of it."""
    options = parse_options([("crop", "true"), ("crop_margin", "50%")])[0]
    data = photo(100, 50)

    def canvas(memory_pixels: int | None) -> tuple[int, int]:
        model = finds(0, SIDE, 0, SIDE)
        remover = Remover(model, Limits(max_pixels=5_000), memory_pixels=memory_pixels)
        file = remover.remove(data, options).file
        return file.width, file.height

    assert canvas(None) == canvas(20_000) == (200, 100)
    with pytest.raises(InvalidOption) as refusal:
        canvas(19_999)
    assert refusal.value.code == "invalid_crop_margin"
    assert str(refusal.value) == (
        "crop_margin must be smaller: the canvas would be 200x100 px, and 19999 pixels are the"
        " most."
    )


def test_a_background_by_url_is_what_was_fetched() -> None:
    """Whoever fetches it hands the bytes over; without them the option is refused, not ignored."""
    remover = Remover(finds(0, 0, 0, 0), LIMITS)
    options, _ = parse_options(
        [("bg_image_url", "https://example.com/blue.png"), ("format", "bmp")]
    )
    blue = encoded(Image.new("RGB", (9, 9), (1, 2, 3)))
    result = remover.remove(photo(40, 30), options, background=blue)
    with Image.open(io.BytesIO(result.file.body)) as image:
        assert image.getcolors() == [(40 * 30, (1, 2, 3))]
    with pytest.raises(InvalidOption) as refusal:
        remover.remove(photo(40, 30), options)
    assert envelope(refusal.value, "r") == {
        "error": {
            "code": "invalid_bg_image",
            "message": "bg_image_url must be left out: this deployment does not fetch URLs.",
            "status": 400,
            "request_id": "r",
        }
    }


def test_a_bad_background_is_refused_before_the_network_runs() -> None:
    """It costs nothing but its reading; for the matte alone it is not even read."""
    network = FirstLook(SIDE, slice(SIDE), slice(SIDE))
    remover = Remover(Model(card=CARD, network=network), LIMITS)
    with pytest.raises(InvalidBackground):
        remover.remove(photo(40, 30), parse_options([("bg_image_file", b"no image")])[0])
    assert network.looks == 0
    fields = [("bg_image_file", b"no image"), ("channels", "alpha")]
    assert remover.remove(photo(40, 30), parse_options(fields)[0]).file.format == "png"


def test_a_model_that_is_not_there_is_told_from_those_that_are() -> None:
    """To a caller from Python; the API and the worker refuse its name with the other options."""
    model = finds(0, SIDE, 0, SIDE)
    remover = Remover(model, LIMITS, name="mine", others={"other": lambda: model})
    for name in ("mine", "other"):
        assert remover.remove(photo(40, 30), Options(model=name)).file.format == "png"
    with pytest.raises(ValueError, match=r"^model must be one of mine, other, not 'third'$"):
        remover.remove(photo(40, 30), Options(model="third"))


NO_BYTES = "data must be the bytes of an image, or a function that returns them, not {}; {}"
READ = "pathlib.Path.read_bytes reads them from a file"
NO_OPTIONS = "options must be Options, not {}; {}"
PARSED = "the first of the two values that cutout.options.parse_options returns is one"


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        ("cat.jpg", Options(), NO_BYTES.format("str", READ)),
        (Path("cat.jpg"), Options(), NO_BYTES.format(type(Path()).__name__, READ)),
        (io.BytesIO(b"GIF"), Options(), NO_BYTES.format("BytesIO", READ)),
        (ASTRONAUT, Options(), NO_BYTES.format("Image", READ)),
        (b"GIF", {"format": "jpg"}, NO_OPTIONS.format("dict", PARSED)),
        (b"GIF", parse_options({}.items()), NO_OPTIONS.format("tuple", PARSED)),
    ],
)
def test_what_is_no_photo_and_what_are_no_options_are_named(
    data: object, options: object, message: str
) -> None:
    """What a user without mypy writes. Python's own words were of ``startswith`` and ``size``."""
    remover = Remover(finds(0, SIDE, 0, SIDE), LIMITS)
    with pytest.raises(TypeError) as refused:
        remover.remove(data, options)  # type: ignore[arg-type] # that is the point
    assert str(refused.value) == message


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


def test_a_further_model_that_does_not_load_keeps_no_photo() -> None:
    """Not of the request that asked for it first, either: it was at hand when the model failed."""

    def check() -> None:
        raise ModelUnavailable(reason="its checksum is wrong")

    def load() -> Model | ModelUnavailable:
        try:
            check()
        except ModelUnavailable as error:
            return error
        return finds(0, 9, 0, 9)

    remover = Remover(finds(0, 9, 0, 9), LIMITS, name="mine", others={"broken": load})
    data = photo(1000, 1000)
    remover.remove(data, Options())
    gc.collect()
    tracemalloc.start()
    try:
        with pytest.raises(ModelUnavailable) as refused:
            remover.remove(data, Options(model="broken"))
        assert refused.value.facts == {"reason": "its checksum is wrong"}
        del refused
        gc.collect()
        current, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert current < 1_000_000  # the photo has 3 MB of pixels


def test_a_further_model_is_loaded_again_after_a_lack_of_memory() -> None:
    """What was missing may be there for the next photo."""
    is_short = [True]

    def load() -> Model:
        if is_short and is_short.pop():
            raise MemoryError
        return finds(0, 9, 0, 9)

    remover = Remover(finds(0, 9, 0, 9), LIMITS, name="mine", others={"other": load})
    with pytest.raises(OutOfMemory):
        remover.remove(photo(40, 30), Options(model="other"))
    assert remover.remove(photo(40, 30), Options(model="other")).file.format == "png"


def test_a_missing_model_says_why_each_time() -> None:
    """For the log: the reason stays with every error, and each is a new one."""
    remover = Remover(ModelUnavailable(reason="no such folder"), LIMITS)
    with pytest.raises(ModelUnavailable) as first:
        remover.check()
    with pytest.raises(ModelUnavailable) as second:
        remover.check()
    assert first.value is not second.value
    assert first.value.facts == second.value.facts == {"reason": "no such folder"}


@pytest.mark.parametrize(
    ("output", "value"),
    [*((output, np.nan) for output in Output), (Output.MINMAX, np.inf), (Output.MINMAX, -np.inf)],
)
def test_a_network_whose_answer_is_no_number_cannot_be_used(output: Output, value: float) -> None:
    """Also if it is so in one cell only; the health check says it too."""
    answer = np.zeros((1, 1, SIDE, SIDE), np.float32)
    answer[0, 0, 3, 5] = value
    card = replace(CARD, output=output, file="model.onnx")
    remover = Remover(Model(card=card, network=lambda _: answer), LIMITS)
    for use in (lambda: remover.remove(photo(40, 30), Options()), remover.check):
        with pytest.raises(ModelUnavailable) as refusal:
            use()
        reason = "model.onnx: its answer has values that are no numbers"
        assert refusal.value.facts == {"reason": reason}


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="no /proc/self/task to count in")
@pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2,
    reason="a single core has a single thread",
)
def test_linear_algebra_starts_no_threads() -> None:
    """They would wait by spinning, on cores of which Lambda gives only a share."""
    program = (
        "import os\nfrom cutout.image.resample import np\n"
        "matrix = np.ones((900, 900), np.float32)\nmatrix @ matrix\n"
        "print(len(os.listdir('/proc/self/task')))"
    )
    threads = {}
    for asked in ("", "2"):
        environment = {"OPENBLAS_NUM_THREADS": asked} if asked else {}
        threads[asked] = subprocess.check_output(
            [sys.executable, "-c", program],
            cwd=Path(__file__).resolve().parents[2] / "function",
            env=environment,
            text=True,
        ).strip()
    assert threads == {"": "1", "2": "2"}  # who asks for more gets them


def cut_off(width: int, height: int, orientation: int) -> bytes:
    """Return a PNG whose header is whole, and of whose pixels the last are missing."""
    return encoded(Image.effect_noise((width, height), 50), exif=exif_of(orientation))[:-2000]


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize(
    ("size", "fields", "code"),
    [
        ((300, 200), {"roi": "0px 0px 301px 200px"}, "roi_exceeds_bounds"),
        ((300, 200), {"roi": "0px 200.5px 300px 201px"}, "roi_exceeds_bounds"),
        ((300, 200), {"roi": "50% 0% 90px 60px"}, "roi_region_empty"),
        ((300, 200), {"roi": "0px 0px 300px 200px"}, "invalid_image"),
        ((900, 700), {"roi": "0px 0px 901px 700px", "size": "preview"}, "roi_exceeds_bounds"),
        ((900, 700), {"roi": "0px 0px 900px 700px", "size": "preview"}, "invalid_image"),
        ((16_384, 20), {"format": "webp"}, "invalid_format"),
        ((16_384, 20), {"format": "webp", "size": "preview"}, "invalid_image"),
        ((16_384, 20), {"format": "webp", "crop": "true"}, "invalid_image"),
    ],
)
def test_what_the_header_can_tell_is_told_before_the_pixels_are_decoded(
    orientation: int, size: tuple[int, int], fields: Mapping[str, str], code: str
) -> None:
    """Such as that a region is not in the upright photo; nobody waits for pixels in vain."""
    width, height = size if orientation == 1 else size[::-1]
    remover = Remover(finds(0, 0, 0, 0), LIMITS)
    options, _ = parse_options(list(fields.items()))
    with pytest.raises(CutoutError) as refusal:
        remover.remove(cut_off(width, height, orientation), options)
    assert refusal.value.code == code
