"""A model's file: what its card says of the graph, and the memory that a loaded network holds."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from cutout.errors import ModelUnavailable
from cutout.image.card import read_card
from cutout.image.model import read_model

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


@pytest.mark.parametrize("value", ["1", '"true"', '"no"'])
def test_a_card_says_true_or_false(tmp_path: Path, value: str) -> None:
    """A graph that nobody optimized would run slowly, so nothing else is taken for true."""
    text = (OURS / "card.toml").read_text(encoding="utf-8")
    (tmp_path / "card.toml").write_text(
        text.replace("optimized = true", f"optimized = {value}"), encoding="utf-8"
    )
    with pytest.raises(ModelUnavailable) as refused:
        read_card(tmp_path)
    assert str(refused.value.facts["reason"]).endswith(
        f"ValueError: optimized is {value.replace(chr(34), chr(39))}, and must be true or false"
    )


@pytest.mark.parametrize("key", ["zoom", "mirror"])
@pytest.mark.parametrize("value", ["-0.1", "1.5"])
def test_when_a_photo_is_looked_at_again_is_a_share(tmp_path: Path, key: str, value: str) -> None:
    """Of the photo, and of full confidence."""
    text = (OURS / "card.toml").read_text(encoding="utf-8")
    wrong, places = re.subn(rf"^{key} = \S+", f"{key} = {value}", text, flags=re.MULTILINE)
    assert places == 1
    (tmp_path / "card.toml").write_text(wrong, encoding="utf-8")
    with pytest.raises(ModelUnavailable) as refused:
        read_card(tmp_path)
    assert str(refused.value.facts["reason"]).endswith(
        f"ValueError: {key} is {value}, and must be from 0 to 1"
    )


def test_a_card_need_not_say_so(tmp_path: Path) -> None:
    """Public models are as they were published: onnxruntime optimizes them when it loads them."""
    lines = (OURS / "card.toml").read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if not line.startswith("optimized")]
    (tmp_path / "card.toml").write_text("\n".join(kept), encoding="utf-8")
    shutil.copy(OURS / "model.onnx", tmp_path)
    model = read_model(tmp_path)
    assert not model.card.optimized
    side = model.card.input_size
    assert model.network(np.zeros((1, 3, side, side), np.float32)).shape == (1, 1, side, side)
