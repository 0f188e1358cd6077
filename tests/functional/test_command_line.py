"""The command line, as a user starts it: a real process, the real model, real photographs."""

import importlib.resources
import io
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cutout import __version__
from cutout.errors import InvalidImage, UnknownForeground
from cutout.image.decode import Limits, decode
from cutout.options import OPTIONS

ROOT = Path(__file__).resolve().parents[2]
PHOTO = (ROOT / "tests" / "data" / "photo.jpg").read_bytes()
SKIPPED = (
    "What is skipped has a result that is not older than the photo; --overwrite cuts it out again, "
    "as after a change of options.\n"
)
OTHERS = "Files that were passed over: 1 (-v names them).\n"  # notes.txt of the folder photos/
CAT = (importlib.resources.files("skimage.data") / "chelsea.png").read_bytes()
BROKEN = b"junk" * 9
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT / "function"), "COLUMNS": "100"}

FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")

# The command line, which tells when it begins to read standard input.
STARTED = """
import io, os, sys
from cutout.cli.run import main

class Stream(io.FileIO):
    def readall(self):
        os.write(1, b"reads\\n")
        return super().readall()

sys.stdin = io.TextIOWrapper(io.BufferedReader(Stream(0)))
sys.exit(main(sys.argv[1:]))
"""

# The command line on a disk that takes the beginning of a file, and no more for ever. It tells when
# a file has got there.
STUCK = """
import os, sys, threading
from pathlib import Path
from cutout.cli.run import main

def write_bytes(path, data):
    with path.open("wb") as file:
        file.write(data[:99])
    os.write(1, b"writes\\n")
    threading.Event().wait()

Path.write_bytes = write_bytes
sys.exit(main(sys.argv[1:]))
"""

# The command line with an output that takes nothing, and which tells when it is written to.
FULL_OUTPUT = """
import io, os, sys, threading
from cutout.cli.run import main

class Stream(io.FileIO):
    def write(self, data):
        os.write(1, b"writes\\n")
        threading.Event().wait()

sys.stdout = io.TextIOWrapper(io.BufferedWriter(Stream(1, "w")))
sys.exit(main(sys.argv[1:]))
"""

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
INTERRUPTED = "\ncutout: interrupted; finished results are kept\n"
WAIT_S = 60  # for what takes a moment on an idle machine


def run(folder: Path, *arguments: str, stdin: bytes = b"") -> tuple[int, bytes, str]:
    """Return the exit status, standard output and standard error of a command in a folder."""
    return run_as(("-m", "cutout"), folder, *arguments, stdin=stdin)


def run_as(
    program: tuple[str, str], folder: Path, *arguments: str, stdin: bytes = b""
) -> tuple[int, bytes, str]:
    """Return the same of a program of Python that calls the command line by itself."""
    done = subprocess.run(
        [sys.executable, *program, *arguments],
        cwd=folder,
        env=ENVIRONMENT,
        input=stdin,
        capture_output=True,
        check=False,
        timeout=300,
    )
    return done.returncode, done.stdout, done.stderr.decode()


# The command line without root's right to read what nobody may read. Anybody else has none to give
# up, and only Linux has a call for it.
WITHOUT_RIGHTS = """
import ctypes, os, sys
if sys.platform == "linux":
    drop, override, search = 24, 1, 2  # PR_CAPBSET_DROP, CAP_DAC_OVERRIDE and _READ_SEARCH
    for right in (override, search):
        ctypes.CDLL(None).prctl(drop, right, 0, 0, 0)
os.execv(sys.executable, [sys.executable, "-m", "cutout", *sys.argv[1:]])
"""


@contextmanager
def started(
    folder: Path,
    *command: str,
    stdin: int | None = None,
    stderr: int = subprocess.PIPE,
    signals: signal.Handlers = signal.SIG_DFL,
) -> Iterator[subprocess.Popen[bytes]]:
    """Yield a command of Python in a folder while it runs, and end it then.

    It starts with ``signals`` as a terminal's, whoever started the tests: nohup and the background
    of a shell let their children ignore some of them.
    """
    before = {number: signal.signal(number, signals) for number in SIGNALS}
    try:
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=folder,
            env=ENVIRONMENT,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=stderr,
        )
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def tells(process: subprocess.Popen[bytes], word: bytes) -> None:
    """Wait until a process says that it has come to a place."""
    assert process.stdout is not None
    assert process.stdout.readline() == word + b"\n"


def message_for(data: bytes) -> str:
    """Return the message that the pipeline itself refuses an image with."""
    with pytest.raises(InvalidImage) as refused:
        decode(data, limits=Limits(max_pixels=1_000_000), cap_px=None)
    return str(refused.value)


def results(folder: Path) -> set[str]:
    """Return every file in a folder, hidden ones too."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """Return a folder with ``photo.jpg`` and, in ``photos/``, two photos on two levels."""
    (tmp_path / "photo.jpg").write_bytes(PHOTO)
    (tmp_path / "photos" / "cats").mkdir(parents=True)
    (tmp_path / "photos" / "a.jpg").write_bytes(PHOTO)
    (tmp_path / "photos" / "cats" / "b.PNG").write_bytes(CAT)
    (tmp_path / "photos" / "notes.txt").write_text("no photo")
    (tmp_path / "photos" / ".hidden.jpg").write_bytes(PHOTO)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "notes.txt").write_text("no photo")
    return tmp_path


def test_one_photo_on_a_colour(here: Path) -> None:
    """A single photo with a clear subject is quiet; its result is replaced without being asked."""
    (here / "out.png").write_bytes(b"old")
    assert run(here, "photo.jpg", "out.png", "--bg-color", "white") == (0, b"", "")
    with Image.open(here / "out.png") as image, Image.open(here / "photo.jpg") as photo:
        assert (image.format, image.mode, image.size) == ("PNG", "RGB", photo.size)
        assert image.getpixel((0, 0)) == (255, 255, 255)


def test_the_suffix_names_the_format_and_switches_need_no_value(here: Path) -> None:
    """Options may come first, and ``--crop`` does not take the photo for its value."""
    assert run(here, "--crop", "--no-despill", "photo.jpg", "out.webp") == (0, b"", "")
    with Image.open(here / "out.webp") as image, Image.open(here / "photo.jpg") as photo:
        assert (image.format, image.mode) == ("WEBP", "RGBA")
        assert image.width < photo.width


@pytest.mark.parametrize("name", ["1", "yes"])
def test_an_output_may_be_called_as_a_value_of_a_switch(here: Path, name: str) -> None:
    """Without it the command would have no output."""
    status, _, said = run(here, "photos", "--crop", name)
    assert (status, said) == (0, "2 photos: 2 cut out, 0 skipped, 0 failed.\n" + OTHERS)
    assert results(here / name) == {"a.png", "cats/b.png"}


def test_standard_input_and_output(here: Path) -> None:
    """Bytes in, bytes out; here the matte alone."""
    status, body, said = run(here, "-", "-", "--channels", "alpha", stdin=PHOTO)
    assert (status, said) == (0, "")
    with Image.open(io.BytesIO(body)) as image:
        assert (image.format, image.mode) == ("PNG", "L")
    assert run(here, "-", "-", stdin=BROKEN)[::2] == (1, f"-: {message_for(BROKEN)}\n")


@pytest.mark.parametrize("output", ["out.png", "-"])
def test_a_photo_can_come_through_a_pipe_with_a_name(here: Path, output: str) -> None:
    """It is one photo, as a file is: ``cutout <(curl …) out.png`` of a shell."""
    status, body, said = run(here, "/dev/stdin", output, stdin=PHOTO)
    assert (status, said) == (0, "")
    made = io.BytesIO(body) if output == "-" else here / output
    with Image.open(made) as image, Image.open(here / "photo.jpg") as photo:
        assert (image.format, image.size) == ("PNG", photo.size)


def test_a_folder_keeps_its_structure_and_skips_what_is_done(here: Path) -> None:
    """The second run does nothing; ``--overwrite`` does all again."""
    command = ("photos", "cutouts", "--format", "webp", "--jobs", "2")
    assert run(here, *command) == (0, b"", "2 photos: 2 cut out, 0 skipped, 0 failed.\n" + OTHERS)
    assert results(here / "cutouts") == {"a.webp", "cats/b.webp"}
    status, _, said = run(here, *command, "-v")
    assert status == 0
    assert said.splitlines() == [
        "photos/notes.txt: passed over, its suffix is not that of a photo",
        "photos/a.jpg: skipped, its result exists",
        "photos/cats/b.PNG: skipped, its result exists",
        "2 photos: 0 cut out, 2 skipped, 0 failed.",
        SKIPPED.strip(),
        OTHERS.strip(),
    ]
    done = run(here, *command, "--overwrite")
    assert done == (0, b"", "2 photos: 2 cut out, 0 skipped, 0 failed.\n" + OTHERS)
    _, _, said = run(here, *command, "--overwrite", "--verbose", "--jobs", "1")
    lines = said.splitlines()[1:]
    for line, name in zip(sorted(lines[:2]), ("photos/a.jpg", "photos/cats/b.PNG"), strict=True):
        assert re.fullmatch(rf"{re.escape(name)}: done, confidence [01]\.\d\d", line)


def test_the_results_to_look_at_are_named_and_counted(here: Path) -> None:
    """At once: a second run would skip them."""
    Image.new("RGB", (64, 64), "grey").save(here / "photos" / "empty.png")
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    with Image.open(here / "photo.jpg") as photo:
        mixed = Image.blend(photo, Image.fromarray(noise).resize(photo.size), 0.6)
    mixed.save(here / "photos" / "unsure.png")
    status, _, said = run(here, "photos", "out", "--jobs", "1")
    empty, unsure, *summary = said.splitlines()
    assert (status, empty) == (0, "photos/empty.png: done, without a subject")
    assert re.fullmatch(r"photos/unsure\.png: done, confidence 0\.[0-7]\d", unsure)
    assert summary == [
        "4 photos: 4 cut out, 0 skipped, 0 failed.",
        "Look at these results: 1 without a subject, 1 with a confidence below 0.8.",
        OTHERS.strip(),
    ]
    told = "photos/empty.png: done, without a subject\n"
    assert run(here, "photos/empty.png", "empty.png") == (0, b"", told)


@pytest.mark.parametrize(
    ("confidence", "told", "unsure"), [("0.796", "0.80", 0), ("0.794", "0.79", 2)]
)
def test_the_confidence_that_is_shown_decides_whether_a_result_is_unsure(
    here: Path, confidence: str, told: str, unsure: int
) -> None:
    """It is rounded first, and then compared with 0.8. This model has the same for every photo."""
    model = here / "models" / "erase-s"
    model.mkdir(parents=True)
    (model / "model.onnx").symlink_to(ROOT / "models" / "erase-s" / "model.onnx")
    card = (ROOT / "models" / "erase-s" / "card.toml").read_text()
    points = f"confidence = [[0.0, {confidence}], [1.0, {confidence}]]"
    card = re.sub(r"(?m)^confidence = .*$", points, card)
    (model / "card.toml").write_text(card)
    status, _, said = run(here, "photos", "out", "--model-dir", "models", "--verbose")
    _, first, second, *summary = said.splitlines()
    assert (status, {first, second}) == (
        0,
        {f"photos/{name}: done, confidence {told}" for name in ("a.jpg", "cats/b.PNG")},
    )
    look = f"Look at these results: 0 without a subject, {unsure} with a confidence below 0.8."
    assert summary == [
        "2 photos: 2 cut out, 0 skipped, 0 failed.",
        *([look] if unsure else []),
        OTHERS.strip(),
    ]


def test_files_that_are_passed_over_are_counted_and_named(here: Path) -> None:
    """Raw photos, files without a suffix and links: nobody takes them for done."""
    (here / "photos" / "notes.txt").unlink()
    (here / "photos" / "cats" / "raw.dng").write_bytes(PHOTO)
    (here / "photos" / "photo").write_bytes(PHOTO)
    (here / "photos" / "gone.jpg").symlink_to("nowhere.jpg")
    (here / "photos" / "more").symlink_to("cats")
    (here / "photos" / "linked.jpg").symlink_to("../photo.jpg")
    (here / "photos" / "done").symlink_to("../out")
    (here / "out").mkdir()
    status, _, said = run(here, "photos", "out", "--size", "preview")
    summary = "3 photos: 3 cut out, 0 skipped, 0 failed.\n"
    passed = "Files that were passed over: 4 (-v names them).\n"
    assert (status, said) == (0, summary + passed)
    assert results(here / "out") == {"a.png", "linked.png", "cats/b.png"}
    _, _, said = run(here, "photos", "out", "-v")
    assert said.splitlines()[:4] == [
        "photos/cats/raw.dng: passed over, its suffix is not that of a photo",
        "photos/gone.jpg: passed over, a link to nothing",
        "photos/more: passed over, a link to a folder",
        "photos/photo: passed over, its suffix is not that of a photo",
    ]


@pytest.mark.parametrize("inputs", [("photos", "photos/raw.dng"), ("photos/*.dng", "photos")])
def test_a_photo_that_is_named_by_itself_is_not_passed_over(
    here: Path, inputs: tuple[str, str]
) -> None:
    """Although its folder, which is named too, does not tell that it is one."""
    (here / "photos" / "raw.dng").write_bytes(PHOTO)
    status, _, said = run(here, *inputs, "out", "--size", "preview")
    assert (status, said) == (0, "3 photos: 3 cut out, 0 skipped, 0 failed.\n" + OTHERS)
    assert results(here / "out") == {"a.png", "raw.png", "cats/b.png"}


def test_a_photo_that_is_newer_than_its_result_is_cut_out_again(here: Path) -> None:
    """As make does it: the photo was replaced since. With one format or another it is the same."""
    command = ("photos", "out", "--format", "auto", "--size", "preview")
    assert run(here, *command)[0] == 0
    made = (here / "out" / "a.png").stat().st_mtime_ns
    os.utime(here / "photos" / "a.jpg", ns=(made, made))
    done = run(here, *command)
    assert done == (0, b"", "2 photos: 0 cut out, 2 skipped, 0 failed.\n" + SKIPPED + OTHERS)
    (here / "photos" / "a.jpg").write_bytes(CAT)
    os.utime(here / "photos" / "a.jpg", ns=(made + 1, made + 1))
    done = run(here, *command)
    assert done == (0, b"", "2 photos: 1 cut out, 1 skipped, 0 failed.\n" + SKIPPED + OTHERS)
    with Image.open(here / "out" / "a.png") as result, Image.open(io.BytesIO(CAT)) as cat:
        assert result.size == cat.size


def test_a_photo_that_fails_leaves_an_earlier_result_and_says_so(here: Path) -> None:
    """Nothing is deleted, and nobody takes the old result for a new one."""
    (here / "out.png").write_bytes(b"old")
    (here / "broken.jpg").write_bytes(BROKEN)
    done = run(here, "broken.jpg", "out.png")
    left = "(out.png is still that of an earlier run)"
    assert done == (1, b"", f"broken.jpg: {message_for(BROKEN)} {left}\n")
    assert (here / "out.png").read_bytes() == b"old"


def test_a_broken_file_does_not_stop_the_others(here: Path) -> None:
    """It is named with the API's message, leaves no file, and the status says that some failed."""
    (here / "photos" / "broken.jpg").write_bytes(BROKEN)
    status, _, said = run(here, "photos", "cutouts")
    assert said == (
        f"photos/broken.jpg: {message_for(BROKEN)}\n"
        f"3 photos: 2 cut out, 0 skipped, 1 failed.\n{OTHERS}"
    )
    assert status == 1
    assert results(here / "cutouts") == {"a.png", "cats/b.png"}


def test_a_message_is_one_line_whatever_the_name_of_the_photo_is(here: Path) -> None:
    """A name may hold anything but a slash, and photos come from strangers."""
    names = ["a\nb", "c\x1b[31m\r", "d\x9b\x7f", "e\u2028", "gpj\u202e", "büro 猫 \\"]
    for name in names:
        (here / "photos" / f"{name}.jpg").write_bytes(BROKEN)
    status, _, said = run(here, "photos", "cutouts")
    assert status == 1
    told = [r"a\nb", r"c\x1b[31m\r", r"d\x9b\x7f", r"e\u2028", r"gpj\u202e", "büro 猫 \\"]
    expected = {f"photos/{name}.jpg: {message_for(BROKEN)}" for name in told}
    *lines, summary, _ = said.splitlines()
    assert set(lines) == expected
    assert summary == "8 photos: 2 cut out, 0 skipped, 6 failed."


def test_a_name_that_is_taken_for_a_flag_steers_no_terminal(here: Path) -> None:
    """As a shell's pattern may give it."""
    status, _, said = run(here, "--\x1b]0;mine\x07.jpg", "photos", "cutouts")
    assert status == 2
    assert said == "cutout: error: unrecognized arguments: --\\x1b]0;mine\\x07.jpg\n"


def test_a_fault_of_ours_ends_one_photo_only(here: Path) -> None:
    """Here Pillow was built without a codec, which no folder of photos can expect."""
    with Image.open(io.BytesIO(PHOTO)) as image:
        image.save(here / "photos" / "c.avif")
    program = (
        "import sys; from PIL import AvifImagePlugin; AvifImagePlugin.SUPPORTED = False; "
        "from cutout.cli.run import main; sys.exit(main(sys.argv[1:]))"
    )
    status, _, said = run_as(("-c", program), here, "photos", "cutouts")
    assert status == 1
    assert said.splitlines() == [
        "photos/c.avif: ImportError: Pillow lacks its codec for AVIF",
        "3 photos: 2 cut out, 0 skipped, 1 failed.",
        OTHERS.strip(),
    ]
    assert results(here / "cutouts") == {"a.png", "cats/b.png"}


def test_an_output_folder_inside_the_input_is_never_an_input(here: Path) -> None:
    """Nor does a second run with another format cut out the first one's results."""
    assert run(here, "photos", "photos/out")[0] == 0
    made = {"a.png", "cats/b.png"}
    assert results(here / "photos" / "out") == made
    done = run(here, "photos", "photos/out", "--format", "auto", "--bg-color", "red")
    assert done[0] == 0
    assert results(here / "photos" / "out") == made  # auto could have made them: they are skipped


def test_a_result_has_the_name_of_its_photo_whatever_lies_beside_it(here: Path) -> None:
    """Two photos of one name are refused in one command: neither takes the other's result."""
    assert run(here, "photos/a.*", "out/")[0] == 0
    (here / "photos" / "a.png").write_bytes(CAT)
    (here / "other").mkdir()
    (here / "other" / "a.jpg").write_bytes(PHOTO)
    for inputs, advice in (
        (
            ("photos/a.jpg", "photos/a.png"),
            "with --keep-suffix they become a.jpg.png and a.png.png",
        ),
        (("photos/a.jpg", "other/a.jpg"), "cut them out by two commands, into two folders"),
    ):
        both = " and ".join(inputs)
        message = f"cutout: error: {both} would both become out/a.png; {advice}\n"
        assert run(here, *inputs, "out/") == (2, b"", message)
    assert results(here / "out") == {"a.png"}


@pytest.mark.parametrize(
    ("inputs", "advice"),
    [
        (("photos/a.jpg", "photos/a.png"), "--keep-suffix keeps them apart"),
        (("photos/a.jpg", "other/a.jpg"), "cut them out by two commands, into two folders"),
    ],
)
def test_no_result_is_named_where_its_suffix_is_not_known(
    here: Path, inputs: tuple[str, str], advice: str
) -> None:
    """With ``--format auto`` no result is called ``out/a``."""
    (here / "photos" / "a.png").write_bytes(CAT)
    (here / "other").mkdir()
    (here / "other" / "a.jpg").write_bytes(PHOTO)
    message = f"cutout: error: {' and '.join(inputs)} would both become one file; {advice}\n"
    assert run(here, *inputs, "out/", "--format", "auto") == (2, b"", message)


def test_two_photos_of_one_name_can_keep_their_suffixes(here: Path) -> None:
    """A pattern in quotes is matched by the program."""
    (here / "photos" / "a.png").write_bytes(CAT)
    done = run(here, "photos/a.*", "out/", "--keep-suffix")
    assert done == (0, b"", "2 photos: 2 cut out, 0 skipped, 0 failed.\n")
    assert results(here / "out") == {"a.jpg.png", "a.png.png"}


def test_a_pattern_leaves_out_hidden_files(here: Path) -> None:
    """As in a shell, where one that begins with a dot asks for them."""
    assert run(here, "photos/*.jpg", "out/")[0] == 0
    assert results(here / "out") == {"a.png"}
    assert run(here, "photos/.*.jpg", "out/")[0] == 0
    assert results(here / "out") == {"a.png", ".hidden.png"}


@pytest.mark.parametrize(
    ("pattern", "made"),
    [
        ("photos/**/*.jpg", {"a.png", "cats/c.png"}),
        ("photos/**.jpg", {"a.png"}),
        ("./photos/***.[j]pg", {"a.png"}),
    ],
)
def test_two_stars_mean_the_same_in_every_version_of_python(
    here: Path, pattern: str, made: set[str]
) -> None:
    """As a whole part of a path they are any folders but hidden ones; within a name, one star."""
    for folder in (".trash", "cats/.thumbnails"):
        (here / "photos" / folder).mkdir()
        (here / "photos" / folder / "old.jpg").write_bytes(PHOTO)
    (here / "photos/cats/c.jpg").write_bytes(PHOTO)
    assert run(here, pattern, "out/")[0] == 0
    assert results(here / "out") == made


def test_two_stars_at_the_end_are_all_files(here: Path) -> None:
    """Those that are no photos fail, as files that are named by themselves do."""
    (here / "photos/.trash").mkdir()
    (here / "photos/.trash/old.jpg").write_bytes(PHOTO)
    status, _, said = run(here, str(here / "photos/**"), "out/")
    assert said.endswith("\n3 photos: 2 cut out, 0 skipped, 1 failed.\n")
    assert status == 1
    assert results(here / "out") == {"a.png", "cats/b.png"}


def test_a_pattern_keeps_the_structure(here: Path) -> None:
    """Two photos of one name in two folders are no clash; and no .. leads out of the output."""
    (here / "photos" / "dogs").mkdir()
    for folder in ("cats", "dogs"):
        (here / "photos" / folder / "x.jpg").write_bytes(PHOTO)
    assert run(here, "photos/*/x.jpg", "out/")[0] == 0
    assert results(here / "out") == {"cats/x.png", "dogs/x.png"}
    assert run(here, "photos/cat*/../../photo.jpg", "out/")[0] == 0
    assert results(here / "out") == {"cats/x.png", "dogs/x.png", "photo.png"}


@pytest.mark.parametrize(
    ("pattern", "summary"),
    [
        ("photos/**/*.[jJpP]*", "2 photos: 0 cut out, 2 skipped, 0 failed.\n"),
        ("photos/*/*.[jJpP]*", "1 photo: 0 cut out, 1 skipped, 0 failed.\n"),
        ("**/*.[jJpP]*", "2 photos: 0 cut out, 2 skipped, 0 failed.\n"),
    ],
)
def test_a_pattern_leaves_out_the_results_of_an_earlier_run(
    here: Path, pattern: str, summary: str
) -> None:
    """The output folder may lie below the folder that the pattern goes through."""
    (here / "photo.jpg").unlink()
    arguments = (pattern, "photos/out", "--size", "preview")
    assert run(here, *arguments)[0] == 0
    made = results(here / "photos/out")
    assert run(here, *arguments) == (0, b"", summary + SKIPPED)
    assert results(here / "photos/out") == made


@pytest.mark.parametrize("given", ["deep", "deep/**/*.jpg"])
def test_folders_may_be_nested_as_deep_as_the_disk_takes_them(here: Path, given: str) -> None:
    """There are more levels than Python lets a function call itself."""
    place = Path(*["d"] * 1100)
    folder = here / "deep"
    for part in (".", *place.parts):
        folder /= part
        folder.mkdir()
    try:
        (folder / "x.jpg").write_bytes(PHOTO)
        done = run(here, given, "out/", "--size", "preview")
        assert done == (0, b"", "1 photo: 1 cut out, 0 skipped, 0 failed.\n")
        assert (here / "out" / place / "x.png").is_file()
    finally:  # pytest could not remove them
        subprocess.run(["/bin/rm", "-r", "-f", here / "deep", here / "out"], check=True)


def redirected(folder: Path, streams: str, *arguments: str) -> tuple[int, str, str]:
    """Return the status, the output and the messages of a command whose streams a shell sets."""
    done = subprocess.run(
        ["/bin/sh", "-c", f'exec "$0" -m cutout "$@" {streams}', sys.executable, *arguments],
        cwd=folder,
        env=ENVIRONMENT | {"PYTHONUNBUFFERED": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    "streams", ["2>&-", pytest.param("2>/dev/full", marks=FULL), "<&- >&- 2>&-", "2</dev/null"]
)
def test_messages_that_cannot_be_written_stop_nothing(here: Path, streams: str) -> None:
    """Every photo is cut out, and the status says what became of them."""
    for number in range(4):
        (here / f"photos/{number}.jpg").write_bytes(PHOTO)
    arguments = ("photos", "out", "--size", "preview", "--verbose")
    assert redirected(here, streams, *arguments) == (0, "", "")
    made = results(here / "out")
    assert made == {"0.png", "1.png", "2.png", "3.png", "a.png", "cats/b.png"}
    for name in made:
        with Image.open(here / "out" / name) as image:
            image.load()
    (here / "broken.jpg").write_bytes(BROKEN)
    assert redirected(here, streams, "broken.jpg", "x.png") == (1, "", "")
    assert redirected(here, streams, "no.jpg", "x.png") == (2, "", "")
    assert redirected(here, streams, "photo.jpg") == (2, "", "")
    assert redirected(here, streams, "photo.jpg", "x.png", "--model", "no") == (3, "", "")


@pytest.mark.parametrize(
    ("streams", "arguments", "status", "message"),
    [
        (">&-", ["photo.jpg", "-"], 2, "standard output is closed; give a file as the output"),
        ("<&-", ["-", "out.png"], 2, "standard input is closed; give the photo as a file"),
        *(
            pytest.param(
                ">/dev/full", [flag], 1, "No space left on device (standard output)", marks=FULL
            )
            for flag in ("--version", "--help")
        ),
    ],
)
def test_a_stream_that_is_not_there_is_named(
    here: Path, streams: str, arguments: list[str], status: int, message: str
) -> None:
    """In one line, without a traceback."""
    said = f"cutout: error: {message}\n"
    assert redirected(here, streams, *arguments) == (status, "", said)
    assert not (here / "out.png").exists()


def test_a_closed_output_is_no_matter_where_it_is_not_used(here: Path) -> None:
    """A result never takes the place of the stream, where prints of a library would go into it."""
    assert redirected(here, "<&- >&-", "photo.jpg", "out.png") == (0, "", "")
    assert (here / "out.png").read_bytes() == run(here, "photo.jpg", "-")[1]


@FULL
@pytest.mark.parametrize("size", ["preview", "full"])
def test_an_image_on_a_full_disk(here: Path, size: str) -> None:
    """Whether or not it is so small that Python would keep it for later."""
    arguments = ("photo.jpg", "-", "--format", "webp", "--crop", "--size", size)
    reason = "photo.jpg: No space left on device (standard output)\n"
    assert redirected(here, ">/dev/full", *arguments) == (1, "", reason)


def test_an_image_that_nobody_reads(here: Path) -> None:
    """As where the next command of a pipe has ended."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "cutout", "photo.jpg", "-"],
        cwd=here,
        env=ENVIRONMENT,
        stdout=writer,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writer)
    assert done.returncode == 1
    assert done.stderr == b"photo.jpg: Broken pipe (standard output)\n"


def test_a_result_can_go_into_a_pipe_with_a_name(here: Path) -> None:
    """As with ``>(command)`` of a shell: the pipe stays, and gets the bytes of the result."""
    status, body, said = run(here, "photo.jpg", "/dev/fd/1", "--format", "png")
    assert (status, said) == (0, "")
    assert body == run(here, "photo.jpg", "-")[1]
    os.mkfifo(here / "out.png")
    with subprocess.Popen(["/bin/cat", "out.png"], cwd=here, stdout=subprocess.PIPE) as reader:
        done = run(here, "photo.jpg", "out.png", "--size", "preview")
        is_pipe = (here / "out.png").is_fifo()
        if not is_pipe:
            reader.kill()
        read, _ = reader.communicate(timeout=60)
    assert done == (0, b"", "")
    assert is_pipe
    assert read == run(here, "photo.jpg", "-", "--size", "preview")[1]


def test_a_link_stays_and_its_file_is_written(here: Path) -> None:
    """As every other program does it that writes a file."""
    (here / "results").mkdir()
    (here / "out.png").symlink_to("results/a.png")
    assert run(here, "photo.jpg", "out.png", "--size", "preview") == (0, b"", "")
    assert (here / "out.png").readlink() == Path("results/a.png")
    assert results(here / "results") == {"a.png"}


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(("output", "place"), [("-", "standard output"), ("out/a.png",) * 2])
def test_a_disk_that_becomes_full(here: Path, output: str, place: str, unbuffered: str) -> None:
    """A file that takes 9,000 bytes: no result is called done that is there in part only."""
    code = (
        "import resource, sys; from cutout.cli.run import main; "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000)); sys.exit(main(sys.argv[1:]))"
    )
    with (here / "stdout").open("wb") as stdout:
        done = subprocess.run(
            [sys.executable, "-c", code, "photo.jpg", output],
            cwd=here,
            env=ENVIRONMENT | {"PYTHONUNBUFFERED": unbuffered},
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr) == (1, f"photo.jpg: File too large ({place})\n")
    assert results(here) & {"out/a.png"} == set()


def test_a_folder_in_the_place_of_a_result_is_named(here: Path) -> None:
    """And nothing of the result stays beside it."""
    (here / "out/photo.png").mkdir(parents=True)
    status, _, said = run(here, "photo.jpg", "out/")
    assert (status, said) == (1, "photo.jpg: Is a directory (out/photo.png)\n")
    assert results(here / "out") == set()


def test_a_result_whose_name_is_too_long_stops_no_other(here: Path) -> None:
    """With its longer suffix no disk takes it; the photo fails, and the others go on."""
    name = "a" * 251
    (here / "photos" / f"{name}.jpg").write_bytes(PHOTO)
    status, _, said = run(here, "photos", "out", "--format", "webp")
    failed = f"photos/{name}.jpg: File name too long (out/{name}.webp)\n"
    summary = f"3 photos: 2 cut out, 0 skipped, 1 failed.\n{OTHERS}"
    assert (status, said) == (1, failed + summary)
    assert results(here / "out") == {"a.webp", "cats/b.webp"}


def test_a_loop_of_links_in_the_place_of_a_result_stops_no_other(here: Path) -> None:
    """It stays as it is, and the photo is named."""
    (here / "out").mkdir()
    (here / "out/a.png").symlink_to("a.png")
    reason = "Too many levels of symbolic links (out/a.png)\n"
    status, _, said = run(here, "photos", "out", "--size", "preview")
    summary = f"2 photos: 1 cut out, 0 skipped, 1 failed.\n{OTHERS}"
    assert (status, said) == (1, f"photos/a.jpg: {reason}{summary}")
    assert results(here / "out") == {"cats/b.png"}
    assert run(here, "photo.jpg", "out/a.png") == (1, b"", f"photo.jpg: {reason}")
    assert (here / "out/a.png").readlink() == Path("a.png")


@pytest.mark.parametrize("given", ["photo.jpg", "photos", "photos/*.jpg"])
@pytest.mark.parametrize("output", ["loop/", "loop/out/"])
def test_a_loop_of_links_in_the_place_of_a_folder_is_named(
    here: Path, given: str, output: str
) -> None:
    """Whatever is to go into it."""
    (here / "loop").symlink_to("loop")
    reason = "this is a loop of links, and the output needs a folder of that name"
    assert run(here, given, output) == (2, b"", f"cutout: error: loop: {reason}\n")


def test_a_name_that_is_too_long_for_any_disk_is_named(here: Path) -> None:
    """In one line, wherever in the command it stands."""
    name = "b" * 300
    models = ROOT / "models"
    for arguments, status, place in (
        (["photo.jpg", f"{name}.png"], 2, f"{name}.png"),
        (["photos", name], 2, name),
        ([f"{name}.jpg", "out/"], 2, f"{name}.jpg"),
        (["photo.jpg", "out.png", "--model", name], 3, f"{models}/{name}"),
    ):
        message = f"cutout: error: {place}: File name too long\n"
        assert run(here, *arguments) == (status, b"", message)


def test_after_two_dashes_every_word_is_a_path(here: Path) -> None:
    """As scripts write them before names that they did not choose."""
    (here / "photo.jpg").rename(here / "-a.jpg")
    done = run(here, "--size", "preview", "photos/a.jpg", "--", "-a.jpg", "--out")
    assert done == (0, b"", "2 photos: 2 cut out, 0 skipped, 0 failed.\n")
    assert results(here / "--out") == {"-a.png", "a.png"}


def test_a_pattern_that_names_the_output_folder_means_it(here: Path) -> None:
    """Photos and results lie side by side there."""
    assert run(here, "photos/*.jpg", "photos/")[0] == 0
    done = run(here, "photos/*.jpg", "photos")
    assert done == (0, b"", "1 photo: 0 cut out, 1 skipped, 0 failed.\n" + SKIPPED)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["photo.jpg"],
            (
                "give at least one photo or folder, and then the output, as in make cutout "
                "IN=photos/ OUT=cutouts/; --help shows how"
            ),
        ),
        (["photos", ""], "a name is empty; the current folder is ."),
        (["", "out/"], "a name is empty; the current folder is ."),
        (
            ["photo.jpg", "o.png", "--bg-color", "octarine"],
            "error: --bg-color must be a valid hex or named color.",
        ),
        (
            ["photo.jpg", "o.png", "--bg-color", "red", "--bg-blur", "9"],
            "error: Only one background is accepted, but --bg-color and --bg-blur were sent.",
        ),
        (
            ["photo.jpg", "o.png", "--roi", "9px 0 2px 100%"],
            "error: --roi must contain at least one pixel: x1 must be less than x2, ",
        ),
        (
            ["--crop", "true", "photo.jpg", "o.png"],
            "error: --crop takes no value such as true; --no-crop turns it off",
        ),
        (
            ["photo.jpg", "o.png", "--crop=true"],
            "error: --crop takes no value such as true; --no-crop turns it off",
        ),
        (
            ["photo.jpg", "o.png", "--no-despill=1"],
            "error: --no-despill takes no value such as 1; --despill turns it on",
        ),
        (
            ["--crop", "1", "--", "o.png"],
            "error: --crop takes no value such as 1; --no-crop turns it off",
        ),
        (
            ["photo.jpg", "o.png", "--no-clean-edges", "No"],
            "error: --no-clean-edges takes no value such as No; --clean-edges turns it on",
        ),
        (
            ["photo.jpg", "o.png", "--bg_color", "white"],
            "error: --bg_color is written --bg-color here",
        ),
        (
            ["photo.jpg", "o.png", "--shadow_opacity=9"],
            "error: --shadow_opacity is written --shadow-opacity here",
        ),
        (["photo.jpg", "o.png", "--response", "url"], "unrecognized arguments: --response"),
        (["photo.jpg", "o.png", "--jobs", "0"], "argument --jobs: must be a positive integer"),
        (["no.jpg", "o.png"], "no.jpg: there is no such file or folder"),
        (
            ["notes", "out/"],
            (
                "notes: there are no photos in this folder; their suffixes are .avif .bmp .gif "
                ".heic .heif .jfif .jpe .jpeg .jpg .png .tif .tiff .webp"
            ),
        ),
        (["no*.jpg", "out/"], "no*.jpg: no photo matches this pattern"),
        (["photos", "photos"], "photos: the output folder must not be the input folder"),
        (["photos/a.jpg", "photos", "--format", "jpg"], "the result would replace this photo"),
        (["photo.jpg", "photos/a.jpg", "photo.jpg"], "several photos need a folder as their"),
        *(
            (
                [given, name],
                (
                    f"{name}: several photos need a folder as their output, and this is the name "
                    "of a file; end it with / if it is a folder"
                ),
            )
            for given, name in (
                ("photos", "one.jpeg"),
                ("photos/*", "one.jpeg"),
                ("photos", "o.zip"),
            )
        ),
        (
            ["photo.jpg", "o.png", "--format", "webp"],
            "o.png: the suffix says png, but the result would be webp",
        ),
        (
            ["photo.jpg", "o.webp", "--channels", "alpha"],
            "o.webp: the suffix says webp, but the result would be png",
        ),
        (
            ["photo.jpg", "o.xyz"],
            (
                "o.xyz: its suffix is not that of a format; rename it or give --format, "
                "or end it with / if it is a folder"
            ),
        ),
        *(
            (
                given,
                "photo.jpg: this is a file, and the output needs a folder of that name",
            )
            for given in (
                ["photos/a.jpg", "photo.jpg/x.png"],
                ["-", "photo.jpg/x.png"],
                ["photos", "photo.jpg/out/"],
            )
        ),
        (["photo.jpg", "photos/a.jpg", "-"], "standard output (-) takes exactly one photo"),
        (["-", "photos/"], "a photo from standard input needs a file as its output, not a folder"),
    ],
)
def test_a_wrong_command(here: Path, arguments: list[str], message: str) -> None:
    """Status 2, a sentence, and nothing is written."""
    before = results(here)
    status, body, said = run(here, *arguments)
    assert (status, body) == (2, b"")
    assert said.startswith("cutout: error: ")
    assert said.count("\n") == 1
    assert message in said
    assert results(here) == before


def test_no_subject_can_be_an_error(here: Path) -> None:
    """``--on-empty error``, for one photo; the message is the API's."""
    Image.new("RGB", (64, 64), "grey").save(here / "empty.png")
    done = run(here, "empty.png", "o.png", "--on-empty", "error")
    assert done == (1, b"", f"empty.png: {UnknownForeground()}\n")
    assert not (here / "o.png").exists()


def test_a_missing_model_has_its_own_status(here: Path) -> None:
    """And says where it was looked for, which ones there are, and how to add it."""
    status, _, said = run(here, "photo.jpg", "out.png", "--model", "nothing")
    assert status == 3
    models = ROOT / "models"
    assert said.startswith(f"cutout: error: there is no model nothing in {models}, but ")
    assert "erase-s" in said
    assert said.endswith(
        "; make model NAME=nothing adds it to models/ if it is a public one, and --model-dir names "
        "another folder\n"
    )
    status, _, said = run(here, "photo.jpg", "out.png", "--model-dir", "photos")
    assert status == 3
    assert said.startswith("cutout: error: there is no model erase-s in photos, but none; ")
    assert not (here / "out.png").exists()


SHORT_OF_MEMORY = """
import sys
from cutout.cli import run

def read_model(folder):
    raise MemoryError

run.read_model = read_model
sys.exit(run.main(sys.argv[1:]))
"""


def test_too_little_memory_for_the_model_says_so(here: Path) -> None:
    """And not that something is wrong with its files."""
    told = (
        f"cutout: error: there is too little memory to load the model {ROOT / 'models/erase-s'}\n"
    )
    assert run_as(("-c", SHORT_OF_MEMORY), here, "photo.jpg", "out.png") == (3, b"", told)


def test_a_model_that_cannot_be_used_says_why(here: Path) -> None:
    """Its card is not one."""
    (here / "mine").mkdir()
    (here / "mine" / "card.toml").write_text("name = 3")
    status, _, said = run(here, "photo.jpg", "out.png", "--model-dir", ".", "--model", "mine")
    assert (status, said) == (
        3,
        (
            "cutout: error: the model mine cannot be used: mine/card.toml: ValueError: it lacks"
            " version, file, sha256, input_size, mean, std, resize, range, output, licence,"
            " source\n"
        ),
    )


def test_an_interrupted_run_leaves_whole_files_only(here: Path) -> None:
    """Ctrl-C after the first result: status 130, and every file can be read."""
    for number in range(40):
        (here / "photos" / f"{number}.jpg").write_bytes(PHOTO)
    with started(here, "-m", "cutout", "photos", "out") as process:
        while not list((here / "out").glob("*.png")) and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=120)
    assert process.returncode == 130, said
    assert said.decode().endswith("cutout: interrupted; finished results are kept\n")
    made = results(here / "out")
    assert 0 < len(made) < 42
    for name in made:
        assert name.endswith(".png")
        with Image.open(here / "out" / name) as image:
            image.load()


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_it_can_be_interrupted_while_it_waits_for_a_photo(
    here: Path, number: signal.Signals
) -> None:
    """Ctrl-C ends a command whose standard input never ends, as that of a terminal."""
    command = ("-c", STARTED, "-", "out.png")
    with started(here, *command, stdin=subprocess.PIPE) as process:
        tells(process, b"reads")
        process.send_signal(number)
        assert process.wait(WAIT_S) == 130
        assert process.stderr is not None
        assert process.stderr.read().decode() == INTERRUPTED
    assert not (here / "out.png").exists()


@pytest.mark.parametrize(
    "numbers",
    [*([number] for number in SIGNALS), [signal.SIGINT] * 3, [*SIGNALS, *SIGNALS]],
    ids=lambda numbers: "-".join(number.name for number in numbers),
)
@pytest.mark.parametrize(
    ("arguments", "jobs"),
    [(("photos", "out", "--jobs", "2"), 2), (("photo.jpg", "out/a.png"), 1)],
    ids=["two", "one"],
)
def test_a_signal_leaves_no_part_of_a_result(
    here: Path, arguments: tuple[str, ...], jobs: int, numbers: list[signal.Signals]
) -> None:
    """However many there are: from Ctrl-C, from kill, and from a terminal that is closed."""
    with started(here, "-c", STUCK, *arguments) as process:
        for _ in range(jobs):
            tells(process, b"writes")
        assert len(results(here / "out")) == jobs
        for number in numbers:
            process.send_signal(number)
        assert process.wait(WAIT_S) == 130
        assert process.stderr is not None
        assert process.stderr.read().decode() == INTERRUPTED
    assert results(here / "out") == set()


def test_what_a_killed_run_left_is_told(here: Path) -> None:
    """It cannot remove its unfinished files; and no other run does, since it may be going on."""
    with started(here, "-c", STUCK, "photos", "out", "--jobs", "2") as process:
        tells(process, b"writes")
        tells(process, b"writes")
        process.kill()
        process.wait(WAIT_S)
    first, second = sorted(results(here / "out"), key=lambda name: Path("out", name))
    (here / "out" / ".mine.part").write_text("no result")
    status, _, said = run(here, "photos", "out", "--size", "preview")
    told = (
        "Unfinished files of a run that was killed or is still going on: 2, such as "
        f"out/{first}. Remove them when no other run is going on.\n"
    )
    assert (status, said) == (0, "2 photos: 2 cut out, 0 skipped, 0 failed.\n" + OTHERS + told)
    assert results(here / "out") == {first, second, ".mine.part", "a.png", "cats/b.png"}


def test_it_can_be_interrupted_where_nobody_reads_its_messages(here: Path) -> None:
    """Here they go into a pipe that is full."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writer, b"." * 1024)
    os.set_blocking(writer, True)
    with started(here, "-c", STUCK, "photo.jpg", "out/a.png", stderr=writer) as process:
        tells(process, b"writes")
        process.send_signal(signal.SIGINT)
        assert process.wait(WAIT_S) == 130
    os.close(writer)
    os.close(reader)
    assert results(here / "out") == set()


def test_one_signal_ends_the_wait_for_a_pipe_that_nobody_writes_to(here: Path) -> None:
    """It is one of several photos."""
    os.mkfifo(here / "pipe.jpg")
    with started(here, "-m", "cutout", "pipe.jpg", "photo.jpg", "out/") as process:
        writer = None
        while writer is None and process.poll() is None:
            with suppress(OSError):  # until the pipe is opened for reading
                writer = os.open(here / "pipe.jpg", os.O_WRONLY | os.O_NONBLOCK)
            time.sleep(0.01)
        assert writer is not None
        process.send_signal(signal.SIGINT)
        assert process.wait(WAIT_S) == 130
        assert process.stderr is not None
        assert process.stderr.read().decode() == INTERRUPTED
        os.close(writer)


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_it_can_be_interrupted_while_it_starts(here: Path, number: signal.Signals) -> None:
    """Which takes a moment: here a library is never loaded."""
    stuck = 'import os, threading; os.write(1, b"loads\\n"); threading.Event().wait()'
    (here / "onnxruntime.py").write_text(stuck)  # Python looks here first
    with started(here, "-m", "cutout", "photo.jpg", "out.png") as process:
        tells(process, b"loads")
        process.send_signal(number)
        assert process.wait(WAIT_S) == 130
        assert process.stderr is not None
        assert process.stderr.read().decode() == INTERRUPTED


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_it_can_be_interrupted_while_it_ends(here: Path, number: signal.Signals) -> None:
    """When Python writes what it kept for standard output."""
    with started(here, "-c", FULL_OUTPUT, "--version") as process:
        tells(process, b"writes")
        process.send_signal(number)
        assert process.wait(WAIT_S) == 130
        assert process.stderr is not None
        assert process.stderr.read().decode() == INTERRUPTED


def test_a_signal_that_is_ignored_stays_so(here: Path) -> None:
    """As nohup starts a command that is to go on after the terminal is closed."""
    command = ("-c", STARTED, "-", "out.png")
    with started(here, *command, stdin=subprocess.PIPE, signals=signal.SIG_IGN) as process:
        tells(process, b"reads")
        process.send_signal(signal.SIGHUP)
        assert process.communicate(PHOTO, timeout=WAIT_S) == (b"", b"")
        assert process.returncode == 0
    assert (here / "out.png").is_file()


def test_every_option_is_a_flag(here: Path) -> None:
    """A new row of the table appears by itself; only how a reply is delivered is left out."""
    status, body, _ = run(here, "--help")
    assert status == 0
    flags = {word.strip(",") for word in body.decode().split() if word.startswith("--")}
    for option in OPTIONS:
        expected = option.name not in {"response", "bg_image_url"}
        assert (f"--{option.name.replace('_', '-')}" in flags) is expected, option.name


def test_a_picture_for_the_background_is_a_file(here: Path) -> None:
    """It fills the canvas; one that is not there is said before any work."""
    Image.new("RGB", (30, 20), (0, 0, 255)).save(here / "blue.png")
    (here / "photo.jpg").write_bytes(PHOTO)
    status, _, said = run(here, "photo.jpg", "out.png", "--bg-image-file", "blue.png")
    assert (status, said) == (0, "")
    with Image.open(here / "out.png") as image:
        assert image.convert("RGB").getpixel((0, 0)) == (0, 0, 255)
    status, _, said = run(here, "photo.jpg", "out.png", "--bg-image-file", "none.png")
    assert status == 2
    assert said.endswith("argument --bg-image-file: none.png: No such file or directory\n")


@pytest.mark.parametrize("mode", [0, 0o444])
def test_a_folder_that_may_not_be_looked_into_does_not_stop_the_others(
    here: Path, mode: int
) -> None:
    """Such as a system folder of a disk, which once made the whole command fail.

    Of some folders the names may be read, and nothing more.
    """
    closed = here / "disk" / "system"
    closed.mkdir(parents=True)
    for folder in (here / "disk", closed):
        (folder / "a.jpg").write_bytes(PHOTO)
    closed.chmod(mode)
    try:
        with started(here, "-c", WITHOUT_RIGHTS, "disk", "out") as process:
            _, said = process.communicate(timeout=300)
        (here / "disk" / "a.jpg").unlink()
        with started(here, "-c", WITHOUT_RIGHTS, "disk", "out") as nothing:
            _, problem = nothing.communicate(timeout=300)
    finally:
        closed.chmod(0o700)
    assert said.decode() == (
        "1 photo: 1 cut out, 0 skipped, 0 failed.\n"
        "disk/system: Permission denied; the photos in this folder are not cut out.\n"
    )
    assert process.returncode == 1
    assert (here / "out" / "a.png").is_file()
    assert problem.decode() == "cutout: error: disk/system: Permission denied\n"
    assert nothing.returncode == 2


@pytest.mark.parametrize(("content", "reason"), [(b"", "it is empty"), (BROKEN, "it is not in")])
def test_a_background_that_is_no_picture_is_refused_before_any_work(
    here: Path, content: bytes, reason: str
) -> None:
    """Once, an empty file was taken for no background, and others were refused photo by photo."""
    (here / "sky.png").write_bytes(content)
    (here / "photo.jpg").write_bytes(PHOTO)
    status, _, said = run(here, "photo.jpg", "out.png", "--bg-image-file", "sky.png")
    assert status == 2
    problem = "sky.png: The background image cannot be used. The image cannot be read: "
    assert f"argument --bg-image-file: {problem}{reason}" in said
    assert not (here / "out.png").exists()


def test_the_version(here: Path) -> None:
    """The one that the package names."""
    assert run(here, "--version") == (0, f"cutout {__version__}\n".encode(), "")


def test_the_function_does_not_import_it() -> None:
    """A cold start pays nothing for the command line."""
    code = "import sys, app; print([n for n in sys.modules if n.startswith('cutout.cli')])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]"
