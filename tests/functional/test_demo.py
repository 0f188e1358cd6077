"""``make demo``: the table, and the files that it leaves."""

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

import demo


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the results."""
    return tmp_path_factory.mktemp("demo")


def run(out: Path) -> "subprocess.CompletedProcess[str]":
    """Run the program."""
    command = [sys.executable, str(demo.ROOT / "tests" / "demo.py"), "--out", str(out)]
    return subprocess.run(
        command, cwd=demo.ROOT, check=False, capture_output=True, text=True, timeout=120
    )


@pytest.fixture(scope="module")
def printed(out: Path) -> str:
    """Return what the program prints."""
    done = run(out)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_table_holds_successes_and_refusals(printed: str) -> None:
    """Every photograph has its line, and so have the two refusals, with their envelope."""
    statuses = [line[37:43].strip() for line in printed.splitlines() if line[37:43].strip()]
    assert statuses.count("200") == 5 + len(demo.PHOTOGRAPHS)
    assert statuses.count("400") == 2
    assert '{"error": {"code": "invalid_bg_color"' in printed
    assert '{"error": {"code": "invalid_image"' in printed


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("photo.jpg", "RGB"),
        ("cutout.png", "RGBA"),
        ("cutout-on-white.png", "RGB"),
        ("cutout-on-white.jpg", "RGB"),
        ("matte.png", "L"),
        ("cutout-cropped.webp", "RGBA"),
        ("result.png", "RGB"),
    ],
)
def test_the_files(name: str, mode: str, printed: str, out: Path) -> None:
    """Each is an image of its kind; but for the crop and the sheet, all have the photo's size."""
    assert name in printed
    with Image.open(out / name) as image, Image.open(out / "photo.jpg") as photo:
        assert image.mode == mode
        assert image.size == photo.size or name in {"result.png", "cutout-cropped.webp"}


@pytest.mark.parametrize("name", ["photo.jpg", "matte.png", "result.png"])
def test_a_file_that_cannot_be_written_is_named(tmp_path: Path, name: str) -> None:
    """As where another user made the folder; here a folder has the file's name."""
    (tmp_path / name).mkdir()
    done = run(tmp_path)
    assert done.returncode == 1
    assert "The results cannot be written: " in done.stderr
    assert f"'{tmp_path / name}'. Choose another folder" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_pictures_of_the_readme_are_small() -> None:
    """A clone carries them."""
    sizes = [path.stat().st_size for path in Path(demo.PICTURES).glob("*.jpg")]
    assert sum(sizes) <= demo.MAX_PICTURES_BYTES
