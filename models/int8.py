"""Turns a float ONNX model into int8: ``int8.py float.onnx tensors.npz int8.onnx``.

QDQ; weights int8 per output channel, activations uint8, their ranges from the tensors. It needs the
packages of quantize-requirements.txt, which nothing else does; add.py calls it.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import version_converter
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

# Where the weights are. The other operators stay float, which costs little time and no quality.
OPERATORS = ["Conv", "Gemm", "MatMul"]
PER_CHANNEL_OPSET = 13  # the first whose DequantizeLinear has an axis


class Tensors(CalibrationDataReader):  # type: ignore[misc] # onnxruntime ships no types
    """Feeds tensors one by one; float32 (N, 3, S, S)."""

    def __init__(self, name: str, tensors: NDArray[np.float32]) -> None:
        self._feeds: Iterator[dict[str, NDArray[np.float32]]] = iter(
            [{name: tensor[None]} for tensor in tensors]
        )

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        """Return the next feed, or None at the end."""
        return next(self._feeds, None)


def opset(model: onnx.ModelProto) -> int:
    """Return the version of ONNX's own operators that a model is written in."""
    versions = [entry.version for entry in model.opset_import if entry.domain in {"", "ai.onnx"}]
    return int(max(versions))


def main() -> None:
    """Quantize the file."""
    source, tensors, target = (Path(name) for name in sys.argv[1:])
    model = onnx.load(source)
    if opset(model) < PER_CHANNEL_OPSET:
        model = version_converter.convert_version(model, PER_CHANNEL_OPSET)
    weights = {tensor.name for tensor in model.graph.initializer}
    name = next(value.name for value in model.graph.input if value.name not in weights)
    with tempfile.TemporaryDirectory() as folder:
        newer, plain = Path(folder) / "newer.onnx", Path(folder) / "plain.onnx"
        onnx.save(model, newer)
        # Folds constants and BatchNorm, so that there is no more to quantize than what runs. Shapes
        # by symbols fail on some models, and are only needed for transformers.
        quant_pre_process(newer, plain, skip_symbolic_shape=True)
        quantize_static(
            plain,
            target,
            Tensors(name, np.load(tensors)["tensors"]),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            op_types_to_quantize=OPERATORS,
        )


if __name__ == "__main__":
    main()
