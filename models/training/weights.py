"""Files of weights → the network: published ones, and checkpoints of training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from net import DENSE, MattingNet

from data import UnreadableError

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

# Names in the published weights file -> names in `net.py` (longest first where one starts another).
_WEIGHT_NAMES = (
    ("enc.n.", "encoder."),
    ("pre.", "lateral_norm."),
    ("lat.", "lateral."),
    ("d32.", "context32."),
    ("d64.", "context64."),
    ("glob.", "scene."),
    ("td.", "top_down."),
    ("blk.", "blocks."),
    ("side.", "side."),
    ("up.", "lift."),
    ("ref.0.", "head.conv."),
    ("ref.1.", "head.norm."),
    ("ref.3.", "head.out."),
)


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read an `.npz` (float16, or int8 with a scale per channel) under the network's names."""
    state: dict[str, Tensor] = {}
    with np.load(path) as arrays:
        for key in arrays.files:
            if key.endswith(".scale"):
                continue
            value = arrays[key]
            if key.endswith(".int8"):
                scale = arrays[key.removesuffix(".int8") + ".scale"]
                value = value.astype(np.float32) * scale[:, None, None, None]
            old, new = next(pair for pair in _WEIGHT_NAMES if key.startswith(pair[0]))
            name = new + key.removesuffix(".int8").removeprefix(old)
            state[name] = torch.from_numpy(
                value if value.dtype == np.int64 else value.astype(np.float32)
            )
    return state


def load(path: Path) -> MattingNet:
    """Make a network with the weights of an `.npz` or of a checkpoint (its averaged weights).

    Dense blocks that the file lacks stay the identity that they start as. Raises UnreadableError if
    it lacks anything else, or has what the network has not, and for any other file.
    """
    if path.suffix == ".onnx":
        raise UnreadableError(f"{path} is an exported model: restore.py makes a checkpoint of it")
    net = MattingNet()
    try:
        if path.suffix == ".npz":
            state = read_weights(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)["average"]
    except OSError:
        raise
    except Exception as error:  # the errors of torch, zip and pickle share no base but Exception
        raise UnreadableError(f"{path} is no .npz of weights and no checkpoint") from error
    lacking, unknown = net.load_state_dict(state, strict=False)
    wrong = [*unknown, *(name for name in lacking if not name.startswith(DENSE))]
    if wrong:
        raise UnreadableError(f"{path.name} and the network differ in {', '.join(wrong)}")
    net.eval()
    return net
