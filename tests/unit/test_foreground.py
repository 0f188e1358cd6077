"""The subject's own colours at its edge, and spread beyond it."""

import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray
from PIL import Image

from cutout.image.composite import quantized, shares
from cutout.image.decode import Photo
from cutout.image.foreground import estimate_foreground, extend_foreground
from cutout.image.matte import Matte
from scenes import Scene, disc, hair


def colour_error(scene: Scene, colours: NDArray[np.uint8]) -> float:
    """Return the mean error of colour where the photo is a mix, weighted by alpha."""
    mixed = (scene.alpha > 0.02) & (scene.alpha < 1)
    error = np.abs(colours.astype(np.float32) - scene.foreground).mean(axis=2) * scene.alpha
    return float(error[mixed].sum() / scene.alpha[mixed].sum())


@pytest.mark.parametrize(("scene", "most"), [(disc, 0.25), (hair, 0.35)], ids=["disc", "hair"])
@pytest.mark.parametrize("size", [(600, 450), (1600, 1200)], ids=str)
def test_the_old_background_is_taken_out_of_the_edge(
    scene: Callable[[int, int], Scene], most: float, size: tuple[int, int]
) -> None:
    """Against true colours under the mix: a fraction of the photo's own error."""
    drawn = scene(*size)
    estimate = estimate_foreground(drawn.photo, Matte(alpha=quantized(drawn.alpha)))
    assert colour_error(drawn, estimate) < most * colour_error(drawn, drawn.photo.pixels)


def test_opaque_pixels_are_the_photos() -> None:
    """To the bit."""
    scene = hair(600, 450)
    estimate = estimate_foreground(scene.photo, Matte(alpha=quantized(scene.alpha)))
    assert estimate.dtype == np.uint8
    assert estimate.shape == scene.photo.pixels.shape
    solid = scene.alpha == 1
    assert np.array_equal(estimate[solid], scene.photo.pixels[solid])


@pytest.mark.parametrize(("value", "most"), [(0.0, 255), (0.5, 24), (1.0, 0)])
@pytest.mark.parametrize("size", [(2, 2), (2, 900), (33, 17)], ids=str)
def test_mattes_without_an_inside_or_an_outside(
    value: float, most: int, size: tuple[int, int]
) -> None:
    """All clear is any colour, all solid is the photo, and in between is the photo's colour."""
    pixels = np.asarray(Image.fromarray(skimage.data.chelsea()).resize(size))
    alpha = np.full(pixels.shape[:2], value, np.float32)
    estimate = estimate_foreground(Photo(pixels=pixels, alpha=None), Matte(alpha=quantized(alpha)))
    assert estimate.shape == pixels.shape
    assert np.abs(estimate.astype(int) - pixels).mean() <= most


def test_a_subject_of_one_pixel_width_keeps_its_colour() -> None:
    """Where nothing is opaque, what is most opaque tells the colour."""
    alpha = np.zeros((60, 60), np.float32)
    alpha[:, 30] = 0.8
    red, blue = np.array([200, 20, 20]), np.array([0, 0, 255])
    pixels = np.rint(red * alpha[..., None] + blue * (1 - alpha[..., None])).astype(np.uint8)
    estimate = estimate_foreground(Photo(pixels=pixels, alpha=None), Matte(alpha=quantized(alpha)))
    before = np.abs(pixels[:, 30].astype(int) - red).mean()
    assert np.abs(estimate[:, 30].astype(int) - red).mean() < before


def pasted(hidden: tuple[int, int, int]) -> tuple[Photo, NDArray[np.uint8]]:
    """Return a finished cutout, filled with one colour under alpha 0, and its true colours."""
    scene = hair(600, 450)
    own, colours = quantized(scene.alpha), scene.foreground
    pixels = np.where((own > 0)[..., None], colours, np.array(hidden, np.uint8))
    return Photo(pixels=pixels, alpha=own), colours


@pytest.mark.parametrize("hidden", [(0, 0, 0), (255, 255, 255), (0, 255, 0)])
def test_a_finished_cutout_keeps_its_colours(hidden: tuple[int, int, int]) -> None:
    """They are straight: what is under alpha 0 is not mixed into its edge."""
    photo, colours = pasted(hidden)
    assert photo.alpha is not None
    estimate = estimate_foreground(photo, Matte(alpha=photo.alpha))
    assert np.array_equal(estimate[photo.alpha > 0], colours[photo.alpha > 0])


@pytest.mark.parametrize("hidden", [(0, 0, 0), (0, 255, 0)])
def test_a_finished_cutout_of_which_more_is_taken_keeps_its_colours(
    hidden: tuple[int, int, int],
) -> None:
    """Where the network's edge is the same, the colours beside it are the subject's own."""
    photo, colours = pasted(hidden)
    assert photo.alpha is not None
    twice = Matte(alpha=quantized(np.square(shares(photo.alpha))))
    estimate = estimate_foreground(photo, twice)
    difference = np.abs(estimate.astype(int) - colours)[twice.alpha > 25]
    assert difference.max() <= 8
    assert difference.mean() < 0.1


def test_an_opaque_photo_with_alpha_is_cleaned_as_one_without() -> None:
    """A plane of 255 says nothing."""
    scene = hair(600, 450)
    matte, opaque = Matte(alpha=quantized(scene.alpha)), np.full(scene.alpha.shape, 255, np.uint8)
    photo = Photo(pixels=scene.photo.pixels, alpha=opaque)
    expected = estimate_foreground(scene.photo, matte)
    assert np.array_equal(estimate_foreground(photo, matte), expected)


def test_a_photo_with_a_mask_on_it_is_cleaned_as_one_without() -> None:
    """It still has its background under alpha 0, and the edge is mixed with that."""
    scene = hair(600, 450)
    own = quantized(scene.alpha)
    photo = Photo(pixels=scene.photo.pixels, alpha=own)
    expected = estimate_foreground(scene.photo, Matte(alpha=own))
    assert np.array_equal(estimate_foreground(photo, Matte(alpha=own)), expected)


def test_extension_shows_the_subjects_colours_and_no_others() -> None:
    """Red and green spread, each at its side; the blue of the old background is nowhere."""
    pixels = np.full((120, 160, 3), (0, 0, 255), np.uint8)
    alpha = np.zeros((120, 160), np.uint8)
    pixels[40:80, 50:80], pixels[40:80, 80:110] = (200, 0, 0), (0, 200, 0)
    alpha[40:80, 50:110] = 255
    spread = extend_foreground(pixels, alpha)
    assert spread[..., 2].max() <= 1
    assert np.array_equal(spread[alpha > 0], pixels[alpha > 0])
    assert spread[60, 46, 0] > 2 * spread[60, 46, 1]
    assert spread[60, 113, 1] > 2 * spread[60, 113, 0]


def test_extension_is_smooth_beside_the_subject() -> None:
    """No step of more than a few levels from one pixel to the next."""
    pixels = np.zeros((200, 200, 3), np.uint8)
    ramp = np.linspace(50, 200, 80)
    pixels[60:140, 60:140] = ramp[:, None, None]
    alpha = np.zeros((200, 200), np.uint8)
    alpha[60:140, 60:140] = 255
    spread = extend_foreground(pixels, alpha).astype(int)
    assert np.abs(np.diff(spread, axis=0)).max() <= 12
    assert np.abs(np.diff(spread, axis=1)).max() <= 12


def test_nothing_to_extend() -> None:
    """An empty matte gives black."""
    pixels = np.full((20, 30, 3), 99, np.uint8)
    assert not extend_foreground(pixels, np.zeros((20, 30), np.uint8)).any()


def test_12_megapixels_need_little_beside_the_result() -> None:
    """36 MB are the result itself."""
    pixels = np.asarray(Image.fromarray(skimage.data.chelsea()).resize((4000, 3000)))
    small = np.random.default_rng(2).random((30, 40), np.float32)
    alpha = np.asarray(Image.fromarray(small).resize((4000, 3000), Image.Resampling.BILINEAR))
    matte = Matte(alpha=quantized(alpha))
    tracemalloc.start()
    estimate_foreground(Photo(pixels=pixels, alpha=None), matte)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < (36 + 40) * 1_000_000
