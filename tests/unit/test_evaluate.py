"""The judge of models: its measures against what can be worked out by hand, and a whole run."""

import subprocess
import sys
import zipfile
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from differences import differences, most_changed, summary
from evaluate import PICTURES_MIN, against, grouped, with_means
from mattings import alpha, read_card, tensor, u2netp_card
from opinions import MIRRORED, TEACHER, Opinions
from PIL import Image
from scores import BAND_SHARE, Score, boundary, by_set, judge, overlap, score

from cutout.image.card import read_card as functions_read_card
from cutout.options import InputAlpha
from data import Floats, Pair

ROOT = Path(__file__).resolve().parents[2]
CARD = ROOT / "models/erase-s/card.toml"


def disc(size: int = 200, radius: float = 60, left: float = 100) -> Floats:
    """Return a disc as float32 (size, size), 0 or 1."""
    y, x = np.mgrid[:size, :size]
    inside: Floats = (np.hypot(x - left, y - size / 2) < radius).astype(np.float32)
    return inside


def refusal(command: list[str], status: int = 2) -> str:
    """Return what a command says that ends with this status: 2 is argparse's."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == status
    return done.stderr


def test_what_is_right_scores_full() -> None:
    """And what is wrong all over scores nothing."""
    assert score(disc(), disc()) == Score(mae=0.0, iou=1.0, boundary_iou=1.0)
    assert score(1 - disc(), disc()) == Score(mae=1.0, iou=0.0, boundary_iou=0.0)
    empty = np.zeros((50, 60), np.float32)
    assert score(empty, empty) == Score(mae=0.0, iou=1.0, boundary_iou=1.0)


def test_iou_by_hand() -> None:
    """Two overlapping stripes of the same width."""
    one, other = np.zeros((2, 10, 100), np.float32)
    one[:, :50], other[:, 25:75] = 1, 1
    found = score(one, other)
    assert found.iou == pytest.approx(25 / 75)
    assert found.mae == pytest.approx(50 / 100)


def test_the_boundary_is_a_band_of_two_percent_of_the_diagonal() -> None:
    """Inside the mask only; the frame counts as background."""
    mask = np.zeros((300, 400), np.uint8)
    mask[100:, 50:350] = 1
    band = boundary(mask)
    width = round(BAND_SHARE * 500)
    assert width == 10
    assert band[100 : 100 + width, 200].all()
    assert not band[100 + width : 300 - width, 200].any()
    assert band[300 - width :, 200].all()
    assert overlap(band, mask) < 0.25


def test_a_shift_hurts_the_boundary_most() -> None:
    """What boundary IoU is for: a large subject hides a bad edge from IoU."""
    found = score(disc(left=104), disc())
    assert found.boundary_iou < found.iou - 0.2


def test_the_threshold_is_that_of_what_was_found() -> None:
    """A matte that lies around its truth by a soft rim is right at the rim's alpha."""
    truth = disc(200, 50, 100)
    found = np.maximum(truth, disc(200, 60, 100) * np.float32(0.6))
    assert score(found, truth, 0.5).iou < 0.8
    assert score(found, truth, 0.7).iou == 1
    assert score(truth, found, 0.7).iou < 0.8


def test_soft_errors_count_in_mae_only() -> None:
    """A matte of 0.6 is a subject, but not a sure one."""
    found = score(disc() * np.float32(0.6), disc())
    assert found.iou == found.boundary_iou == 1.0
    assert found.mae == pytest.approx(0.4 * disc().mean(), rel=1e-4)


def test_a_model_sees_what_the_function_shows_it() -> None:
    """The same card gives the same tensor, pixel for pixel."""
    from cutout.image.decode import Photo  # noqa: PLC0415 - the function's, for this comparison
    from cutout.image.matte import extract_matte  # noqa: PLC0415 - the same

    photo = skimage.data.astronaut()
    seen = []

    def network(given: Floats) -> Floats:
        seen.append(given)
        return np.zeros((1, 1, *given.shape[2:]), np.float32)

    card = functions_read_card(CARD.parent)
    extract_matte(Photo(pixels=photo, alpha=None), card, network, input_alpha=InputAlpha.MULTIPLY)
    np.testing.assert_allclose(tensor(photo, read_card(CARD)), seen[0], atol=2e-6)


def test_u2netp_runs_as_rembg_runs_it() -> None:
    """Divided by the picture's own maximum; the output stretched from minimum to maximum."""
    card = u2netp_card(Path("u2netp.onnx"))
    dark = np.full((10, 10, 3), 51, np.uint8)
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    np.testing.assert_allclose(tensor(dark, card)[0, :, 0, 0], (1 - mean) / std, rtol=1e-5)
    plane = alpha(np.array([[[[0.2, 0.4], [0.3, 0.2]]]], np.float32), card)
    assert plane.tolist() == [[0, 1], [pytest.approx(0.5), 0]]


def test_the_mean_is_over_sets_not_pictures() -> None:
    """So that a large set does not rule."""
    photo = np.zeros((20, 20, 3), np.uint8)
    whole, none = np.full((20, 20), 255, np.uint8), np.zeros((20, 20), np.uint8)
    pairs = [Pair(name="a", set="many", kind="gt", rgb=photo, alpha=whole) for _ in range(3)]
    pairs.append(Pair(name="b", set="one", kind="gt", rgb=photo, alpha=none))
    scores = by_set(pairs, judge(lambda rgb: np.ones(rgb.shape[:2], np.float32), pairs))
    assert [scores[name].mae for name in ("many", "one", "mean")] == [0.0, 1.0, 0.5]


def test_the_command_prints_a_table(tmp_path: Path) -> None:
    """On a folder of photographs and mattes of your own."""
    for folder in ("im", "gt"):
        (tmp_path / "mine" / folder).mkdir(parents=True)
    Image.fromarray(skimage.data.astronaut()).save(tmp_path / "mine/im/astronaut.jpg")
    matte = Image.fromarray((disc(512, 200, 256) * 255).astype(np.uint8))
    matte.save(tmp_path / "mine/gt/astronaut.png")
    program = [sys.executable, str(ROOT / "models/training/evaluate.py"), "--rounds", "0"]
    done = subprocess.run(
        [*program, "--folder", str(tmp_path / "mine"), "--card", str(CARD)],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = done.stdout.splitlines()
    assert lines[2].startswith("| set | erase-s ")
    assert [line.split(" | ")[0] for line in lines[4:]] == ["| mine", "| mean"]
    mae, iou, boundary_iou = (float(n) for n in lines[4].rstrip(" |").split(" | ")[1].split(" / "))
    assert 0 < mae < 0.5
    assert 0.3 < iou < 1
    assert 0 < boundary_iou < 1


def scored(*ious: float) -> list[Score]:
    """Return scores of one picture after the other; both IoUs are the same."""
    return [Score(mae=0.0, iou=iou, boundary_iou=iou) for iou in ious]


def test_a_difference_is_told_by_picture() -> None:
    """One lost subject is told from a loss everywhere: the median stays."""
    gains = [1.0, 0.6, 0.5, 0.0, -97.0]
    mean, deviation = sum(gains) / 5, np.std(gains, ddof=1)
    assert summary(gains) == (
        f"{mean:+.2f} ± {deviation / 5**0.5:.2f}, median +0.50; 2 better, 1 worse"
    )
    results = {"old": scored(0.5, 0.9), "new": scored(0.6, 0.9), "same": scored(0.5, 0.9)}
    assert differences(results, "old").splitlines() == [
        "| model | IoU | boundary IoU |",
        "|---|---|---|",
        "| new " + "| +5.00 ± 5.00, median +5.00; 1 better, 0 worse " * 2 + "|",
        "| same " + "| +0.00 ± 0.00, median +0.00; 0 better, 0 worse " * 2 + "|",
    ]


def test_the_pictures_that_changed_most_are_named_once() -> None:
    """The greatest loss first, the greatest gain last; what did not change is left out."""
    plane = np.zeros((4, 4), np.uint8)
    photo = np.zeros((4, 4, 3), np.uint8)
    pairs = [Pair(name=n, set="set", kind="gt", rgb=photo, alpha=plane) for n in "abcd"]
    old, new = scored(0.5, 0.9, 0.7, 0.2), scored(0.6, 0.1, 0.702, 0.9)
    lost = "-80.0  0.900 → 0.100  set  b"
    found = "+70.0  0.200 → 0.900  set  d"
    assert most_changed(pairs, old, new, 1) == [lost, found]
    assert most_changed(pairs, old, new, 9) == [lost, "+10.0  0.500 → 0.600  set  a", found]
    assert most_changed(pairs, old, new, 0) == []
    results = {"old": old, "new": new, "same": old}
    text = against(pairs, results, Namespace(against="old", pictures=1))
    assert text.startswith("\nAgainst old, in points, by picture (4):\n\n| model |")
    assert text.endswith(f" |\n\nnew, by IoU:\n{lost}\n{found}")


def two_discs(folder: Path) -> Path:
    """Return a folder with a photograph twice, and the mattes of two discs."""
    for name, left in (("one", 256), ("other", 156)):
        for part in ("im", "gt"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        Image.fromarray(skimage.data.astronaut()).save(folder / "im" / f"{name}.png")
        matte = Image.fromarray((disc(512, 200, left) * 255).astype(np.uint8))
        matte.save(folder / "gt" / f"{name}.png")
    return folder


def test_the_command_compares_by_picture(tmp_path: Path) -> None:
    """Every other column with the one that is named."""
    name = read_card(CARD).name
    program = [sys.executable, str(ROOT / "models/training/evaluate.py"), "--rounds", "0"]
    program += ["--folder", str(two_discs(tmp_path / "mine")), "--card", str(CARD)]
    program += ["--served", str(CARD.parent), "--against"]
    done = subprocess.run([*program, name], capture_output=True, text=True, check=True)
    _, _, text = done.stdout.partition(f"\nAgainst {name}, in points, by picture (2):\n\n")
    header, _, row = text.splitlines()
    assert header == "| model | IoU | boundary IoU |"
    assert row.startswith("| erase-s served | ")
    assert row.count(" ± ") == 2
    columns = f"--against must be a column: {name}, erase-s served"
    assert columns in refusal([*program, "erase-x"])
    assert "--pictures needs --against" in refusal([*program[:-1], "--pictures", "3"])
    for option in ("--pictures", "--rounds"):
        assert "must be at least 0" in refusal([*program, name, option, "-1"])
    needs = "--against needs two models, and two pictures to judge by"
    assert needs in refusal([*program[:-3], "--against", name])
    for part in ("im", "gt"):
        (tmp_path / "mine" / part / "other.png").unlink()
    assert needs in refusal([*program, name])


def test_a_photograph_that_cannot_be_read_is_named_in_one_line(tmp_path: Path) -> None:
    """Whoever has thousands of them must know which one it is."""
    folder = two_discs(tmp_path / "mine")
    (folder / "im/other.png").write_bytes(b"no picture")
    program = [sys.executable, str(ROOT / "models/training/evaluate.py"), "--folder", str(folder)]
    (line,) = refusal([*program, "--card", str(CARD)], 1).splitlines()
    assert line.startswith(f"{folder}/im/other.png cannot be read: ")


def test_what_is_not_there_is_named_in_one_line(tmp_path: Path) -> None:
    """A folder, or a card."""
    program = [sys.executable, str(ROOT / "models/training/evaluate.py")]
    nowhere = tmp_path / "nowhere"
    mine = two_discs(tmp_path / "mine")
    for folder, card in ((nowhere, CARD), (mine, nowhere / "card.toml")):
        said = refusal([*program, "--folder", str(folder), "--card", str(card)], 1)
        (line,) = said.splitlines()
        assert str(nowhere) in line


def test_what_is_no_model_is_named_in_one_line(tmp_path: Path) -> None:
    """A folder, a model's file or half a card for a card; a file that is no network; no model."""
    mine = two_discs(tmp_path / "mine")
    network = CARD.parent / "model.onnx"
    half = tmp_path / "half.toml"
    half.write_text('name = "x"\nversion = "1"\nfile = "x.onnx"\n')
    program = [sys.executable, str(ROOT / "models/training/evaluate.py"), "--folder", str(mine)]
    for given, says in (
        (["--card", CARD.parent], f"[Errno 21] Is a directory: '{CARD.parent}'"),
        (["--card", network], f"{network} is no card of a model: "),
        (["--card", half], f"{half} is no card of a model: it lacks input_size"),
        (["--u2netp", tmp_path / "u2netp.onnx"], f"{tmp_path}/u2netp.onnx cannot be run: "),
        (["--served", tmp_path], f"{tmp_path} cannot be served: {tmp_path}/card.toml: "),
        (["--card", CARD, "--pack", mine], f"[Errno 21] Is a directory: '{mine}'"),
    ):
        (line,) = refusal([*program, *map(str, given)], 1).splitlines()
        assert line.startswith(says)


def zipped(path: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write a zip of these files."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def test_a_zip_that_cannot_be_used_is_named_in_one_line(tmp_path: Path) -> None:
    """What is no zip, has no index, lacks a column, or lacks a file that its index has."""
    none = tmp_path / "none.zip"
    none.write_bytes(b"no zip")
    empty = zipped(tmp_path / "empty.zip", {"a.png": ""})
    columns = zipped(tmp_path / "columns.zip", {"index.csv": "file,set\na.png,pets\n"})
    index = "file,set,kind,split,source,licence,origin\na.png,pets,gt,val,s,l,o\n"
    lacking = zipped(tmp_path / "lacking.zip", {"index.csv": index})
    broken = zipped(tmp_path / "broken.zip", {"index.csv": "\ufeff" + index, "a.png": "no picture"})
    utf16 = zipped(tmp_path / "utf16.zip", {"index.csv": index.encode("utf-16")})
    program = [sys.executable, str(ROOT / "models/training/evaluate.py"), "--card", str(CARD)]
    labels = ["--labels", str(tmp_path), "--unseen", str(tmp_path / "unseen.toml")]
    (tmp_path / "unseen.toml").write_text('sources = ["s"]')
    for given, says in (
        (["--pack", none], f"{none} cannot be read: File is not a zip file"),
        (["--pack", empty], f"index.csv in {empty} cannot be read: There is no item named"),
        (["--pack", columns], f"index.csv in {columns} lacks kind, split"),
        (["--pack", broken], "a.png cannot be read: cannot identify image file"),
        (["--pack", utf16], f"index.csv in {utf16} is not in UTF-8"),
        (["--pack", lacking], f"a.png in {lacking} cannot be read: There is no item named"),
        (["--photos", none, *labels], f"{none} cannot be read: File is not a zip file"),
        (["--photos", columns, *labels], f"index.csv in {columns} lacks source, kind, licence"),
    ):
        (line,) = refusal([*program, *map(str, given)], 1).splitlines()
        assert line.startswith(says)


def test_two_models_of_one_name_are_refused(tmp_path: Path) -> None:
    """One column would hide the other."""
    program = [sys.executable, str(ROOT / "models/training/evaluate.py"), "--folder", str(tmp_path)]
    said = refusal([*program, "--card", str(CARD), "--card", str(CARD)])
    assert "two models have the same name" in said


def test_kinds_that_the_pack_has_and_others_are_averaged_apart() -> None:
    """Beside the mean over all; a part without any kind has no mean."""
    scores = {
        name: Score(mae=value, iou=value, boundary_iou=value)
        for name, value in (("animal", 0.2), ("clothes", 0.4), ("person", 0.9), ("mean", 0.5))
    }
    found = with_means(scores)
    assert found["mean of seen kinds"].iou == pytest.approx(0.3)
    assert found["mean of unseen kinds"].iou == pytest.approx(0.9)
    assert "mean of unseen kinds" not in with_means({"animal": scores["animal"]})


def test_rare_kinds_are_judged_together() -> None:
    """A set of one picture would weigh as much as a set of many."""
    plane = np.zeros((4, 4), np.uint8)
    photo = np.zeros((4, 4, 3), np.uint8)
    names = ["person"] * PICTURES_MIN + ["boat"]
    pairs = [Pair(name=n, set=n, kind="gt", rgb=photo, alpha=plane) for n in names]
    assert [p.set for p in grouped(pairs)] == ["person"] * PICTURES_MIN + ["other"]


def test_the_command_judges_sources_that_did_not_train(tmp_path: Path) -> None:
    """On the mattes on which a teacher and its mirrored pass agree; others are left out."""
    opinions = Opinions(tmp_path / "labels")
    for name, mirrored in (("sure", disc(512, 200, 256)), ("unsure", disc(512, 200, 156))):
        (tmp_path / "photos" / name).mkdir(parents=True)
        Image.fromarray(skimage.data.astronaut()).save(tmp_path / "photos" / name / "a.png")
        opinions.write(TEACHER, f"{name}/a.png", disc(512, 200, 256))
        opinions.write(MIRRORED, f"{name}/a.png", mirrored)
    held_out = 'sources = ["sure", "unsure"]\nrejected = []\npartial = []\n'
    (tmp_path / "unseen.toml").write_text(held_out)
    program = [sys.executable, str(ROOT / "models/training/evaluate.py"), "--rounds", "0"]
    for option in ("photos", "labels", "unseen"):
        path = tmp_path / (f"{option}.toml" if option == "unseen" else option)
        program += [f"--{option}", str(path)]
    done = subprocess.run(
        [*program, "--card", str(CARD)], capture_output=True, text=True, check=True
    )
    assert "Unseen sources: 1 other" in done.stdout
    rows = [line.split(" | ")[0] for line in done.stdout.splitlines() if line.startswith("| ")]
    assert rows == ["| set", "| other", "| mean", "| mean of unseen kinds"]
    short = subprocess.run(program[:-2], capture_output=True, text=True, check=False)
    assert short.returncode == 2
    assert "--photos needs --labels and --unseen" in short.stderr
