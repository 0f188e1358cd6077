"""Turns a float ONNX model into int8: ``int8.py float.onnx tensors.npz int8.onnx``.

Weights become int8 with a scale for each output channel, and activations uint8 with a scale for
each tensor. The range of a tensor is that of a random sample of its values on example inputs, which
leaves out the rarest, and biases take back what the rounding of weights adds on average. The file
holds the graph as onnxruntime runs it (:func:`optimize`), so its card must say ``optimized =
true``. The same inputs give the same bytes. It needs the packages of quantize-requirements.txt,
which add.py does not have: that runs this file as a program. Whoever has them can call
:func:`quantize`.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper, version_converter
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

    Floats = NDArray[np.float32]
    Range = tuple[float, float]

WEIGHTED = ("Conv", "Gemm", "MatMul")
"""The operators that hold the weights. The others stay float: that costs little time."""

PER_CHANNEL_OPSET = 13  # the first whose DequantizeLinear has an axis
PICKS = 400
"""Values of each tensor that are looked at, for each example input, if the caller does not say.

Their least and largest make the range. The rarest outliers are not among them, and are cut: with
the range of all values, every step is coarser (models/training/runs.md).
"""
LAST_INT8 = 127


class Tensors(CalibrationDataReader):  # type: ignore[misc] # onnxruntime ships no types
    """Feeds inputs one by one; each is float32 (1, 3, S, S)."""

    def __init__(self, name: str, tensors: Iterable[Floats]) -> None:
        self._feeds: Iterator[dict[str, Floats]] = ({name: tensor} for tensor in tensors)

    def get_next(self) -> dict[str, Floats] | None:
        """Return the next feed, or None at the end."""
        return next(self._feeds, None)


def quantize(  # noqa: PLR0913 # each says one thing about the result
    source: Path,
    target: Path,
    tensors: Sequence[Floats],
    *,
    operators: Sequence[str] = WEIGHTED,
    float_nodes: Sequence[str] = (),
    fold: bool = True,
    picks: int = PICKS,
) -> None:
    """Write the int8 form of the float model ``source`` to ``target``.

    ``tensors`` are example inputs, float32 (1, 3, S, S) each, normalised as the model expects.
    Operators of these types become int8, but not the nodes that are named in ``float_nodes``.
    ``fold`` folds constants and BatchNorms first, which may rename nodes; a model that was exported
    without them does not need it. ``picks`` values of each tensor are looked at for each example
    input.
    """
    model = onnx.load(source)
    if opset(model) < PER_CHANNEL_OPSET:
        model = version_converter.convert_version(model, PER_CHANNEL_OPSET)
    with tempfile.TemporaryDirectory() as folder:
        newer, plain, int8 = (Path(folder) / f"{name}.onnx" for name in ("newer", "plain", "int8"))
        if fold:
            onnx.save(model, newer)
            # Shapes by symbols fail on some models, and are only needed for transformers.
            quant_pre_process(newer, plain, skip_symbolic_shape=True)
        else:
            onnx.save(onnx.shape_inference.infer_shapes(model), plain)
        balanced = with_balanced_biases(onnx.load(plain), tensors, float_nodes)
        onnx.save(balanced, plain)
        ranges = measured_ranges(balanced, tensors, operators, picks)
        quantize_static(
            plain,
            int8,
            Tensors(input_name(model), tensors[:1]),  # the ranges below replace what it measures
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            op_types_to_quantize=list(operators),
            nodes_to_exclude=list(float_nodes),
            extra_options={
                "WeightSymmetric": True,
                "ActivationSymmetric": False,
                "TensorQuantOverrides": {
                    name: [{"rmin": np.float32(low), "rmax": np.float32(high)}]
                    for name, (low, high) in ranges.items()
                },
            },
        )
        optimize(int8, target)


def optimize(source: Path, target: Path) -> None:
    """Write the model with onnxruntime's optimizations of its graph, which no start need do again.

    Convolutions and sums become onnxruntime's operators on int8, in the order of channels that they
    are computed in; weights keep their names and values. Only onnxruntime reads such a file, but on
    any processor, and it is the same wherever it is made: what would bind it to this machine's is
    left out. erase-s loads in half the time with it, and a pass takes 3 % less.
    """
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.optimized_model_filepath = str(target)
    options.add_session_config_entry("mlas.disable_kleidiai", "1")  # operators of arm64 only
    options.log_severity_level = 3  # a warning says that the file is for this processor only
    onnxruntime.InferenceSession(
        source,
        options,
        providers=["CPUExecutionProvider"],
        disabled_optimizers=["NchwcTransformer"],  # blocks of as many channels as it has lanes
    )


def with_balanced_biases(
    model: onnx.ModelProto, tensors: Iterable[Floats], float_nodes: Sequence[str]
) -> onnx.ModelProto:
    """Return a copy in which rounded weights leave the mean of each convolution's output alone.

    Rounding a weight by d moves the output by d times the input's mean: the bias takes it back
    (Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization and Bias Correction").
    The means are those of the channels on ``tensors``, the borders' zeros not counted.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    weights = {tensor.name: tensor for tensor in copy.graph.initializer}
    convolutions = [
        node
        for node in copy.graph.node
        if node.op_type == "Conv"
        and node.name not in float_nodes
        and all(name in weights for name in node.input[1:])
    ]
    means = channel_means(model, list(dict.fromkeys(n.input[0] for n in convolutions)), tensors)
    for node in convolutions:
        weight = numpy_helper.to_array(weights[node.input[1]])
        lost = (weight - rounded(weight)).sum(axis=tuple(range(2, weight.ndim)))
        inputs = means[node.input[0]]
        groups = len(inputs) // lost.shape[1]
        parts = zip(np.split(lost, groups), np.split(inputs, groups), strict=True)
        shift = np.concatenate([part @ mean for part, mean in parts])
        if len(node.input) > 2:  # noqa: PLR2004 - input, weight, bias
            shift = shift + numpy_helper.to_array(weights[node.input[2]])
        bias = f"{node.output[0]}.balanced"
        copy.graph.initializer.append(numpy_helper.from_array(shift.astype(np.float32), bias))
        node.input[:] = [*node.input[:2], bias]
    used = {name for node in copy.graph.node for name in node.input}
    for tensor in [tensor for tensor in copy.graph.initializer if tensor.name not in used]:
        copy.graph.initializer.remove(tensor)
    return copy


def rounded(weight: Floats) -> Floats:
    """Return a weight (O, …) as int8 holds it, with a scale for each output channel."""
    largest = np.abs(weight).max(axis=tuple(range(1, weight.ndim)), keepdims=True)
    step = np.where(largest > 0, largest, 1) / LAST_INT8
    return (np.round(weight / step) * step).astype(np.float32)


def channel_means(
    model: onnx.ModelProto, names: Sequence[str], tensors: Iterable[Floats]
) -> dict[str, Floats]:
    """Return the mean of each channel of these activations, (N, C, …), as float32 (C,)."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.graph.output[:]
    for number, name in enumerate(names):
        mean = f"mean.{number}"
        copy.graph.node.append(helper.make_node("GlobalAveragePool", [name], [mean]))
        copy.graph.output.append(helper.make_tensor_value_info(mean, TensorProto.FLOAT, None))
    runs = run(copy, ({input_name(model): tensor} for tensor in tensors))
    return {
        name: np.mean([found.ravel() for found in parts], axis=0)
        for name, parts in zip(names, zip(*runs, strict=True), strict=True)
    }


def run(model: onnx.ModelProto, feeds: Iterable[dict[str, Any]]) -> list[list[Floats]]:
    """Return the model's outputs for each feed."""
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return [session.run(None, feed) for feed in feeds]


def measured_ranges(
    model: onnx.ModelProto, tensors: Iterable[Floats], operators: Sequence[str], picks: int
) -> dict[str, Range]:
    """Return the range of some values of each activation that these operators read or write.

    It includes 0, as uint8 with a zero point must. A tensor of zeros only is left out: every range
    is right for it.
    """
    weights = {tensor.name for tensor in model.graph.initializer}
    nodes = [node for node in model.graph.node if node.op_type in operators]
    touched = dict.fromkeys(name for node in nodes for name in (*node.input, *node.output))
    names = [name for name in touched if name and name not in weights]
    chance = np.random.default_rng(0)
    picked = run(
        picking(model, names),
        ({input_name(model): tensor, "picks": chance.random(picks)} for tensor in tensors),
    )
    values = zip(names, (np.concatenate(parts) for parts in zip(*picked, strict=True)), strict=True)
    return {
        name: (min(float(found.min()), 0.0), max(float(found.max()), 0.0))
        for name, found in values
        if found.any()
    }


def picking(model: onnx.ModelProto, names: Sequence[str]) -> onnx.ModelProto:
    """Return a copy of the model whose outputs are some values of each named tensor.

    Its second input ``picks``, float64 (n,) in 0…1, tells where in the flattened tensors they are.
    Whole tensors as outputs would need gigabytes for a large network.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    graph = copy.graph
    del graph.output[:]
    graph.input.append(helper.make_tensor_value_info("picks", TensorProto.DOUBLE, [None]))
    graph.initializer.append(numpy_helper.from_array(np.array([-1]), "picks.flat"))
    for number, name in enumerate(names):
        at = f"picks.{number}"
        graph.node.extend(
            [
                helper.make_node("Size", [name], [f"{at}.size"]),
                helper.make_node("Cast", [f"{at}.size"], [f"{at}.count"], to=TensorProto.DOUBLE),
                helper.make_node("Mul", [f"{at}.count", "picks"], [f"{at}.place"]),
                helper.make_node("Cast", [f"{at}.place"], [f"{at}.index"], to=TensorProto.INT64),
                helper.make_node("Reshape", [name, "picks.flat"], [f"{at}.values"]),
                helper.make_node("Gather", [f"{at}.values", f"{at}.index"], [at]),
            ]
        )
        graph.output.append(helper.make_tensor_value_info(at, TensorProto.FLOAT, [None]))
    return copy


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
        quantize(source, target, [tensor[None] for tensor in arrays["tensors"]])


if __name__ == "__main__":
    main()
