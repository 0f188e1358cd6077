"""A model's file: what its card says of the graph, and the memory that a loaded network holds."""

import hashlib
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from drawn_models import card_of
from tiny_onnx import FLOAT, FLOAT16, PICTURE, Input, onnx_file

from cutout.errors import ModelUnavailable
from cutout.image.card import read_card
from cutout.image.model import Network, load_network, read_model

ROOT = Path(__file__).resolve().parents[2]
OURS = ROOT / "models/erase-s"

MEASURE = """
import re, sys
from pathlib import Path
import numpy as np
from cutout.image.model import read_model

def resident_mib():
    (kib,) = re.findall(r"VmRSS:\\s+([0-9]+) kB", open("/proc/self/status").read())
    return int(kib) / 1024

model = read_model(Path(sys.argv[1]))
side = model.card.input_size
sizes = []
for _ in range(4):
    model.network(np.zeros((1, 3, side, side), np.float32))
    sizes.append(resident_mib())
print(sizes[-1] - sizes[0])
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the memory from /proc")
def test_more_passes_hold_no_more_memory_than_the_first() -> None:
    """What a pass has reserved is used again, and no second plan of it lies beside."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, ROOT / "models/erase-s"],
        cwd=ROOT / "function",
        capture_output=True,
        text=True,
        check=True,
    )
    assert float(done.stdout) < 8  # it was 17


SHORT_OF_MEMORY = """
import re, resource, sys
from pathlib import Path
from cutout.errors import ModelUnavailable
from cutout.image.model import read_model

kept = []  # what is freed would be there for the next one

def tried():
    try:
        kept.append(read_model(Path(sys.argv[1])))
    except (MemoryError, ModelUnavailable) as error:
        return type(error).__name__
    return "loaded"

outcomes = [tried()]
(kib,) = re.findall(r"VmSize:\\s+([0-9]+) kB", open("/proc/self/status").read())
for mib in (4, 12):
    resource.setrlimit(resource.RLIMIT_AS, (int(kib) * 1024 + (mib << 20), resource.RLIM_INFINITY))
    outcomes.append(tried())
resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(*outcomes, tried())
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the memory from /proc")
def test_too_little_memory_to_load_a_model_is_no_fault_of_its_files() -> None:
    """It can pass, so it must not be taken for a model that never loads."""
    done = subprocess.run(
        [sys.executable, "-c", SHORT_OF_MEMORY, OURS],
        cwd=ROOT / "function",
        capture_output=True,
        text=True,
        check=True,
    )
    last = done.stdout.splitlines()[-1]  # onnxruntime prints lines of its own before
    assert last == "loaded MemoryError MemoryError loaded"


def test_the_shipped_graph_is_optimized() -> None:
    """Loaded as it is, it has operators of int8, and answers as if onnxruntime optimized it."""
    model = read_model(OURS)
    assert model.card.optimized
    assert b"QLinearConv" in (OURS / "model.onnx").read_bytes()
    side = model.card.input_size
    picture = np.random.default_rng(0).normal(size=(1, 3, side, side)).astype(np.float32)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = onnxruntime.InferenceSession(
        OURS / "model.onnx", options, providers=["CPUExecutionProvider"]
    )
    (expected,) = session.run(["alpha"], {"image": picture})
    assert model.network(picture) == pytest.approx(expected, abs=1e-4)


def test_a_card_need_not_say_whether_its_graph_is_optimized(tmp_path: Path) -> None:
    """Public models are as they were published: onnxruntime optimizes them when it loads them."""
    lines = (OURS / "card.toml").read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if not line.startswith("optimized")]
    (tmp_path / "card.toml").write_text("\n".join(kept), encoding="utf-8")
    shutil.copy(OURS / "model.onnx", tmp_path)
    model = read_model(tmp_path)
    assert not model.card.optimized
    side = model.card.input_size
    assert model.network(np.zeros((1, 3, side, side), np.float32)).shape == (1, 1, side, side)


def loaded(folder: Path, file: bytes, side: int = 64) -> Network:
    """Return the network of a file, whose card says this side."""
    (folder / "model.onnx").write_bytes(file)
    digest = hashlib.sha256(file).hexdigest()
    return load_network(replace(card_of(side), file="model.onnx", sha256=digest), folder)


@pytest.mark.parametrize(
    "sides", [(1, 3, 64, 64), ("batch", 3, "height", "width"), ("n", "c", "h", "w"), None]
)
def test_a_network_takes_the_cards_picture(
    tmp_path: Path, sides: Sequence[int | str] | None
) -> None:
    """Its sides are those of the card, or are not fixed."""
    network = loaded(tmp_path, onnx_file(inputs=[("x", FLOAT, sides)]))
    assert network(np.ones((1, 3, 64, 64), np.float32)).shape == (1, 1, 64, 64)


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        ([("x", FLOAT, (1, 3, 32, 32))], "its input x is tensor(float) 1 × 3 × 32 × 32, and must"),
        ([("x", FLOAT, (1, 64, 64, 3))], "its input x is tensor(float) 1 × 64 × 64 × 3, and must"),
        ([("x", FLOAT, (4, 3, 64, 64))], "its input x is tensor(float) 4 × 3 × 64 × 64, and must"),
        (
            [("x", FLOAT, ("n", 1, "h", "w"))],
            "its input x is tensor(float) n × 1 × h × w, and must",
        ),
        ([("x", FLOAT, (3, 64, 64))], "its input x is tensor(float) 3 × 64 × 64, and must"),
        (
            [("x", FLOAT16, (1, 3, 64, 64))],
            "its input x is tensor(float16) 1 × 3 × 64 × 64, and must",
        ),
    ],
)
def test_a_network_that_takes_something_else_does_not_load(
    tmp_path: Path, inputs: Sequence[Input], reason: str
) -> None:
    """It would fail with the first photo only, and as an error of the function's own."""
    with pytest.raises(ModelUnavailable) as refused:
        loaded(tmp_path, onnx_file(inputs=inputs))
    assert refused.value.facts["reason"] == (
        f"model.onnx: {reason} be tensor(float) 1 × 3 × 64 × 64"
    )


def test_a_network_of_two_inputs_does_not_load(tmp_path: Path) -> None:
    """Such as one that takes a sketch of the matte beside the picture."""
    both = [PICTURE, ("sketch", FLOAT, (1, 3, 64, 64))]
    with pytest.raises(ModelUnavailable) as refused:
        loaded(tmp_path, onnx_file(["Add x sketch z", "ReduceMean z y"], both))
    assert refused.value.facts["reason"] == (
        "model.onnx: its inputs are x, sketch, and it must have one, the picture"
    )


@pytest.mark.parametrize(
    ("nodes", "sides"),
    [
        (("Concat x x y",), "1 × 6 × 64 × 64"),
        (("ReduceMean x z", "Squeeze z y"), "1 × 64 × 64"),
    ],
)
def test_an_output_that_is_no_matte_is_refused(
    tmp_path: Path, nodes: Sequence[str], sides: str
) -> None:
    """Of several channels the first need not be the subject."""
    network = loaded(tmp_path, onnx_file(nodes))
    with pytest.raises(ModelUnavailable) as refused:
        network(np.ones((1, 3, 64, 64), np.float32))
    assert refused.value.facts["reason"] == (
        f"model.onnx: its output y is {sides}, and must be 1 × 1 × 64 × 64"
    )


RISES = "and must rise from [0, …] to [1, …], with IoUs 0 to 1"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (
            "input_size = 320.5",
            "input_size is 320.5, and must be a whole number of pixels, at least 1",
        ),
        ("input_size = 0", "input_size is 0, and must be a whole number of pixels, at least 1"),
        ("std = [0.2, 0.0, 0.2]", "std is [0.2, 0.0, 0.2], and must be three numbers other than 0"),
        ("mean = [0.5]", "mean is [0.5], and must be three numbers"),
        ("mean = [0.5, nan, 0.5]", "mean is [0.5, nan, 0.5], and must be three numbers"),
        ("range = 255", "range is 255, and must be '255' or 'max'"),
        ("resize = 'cubic'", "resize is 'cubic', and must be 'bilinear' or 'lanczos'"),
        ("output = 'sigmoid'", "output is 'sigmoid', and must be 'alpha' or 'logit' or 'minmax'"),
        ("version = '2 β'", "version is '2 β', and must be of printable ASCII characters"),
        ("mean = [true, 0.5, 0.5]", "mean is [True, 0.5, 0.5], and must be three numbers"),
        *[
            (f"{key} = {value}", f"{key} is {value}, and must be from 0 to 1")
            for key in ("zoom", "mirror")
            for value in ("-0.1", "1.5", "'0.5'", "[0.5]")
        ],
        *[
            (f"{key} = {value}", f"{key} is {value}, and must be true or false")
            for key in ("optimized", "settle")
            for value in ("1", "'true'", "'no'")
        ],
        *[
            (f"confidence = {points}", f"confidence is {points}, {RISES}")
            for points in (
                "0.9",
                "3",
                "[]",
                "[[0, 0]]",
                "[[0, 0], [1]]",
                "[[0, 0], [0.5, 0.4]]",
                "[[0.1, 0], [1, 1]]",
                "[[0, 0], [0.5, 0.6], [0.5, 0.7], [1, 1]]",
                "[[0, 0], [0.5, 0.6], [0.7, 0.5], [1, 1]]",
                "[[0, -0.1], [1, 1]]",
                "[[0, 0], [1, 1.1]]",
                "[[0, nan], [1, 1]]",
                "[[0, 0, 0], [1, 1, 1]]",
                "[['0', '0'], ['1', '1']]",
                "['00', '11']",
            )
        ],
        ("confidence = [[false, 0], [true, 1]]", f"confidence is [[False, 0], [True, 1]], {RISES}"),
        ("confidence = 'high'", f"confidence is high, {RISES}"),
        ("mean_ = 1", "it lacks mean"),
    ],
)
def test_a_card_that_no_network_can_have_says_what_is_wrong(
    tmp_path: Path, line: str, reason: str
) -> None:
    """And what would be right, when the model is loaded: the tensors would be no numbers."""
    text = (OURS / "card.toml").read_text(encoding="utf-8")
    key = line.partition(" ")[0].rstrip("_")
    wrong, places = re.subn(rf"^{key} = .*", line, text, flags=re.MULTILINE)
    assert places == 1
    (tmp_path / "card.toml").write_text(wrong, encoding="utf-8")
    with pytest.raises(ModelUnavailable) as refused:
        read_card(tmp_path)
    assert refused.value.facts["reason"] == f"{tmp_path / 'card.toml'}: ValueError: {reason}"
