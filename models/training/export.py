"""Float ONNX from trained weights.

    python export.py --weights runs/a/last.pt --version 0.5.0-float --out runs/a/float.onnx

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

import onnx
import torch
from graph import Graph, write_net
from net import SIZE_MULTIPLE_PX, MattingNet, scale_shift
from onnx import helper
from programs import run_program
from torch import Tensor
from weights import load

from data import IMAGENET_MEAN, IMAGENET_STD

OPSET = 17
IR_VERSION = 8
LOGIT_GAIN = 1.0
NAME = "erase-s"
CARD = """\
name = "{name}"
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
settle = true             # grey that is far from any edge is doubt: the colours decide it
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
    *,
    name: str,
    version: str,
    size: int,
    mean: list[float],
    std: list[float],
    optimized: bool = False,
) -> None:
    """Write `card.toml` beside a model file."""
    mean_text, std_text = (", ".join(f"{v:.8f}" for v in values) for values in (mean, std))
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    text = CARD.format(
        name=name,
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
    parser.add_argument("--name", default=NAME, help="of the card: that of the model's folder")
    parser.add_argument("--version", required=True, help="of the card, such as 0.5.0-float")
    parser.add_argument(
        "--out", type=Path, required=True, help="the file; card.toml is written beside it"
    )
    options = parser.parse_args()
    if options.size % SIZE_MULTIPLE_PX:
        parser.error(f"--size must be a multiple of {SIZE_MULTIPLE_PX}")
    if bool(options.anchor) != bool(options.anchor_share):
        parser.error("--anchor and --anchor-share go together")
    net = load(options.weights)
    if options.anchor:
        net = blended(net, load(options.anchor), options.anchor_share)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(exported(net, options.size, options.gain), options.out)
    mean, std = input_normalisation(net)
    write_card(
        options.out,
        name=options.name,
        version=options.version,
        size=options.size,
        mean=mean.tolist(),
        std=std.tolist(),
    )


if __name__ == "__main__":
    run_program(main)
