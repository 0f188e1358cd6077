"""Photographs and mattes of one's own, as cameras and other tools write them, for training."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from labels import Unseen, training_pairs
from opinions import TEACHER, Opinions
from photographs import photographs
from PIL import Image

from data import FOLDER_SIDE_MAX_PX, Pair, UnreadableError, read_folder

TRAINING = Path(__file__).resolve().parents[2] / "models" / "training"
CARD = TRAINING.parent / "erase-s" / "card.toml"
WIDTH, HEIGHT = 60, 40  # upright
ORIENTATION = 0x112  # of EXIF


def photograph() -> Image.Image:
    """Return one whose left half is white."""
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    pixels[:, : WIDTH // 2] = 255
    return Image.fromarray(pixels)


def as_a_phone_does(image: Image.Image, file: Path) -> None:
    """Store a picture lying on its side, with EXIF that says so."""
    exif = Image.Exif()
    exif[ORIENTATION] = 6  # a quarter turn clockwise makes it upright
    image.transpose(Image.Transpose.ROTATE_90).save(file, exif=exif)


def folder(place: Path) -> Path:
    """Return a folder of pairs with nothing in it."""
    for name in ("im", "gt"):
        (place / "mine" / name).mkdir(parents=True)
    return place / "mine"


def left_half(pair: Pair) -> bool:
    """Tell whether the photograph is white, and the matte the subject, in the left half only."""
    half = np.arange(WIDTH) < WIDTH // 2
    middle = pair.rgb[HEIGHT // 2, :, 0] > 127
    return (
        pair.alpha.shape == (HEIGHT, WIDTH)
        and bool((middle == half).all())
        and bool(((pair.alpha[HEIGHT // 2] > 127) == half).all())
    )


def test_a_photograph_of_a_phone_is_upright(tmp_path: Path) -> None:
    """Its matte, which was drawn over what a screen shows, was stretched over another picture."""
    pairs = folder(tmp_path)
    as_a_phone_does(photograph(), pairs / "im" / "a.jpg")
    photograph().convert("L").save(pairs / "gt" / "a.png")
    (pair,) = read_folder(pairs)
    assert left_half(pair)
    assert photographs(pairs / "im").rgb("a.jpg").shape == (HEIGHT, WIDTH, 3)


def sixteen_bits(matte: Image.Image) -> Image.Image:
    """Return a grey picture with 16 bits, whose darker half is a third of the way to white."""
    values = np.asarray(matte).astype(np.uint16) * 257
    return Image.fromarray(np.maximum(values, 65535 // 3).astype(np.uint16))


def cutout(matte: Image.Image) -> Image.Image:
    """Return a picture that is black all over, and transparent outside of the subject."""
    image = Image.new("RGB", matte.size)
    image.putalpha(matte)
    return image


@pytest.mark.parametrize("stored", [sixteen_bits, cutout, lambda matte: matte.convert("RGBA")])
def test_mattes_of_other_tools(
    tmp_path: Path, stored: Callable[[Image.Image], Image.Image]
) -> None:
    """With 16 bits, as the alpha of a cutout, or grey with an alpha that says nothing."""
    pairs = folder(tmp_path)
    photograph().save(pairs / "im" / "a.png")
    stored(photograph().convert("L")).save(pairs / "gt" / "a.png")
    (pair,) = read_folder(pairs)
    assert left_half(pair)


@pytest.mark.parametrize(("photo", "matte"), [("a.ppm", "a.pgm"), ("a.jfif", "a.gif")])
def test_pictures_of_older_tools(tmp_path: Path, photo: str, matte: str) -> None:
    """Some public sets of pairs have such files."""
    pairs = folder(tmp_path)
    photograph().save(pairs / "im" / photo)
    photograph().convert("L").save(pairs / "gt" / matte)
    (pair,) = read_folder(pairs)
    assert left_half(pair)


def test_a_transparent_photograph_is_on_white(tmp_path: Path) -> None:
    """As the function shows it to the network; the colours below are arbitrary."""
    cutout(photograph().convert("L")).save(tmp_path / "a.png")
    rgb = photographs(tmp_path).rgb("a.png")
    assert rgb[0, 0].tolist() == [0, 0, 0]
    assert rgb[0, -1].tolist() == [255, 255, 255]


def test_photographs_with_16_bits_are_not_white(tmp_path: Path) -> None:
    """They were clipped at the 256th of 65,536 values."""
    Image.fromarray(np.full((8, 8), 32_896, np.uint16)).save(tmp_path / "a.png")
    assert photographs(tmp_path).rgb("a.png")[0, 0].tolist() == [128, 128, 128]


def test_hidden_and_other_files_are_passed_over(tmp_path: Path) -> None:
    """Such as those that systems leave beside photographs."""
    pairs = folder(tmp_path)
    photograph().save(pairs / "im" / "a.JPG")
    photograph().save(pairs / "gt" / "a.bmp")
    for name in (".DS_Store", "._a.jpg", "Thumbs.db"):
        (pairs / "im" / name).write_bytes(b"no picture")
        (pairs / "gt" / name).write_bytes(b"no picture")
    assert [pair.name for pair in read_folder(pairs)] == ["a.JPG"]
    assert [photo.file for photo in photographs(pairs / "im").index] == ["a.JPG"]


@pytest.mark.parametrize(
    ("matte", "said"),
    [
        (None, r"im/a\.png has no matte of the same stem in .*/mine/gt"),
        (b"no picture", r"gt/a\.png cannot be read: cannot identify image file .*"),
        (
            Image.new("L", (HEIGHT, WIDTH), 255),
            r"gt/a\.png has 40 × 60 px, and its photograph, upright, 60 × 40: they must .*",
        ),
        (
            Image.new("L", (WIDTH, HEIGHT), 1),
            r"gt/a\.png has values up to 1, and the subject must have 255",
        ),
        (
            Image.fromarray(np.full((HEIGHT, WIDTH), 255, np.uint16)),
            r"gt/a\.png has values up to 255, and the subject must have 65535",
        ),
    ],
)
def test_what_can_be_no_matte_is_named(
    tmp_path: Path, matte: Image.Image | bytes | None, said: str
) -> None:
    """Classes numbered from 1 would be a picture without a subject."""
    pairs = folder(tmp_path)
    photograph().save(pairs / "im" / "a.png")
    if isinstance(matte, bytes):
        (pairs / "gt" / "a.png").write_bytes(matte)
    elif matte is not None:
        matte.save(pairs / "gt" / "a.png")
    with pytest.raises(UnreadableError) as refused:
        read_folder(pairs)
    assert re.search(f"{said}$", str(refused.value))


def test_a_damaged_avif_is_named(tmp_path: Path) -> None:
    """Pillow raises another error for it than for the other formats."""
    file = tmp_path / "a.avif"
    photograph().save(file)
    head, mark, pixels = file.read_bytes().partition(b"mdat")
    file.write_bytes(head + mark + b"\xff" * len(pixels))
    with pytest.raises(UnreadableError, match=r"^a\.avif cannot be read: Failed to decode"):
        photographs(tmp_path).rgb("a.avif")


def test_large_photographs_of_a_folder_are_shrunk(tmp_path: Path) -> None:
    """A run holds all of them, and what it knows of labels in px is for this size."""
    Image.new("RGB", (2000, 1000)).save(tmp_path / "a.jpg")
    assert photographs(tmp_path).rgb("a.jpg").shape == (256, FOLDER_SIDE_MAX_PX, 3)


def test_two_photographs_of_one_label_are_refused(tmp_path: Path) -> None:
    """The second one was trained with the label of the first."""
    for name in ("a.jpg", "a.png"):
        photograph().save(tmp_path / name)
    with pytest.raises(UnreadableError) as refused:
        photographs(tmp_path)
    assert str(refused.value) == (
        "a.jpg and a.png would have one label, since only their suffixes differ: rename one"
    )


def test_a_label_of_another_size_does_not_train(tmp_path: Path) -> None:
    """It lay beside the photograph's subject."""
    (tmp_path / "photos").mkdir()
    photograph().save(tmp_path / "photos" / "a.png")
    opinions = Opinions(tmp_path / "labels")
    matte = np.zeros((2 * HEIGHT, 2 * WIDTH), np.float32)
    matte[20:60, 20:80] = 1
    for name in (TEACHER, "second"):
        opinions.write(name, "a.png", matte)
    with pytest.raises(ValueError, match=r"a\.png has 60 × 40 px, and its label 120 × 80: remove"):
        training_pairs(photographs(tmp_path / "photos"), opinions.folder, Unseen.nothing())


def label(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    """Run the command that labels, with the shipped model as the teacher."""
    command = [sys.executable, TRAINING / "label.py", "--teacher", CARD, *arguments]
    return subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False
    )


def test_an_unreadable_photograph_does_not_end_the_labelling(tmp_path: Path) -> None:
    """It ended it at the same place in every run."""
    (tmp_path / "photos").mkdir()
    Image.fromarray(skimage.data.chelsea()).save(tmp_path / "photos" / "good.png")
    whole = (tmp_path / "photos" / "good.png").read_bytes()
    (tmp_path / "photos" / "bad.png").write_bytes(whole[: len(whole) // 2])
    done = label("--photos", tmp_path / "photos", "--out", tmp_path / "labels", "--mirror", "never")
    assert done.returncode == 0
    assert re.fullmatch(
        r"left out: bad\.png cannot be read: image file is truncated.*\n", done.stderr
    )
    assert [p.name for p in (tmp_path / "labels" / TEACHER).iterdir()] == ["good.webp"]


def test_what_cannot_be_labelled_is_said(tmp_path: Path) -> None:
    """A folder without photographs, and labels among the photographs."""
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.heic").write_bytes(b"")
    done = label("--photos", tmp_path / "photos", "--out", tmp_path / "labels")
    assert done.returncode == 1
    assert done.stderr == (
        f"{tmp_path / 'photos'} has no photographs: files are read that end in .avif, .bmp, .gif,"
        " .jfif, .jpeg, .jpg, .pgm, .png, .ppm, .tif, .tiff, .webp\n"
    )
    done = label("--photos", tmp_path / "photos", "--out", tmp_path / "photos" / "labels")
    assert done.returncode == 2
    assert done.stderr.endswith(
        "--out must lie outside of --photos: labels would be taken for photographs\n"
    )
