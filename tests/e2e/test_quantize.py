"""``make model QUANTIZE=1`` in a fresh checkout: a float model becomes one of int8 that runs."""

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


def test_a_float_model_becomes_int8(tmp_path: Path) -> None:
    """With its card, which names the file that it was made from."""
    check_out(tmp_path)
    stamp = make(tmp_path, "-s", "--eval=print-int8: ; @echo $(INT8)", "print-int8").stdout.strip()
    installed = make(tmp_path, stamp)
    if installed.returncode:
        pytest.skip(f"ONNX cannot be installed: {installed.stderr.strip()}")
    source = tmp_path / "drawn.onnx"
    subprocess.run(
        [tmp_path / ".venv/int8/bin/python", "-c", DRAW, source, str(SIDE_PX)],
        env=environment(),
        check=True,
    )
    done = make(
        tmp_path,
        *("model", "NAME=drawn", "LICENCE=MIT", f"FILE={source}", "QUANTIZE=1"),
        "CARD=--output alpha",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    folder = tmp_path / "models/drawn-int8"
    card = read_card(folder)
    assert card.input_size == SIDE_PX
    assert "made_from" in tomllib.loads((folder / "card.toml").read_text(encoding="utf-8"))
    assert b"QuantizeLinear" in (folder / "model.onnx").read_bytes()
    assert callable(load_network(card, folder))
