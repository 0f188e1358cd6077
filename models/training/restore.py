"""Float weights from an exported model, int8 or not, to train on from what ships.

    python restore.py --model ../erase-s/model.onnx --out start.pt

What the file does not have (BatchNorm statistics, the logits of the lower strides) and the stages
that training keeps are those of `--init`, the weights that the model was first trained from. The
steps of int8 stay in the values: a mean boundary IoU of 0.7069 where the lost floats had 0.7066.

Without `--init` all values come from the file. BatchNorms then only scale and shift, and the logits
of the lower strides, which the loss asks for and the matte does not, start from 0, so that they
teach nothing wrong at first.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import onnx
import torch
from export import LOGIT_GAIN
from graph import Graph, write_net
from net import SIZE_MULTIPLE_PX, MattingNet, Norm, scale_shift
from onnx import numpy_helper
from programs import run_program
from torch import Tensor, nn
from trainer import FROZEN_STAGES
from weights import load

from data import UnreadableError

# Frozen in training: `--init` has them without int8's steps.
KEPT = ("stem", *(f"stage{number}." for number in range(FROZEN_STAGES)))
BALANCED = ".balanced"  # a bias to which ../int8.py has added something
GAINED = ("head.out", "side")  # multiplied by the export's gain


def read_model(path: Path) -> onnx.ModelProto:
    """Read an exported model.

    Raises UnreadableError for any other file.
    """
    data = path.read_bytes()
    try:
        model = onnx.load_model_from_string(data)
    except Exception as error:  # protobuf's own
        raise UnreadableError(f"{path} is no ONNX model") from error
    if "rgb.scale" not in {tensor.name for tensor in model.graph.initializer}:
        raise UnreadableError(f"{path} is no model that export.py or quantize.py wrote")
    return model


def values_of(model: onnx.ModelProto) -> dict[str, Tensor]:
    """Read every weight and bias by its name in the export; float32, int8 and int32 times scale."""
    stored = {
        tensor.name: torch.from_numpy(numpy_helper.to_array(tensor).copy())
        for tensor in model.graph.initializer
    }
    scales = {}
    for node in model.graph.node:
        if node.op_type == "DequantizeLinear":
            scales[node.input[0]] = stored[node.input[1]]
        elif node.op_type == "QLinearConv":
            _, x_scale, _, weight, weight_scale, _, _, _, *bias = node.input
            scales[weight] = stored[weight_scale]
            scales |= dict.fromkeys(bias, stored[x_scale] * stored[weight_scale])
    values = {}
    for name, value in stored.items():
        plain = name.removesuffix("_quantized").replace(BALANCED, ".bias")
        shape = [-1, *[1] * (value.ndim - 1)]  # a scale for each output channel
        values[plain] = value.float() * scales[name].view(shape) if name in scales else value
    return values


class Restorer(Graph):
    """Walks a network as the export does, and puts the values where they came from.

    A part whose name begins with one of `kept` stays as it is.
    """

    def __init__(
        self, size: int, values: dict[str, Tensor], gain: float, kept: tuple[str, ...]
    ) -> None:
        super().__init__(size)
        self._values, self._gain, self._kept = values, gain, kept

    def conv(self, name: str, x: str, conv: nn.Conv2d, norm: nn.BatchNorm2d | None = None) -> str:
        """Undo `graph.Graph.conv` before it is done again."""
        if not name.startswith(self._kept):
            gain = self._gain if name in GAINED else 1.0
            weight = self._values[f"{name}.weight"] / gain
            if norm is not None:
                scale, shift = scale_shift(norm)
                conv.weight.copy_(weight / scale.view(-1, 1, 1, 1))
                norm.bias.add_(self._values[f"{name}.bias"] - shift)
            else:
                conv.weight.copy_(weight)
                if conv.bias is not None:
                    conv.bias.copy_(self._values[f"{name}.bias"] / gain)
        return super().conv(name, x, conv, norm)

    def norm(self, name: str, x: str, norm: Norm) -> str:
        """Undo `graph.Graph.norm`, whose norms training keeps."""
        if not self._kept:
            scale = self._values[f"{name}.weight"].flatten()
            _set(norm, scale, self._values[f"{name}.bias"])
        return super().norm(name, x, norm)

    def lacks(self, name: str, _block: nn.Module) -> bool:
        """Tell whether the model has no such dense block, as before run j."""
        return f"{name}.first.weight" not in self._values


def _set(norm: nn.BatchNorm2d, scale: Tensor, shift: Tensor) -> None:
    """Make a BatchNorm compute `x·scale + shift`; both float32 (C,)."""
    mean, variance = norm.get_buffer("running_mean"), norm.get_buffer("running_var")
    norm.weight.copy_(scale * torch.sqrt(variance + norm.eps))
    norm.bias.copy_(shift + mean * scale)


@torch.no_grad()
def restored(
    model: onnx.ModelProto, net: MattingNet, gain: float, *, keep: bool = True
) -> MattingNet:
    """Put the model's values into `net`, in place; `gain` is that of its export.

    With `keep` the stages and norms that training keeps stay as `net` has them.
    """
    values = values_of(model)
    if not keep:  # the graph turns the card's normalisation back into sRGB, for the head
        scale = 1 / values["rgb.scale"].flatten()
        _set(net.encoder.bn_in, scale, -values["rgb.shift"].flatten() * scale)
        for head in net.side[1:]:
            for parameter in head.parameters():
                parameter.zero_()
    write_net(Restorer(SIZE_MULTIPLE_PX, values, gain, KEPT if keep else ()), net)
    return net


def main() -> None:
    """Write a checkpoint that `train.py --init` and `export.py --weights` take."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--model", type=Path, required=True, help="an .onnx of export or quantize")
    parser.add_argument("--init", type=Path, help="what it was first trained from, if you have it")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--gain", type=float, default=LOGIT_GAIN, help="of its export; 2 up to erase-s 0.3.0"
    )
    options = parser.parse_args()
    torch.manual_seed(0)  # a dense block that the model does not have begins with random weights
    net = load(options.init) if options.init else MattingNet().eval()
    net = restored(read_model(options.model), net, options.gain, keep=bool(options.init))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"average": net.state_dict()}, options.out)


if __name__ == "__main__":
    run_program(main)
