"""Float ONNX from trained weights.

    python export.py --weights runs/a/last.pt --size 384 --out ../erase-s/float.onnx

Input `image` float32 (1,3,S,S), sRGB in 0…1 minus the card's mean over its deviation: the network's
own input BatchNorm is folded into these two. Output `alpha` float32 (1,1,S,S), 0…1. BatchNorms
after a convolution are folded into it; those after a sum become depthwise 1×1 convolutions, so that
int8 can cover them. The graph is written node by node from the weights, not traced: the same
weights give the same bytes whatever the version of the framework.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import torch
from net import (
    SIZE_MULTIPLE_PX,
    Bottleneck,
    Context,
    MattingNet,
    Norm,
    folded,
    load,
    scale_shift,
)
from onnx import helper, numpy_helper
from scales import growth
from torch import Tensor, nn

from data import IMAGENET_MEAN, IMAGENET_STD

if TYPE_CHECKING:
    from data import Floats

OPSET = 17
IR_VERSION = 8
# Boundary-weighted losses and averaged weights leave the matte less sure than it is right: haze on
# the background, and subjects that are not quite whole. What is nearer than this to 0 or 1 becomes
# it, and the rest is stretched. That lowers the MAE as much as doubling the logit, which erase-s
# 0.3.0 did, and steepens soft edges by a fifth only (README). 0.5 stays 0.5.
SURE_SHARE = 0.09
LOGIT_GAIN = 1.0
CARD = """\
name = "erase-s"
version = "{version}"
file = "{file}"
sha256 = "{sha256}"
input_size = {size}          # px; the photo is stretched to input_size × input_size
resize = "bilinear"       # antialiased (Pillow)
range = "255"             # RGB divided by 255, then minus mean, over std
mean = [{mean}]
std = [{std}]
output = "alpha"          # already 0…1
optimized = {optimized:<14}# whether the graph is as onnxruntime runs it (../int8.py)
zoom = 0.5                # a subject in a smaller window than this share is looked at again
mirror = 0.85             # below this confidence the mirrored photo counts if it is surer
licence = "Apache-2.0"
source = "trained by models/training from ImageNet weights (Apache-2.0); data in the model's README"
"""


def input_normalisation(net: MattingNet) -> tuple[Tensor, Tensor]:
    """Merge the ImageNet normalisation and the input BatchNorm: mean and deviation, float32 (3,).

    ((x - m) / s)·a + b = (x - (m - b·s/a)) / (s/a)
    """
    scale, shift = scale_shift(net.encoder.bn_in)
    std = torch.tensor(IMAGENET_STD) / scale
    return torch.tensor(IMAGENET_MEAN) - shift * std, std


class Graph:
    """An ONNX graph in the making. Values are named by their nodes; sizes are tracked in px."""

    def __init__(self, size: int) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.side = {"image": size}

    def constant(self, name: str, values: Floats) -> str:
        """Store a weight."""
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def node(self, kind: str, name: str, inputs: list[str], side: int, **attributes: Any) -> str:
        """Append a node of one output, named like it."""
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        self.side[name] = side
        return name

    def conv(self, name: str, x: str, conv: nn.Conv2d, norm: nn.BatchNorm2d | None = None) -> str:
        """Append a convolution, the BatchNorm after it folded in."""
        values = (conv.weight, conv.bias) if norm is None else folded(conv, norm)
        return self._conv(name, x, values, conv)

    def norm(self, name: str, x: str, norm: Norm) -> str:
        """Append BatchNorm + ReLU after a sum, as a depthwise 1×1 convolution."""
        scale, shift = scale_shift(norm)
        like = nn.Conv2d(norm.num_features, norm.num_features, 1, groups=norm.num_features)
        return self.relu(self._conv(name, x, (scale.view(-1, 1, 1, 1), shift), like))

    def _conv(
        self, name: str, x: str, values: tuple[Tensor, Tensor | None], like: nn.Conv2d
    ) -> str:
        weight, bias = values
        inputs = [x, self.constant(f"{name}.weight", weight.numpy())]
        if bias is not None:
            inputs.append(self.constant(f"{name}.bias", bias.numpy()))
        (kernel, _), (stride, _), pad = like.kernel_size, like.stride, like.padding[0]
        side = (self.side[x] + 2 * int(pad) - kernel) // stride + 1
        shape = {
            "kernel_shape": [kernel] * 2,
            "strides": [stride] * 2,
            "pads": [pad] * 4,
            "group": like.groups,
        }
        return self.node("Conv", name, inputs, side, **shape)

    def relu(self, x: str) -> str:
        """Append max(x, 0)."""
        return self.node("Relu", f"{x}.relu", [x], self.side[x])

    def lacks(self, _name: str, block: nn.Module) -> bool:
        """Tell whether a dense block is the identity still, and so need not be in the graph."""
        return not block.get_parameter("f.3.weight").any()

    def add(self, name: str, x: str, y: str) -> str:
        """Append x + y."""
        return self.node("Add", name, [x, y], self.side[x])

    def grown(self, name: str, x: str, like: str) -> str:
        """Append a bilinear resize with half-pixel centres, to the size of `like`."""
        factor = growth(self.side[x], self.side[like])
        scales = self.constant(f"{name}.scales", np.array([1, 1, factor, factor], np.float32))
        mode = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
        return self.node("Resize", name, [x, "", scales], self.side[like], **mode)


def _bottleneck(g: Graph, name: str, x: str, unit: Bottleneck) -> str:
    """Append `net.Bottleneck`."""
    y = g.norm(f"{name}.bn0", x, unit.bn0)
    skip = x if unit.proj is None else g.conv(f"{name}.proj", y, unit.proj)
    y = g.relu(g.conv(f"{name}.conv0", y, unit.conv0, unit.bn1))
    y = g.relu(g.conv(f"{name}.conv1", y, unit.conv1, unit.bn2))
    return g.add(f"{name}.sum", skip, g.conv(f"{name}.conv2", y, unit.conv2))


def _point(g: Graph, name: str, x: str, unit: nn.Module) -> str:
    """Append `net.ConvNormAct`."""
    conv, norm = unit.children()
    return g.relu(g.conv(name, x, conv, norm))


def _block(g: Graph, name: str, x: str, block: nn.Module) -> str:
    """Append `net.Block`."""
    depthwise, norm, _, pointwise, norm_out = block.get_submodule("f").children()
    y = g.relu(g.conv(f"{name}.depthwise", x, depthwise, norm))
    y = g.conv(f"{name}.pointwise", y, pointwise, norm_out)
    return g.relu(g.add(f"{name}.sum", x, y))


def _dense(g: Graph, name: str, x: str, block: nn.Module) -> str:
    """Append `net.Dense`."""
    first, norm, _, second, norm_out = block.get_submodule("f").children()
    y = g.relu(g.conv(f"{name}.first", x, first, norm))
    y = g.conv(f"{name}.second", y, second, norm_out)
    return g.relu(g.add(f"{name}.sum", x, y))


def _context(g: Graph, name: str, x: str, context: Context) -> str:
    """Append `net.Context`."""
    reduce, down, norm, mix, first, second = context
    y = g.conv(f"{name}.down", _point(g, f"{name}.reduce", x, reduce), down, norm)
    y = _block(g, f"{name}.first", _point(g, f"{name}.mix", y, mix), first)
    return _block(g, f"{name}.second", y, second)


def _denses(g: Graph, net: MattingNet, level: int, x: str) -> str:
    """Append the dense blocks of a level; weights from before there were any have none."""
    for index, block in enumerate(net.dense[level].children()):
        name = f"dense{level}.{index}"
        if not g.lacks(name, block):
            x = _dense(g, name, x, block)
    return x


def write_net(g: Graph, net: MattingNet) -> None:
    """Write `net.MattingNet.forward` without `deep`, from card-normalised `image` to `alpha`."""
    size, encoder = g.side["image"], net.encoder
    stem = g.relu(g.conv("stem", "image", encoder.conv0, encoder.bn0))
    pool = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}
    x = g.node("MaxPool", "pool", [stem], (g.side[stem] - 1) // 2 + 1, **pool)
    features = [stem]
    for number, stage in enumerate(encoder.stages):
        for index, unit in enumerate(stage.children()):
            x = _bottleneck(g, f"stage{number}.{index}", x, unit)
        features.append(g.norm(f"lateral_norm{number}", x, net.lateral_norm[number]))
    skips = [
        _point(g, f"lateral{n}", f, unit)
        for n, (f, unit) in enumerate(zip(features, net.lateral, strict=True))
    ]
    skips.append(_context(g, "context32", features[-1], net.context32))
    x = _context(g, "context64", skips[-1], net.context64)
    x = _denses(g, net, len(skips), x)
    scene = g.node("ReduceMean", "scene.mean", [x], 1, axes=[2, 3], keepdims=1)
    scene = g.relu(g.conv("scene.0", scene, net.scene[0]))
    x = g.add("scene.sum", x, g.conv("scene.1", scene, net.scene[2]))
    for level in reversed(range(len(skips))):
        above = g.grown(
            f"top_down{level}.grown",
            _point(g, f"top_down{level}", x, net.top_down[level]),
            skips[level],
        )
        x = g.add(f"top_down{level}.sum", skips[level], above)
        for index, block in enumerate(net.blocks[level].children()):
            x = _block(g, f"block{level}.{index}", x, block)
        x = _denses(g, net, level, x)
    coarse = g.grown("side.grown", g.conv("side", x, net.side[0]), "image")
    lifted = g.grown("lift.grown", _point(g, "lift", x, net.lift), "image")
    scale, shift = (t.view(1, 3, 1, 1) for t in scale_shift(encoder.bn_in))
    rgb = g.node("Mul", "rgb.mul", ["image", g.constant("rgb.scale", (1 / scale).numpy())], size)
    rgb = g.node("Add", "rgb", [rgb, g.constant("rgb.shift", (-shift / scale).numpy())], size)
    x = g.node("Concat", "head.in", [lifted, rgb], size, axis=1)
    x = g.conv(
        "head.out", g.relu(g.conv("head.conv", x, net.head.conv, net.head.norm)), net.head.out
    )
    write_alpha(g, g.add("logit", x, coarse), size)


def write_alpha(g: Graph, logit: str, size: int) -> None:
    """Append the sigmoid, stretched so that what is nearly 0 or 1 becomes it."""
    stretch = 1 / (1 - 2 * SURE_SHARE)
    scale = g.constant("alpha.scale", np.array(stretch, np.float32))
    shift = g.constant("alpha.shift", np.array(-SURE_SHARE * stretch, np.float32))
    bounds = [g.constant(f"alpha.{v}", np.array(v, np.float32)) for v in (0, 1)]
    x = g.node("Sigmoid", "alpha.sigmoid", [logit], size)
    x = g.node("Mul", "alpha.mul", [x, scale], size)
    x = g.node("Add", "alpha.add", [x, shift], size)
    g.node("Clip", "alpha", [x, *bounds], size)


@torch.no_grad()
def exported(net: MattingNet, size: int, gain: float) -> onnx.ModelProto:
    """Make the model, checked; its logits are multiplied by `gain`, in the last weights."""
    for last in (net.head.out, net.side[0]):
        for parameter in last.parameters():
            parameter.mul_(gain)
    g = Graph(size)
    write_net(g, net)
    image = helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, [1, 3, size, size])
    alpha = helper.make_tensor_value_info("alpha", onnx.TensorProto.FLOAT, [1, 1, size, size])
    body = helper.make_graph(g.nodes, "erase-s", [image], [alpha], g.constants)
    model = helper.make_model(
        body, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
    )
    model.producer_name = "cutout"
    onnx.checker.check_model(model, full_check=True)
    return model


def blended(net: MattingNet, anchor: MattingNet, share: float) -> MattingNet:
    """Move `net` by `share` towards the weights it started from, in place.

    It keeps more of what they knew of the old kinds and most of what was learned of the new ones:
    Wortsman et al., "Robust fine-tuning of zero-shot models" (2022). It needs BatchNorm statistics
    that training kept. Where the anchor's dense blocks are the identity, the net's fade.
    """
    for level, old_level in zip(net.dense, anchor.dense, strict=True):
        for block, old in zip(level.children(), old_level.children(), strict=True):
            if not old.get_parameter("f.3.weight").any():  # so what it hides is of no account
                old.get_submodule("f.0").load_state_dict(block.get_submodule("f.0").state_dict())
                old.get_submodule("f.1").load_state_dict(block.get_submodule("f.1").state_dict())
    other = anchor.state_dict()
    state = net.state_dict()
    for name, value in state.items():
        if value.is_floating_point():
            value.lerp_(other[name], share)
    return net


def write_card(  # noqa: PLR0913 - each is a row of the card
    file: Path,
    version: str,
    size: int,
    mean: list[float],
    std: list[float],
    *,
    optimized: bool = False,
) -> None:
    """Write `card.toml` beside a model file."""
    mean_text, std_text = (", ".join(f"{v:.8f}" for v in values) for values in (mean, std))
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    text = CARD.format(
        version=version,
        file=file.name,
        sha256=digest,
        size=size,
        mean=mean_text,
        std=std_text,
        optimized=str(optimized).lower(),
    )
    (file.parent / "card.toml").write_text(text)


def main() -> None:
    """Write the ONNX file and its card."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "--weights", type=Path, required=True, help="a checkpoint (its averaged weights), or .npz"
    )
    parser.add_argument("--size", type=int, default=352, help="px")
    parser.add_argument("--gain", type=float, default=LOGIT_GAIN, help="of the logit")
    parser.add_argument("--anchor", type=Path, help="weights that the run started from")
    parser.add_argument("--anchor-share", type=float, default=0.0, help="of the anchor, 0 to 1")
    parser.add_argument("--version", required=True, help="of the card, such as 0.5.0-float")
    parser.add_argument(
        "--out", type=Path, required=True, help="the file; card.toml is written beside it"
    )
    options = parser.parse_args()
    if options.size % SIZE_MULTIPLE_PX:
        parser.error(f"--size must be a multiple of {SIZE_MULTIPLE_PX}")
    net = load(options.weights)
    if options.anchor:
        net = blended(net, load(options.anchor), options.anchor_share)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(exported(net, options.size, options.gain), options.out)
    mean, std = input_normalisation(net)
    write_card(options.out, options.version, options.size, mean.tolist(), std.tolist())


if __name__ == "__main__":
    main()
