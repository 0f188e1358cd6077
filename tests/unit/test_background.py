"""Backgrounds: another image behind the subject, or the photo's own, blurred without the subject."""

import tracemalloc

import numpy as np
import pytest
from lengths import margin_of, px
from numpy.typing import NDArray
from PIL import Image

from cutout.errors import InvalidBackground, envelope
from cutout.image.background import cover, read_background
from cutout.image.blur import blurred
from cutout.image.compose import Cutout, compose
from cutout.image.composite import quantized
from cutout.image.decode import Limits, Photo
from cutout.image.matte import Matte
from cutout.image.place import Box
from cutout.options import Channels, Format, InputAlpha, Options, Position
from image_files import encoded, exif_of

LIMITS = Limits(max_pixels=10_000)
PIXELS = np.random.default_rng(4).integers(0, 256, (60, 80, 3), dtype=np.uint8)
BOX = Box(top=20, left=30, width=24, height=18)


def matte(edge: float = 1.0) -> Matte:
    """Return a solid rectangle at BOX, whose outermost pixels have the alpha ``edge``."""
    alpha = np.zeros((60, 80), np.float32)
    alpha[BOX.slices] = edge
    alpha[21:37, 31:53] = 1
    return Matte(alpha=quantized(alpha))


def composed(
    edge: float = 1.0, picture: NDArray[np.uint8] | None = None, **options: object
) -> Cutout:
    """Return the cutout of PIXELS, in the photo's own colours."""
    settings = Options(**{"clean_edges": False, **options})  # type: ignore[arg-type]
    return compose(Photo(pixels=PIXELS, alpha=None), matte(edge), settings, picture)


def test_a_background_image_is_behind_the_subject_exactly() -> None:
    """Of the canvas's size: round((F·α + B·(255 - α)) / 255); every pixel opaque."""
    picture = np.random.default_rng(5).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    cutout = composed(edge=0.5, picture=picture)
    alpha = matte(0.5).alpha[..., None].astype(float)
    expected = np.floor((PIXELS * alpha + picture * (255 - alpha)) / 255 + 0.5)
    assert np.array_equal(cutout.pixels[..., :3], expected.astype(np.uint8))
    assert (cutout.pixels[..., 3] == 255).all()
    assert cutout.subject == BOX
    assert cutout.coverage == composed(edge=0.5).coverage


@pytest.mark.parametrize(
    ("size", "seen"),
    [
        ((60, 80), (slice(None), slice(None))),
        ((120, 80), (slice(30, 90), slice(None))),  # higher: top and bottom are cut
        ((60, 200), (slice(None), slice(60, 140))),  # wider: left and right are cut
    ],
)
def test_cover_keeps_the_middle(size: tuple[int, int], seen: tuple[slice, slice]) -> None:
    """Where nothing is to be scaled, pixel by pixel."""
    picture = np.random.default_rng(5).integers(0, 256, (*size, 3), dtype=np.uint8)
    assert np.array_equal(cover(picture, 80, 60), picture[seen])


@pytest.mark.parametrize("size", [(2, 2), (2, 300), (300, 2), (45, 60), (600, 800), (77, 31)])
def test_cover_leaves_no_gap_and_no_distortion(size: tuple[int, int]) -> None:
    """Any ratio, any size: a ramp stays a ramp, centred, as steep in both directions."""
    height, width = size
    rows, columns = np.indices(size)
    ramps = [128 + (columns + 0.5 - width / 2) * 0.2, 128 + (rows + 0.5 - height / 2) * 0.2]
    picture = np.rint(np.dstack([*ramps, np.full(size, 255)])).clip(0, 255).astype(np.uint8)
    result = cover(picture, 80, 60).astype(int)
    step = min(width / 80, height / 60)
    expected = 128 + (np.arange(80) + 0.5 - 40) * step * 0.2
    assert result.shape == (60, 80, 3)
    assert (result[..., 2] == 255).all()
    inner = slice(5, -5) if min(size) > 2 else slice(39, 41)
    assert np.abs(result[30, :, 0] - expected)[inner].max() <= 2
    assert abs(int(result[30, 40, 1]) - 128) <= 2


def test_a_background_image_covers_the_cropped_canvas() -> None:
    """Crop first; the background is fitted to what is left."""
    picture = np.full((10, 10, 3), (1, 2, 3), np.uint8)
    cutout = composed(picture=picture, crop=True, crop_margin=margin_of(px(5)))
    assert cutout.pixels.shape == (28, 34, 4)
    assert (cutout.pixels[:5] == (1, 2, 3, 255)).all()
    assert np.array_equal(cutout.pixels[5:23, 5:29, :3], PIXELS[BOX.slices])


def test_the_matte_alone_has_no_background() -> None:
    """channels=alpha ignores them."""
    plain = composed(edge=0.5, channels=Channels.ALPHA)
    for options in ({"picture": PIXELS}, {"bg_blur": 50}):
        alone = composed(edge=0.5, channels=Channels.ALPHA, **options)
        assert np.array_equal(alone.pixels, plain.pixels)


def test_a_background_image_is_read_like_a_photo() -> None:
    """Upright, and its transparent parts on white."""
    image = Image.new("RGBA", (4, 2), (200, 0, 0, 0))
    image.putpixel((0, 0), (10, 20, 30, 255))
    image.putpixel((1, 0), (0, 0, 0, 128))
    exif = exif_of(3)  # to be turned by 180 degrees
    picture = read_background(encoded(image, exif=exif), LIMITS)
    expected = np.full((2, 4, 3), 255, np.uint8)
    expected[1, 3] = (10, 20, 30)
    expected[1, 2] = 127
    assert np.array_equal(picture, expected)


READ = "Accepted: jpeg, png, webp, gif, bmp, tiff, avif, heic."


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"GIF89a", f"The image cannot be read: it is a damaged or truncated GIF file. {READ}"),
        (encoded(Image.new("RGB", (90, 90)), "JPEG")[:400], f"The image cannot be read: it is a damaged or truncated JPEG file. {READ}"),
        (b"%PDF-1.4", None),
        (encoded(Image.new("RGB", (1, 9))), "The image is 1x9 px; each side must be at least 2 px."),
        (encoded(Image.new("RGB", (101, 100))), "The image is 101x100 px; at most 10000 pixels are accepted."),
    ],
    ids=["gif", "jpeg", "pdf", "small", "large"],
)  # fmt: skip
def test_a_background_image_that_cannot_be_used(data: bytes, reason: str | None) -> None:
    """One code, and the decoder's own reason."""
    with pytest.raises(InvalidBackground) as refusal:
        read_background(data, LIMITS)
    error = envelope(refusal.value, "r")["error"]
    assert (error["code"], error["status"]) == ("invalid_bg_image", 400)
    assert str(error["message"]).startswith("The background image cannot be used. The image ")
    if reason is not None:
        assert error["message"] == f"The background image cannot be used. {reason}"


def test_without_blur_the_photo_is_as_it_was() -> None:
    """bg_blur=0: outside the subject to the bit, and under a half pixel nearly."""
    cutout = composed(edge=0.5, bg_blur=0)
    outside = matte(0.5).alpha == 0
    assert np.array_equal(cutout.pixels[outside][:, :3], PIXELS[outside])
    solid = matte(0.5).alpha == 255
    assert np.array_equal(cutout.pixels[solid][:, :3], PIXELS[solid])
    assert (cutout.pixels[..., 3] == 255).all()


@pytest.mark.parametrize("blur", [0, 1, 5, 30, 100])
@pytest.mark.parametrize("is_moved", [False, True])
def test_no_ghost_glows_around_the_subject(blur: int, is_moved: bool) -> None:
    """A red disc on blue: blue is all around it, and behind it where it was moved away."""
    rows, columns = np.indices((300, 400))
    distance = np.hypot(rows - 150, columns - 140)
    alpha = np.clip(81 - distance, 0, 1).astype(np.float32)[..., None]
    red, blue = np.array([220, 20, 20]), np.array([20, 30, 200])
    pixels = np.rint(red * alpha + blue * (1 - alpha)).astype(np.uint8)
    options = Options(bg_blur=blur, position=Position(x=100, y=50) if is_moved else None)
    photo = Photo(pixels=pixels, alpha=None)
    cutout = compose(photo, Matte(alpha=quantized(alpha[..., 0])), options)
    shown = np.ones((300, 400), bool)
    subject = cutout.subject
    shown[
        max(0, subject.top - 1) : subject.top + subject.height + 1,
        max(0, subject.left - 1) : subject.left + subject.width + 1,
    ] = False
    assert shown.any()
    assert np.abs(cutout.pixels[shown][:, :3].astype(int) - blue).max() <= 6
    near = (distance > 82.5) & (distance < 90) & ~np.full_like(shown, fill_value=is_moved)
    if near.any():
        assert np.abs(cutout.pixels[near][:, :3].astype(int) - blue).max() <= 6


@pytest.mark.parametrize("blur", [10, 40, 100])
def test_a_matte_that_is_too_tight_makes_no_ghost_either(blur: int) -> None:
    """Two pixels of the red disc are left over beside the matte, as on many photographs."""
    rows, columns = np.indices((300, 400))
    distance = np.hypot(rows - 150, columns - 140)[..., None]
    blue = np.array([20, 30, 200])
    pixels = np.where(distance < 80, [220, 20, 20], blue).astype(np.uint8)
    alpha = (distance[..., 0] < 78).astype(np.float32)
    options = Options(bg_blur=blur, scale=10, position=Position(x=100, y=100))
    cutout = compose(Photo(pixels=pixels, alpha=None), Matte(alpha=quantized(alpha)), options)
    assert cutout.subject.left > 350
    shown = cutout.pixels[:, :340, :3].astype(int)
    assert np.abs(shown - blue).max() <= 3


def test_a_little_background_beside_the_subject_still_counts() -> None:
    """Where all of it is near the subject, its colours are all there is."""
    pixels = np.full((60, 80, 3), (220, 20, 20), np.uint8)
    pixels[:, :1] = (20, 30, 200)
    alpha = np.ones((60, 80), np.float32)
    alpha[:, :1] = 0
    options = Options(bg_blur=100, scale=50, clean_edges=False)
    cutout = compose(Photo(pixels=pixels, alpha=None), Matte(alpha=quantized(alpha)), options)
    assert np.abs(cutout.pixels[:5, ..., :3].astype(int) - (20, 30, 200)).max() <= 3


def test_more_blur_leaves_less_detail() -> None:
    """And keeps the mean."""
    details, means = [], []
    for blur in (0, 1, 5, 20, 100):
        shown = composed(bg_blur=blur).pixels[:15, :, :3].astype(float)
        details.append(shown.std())
        means.append(shown.mean())
    assert details == sorted(details, reverse=True)
    assert details[-1] < details[0] / 4
    assert np.ptp(means) < 8


def test_blur_does_not_depend_on_the_crop() -> None:
    """In the middle of it, where nothing of the rest of the photo reaches."""
    flat = np.full((200, 300, 3), (10, 120, 200), np.uint8)
    alpha = np.zeros((200, 300), np.float32)
    alpha[80:120, 100:200] = 1
    options = Options(bg_blur=30, crop=True, crop_margin=margin_of(px(200)), clean_edges=False)
    cutout = compose(Photo(pixels=flat, alpha=None), Matte(alpha=quantized(alpha)), options)
    assert cutout.pixels.shape == (440, 500, 4)  # far beyond the photo: no black border glows
    assert np.abs(cutout.pixels[..., :3].astype(int) - (10, 120, 200)).max() <= 1


def test_a_photo_that_is_all_subject_has_no_background_to_blur() -> None:
    """The subject covers all of it."""
    photo = Photo(pixels=PIXELS, alpha=None)
    solid = Matte(alpha=quantized(np.ones((60, 80), np.float32)))
    cutout = compose(photo, solid, Options(bg_blur=50))
    assert np.array_equal(cutout.pixels[..., :3], PIXELS)


def test_a_transparent_photos_hidden_colours_are_not_its_background() -> None:
    """They are on white, unless its alpha is discarded."""
    alpha = np.full((60, 80), 255, np.uint8)
    alpha[:, :20] = 0
    hidden = np.where(alpha[..., None] == 0, np.array([255, 0, 255], np.uint8), 90)
    photo = Photo(pixels=hidden.astype(np.uint8), alpha=alpha)
    for discard, colour in ((InputAlpha.MULTIPLY, 255), (InputAlpha.DISCARD, (255, 0, 255))):
        cutout = compose(photo, matte(), Options(bg_blur=0, input_alpha=discard))
        assert (cutout.pixels[:, :10, :3] == colour).all()


def test_a_zip_with_a_background_is_opaque() -> None:
    """As for a colour: the picture with the background, and a matte that is white."""
    png, archive = (composed(bg_blur=20, format=name) for name in (Format.PNG, Format.ZIP))
    assert np.array_equal(png.pixels, archive.pixels)


@pytest.mark.parametrize("sigma", [0.0, 0.5, 2.0, 3.9, 4.0, 11.0, 60.0])
def test_blur_is_a_gaussian_of_that_width(sigma: float) -> None:
    """A step becomes the Gaussian's integral, at full resolution and at a reduced one."""
    step = np.zeros((40, 600, 3), np.uint8)
    step[:, 300:] = 200
    row = blurred(step, sigma)[20, :, 0].astype(float)
    slopes = np.diff(row).clip(0)
    places = np.arange(599) - 299
    mean = (slopes * places).sum() / slopes.sum()
    width = np.sqrt((slopes * (places - mean) ** 2).sum() / slopes.sum())
    assert mean == pytest.approx(0, abs=0.6)
    assert width == pytest.approx(sigma, rel=0.08, abs=0.4)
    assert row[0] == pytest.approx(0, abs=1)
    assert row[-1] == pytest.approx(200, abs=1)


def test_12_megapixels_need_little_beside_the_planes() -> None:
    """36 MB for each picture, 48 for each cutout, in what numpy holds."""
    pixels = np.asarray(Image.fromarray(PIXELS).resize((4000, 3000)))
    alpha = np.zeros((3000, 4000), np.float32)
    alpha[800:2500, 1000:3000] = 1
    alpha[780:800, 1000:3000] = 0.5
    photo, solid = Photo(pixels=pixels, alpha=None), Matte(alpha=quantized(alpha))
    peaks = {}
    for name, options in {
        "none": Options(),
        "scale": Options(scale=80),
        "blur": Options(bg_blur=40),
        "sharp": Options(bg_blur=1),
    }.items():
        tracemalloc.start()
        compose(photo, solid, options)
        peaks[name] = tracemalloc.get_traced_memory()[1] // 1_000_000
        tracemalloc.stop()
    assert peaks["none"] < 48 + 36 + 12 + 30
    assert peaks["scale"] < 2 * 48 + 36 + 12 + 40
    assert peaks["blur"] < 48 + 48 + 2 * 36 + 12 + 40
    assert peaks["sharp"] < 48 + 48 + 2 * 36 + 12 + 40
