"""int8 ONNX from a float one.

    python quantize.py --pack pack.zip --card runs/a/card.toml --out ../erase-s/model.onnx

What int8 means here is in ../int8.py; the ranges of activations come from real photographs of the
pack's training part (never its validation part). A fixed order of photographs and no other chance:
the same float file gives the same bytes.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import onnx
from evaluate import Card, read_card, tensor
from export import write_card

from data import Pair, read_pack

sys.path.append(str(Path(__file__).resolve().parents[1]))
from int8 import quantize

if TYPE_CHECKING:
    from collections.abc import Sequence

PHOTOGRAPHS = 96  # for the ranges
FILE_MAX_BYTES = 12_000_000
# What stays float, by node name: int8 gains no time there (Resize, Concat, 12 channels at full
# size) and the head's output is the matte itself, where one step of a uint8 logit shows.
FLOAT_NODES = ("rgb", "head.", "side", "lift.grown", "logit", "alpha")
QUANTIZED = [
    "Conv",
    "Relu",
    "Add",
    "MaxPool",
    "ReduceMean",
]  # a Relu before uint8 with zero point 0 vanishes


def photographs(pack: Path, count: int) -> list[Pair]:
    """Take `count` training photographs, evenly spaced, so that every set is heard."""
    pairs = [pair for pair in read_pack(pack, "train") if pair.kind != "cut"]
    return pairs[:: max(1, len(pairs) // count)][:count]


def float_nodes(model: onnx.ModelProto) -> list[str]:
    """Name the nodes kept in float."""
    return [
        n.name for n in model.graph.node if n.op_type == "Resize" or n.name.startswith(FLOAT_NODES)
    ]


def quantized(card: Card, pairs: Sequence[Pair], out: Path) -> None:
    """Write the int8 model of the float model that `card` describes."""
    quantize(
        card.file,
        out,
        (tensor(pair.rgb, card) for pair in pairs),
        operators=QUANTIZED,
        float_nodes=float_nodes(onnx.load(card.file)),
        fold=False,  # the export wrote BatchNorms into the weights
    )
    if out.stat().st_size > FILE_MAX_BYTES:
        raise SystemExit(
            f"{out.name} has {out.stat().st_size} bytes; at most {FILE_MAX_BYTES} are accepted"
        )


def main() -> None:
    """Write the int8 model and its card."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--pack", type=Path, required=True)
    parser.add_argument("--card", type=Path, required=True, help="card.toml of the float model")
    parser.add_argument(
        "--out", type=Path, required=True, help="the file; card.toml is written beside it"
    )
    parser.add_argument("--version", default="0.4.0")
    options = parser.parse_args()
    card = read_card(options.card)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    quantized(card, photographs(options.pack, PHOTOGRAPHS), options.out)
    write_card(options.out, options.version, card.input_size, list(card.mean), list(card.std))


if __name__ == "__main__":
    main()
