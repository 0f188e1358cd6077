"""The memory that a loaded network holds."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

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
