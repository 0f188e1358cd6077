"""Photo → matte: what the network gets, what its output means, and the edge at full resolution."""

import dataclasses
import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
import skimage.data
from drawn_models import FirstLook, card_of
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from cutout.image.card import ModelCard, Output, Range, Resize
from cutout.image.composite import shares
from cutout.image.decode import Photo
from cutout.image.matte import Matte, extract_matte
from cutout.options import InputAlpha
from scenes import DRAWN, Scene, disc, enlarged, hair, unknown

Tensor = NDArray[np.float32]
SIDE = 32
MULTIPLY, KEEP, DISCARD = InputAlpha
BILINEAR = Image.Resampling.BILINEAR


def card(
    *,
    side: int = SIDE,
    resize: Resize = Resize.BILINEAR,
    divisor: Range = Range.FULL,
    output: Output = Output.ALPHA,
) -> ModelCard:
    """Return a card whose mean and deviation differ in every channel."""
    return dataclasses.replace(
        card_of(side),
        mean=(0.5, 0.25, 0.125),
        std=(0.5, 0.5, 0.25),
        resize=resize,
        range=divisor,
        output=output,
    )


class Recorder:
    """A network that says what it is told to, and keeps what it got."""

    def __init__(self, output: Tensor) -> None:
        self._output = output
        self.inputs: list[Tensor] = []

    def __call__(self, tensor: Tensor) -> Tensor:
        self.inputs.append(tensor)
        return self._output


def all_subject(side: int = SIDE) -> Recorder:
    """Return a network that takes everything for the subject."""
    return Recorder(np.ones((1, 1, side, side), np.float32))


def photo_of(image: Image.Image, alpha: NDArray[np.uint8] | None = None) -> Photo:
    """Return the image as a photo."""
    return Photo(pixels=np.asarray(image.convert("RGB")), alpha=alpha)


ASTRONAUT = Image.fromarray(skimage.data.astronaut())


def test_the_network_gets_one_normalised_square() -> None:
    """float32 (1, 3, S, S), RGB, (v / 255 - mean) / std."""
    network = all_subject()
    colour = (255, 51, 0)
    extract_matte(photo_of(Image.new("RGB", (90, 40), colour)), card(), network, input_alpha=KEEP)
    (tensor,) = network.inputs
    assert tensor.shape == (1, 3, SIDE, SIDE)
    assert tensor.dtype == np.float32
    assert tensor[0, :, 3, 5] == pytest.approx([1.0, -0.1, -0.5])


def test_a_card_may_divide_by_the_images_own_maximum() -> None:
    """As U2-Net is fed; an all black image stays black instead of becoming nothing."""
    for value, expected in ((51, 1.0), (0, -1.0)):
        network = all_subject()
        grey = photo_of(Image.new("RGB", (40, 40), (value,) * 3))
        extract_matte(grey, card(divisor=Range.MAX), network, input_alpha=KEEP)
        assert network.inputs[0][0, 0, 0, 0] == pytest.approx(expected)


@pytest.mark.parametrize("resize", [Resize.BILINEAR, Resize.LANCZOS])
def test_the_photo_is_stretched_by_the_cards_filter(resize: Resize) -> None:
    """Antialiased, as Pillow resizes, up to the last bits of its shortcut for large photos."""
    network = all_subject()
    extract_matte(photo_of(ASTRONAUT), card(resize=resize), network, input_alpha=KEEP)
    pillow = Image.Resampling.LANCZOS if resize is Resize.LANCZOS else Image.Resampling.BILINEAR
    expected = np.asarray(ASTRONAUT.resize((SIDE, SIDE), pillow), np.float32)[..., 0] / 255
    assert np.abs(network.inputs[0][0, 0] * 0.5 + 0.5 - expected).mean() < 0.01


@pytest.mark.parametrize(
    ("output", "said", "meant"),
    [
        (Output.ALPHA, [-1.0, 0.0, 1.0, 2.0], [0, 0, 1, 1]),
        (Output.LOGIT, [-50.0, -1000.0, 50.0, 1000.0], [0, 0, 1, 1]),
        (Output.MINMAX, [3.0, 3.0, 7.0, 7.0], [0, 0, 1, 1]),
        (Output.MINMAX, [3.0, 3.0, 3.0, 3.0], [0, 0, 0, 0]),
    ],
)
def test_what_an_output_means(output: Output, said: list[float], meant: list[int]) -> None:
    """Alpha is clipped, logits go through the sigmoid, a map is stretched; flat is no subject."""
    columns = np.repeat(np.array(said, np.float32), SIDE // 4)
    network = Recorder(np.broadcast_to(columns, (1, 1, SIDE, SIDE)).copy())
    wall = photo_of(Image.new("RGB", (64, 64), "grey"))
    alpha = extract_matte(wall, card(output=output), network, input_alpha=KEEP).alpha
    assert alpha.dtype == np.uint8
    assert shares(alpha)[30, [4, 20, 43, 60]] == pytest.approx(meant, abs=0.5 / 255)


def test_own_alpha_multiplies_is_kept_or_discarded() -> None:
    """And keeping it runs no network."""
    own = np.tile(np.arange(64, dtype=np.uint8) * 4, (48, 1))
    photo = photo_of(ASTRONAUT.resize((64, 48)), own)
    for mode, expected in (
        (MULTIPLY, own / 255),
        (KEEP, own / 255),
        (DISCARD, 1),
    ):
        network = all_subject()
        alpha = shares(extract_matte(photo, card(), network, input_alpha=mode).alpha)
        assert np.allclose(alpha, expected, atol=1e-6)
        assert len(network.inputs) == (mode is not KEEP)


def test_keep_without_own_alpha_runs_the_network() -> None:
    """It acts as multiply."""
    network = all_subject()
    alpha = shares(extract_matte(photo_of(ASTRONAUT), card(), network, input_alpha=KEEP).alpha)
    assert len(network.inputs) == 1
    assert (alpha == 1).all()


def test_the_network_never_sees_colours_under_transparency() -> None:
    """It sees white there, whatever the file holds, unless own alpha is discarded."""
    own = np.zeros((48, 64), np.uint8)
    for mode, expected in ((MULTIPLY, 1.0), (DISCARD, -1.0)):
        network = all_subject()
        black = photo_of(Image.new("RGB", (64, 48)), own)
        extract_matte(black, card(), network, input_alpha=mode)
        assert network.inputs[0][0, 0, 9, 9] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("scene", "soft", "most"),
    [(disc, True, 0.15), (hair, True, 0.25), (disc, False, 0.25), (hair, False, 0.4)],
    ids=["disc, real", "hair, real", "disc, ideal", "hair, ideal"],
)
@pytest.mark.parametrize("size", [(600, 450), (2000, 1500)], ids=str)
def test_the_edge_follows_the_photo(
    scene: Callable[[int, int], Scene], most: float, size: tuple[int, int], *, soft: bool
) -> None:
    """In the band around the edge the error is a fraction of the enlarged coarse matte's.

    So it is for a network as soft as real ones, and for an ideal one whose cells are true means.
    """
    drawn = scene(*size)
    coarse = drawn.coarse(320, soft=soft)
    network = Recorder(coarse)
    refined = shares(extract_matte(drawn.photo, card(side=320), network, input_alpha=KEEP).alpha)
    band = drawn.band()
    error = np.abs(refined - drawn.alpha)[band].sum()
    plain = np.abs(enlarged(coarse, *size, BILINEAR) - drawn.alpha)[band].sum()
    assert error < most * plain


@pytest.mark.parametrize(("name", "most"), [("wheel", 0.4), ("plant", 0.15)])
def test_spokes_and_leaves_stand_out_of_a_soft_coarse_matte(name: str, most: float) -> None:
    """The error is a fraction of what plain enlarging leaves, rembg's Lanczos included."""
    scene = DRAWN[name](1200, 900)
    coarse = scene.coarse(320, soft=True)
    alpha = shares(
        extract_matte(scene.photo, card(side=320), Recorder(coarse), input_alpha=KEEP).alpha
    )
    band = unknown(coarse, 1200, 900)
    error = np.abs(alpha - scene.alpha)[band]
    for filter_ in (BILINEAR, Image.Resampling.LANCZOS):
        plain = np.abs(enlarged(coarse, 1200, 900, filter_) - scene.alpha)[band]
        assert error.sum() < most * plain.sum()
        assert np.square(error).sum() < most * np.square(plain).sum()


@pytest.mark.parametrize("beside_px", [-2, 2])
def test_a_networks_edge_beside_the_photos_is_moved_to_it(beside_px: int) -> None:
    """Half a cell too far out or in: no rim of background stays, and no rim of subject goes."""
    scene = DRAWN["plant"](1200, 900)
    coarse = scene.coarse(320, soft=True, beside_px=beside_px)
    alpha = shares(
        extract_matte(scene.photo, card(side=320), Recorder(coarse), input_alpha=KEEP).alpha
    )
    band = unknown(coarse, 1200, 900)
    plain = np.abs(enlarged(coarse, 1200, 900, BILINEAR) - scene.alpha)[band].sum()
    assert np.abs(alpha - scene.alpha)[band].sum() < 0.45 * plain


@pytest.mark.parametrize("seed", range(3))
def test_texture_stays_out_of_the_inside(seed: int) -> None:
    """A network's small doubts inside the subject and outside make no holes and no specks."""
    random = np.random.default_rng(seed)
    doubts = random.uniform(0, 0.07, (1, 1, SIDE, SIDE)).astype(np.float32)
    for value, expected in ((doubts, 0), (1 - doubts, 1)):
        network = Recorder(value)
        alpha = shares(extract_matte(photo_of(ASTRONAUT), card(), network, input_alpha=KEEP).alpha)
        assert (alpha == expected).all()


def test_what_is_sure_is_exactly_sure() -> None:
    """Inside 1, outside 0, whatever textures the photo has there."""
    scene = disc()
    network = Recorder(scene.coarse(320))
    alpha = shares(extract_matte(scene.photo, card(side=320), network, input_alpha=KEEP).alpha)
    assert (alpha[360:540, 540:720] == 1).all()
    assert (alpha[:120] == 0).all()
    assert (alpha[:, 1000:] == 0).all()


def test_a_networks_faint_doubt_is_no_haze() -> None:
    """2 % over a whole background would cost transparency everywhere."""
    doubt = np.full((1, 1, SIDE, SIDE), 0.02, np.float32)
    for value, expected in ((doubt, 0), (1 - doubt, 1)):
        alpha = shares(
            extract_matte(photo_of(ASTRONAUT), card(), Recorder(value), input_alpha=KEEP).alpha
        )
        assert (alpha == expected).all()


@pytest.mark.parametrize(
    "size", [(2, 2), (2, 3), (31, 33), (2, 5000), (5000, 2), (7, 640), (100_000, 2)], ids=str
)
def test_any_shape(size: tuple[int, int]) -> None:
    """From 2 x 2 to ribbons."""
    half = np.zeros((1, 1, SIDE, SIDE), np.float32)
    half[..., : SIDE // 2] = 1
    photo = photo_of(ASTRONAUT.resize(size))
    alpha = shares(extract_matte(photo, card(), Recorder(half), input_alpha=KEEP).alpha)
    assert alpha.shape == (size[1], size[0])
    assert alpha.min() == 0


def test_12_megapixels_need_little_beside_photo_and_matte() -> None:
    """Tiles and strips, no copy of the photo: 12 MB are the matte itself."""
    photo = photo_of(ASTRONAUT.resize((4000, 3000)))
    random = np.random.default_rng(1)
    everywhere_edges = Recorder(random.random((1, 1, SIDE, SIDE), np.float32))
    tracemalloc.start()
    extract_matte(photo, card(), everywhere_edges, input_alpha=KEEP)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < (12 + 40) * 1_000_000


# A second look


def bright(tensor: Tensor) -> Tensor:
    """Take what is bright for the subject, as a network."""
    grey = tensor.mean(axis=1, keepdims=True)
    clipped: Tensor = np.clip(3 * grey - 1, 0, 1).astype(np.float32)
    return clipped


class Looks:
    """A network that counts its looks; ``says`` gets the tensor and the number of the look."""

    def __init__(self, says: Callable[[Tensor, int], Tensor]) -> None:
        self.says = says
        self.inputs: list[Tensor] = []

    def __call__(self, tensor: Tensor) -> Tensor:
        self.inputs.append(tensor)
        return self.says(tensor, len(self.inputs))


def small_disc(radius_px: float) -> Photo:
    """Return a light disc on a dark ground, both grainy, 600 x 800 px; centre at (200, 300)."""
    y, x = np.mgrid[:600, :800]
    inside = np.where(np.hypot(x - 300, y - 200) < radius_px, 215.0, 40.0)
    grain = np.random.default_rng(1).normal(0, 25, (600, 800, 3))
    pixels = np.clip(inside[..., None] + grain, 0, 255).astype(np.uint8)
    return Photo(pixels=pixels, alpha=None)


def test_a_small_subject_is_looked_at_again() -> None:
    """Closer, so that it has the network's cells for itself, and lands where it was."""
    y, x = np.mgrid[:600, :800]
    truth = np.hypot(x - 300, y - 200) < 60
    for zoom in (0.0, 0.5):
        network = Looks(lambda tensor, _: bright(tensor))
        matte = extract_matte(
            small_disc(60), card_of(SIDE, zoom=zoom), network, input_alpha=MULTIPLY
        )
        assert len(network.inputs) == (2 if zoom else 1)
        assert np.abs(shares(matte.alpha) - truth).mean() < 0.002
        assert matte.alpha[:80].max() == matte.alpha[:, 450:].max() == 0
    bright_parts = [(seen > 0.5).mean() for seen in network.inputs]
    assert bright_parts[1] > 8 * bright_parts[0]


@pytest.mark.parametrize("radius_px", [0, 190])
def test_a_large_subject_or_none_is_looked_at_once(radius_px: float) -> None:
    """There is nothing to come closer to."""
    network = Looks(lambda tensor, _: bright(tensor))
    extract_matte(small_disc(radius_px), card_of(SIDE, zoom=0.5), network, input_alpha=MULTIPLY)
    assert len(network.inputs) == 1


def test_a_second_look_that_sees_something_else_does_not_count() -> None:
    """What the subject is was decided by the whole picture."""
    photo = small_disc(60)
    once = extract_matte(photo, card_of(SIDE, zoom=0.0), bright, input_alpha=MULTIPLY).alpha
    network = Looks(lambda tensor, look: bright(tensor) if look == 1 else 1 - bright(tensor))
    twice = extract_matte(photo, card_of(SIDE, zoom=0.5), network, input_alpha=MULTIPLY).alpha
    assert len(network.inputs) == 2
    np.testing.assert_array_equal(twice, once)


def test_own_alpha_counts_in_a_second_look_too() -> None:
    """It multiplies inside the window; outside there is nothing to multiply."""
    opaque = small_disc(60)
    half = Photo(pixels=opaque.pixels, alpha=np.full((600, 800), 128, np.uint8))
    # A half-transparent photo is seen on white, at half its contrast.
    network = Looks(lambda tensor, _: bright(2 * tensor - 1))
    matte = extract_matte(half, card_of(SIDE, zoom=0.5), network, input_alpha=MULTIPLY).alpha
    assert len(network.inputs) == 2
    assert matte.max() == 128
    assert matte[:80].max() == 0


REAL_SIDE = 352  # of the network that ships: its roundings are those that met photographs


def looked_at(width: int, height: int, rows: slice, columns: slice) -> tuple[int, Matte]:
    """Return how often a photo was looked at whose subject lies in those cells, and its matte."""
    network = FirstLook(REAL_SIDE, rows, columns)
    photo = Photo(pixels=np.zeros((height, width, 3), np.uint8), alpha=None)
    seen = dataclasses.replace(card(side=REAL_SIDE), zoom=0.5)
    matte = extract_matte(photo, seen, network, input_alpha=MULTIPLY)
    return network.looks, matte


COMMON_SIZES = [(800, 600), (1600, 1200), (3024, 4032), (4032, 3024), (400, 300), (1204, 668)]
LOW, MIDDLE, HIGH = slice(0, 150), slice(100, 250), slice(202, REAL_SIDE)


@pytest.mark.parametrize("columns", [LOW, MIDDLE, HIGH], ids=["left", "middle", "right"])
@pytest.mark.parametrize("rows", [LOW, MIDDLE, HIGH], ids=["top", "middle", "bottom"])
@pytest.mark.parametrize("size", COMMON_SIZES, ids=str)
def test_a_small_subject_at_an_edge_is_looked_at_again(
    size: tuple[int, int], rows: slice, columns: slice
) -> None:
    """At the commonest sizes of photographs, where roundings once led out of the picture."""
    looks, matte = looked_at(*size, rows, columns)
    assert looks == 2
    assert matte.alpha.shape == (size[1], size[0])
    middle = round((rows.start + rows.stop) / 2 * size[1] / REAL_SIDE)
    assert matte.alpha[middle].max() == 255


@given(
    width=st.integers(2, 700),
    height=st.integers(2, 700),
    cells=st.tuples(*[st.integers(0, REAL_SIDE - 1)] * 4),
)
def test_a_subject_anywhere_in_a_photo_of_any_size(
    width: int, height: int, cells: tuple[int, int, int, int]
) -> None:
    """No place and no size leads out of the photo or out of the network's cells."""
    (top, bottom), (left, right) = sorted(cells[:2]), sorted(cells[2:])
    _, matte = looked_at(width, height, slice(top, bottom + 1), slice(left, right + 1))
    assert matte.alpha.shape == (height, width)


# A mirrored look


def doubtful(tensor: Tensor) -> Tensor:
    """Take what is bright for the subject, without being sure of it."""
    unsure: Tensor = np.float32(0.7) * bright(tensor)
    return unsure


def mirrored_look(
    says: Callable[[Tensor, int], Tensor], *, zoom: float = 0.0
) -> tuple[Looks, Matte]:
    """Return the looks at a disc on the left, and its matte; less than 0.8 is in doubt."""
    network, seen = Looks(says), card_of(SIDE, zoom=zoom, mirror=0.8)
    return network, extract_matte(small_disc(60), seen, network, input_alpha=MULTIPLY)


def test_a_doubtful_matte_is_replaced_by_that_of_the_mirrored_photo_if_it_is_surer() -> None:
    """The network sees the mirrored photo; its matte lies where the subject is."""
    network, matte = mirrored_look(lambda tensor, look: (doubtful, bright)[look - 1](tensor))
    assert len(network.inputs) == 2
    np.testing.assert_array_equal(network.inputs[1], network.inputs[0][..., ::-1])
    sure = extract_matte(small_disc(60), card_of(SIDE), bright, input_alpha=MULTIPLY)
    np.testing.assert_array_equal(matte.alpha, sure.alpha)
    assert matte.confidence == sure.confidence > 0.8


@pytest.mark.parametrize("share", [0, 0.5])
def test_a_mirrored_look_that_is_no_surer_changes_nothing(share: float) -> None:
    """Nor does one that finds nothing."""
    once = extract_matte(small_disc(60), card_of(SIDE), doubtful, input_alpha=MULTIPLY)
    assert once.confidence < 0.8
    network, matte = mirrored_look(
        lambda tensor, look: doubtful(tensor) * np.float32((1, share)[look - 1])
    )
    assert len(network.inputs) == 2
    np.testing.assert_array_equal(matte.alpha, once.alpha)
    assert matte.confidence == once.confidence


def test_a_small_subject_is_looked_at_closer_in_the_mirrored_photo_too() -> None:
    """Four looks; the last one is the surest, at a window of the mirrored photo."""
    network, matte = mirrored_look(
        lambda tensor, look: (doubtful, doubtful, doubtful, bright)[look - 1](tensor), zoom=0.5
    )
    assert len(network.inputs) == 4
    np.testing.assert_allclose(network.inputs[3], network.inputs[1][..., ::-1])
    closer = card_of(SIDE, zoom=0.5)
    sure = extract_matte(small_disc(60), closer, bright, input_alpha=MULTIPLY)
    np.testing.assert_array_equal(matte.alpha, sure.alpha)


@pytest.mark.parametrize("says", [bright, lambda tensor: np.zeros_like(tensor[:, :1])])
def test_a_sure_matte_and_an_empty_one_are_not_looked_at_mirrored(
    says: Callable[[Tensor], Tensor],
) -> None:
    """One is good enough; beside the other every speck would be surer."""
    network, _ = mirrored_look(lambda tensor, _: says(tensor))
    assert len(network.inputs) == 1
