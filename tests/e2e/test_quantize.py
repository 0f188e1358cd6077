"""``make model QUANTIZE=1`` in a fresh checkout: a float model becomes one of int8 that runs."""

import json
import subprocess
import tomllib
from pathlib import Path

import pytest
from checkout import check_out, environment, make

from cutout.image.card import read_card
from cutout.image.model import load_network

SIDE_PX = 64

# Two convolutions with a BatchNorm between, of an old opset that has no scale for each channel.
DRAW = """
import sys
import numpy as np
import onnx
from onnx import helper, numpy_helper

chance = np.random.default_rng(0)
side = int(sys.argv[2])
weights = {
    "w": chance.normal(0, 0.1, (8, 3, 3, 3)),
    "scale": chance.random(8),
    "zero": np.zeros(8),
    "one": np.ones(8),
    "v": chance.normal(0, 0.1, (1, 8, 3, 3)),
}
nodes = [
    helper.make_node("Conv", ["x", "w"], ["a"], pads=[1] * 4),
    helper.make_node("BatchNormalization", ["a", "scale", "zero", "zero", "one"], ["b"]),
    helper.make_node("Relu", ["b"], ["c"]),
    helper.make_node("Conv", ["c", "v"], ["d"], pads=[1] * 4),
    helper.make_node("Sigmoid", ["d"], ["y"]),
]
graph = helper.make_graph(
    nodes,
    "drawn",
    [helper.make_tensor_value_info("x", 1, [1, 3, side, side])],
    [helper.make_tensor_value_info("y", 1, [1, 1, side, side])],
    [numpy_helper.from_array(w.astype(np.float32), name) for name, w in weights.items()],
)
opsets = [helper.make_opsetid("", 11)]
onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), sys.argv[1])
"""


# What int8.py decides of a picture with one bright pixel, and of a convolution of rounded weights.
JUDGE = """
import json
import sys
import numpy as np
import onnx
from onnx import numpy_helper
sys.path.append("models")
import int8

model = onnx.load(sys.argv[1])
del model.graph.node[1:], model.graph.output[:]
model.graph.output.append(onnx.helper.make_tensor_value_info("a", 1, None))
grey = np.full((1, 3, int(sys.argv[2]), int(sys.argv[2])), 0.7, np.float32)
spotted = grey.copy()
spotted[0, 0, 3, 3] = 60
few, many = (
    int8.measured_ranges(model, [spotted], ["Conv"], picks)["x"] for picks in (int8.PICKS, 100_000)
)

def inside(model):
    return int8.run(model, [{"x": grey}])[0][0][0, :, 9, 9]

def with_rounded_weights(model):
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    weight = next(t for t in copy.graph.initializer if t.name == "w")
    value = int8.rounded(numpy_helper.to_array(weight))
    weight.CopyFrom(numpy_helper.from_array(value, "w"))
    return copy

true = inside(model)
balanced = int8.with_balanced_biases(model, [grey], ())
shifts = [
    float(np.abs(inside(with_rounded_weights(one)) - true).max()) for one in (balanced, model)
]
print(json.dumps({"range": few, "range of many": many, "shifts": shifts}))
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a fresh checkout with the packages that quantize."""
    check_out(tmp_path)
    stamp = make(tmp_path, "-s", "--eval=print-int8: ; @echo $(INT8)", "print-int8").stdout.strip()
    installed = make(tmp_path, stamp)
    if installed.returncode:
        pytest.skip(f"ONNX cannot be installed: {installed.stderr.strip()}")
    return tmp_path


def run(checkout: Path, program: str, *arguments: str | Path) -> str:
    """Return what a program prints that needs ONNX."""
    done = subprocess.run(
        [checkout / ".venv/int8/bin/python", "-c", program, *arguments],
        cwd=checkout,
        env=environment(),
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return done.stdout


def test_a_float_model_becomes_int8(checkout: Path) -> None:
    """With its card, which names the file that it was made from."""
    source = checkout / "drawn.onnx"
    run(checkout, DRAW, source, str(SIDE_PX))
    done = make(
        checkout,
        *("model", "NAME=drawn", "LICENCE=MIT", f"FILE={source}", "QUANTIZE=1"),
        "CARD=--output alpha",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    folder = checkout / "models/drawn-int8"
    card = read_card(folder)
    assert card.input_size == SIDE_PX
    assert "made_from" in tomllib.loads((folder / "card.toml").read_text(encoding="utf-8"))
    assert card.optimized
    assert b"QLinearConv" in (folder / "model.onnx").read_bytes()
    assert callable(load_network(card, folder))


def test_outliers_are_cut_and_means_are_kept(checkout: Path) -> None:
    """One value in 12,288 does not make every step coarse, and rounded weights shift no mean."""
    source = checkout / "drawn.onnx"
    run(checkout, DRAW, source, str(SIDE_PX))
    found = json.loads(run(checkout, JUDGE, source, str(SIDE_PX)))
    assert found["range"] == [0, pytest.approx(0.7)]
    assert found["range of many"] == [0, 60]
    balanced, rounded = found["shifts"]
    assert balanced < 1e-5
    assert rounded > 1e-4
