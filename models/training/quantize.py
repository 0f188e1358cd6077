"""int8 ONNX from a float one.

    python quantize.py --pack pack.zip --card runs/a/card.toml --out ../erase-s/model.onnx

QDQ; weights int8 per output channel, symmetric; activations uint8 per tensor, their ranges from
real photographs of the pack's training part (never its validation part). A fixed order of
photographs and no other chance: the same float file gives the same bytes.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import onnx
from evaluate import Card, read_card, tensor
from export import write_card
from onnxruntime import SessionOptions
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)

from data import Floats, Pair, read_pack

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

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


class Photographs(CalibrationDataReader):  # type: ignore[misc]
    """Feeds photographs one by one, as the card says."""

    def __init__(self, pairs: Sequence[Pair], card: Card) -> None:
        self._feeds: Iterator[dict[str, Floats]] = iter(
            [{"image": tensor(pair.rgb, card)} for pair in pairs]
        )

    def get_next(self) -> dict[str, Floats] | None:
        """Return the next feed, or None at the end."""
        return next(self._feeds, None)


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
    model = onnx.load(card.file)
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "float.onnx"
        onnx.save(onnx.shape_inference.infer_shapes(model), plain)
        session = SessionOptions()
        session.intra_op_num_threads = 1
        quantize_static(
            plain,
            out,
            Photographs(pairs, card),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            op_types_to_quantize=QUANTIZED,
            nodes_to_exclude=float_nodes(model),
            extra_options={"WeightSymmetric": True, "ActivationSymmetric": False},
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
