"""Turns a float ONNX model into int8: ``int8.py float.onnx tensors.npz int8.onnx``.

The int8 model is in ONNX's QDQ form. Weights become int8 with a scale for each output channel, and
activations uint8 with a scale for each tensor, whose range is measured on example inputs. The same
inputs give the same bytes. It needs the packages of quantize-requirements.txt, which add.py does
not have: that runs this file as a program. Whoever has them can call :func:`quantize`.
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
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

WEIGHTED = ("Conv", "Gemm", "MatMul")
"""The operators that hold the weights. The others stay float: that costs little time."""

PER_CHANNEL_OPSET = 13  # the first whose DequantizeLinear has an axis


class Tensors(CalibrationDataReader):  # type: ignore[misc] # onnxruntime ships no types
    """Feeds inputs one by one; each is float32 (1, 3, S, S)."""

    def __init__(self, name: str, tensors: Iterable[NDArray[np.float32]]) -> None:
        self._feeds: Iterator[dict[str, NDArray[np.float32]]] = (
            {name: tensor} for tensor in tensors
        )

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        """Return the next feed, or None at the end."""
        return next(self._feeds, None)


def quantize(  # noqa: PLR0913 # each says one thing about the result
    source: Path,
    target: Path,
    tensors: Iterable[NDArray[np.float32]],
    *,
    operators: Sequence[str] = WEIGHTED,
    float_nodes: Sequence[str] = (),
    fold: bool = True,
) -> None:
    """Write the int8 form of the float model ``source`` to ``target``.

    ``tensors`` are example inputs, float32 (1, 3, S, S) each, normalised as the model expects.
    Operators of these types become int8, but not the nodes that are named in ``float_nodes``.
    ``fold`` folds constants and BatchNorms first, which may rename nodes; a model that was exported
    without them does not need it.
    """
    model = onnx.load(source)
    if opset(model) < PER_CHANNEL_OPSET:
        model = version_converter.convert_version(model, PER_CHANNEL_OPSET)
    with tempfile.TemporaryDirectory() as folder:
        newer, plain = Path(folder) / "newer.onnx", Path(folder) / "plain.onnx"
        if fold:
            onnx.save(model, newer)
            # Shapes by symbols fail on some models, and are only needed for transformers.
            quant_pre_process(newer, plain, skip_symbolic_shape=True)
        else:
            onnx.save(onnx.shape_inference.infer_shapes(model), plain)
        quantize_static(
            plain,
            target,
            Tensors(input_name(model), tensors),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            op_types_to_quantize=list(operators),
            nodes_to_exclude=list(float_nodes),
            extra_options={"WeightSymmetric": True, "ActivationSymmetric": False},
        )


def opset(model: onnx.ModelProto) -> int:
    """Return the version of ONNX's own operators that a model is written in."""
    versions = [entry.version for entry in model.opset_import if entry.domain in {"", "ai.onnx"}]
    return int(max(versions))


def input_name(model: onnx.ModelProto) -> str:
    """Return the name of a model's input; older files list their weights among the inputs too."""
    weights = {tensor.name for tensor in model.graph.initializer}
    return next(str(value.name) for value in model.graph.input if value.name not in weights)


def main() -> None:
    """Quantize the file."""
    source, tensors, target = (Path(name) for name in sys.argv[1:])
    with np.load(tensors) as arrays:
        quantize(source, target, (tensor[None] for tensor in arrays["tensors"]))


if __name__ == "__main__":
    main()
