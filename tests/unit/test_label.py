"""Labels: what opinions come to, how they are made and resumed, and what trains or judges."""

import csv
import io
import os
import re
import signal
import subprocess
import sys
import time
import tomllib
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from label import Labeller, Mirror, ordered
from labels import (
    TRUST_MIN,
    Label,
    Unseen,
    grey_share,
    iou,
    judging_pairs,
    read_unseen,
    resolved,
    training_pairs,
)
from mixer import Mixer
from opinions import MIRRORED, TEACHER, Opinions
from photographs import Photograph, photographs
from PIL import Image
from sheets import collected, sheets

from data import Bytes, Floats

ROOT = Path(__file__).resolve().parents[2]
TRAINING = ROOT / "models" / "training"
CARD = ROOT / "models/erase-s/card.toml"
SIDE = 64


def square(left: int = 16, right: int = 48) -> Bytes:
    """Return a matte of a square subject, uint8 (64, 64)."""
    alpha = np.zeros((SIDE, SIDE), np.uint8)
    alpha[16:48, left:right] = 255
    return alpha


def photo(file: str, kind: str = "person", source: str = "album") -> Photograph:
    """Return a row of an index."""
    return Photograph(file=file, source=source, kind=kind, licence="CC0", origin="drawn")


def packed(path: Path, rows: list[Photograph]) -> Path:
    """Write a zip of photographs as `label.py` takes it: all of a light square on dark ground."""
    columns = ("file", "source", "kind", "licence", "origin")
    index = io.StringIO()
    table = csv.writer(index)
    table.writerow(columns)
    table.writerows([getattr(row, name) for name in columns] for row in rows)
    pixels = np.repeat(square()[..., None], 3, 2) // 2 + 60
    picture = io.BytesIO()
    Image.fromarray(pixels).save(picture, "WEBP", lossless=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("index.csv", index.getvalue())
        for row in rows:
            archive.writestr(f"photos/{row.file}", picture.getvalue())
    return path


def as_floats(alpha: Bytes) -> Floats:
    """Return a matte as networks give it."""
    return alpha.astype(np.float32) / np.float32(255)


def test_a_pixel_is_believed_where_any_other_opinion_is_near() -> None:
    """And at least a little where the picture's subject is agreed: the teacher sees best."""
    teacher = square()
    teacher[15, 16:48] = 255  # a row that only the teacher and the mirrored pass see
    teacher[48, 16:48] = 255  # a row that only the teacher sees
    mirrored, second = teacher.copy(), square()
    mirrored[48] = 0
    label = resolved(teacher, mirrored, [second])
    assert label.trust[30, 30] == label.trust[15, 30] == label.trust[0, 0] == 255
    assert label.trust[48, 30] == pytest.approx(255 * TRUST_MIN, abs=1)
    assert label.agreement == label.mirrored == pytest.approx(33 / 34)


def test_a_picture_that_nobody_agrees_on_is_not_believed_at_all() -> None:
    """Trust rises from nothing at an IoU of 0.6 to all at 0.9."""
    strangers = resolved(square(), None, [square(40, 60)])
    assert not strangers.trust.any()
    assert strangers.mirrored is None
    partly = resolved(square(0, 40), None, [square(0, 30)])
    assert partly.agreement == pytest.approx(0.75)
    assert partly.trust[0, 0] == pytest.approx(255 / 2, abs=1)


def test_teacher_and_mirror_are_averaged_if_they_show_the_same_subject() -> None:
    """Otherwise a mean would be grey: the teacher's own matte stays."""
    mirrored = square()
    mirrored[16, 16:48] = 101
    assert resolved(square(), mirrored, []).alpha[16, 20] == 178
    assert (resolved(square(), square(30, 60), []).alpha == square()).all()


def test_grey_counts_only_away_from_edges() -> None:
    """A soft edge is a matte; a grey area is a network that does not know."""
    soft = square()
    soft[16:48, 12:16] = 128
    assert grey_share(soft) == 0
    undecided = square()
    undecided[16:48, 16:40] = 128
    assert grey_share(undecided) > 0.25


def test_kinds_and_sources_take_turns() -> None:
    """People come three times as often as plants, and no source comes twice before another."""
    rows = [photo(f"a{n}", "person", "one") for n in range(9)]
    rows += [photo(f"b{n}", "person", "two") for n in range(9)]
    rows += [photo(f"c{n}", "plant", "one") for n in range(9)]
    order = [row.file for row in ordered(rows)]
    assert sorted(order) == sorted(row.file for row in rows)
    assert [name[0] for name in order[:8]].count("c") == 2
    people = [name for name in order if name[0] != "c"]
    assert people[:4] == ["a0", "b0", "a1", "b1"]


class Fake:
    """A network that gives one matte, and counts how often it is asked."""

    def __init__(self, alpha: Bytes) -> None:
        self.alpha, self.calls = alpha, 0

    def __call__(self, rgb: Bytes) -> Floats:
        assert rgb.shape == (*self.alpha.shape, 3)
        self.calls += 1
        return as_floats(self.alpha)


@pytest.mark.parametrize(
    ("mirror", "agrees", "source", "passes"),
    [
        ("doubtful", True, "album", 1),
        ("doubtful", False, "album", 2),
        ("doubtful", True, "judging", 2),
        ("never", False, "judging", 1),
        ("always", True, "album", 2),
    ],
)
def test_the_mirrored_pass_is_taken_where_it_decides(
    tmp_path: Path, *, mirror: Mirror, agrees: bool, source: str, passes: int
) -> None:
    """A second run asks nobody again, and the mirrored matte is mirrored back."""
    row = photo("x/one.webp", source=source)
    teacher, third = Fake(square(10, 40)), Fake(square(30, 60))
    second = Fake(teacher.alpha if agrees else third.alpha)
    run = Labeller(
        photos=photographs(packed(tmp_path / "photos.zip", [row])),
        opinions=Opinions(tmp_path / "labels"),
        teacher=teacher,
        seconds={"second": second, "third": third},
        mirror=mirror,
        unseen=replace(Unseen.nothing(), sources=frozenset({"judging"})),
    )
    for _ in range(2):
        run(row)
    assert (teacher.calls, second.calls, third.calls) == (passes, 1, 0 if agrees else 1)
    mirrored = Opinions(tmp_path / "labels").read(MIRRORED, row.file)
    assert (mirrored is not None) == (passes == 2)
    if mirrored is not None:
        assert (mirrored == teacher.alpha[:, ::-1]).all()


def test_an_undecided_teacher_is_not_asked_twice(tmp_path: Path) -> None:
    """Its matte is not used, whatever the mirror says."""
    row = photo("one.webp")
    teacher = Fake(np.full((SIDE, SIDE), 128, np.uint8))
    run = Labeller(
        photos=photographs(packed(tmp_path / "photos.zip", [row])),
        opinions=Opinions(tmp_path / "labels"),
        teacher=teacher,
        seconds={},
        mirror="always",
        unseen=Unseen.nothing(),
    )
    run(row)
    assert teacher.calls == 1


@pytest.fixture
def labelled(tmp_path: Path) -> tuple[Path, Path, Unseen]:
    """Photographs and labels of every sort: agreed, doubtful, empty, of a judging source."""
    rows = [photo(f"{name}.webp") for name in ("agreed", "doubtful", "empty", "new", "part")]
    rows += [photo(f"{name}.webp", source="judging") for name in ("sure", "unsure", "wrong")]
    opinions = Opinions(tmp_path / "labels")
    nothing = np.zeros((SIDE, SIDE), np.uint8)
    for name, teacher, mirrored, second in (
        ("agreed", square(), None, square()),
        ("doubtful", square(), square(40, 60), square(38, 60)),
        ("empty", nothing, None, nothing),
        ("part", square(), None, square()),
        ("sure", square(), square(), square(30, 60)),
        ("unsure", square(), square(18, 48), square()),
        ("wrong", square(), square(), square()),
    ):
        opinions.write(TEACHER, f"{name}.webp", as_floats(teacher))
        opinions.write("second", f"{name}.webp", as_floats(second))
        if mirrored is not None:
            opinions.write(MIRRORED, f"{name}.webp", as_floats(mirrored))
    unseen = Unseen(
        sources=frozenset({"judging"}),
        rejected=frozenset({"wrong.webp"}),
        partial=frozenset({"part.webp"}),
    )
    return packed(tmp_path / "photos.zip", rows), opinions.folder, unseen


def test_what_trains(labelled: tuple[Path, Path, Unseen]) -> None:
    """What is agreed, and what all see nothing in; no part of a subject, no source that judges."""
    zipped, folder, unseen = labelled
    pairs = training_pairs(photographs(zipped), folder, unseen)
    assert [(p.name, p.kind, p.set) for p in pairs] == [
        ("agreed.webp", "label", "person"),
        ("empty.webp", "bg", "person"),
    ]
    assert pairs[0].weight is not None
    assert pairs[0].rgb.shape == (SIDE, SIDE, 3)
    assert (pairs[0].alpha == square()).all()
    assert not pairs[1].alpha.any()


@pytest.mark.parametrize(
    ("kind", "ours", "is_hedged"),
    [
        ("person", square(16, 60), True),
        ("food", square(16, 60), True),
        ("product", square(16, 60), False),  # things beside it are taken along more often
        ("person", square(16, 52), False),  # a little more is an edge
        ("person", square(24, 64), False),  # a quarter of the label is not in it
    ],
)
def test_where_erase_s_sees_more_than_a_part_nothing_is_taught(
    tmp_path: Path, kind: str, ours: Bytes, *, is_hedged: bool
) -> None:
    """The label keeps most of its weight elsewhere, too little to be cut out and pasted."""
    opinions = Opinions(tmp_path / "labels")
    opinions.write(TEACHER, "a.webp", as_floats(square()))
    opinions.write("u2netp", "a.webp", as_floats(square()))
    opinions.write("erase-s-0.6.0", "a.webp", as_floats(ours))
    zipped = packed(tmp_path / "photos.zip", [photo("a.webp", kind)])
    (pair,) = training_pairs(photographs(zipped), opinions.folder, Unseen.nothing())
    assert pair.weight is not None
    assert (pair.alpha == square()).all()
    if is_hedged:
        assert not pair.weight[16:48, 48:60].any()  # a plate, hair or the rest of a shirt
        assert (pair.weight[20:44, 20:40] == int(255 * 0.8)).all()
        assert (pair.weight[:10] == int(255 * 0.8)).all()
        assert "label transplant" not in Mixer([pair], 1).shares
    else:
        assert (pair.weight == 255).all()
        assert "label transplant" in Mixer([pair], 1).shares


def test_two_versions_of_erase_s_hedge_a_label_once(tmp_path: Path) -> None:
    """What either of them sees more is not taught; the rest is believed as with one."""
    opinions = Opinions(tmp_path / "labels")
    for name, opinion in (
        (TEACHER, square()),
        ("u2netp", square()),
        ("erase-s-0.5.0", square(0, 48)),
        ("erase-s-0.6.0", square(16, 64)),
    ):
        opinions.write(name, "a.webp", as_floats(opinion))
    zipped = packed(tmp_path / "photos.zip", [photo("a.webp", "person")])
    (pair,) = training_pairs(photographs(zipped), opinions.folder, Unseen.nothing())
    assert pair.weight is not None
    assert not pair.weight[16:48, :16].any()
    assert not pair.weight[16:48, 48:].any()
    assert (pair.weight[20:44, 24:40] == int(255 * 0.8)).all()


def test_a_background_is_believed_wherever_erase_s_sees_a_speck(tmp_path: Path) -> None:
    """A label without a subject shows no part of one."""
    opinions = Opinions(tmp_path / "labels")
    nothing = np.zeros((SIDE, SIDE), np.uint8)
    speck = nothing.copy()
    speck[30:32, 30:32] = 255
    for name, opinion in ((TEACHER, nothing), ("u2netp", nothing), ("erase-s-0.6.0", speck)):
        opinions.write(name, "a.webp", as_floats(opinion))
    zipped = packed(tmp_path / "photos.zip", [photo("a.webp", "person")])
    (pair,) = training_pairs(photographs(zipped), opinions.folder, Unseen.nothing())
    assert pair.kind == "bg"
    assert pair.weight is not None
    assert (pair.weight == 255).all()


def test_what_judges(labelled: tuple[Path, Path, Unseen]) -> None:
    """Teacher and mirror agree and the eye does; what a judged model says is not asked."""
    zipped, folder, unseen = labelled
    pairs = judging_pairs(photographs(zipped), folder, unseen)
    assert [(p.name, p.kind, p.set) for p in pairs] == [("sure.webp", "gt", "person")]


def test_contact_sheets_show_every_series(labelled: tuple[Path, Path, Unseen]) -> None:
    """Each label in its own; pages of one size."""
    zipped, folder, unseen = labelled
    found = collected(photographs(zipped), Opinions(folder), unseen, most=2)
    assert {name: len(tiles) for name, tiles in found.items()} == {
        "train": 1,
        "doubt": 2,
        "part": 1,
        "judge": 1,
        "judge-doubt": 2,
    }
    pages = list(sheets([found["train"][0]] * 19))
    assert len(pages) == 2
    assert pages[0].size == pages[1].size
    green = np.asarray(found["train"][0])[2, 175]
    assert green[1] > green[0] + 100  # what is not the subject


def test_what_is_held_out_is_written_down() -> None:
    """The project's own lists are read, and hold what they say."""
    unseen = read_unseen(TRAINING / "unseen.toml")
    table = tomllib.loads((TRAINING / "unseen.toml").read_text())
    assert len(unseen.sources) == len(table["sources"]) > 10
    assert len(unseen.rejected) == len(table["rejected"])
    assert all(name.split("/")[0] in unseen.sources for name in unseen.rejected)
    assert len(unseen.partial) == len(table["partial"]) > 10
    assert not any(name.split("/")[0] in unseen.sources for name in unseen.partial)


def test_a_list_of_what_is_held_out_may_be_short(tmp_path: Path) -> None:
    """Of one's own photographs there are often sources only; a slip holds nothing out."""
    file = tmp_path / "unseen.toml"
    file.write_text('sources = ["kitchen"]')
    assert read_unseen(file) == replace(Unseen.nothing(), sources=frozenset({"kitchen"}))
    file.write_text('source = ["kitchen"]')
    with pytest.raises(ValueError, match=r"has source, and may have sources, rejected, partial$"):
        read_unseen(file)


def test_the_sheets_need_no_list(labelled: tuple[Path, Path, Unseen], tmp_path: Path) -> None:
    """Where nothing is held out."""
    photos, folder, _ = labelled
    command = [sys.executable, str(TRAINING / "sheets.py"), "--out", str(tmp_path / "sheets")]
    command += ["--photos", str(photos), "--labels", str(folder)]
    subprocess.run(command, check=True)
    names = sorted(path.name for path in (tmp_path / "sheets").iterdir())
    assert names == ["doubt-0.jpg", "train-0.jpg"]


def test_sheets_of_nothing_are_not_made_in_silence(
    labelled: tuple[Path, Path, Unseen], tmp_path: Path
) -> None:
    """Such as of other photographs than those that were labelled."""
    photos, folder, _ = labelled
    command = [sys.executable, str(TRAINING / "sheets.py"), "--out", str(tmp_path / "sheets")]
    command += ["--photos", str(photos), "--labels"]
    (tmp_path / "none").mkdir()
    for arguments, status, said in (
        ([tmp_path / "none"], 1, f"no photograph of {photos} has a label in {tmp_path}/none"),
        ([folder, "--most", "0"], 2, "sheets.py: error: --most must be at least 1"),
    ):
        done = subprocess.run(
            [*command, *map(str, arguments)], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr.splitlines()[-1]) == (status, said)
        assert not (tmp_path / "sheets").exists()


def test_a_label_is_written_whole(tmp_path: Path) -> None:
    """Read back to the last bit; a photograph of any name has a WebP, and nothing else is left."""
    opinions = Opinions(tmp_path)
    assert opinions.read(TEACHER, "a/b.jpg") is None
    ramp = np.tile(np.arange(256, dtype=np.uint8), (4, 1))
    opinions.write(TEACHER, "a/b.jpg", as_floats(ramp))
    found = opinions.read(TEACHER, "a/b.jpg")
    assert found is not None
    assert (found == ramp).all()
    assert [p.name for p in (tmp_path / TEACHER / "a").iterdir()] == ["b.webp"]


def test_overlap_of_empty_mattes_is_full() -> None:
    """Two networks that see nothing agree."""
    nothing = np.zeros((4, 4), np.uint8)
    assert iou(nothing, nothing) == 1.0
    assert iou(nothing, nothing + 255) == 0.0
    assert isinstance(resolved(nothing, nothing, []), Label)


def test_the_command_labels_a_folder_and_resumes(tmp_path: Path) -> None:
    """With a real network, by its card; the second run finds all there."""
    (tmp_path / "photos" / "album").mkdir(parents=True)
    for name, pixels in (("astronaut", skimage.data.astronaut()), ("cat", skimage.data.chelsea())):
        Image.fromarray(pixels).save(tmp_path / "photos" / "album" / f"{name}.jpg")
    command = [sys.executable, str(TRAINING / "label.py"), "--photos", str(tmp_path / "photos")]
    command += ["--teacher", str(CARD), "--second", str(CARD), "--out", str(tmp_path / "labels")]
    command += ["--mirror", "always"]
    first = subprocess.run(command, capture_output=True, text=True, check=True)
    assert re.search(r"process 0: 2 of 2, .* 0 min left", first.stdout)
    files = sorted(p for p in (tmp_path / "labels").rglob("*") if p.is_file())
    assert len(files) == 6
    written = [p.stat().st_mtime_ns for p in files]
    subprocess.run(command, capture_output=True, text=True, check=True)
    assert [p.stat().st_mtime_ns for p in files] == written
    pairs = training_pairs(photographs(tmp_path / "photos"), tmp_path / "labels", Unseen.nothing())
    assert {pair.set for pair in pairs} == {"album"}
    assert pairs[0].alpha.shape == (512, 512)


def test_what_no_process_can_do_is_said_in_lines(tmp_path: Path) -> None:
    """Each process says it once, without a traceback; less than one would do nothing."""
    zipped = packed(tmp_path / "photos.zip", [photo("a.webp")])
    command = [sys.executable, str(TRAINING / "label.py"), "--photos", str(zipped)]
    command += ["--out", str(tmp_path / "labels"), "--teacher", str(tmp_path / "card.toml")]
    lines = [f"[Errno 2] No such file or directory: '{tmp_path}/card.toml'"] * 2
    for number, status, said in (
        ("2", 1, [*lines, "a process failed, and said why; run it again to resume"]),
        ("0", 2, ["label.py: error: --processes must be at least 1"]),
    ):
        done = subprocess.run(
            [*command, "--processes", number], capture_output=True, text=True, check=False
        )
        assert done.returncode == status
        assert done.stderr.splitlines()[-len(said) :] == said
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("processes", ["1", "2"])
def test_ctrl_c_stops_the_command_without_a_traceback(tmp_path: Path, processes: str) -> None:
    """It can be stopped at any time, and the next run goes on."""
    rows = [photo(f"{number}.webp") for number in range(400)]
    command = [sys.executable, str(TRAINING / "label.py"), "--processes", processes]
    command += ["--photos", str(packed(tmp_path / "photos.zip", rows)), "--teacher", str(CARD)]
    command += ["--out", str(tmp_path / "labels"), "--mirror", "always"]
    with subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # Whoever runs the tests in the background ignores it, and so would the command.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    ) as program:
        while len(list(tmp_path.glob(f"labels/{MIRRORED}/*.webp"))) < int(processes) * 4:
            assert program.poll() is None
            time.sleep(0.05)
        os.killpg(program.pid, signal.SIGINT)
        _, said = program.communicate()
    assert program.returncode == 130
    assert "Traceback" not in said
    assert len(list(tmp_path.glob(f"labels/{TEACHER}/*.webp"))) < len(rows) / 2


def test_whoever_kills_the_command_stops_its_processes(tmp_path: Path) -> None:
    """They finish the photograph that they are at; on their own they went on for hours."""
    rows = [photo(f"{number}.webp") for number in range(400)]
    command = [sys.executable, str(TRAINING / "label.py"), "--processes", "2"]
    command += ["--photos", str(packed(tmp_path / "photos.zip", rows)), "--teacher", str(CARD)]
    command += ["--out", str(tmp_path / "labels"), "--mirror", "always"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as program:
        while not list(tmp_path.glob(f"labels/{TEACHER}/*.webp")):
            assert program.poll() is None
            time.sleep(0.05)
        program.kill()
        program.communicate()  # ends when none of them can write any more
    assert len(list(tmp_path.glob(f"labels/{TEACHER}/*.webp"))) < len(rows) / 2
