"""AV1's sequence headers: the largest frame that they allow, and the colours that they name."""

import pytest
from PIL import Image

from cutout.errors import InvalidImage
from cutout.image.av1 import code_points, largest_frames_px
from image_files import encoded


def bits(*fields: tuple[int, int]) -> bytes:
    """Return numbers of so many bits each, filled up with a 1 and zeros."""
    text = "".join(f"{value:0{count}b}" for value, count in fields) + "1"
    return int(text.ljust(-(-len(text) // 8) * 8, "0"), 2).to_bytes(-(-len(text) // 8), "big")


def unit(kind: int, content: bytes) -> bytes:
    """Return one OBU of under 128 bytes, with its size."""
    return bytes([kind << 3 | 2, len(content)]) + content


def largest(data: bytes) -> int:
    """Return the pixels of the largest frame that the data of a file's one item allows."""
    return largest_frames_px({7: data})[7]


SIZE = ((11, 4), (10, 4), (3999, 12), (1499, 11))  # 4,000 x 1,500 px, in 12 and 11 bits
STILL = bits((0, 3), (1, 1), (1, 1), (8, 5), *SIZE)
POINT = ((0, 12), (9, 5), (0, 1))  # a level above 7 has a tier
PLAIN = bits((0, 3), (0, 1), (0, 1), (0, 1), (0, 1), (0, 5), *POINT, *SIZE)
FULL = bits(
    *((0, 3), (0, 1), (0, 1)),
    *((1, 1), (7, 32), (9, 32), (1, 1), (0, 2), (1, 1), (2, 2)),  # timing, equal intervals
    *((1, 1), (9, 5), (1, 32), (3, 5), (4, 5)),  # the decoder's model, delays of 10 bits
    *((1, 1), (1, 5)),  # display delays, two operating points
    *((0, 12), (5, 5), (1, 1), (2, 10), (3, 10), (1, 1), (1, 1), (3, 4)),
    *((0, 12), (9, 5), (1, 1), (0, 1), (0, 1)),
    *SIZE,
)


@pytest.mark.parametrize("header", [STILL, PLAIN, FULL], ids=["still", "plain", "full"])
def test_the_size_is_found_behind_whatever_comes_before_it(header: bytes) -> None:
    """Alone, between other units, and in a unit without a size, which is the last one."""
    assert largest(unit(1, header)) == 6_000_000
    assert largest(unit(2, b"") + unit(1, header) + unit(6, b"frame")) == 6_000_000
    assert largest(unit(2, b"") + bytes([1 << 3]) + header) == 6_000_000
    assert largest(unit(2, b"") + bytes([1 << 3 | 6, 0, len(header)]) + header) == 6e6


def test_the_largest_of_several_counts() -> None:
    """A decoder goes by the latest one."""
    small = bits((0, 3), (1, 1), (1, 1), (8, 5), (3, 4), (3, 4), (9, 4), (9, 4))
    assert largest(unit(1, small)) == 100
    assert largest(unit(1, small) + unit(1, STILL) + unit(1, small)) == 6_000_000


def test_what_an_encoder_writes() -> None:
    """The file's own size; its boxes are passed by."""
    data = encoded(Image.new("RGB", (300, 200)), "AVIF")
    assert largest(data[data.index(b"mdat") + 4 :]) == 60_000
    assert code_points(data[data.index(b"mdat") + 4 :]) == (1, 13)


NAMED = ((1, 1), (9, 8), (16, 8), (9, 8))
UNNAMED = ((0, 1), (1, 1), (255, 8), (255, 8))  # the range, and what else follows
CODING = (7, 3)  # of all pictures
FILTERS = (5, 3)
# What the coding of films may use: without an order of frames, with one, and with what screens show
# told for each frame, for all or for none.
PLAIN_FILM = ((0, 1), CODING, (9, 4), (0, 1), (0, 1), (0, 1))
ORDERED_FILM = ((1, 1), (99, 7), CODING, (9, 4), (1, 1), (2, 2), (1, 1), (0, 1), (1, 1), (5, 3))
SCREEN_FILM = ((0, 1), CODING, (9, 4), (0, 1), (0, 1), (1, 1), (1, 1))


def header(
    profile: int,
    coding: tuple[tuple[int, int], ...],
    depth_and_grey: tuple[tuple[int, int], ...],
    colours: tuple[tuple[int, int], ...],
) -> bytes:
    """Return the sequence header of a still picture or of a film, by its ``coding``."""
    is_still = coding == (CODING,)
    start = ((1, 1), (1, 1), (8, 5)) if is_still else ((0, 1), (0, 1), (0, 1), (0, 1), (0, 5))
    point = () if is_still else POINT
    return bits((profile, 3), *start, *point, *SIZE, *coding, FILTERS, *depth_and_grey, *colours)


@pytest.mark.parametrize("coding", [(CODING,), PLAIN_FILM, ORDERED_FILM, SCREEN_FILM], ids=len)
@pytest.mark.parametrize(
    ("profile", "depth_and_grey"),
    [
        (0, ((0, 1), (1, 1))),
        (0, ((1, 1), (0, 1))),
        (1, ((1, 1),)),
        (2, ((0, 1), (0, 1))),
        (2, ((1, 1), (1, 1), (0, 1))),
    ],
    ids=["8 bits, grey", "10 bits", "4:4:4", "4:2:2", "12 bits"],
)
def test_the_colours_are_found_behind_whatever_comes_before_them(
    profile: int,
    coding: tuple[tuple[int, int], ...],
    depth_and_grey: tuple[tuple[int, int], ...],
) -> None:
    """Those of the first header count, also if it names none."""
    naming = unit(1, header(profile, coding, depth_and_grey, NAMED))
    silent = unit(1, header(profile, coding, depth_and_grey, UNNAMED))
    assert code_points(naming) == code_points(unit(2, b"") + naming + silent) == (9, 16)
    assert code_points(silent) is None
    assert code_points(silent + naming) is None


def test_data_without_a_header_names_no_colours() -> None:
    """Nor does no data."""
    assert code_points(unit(2, b"")) is None
    assert code_points(b"") is None


@pytest.mark.parametrize("data", [unit(1, STILL[:3]), b"\x0a", b"\x0a\xff", unit(1, b"")])
def test_a_header_that_is_cut_off(data: bytes) -> None:
    """Its reader says so."""
    with pytest.raises(IndexError):
        largest(data)


def test_endless_units() -> None:
    """Two bytes each; a picture has three."""
    with pytest.raises(InvalidImage):
        largest(unit(2, b"") * 1_001)
    assert largest(unit(2, b"") * 1_000) == 0


def test_endless_units_in_many_items() -> None:
    """Each item has few enough, and all together take long."""
    items = dict.fromkeys(range(20), unit(1, STILL) * 1_000)
    assert set(largest_frames_px(items).values()) == {6_000_000}
    with pytest.raises(InvalidImage) as refusal:
        largest_frames_px(items | {20: unit(1, STILL)})
    assert "it has over 20000 units of data" in str(refusal.value)


@pytest.mark.parametrize("zeros", [31, 32])
def test_a_number_whose_length_is_told_in_unary(zeros: int) -> None:
    """It has 32 bits at the most; no decoder reads a longer one, of which each bit takes time."""
    interval = ((0, zeros), (1, 1), (0, zeros))
    timing = ((1, 1), (7, 32), (9, 32), (1, 1), *interval, (0, 1))
    data = unit(1, bits((0, 3), (0, 1), (0, 1), *timing, (0, 1), (0, 5), *POINT, *SIZE))
    if zeros < 32:
        assert largest(data) == 6_000_000
    else:
        with pytest.raises(IndexError):
            largest(data)
