"""The network as an ONNX graph, written node by node from the weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from net import Bottleneck, Context, MattingNet, Norm, folded, scale_shift
from onnx import helper, numpy_helper
from scales import growth
from torch import Tensor, nn

if TYPE_CHECKING:
    import onnx

    from data import Floats

# Boundary-weighted losses and averaged weights leave the matte less sure than it is right: haze on
# the background, and subjects that are not quite whole. What is nearer than this to 0 or 1 becomes
# it, and the rest is stretched. That lowers the MAE as much as doubling the logit, which erase-s
# 0.3.0 did, and steepens soft edges by a fifth only (runs.md). 0.5 stays 0.5.
SURE_SHARE = 0.09


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
