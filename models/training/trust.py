"""How far a pseudo-label is believed: as far as the network that training starts from agrees."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from processes import rank
from torch import distributed
from trainer import normalised

from data import Bytes, Pair, resized

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from net import MattingNet

AGREEMENT_SIZE_PX = 320
AGREEMENT_POWER = 3.0


@torch.no_grad()
def agreement(pair: Pair, net: MattingNet, device: torch.device) -> Bytes:
    """Map how far a label agrees with `net` on picture and mirror: uint8 (H,W), 255 fully."""
    side = AGREEMENT_SIZE_PX
    rgb = torch.from_numpy(resized(pair.rgb, side, side).copy()).permute(2, 0, 1)
    both = torch.stack((rgb, rgb.flip(2))).to(device)
    with torch.autocast(device.type, torch.bfloat16):
        found = net(normalised(both), deep=False)[0].float().sigmoid()
    mean = (found[0] + found[1].flip(2))[0].cpu().numpy() / 2
    label = resized(pair.alpha, side, side).astype(np.float32) / 255
    height, width = pair.alpha.shape
    return resized(
        (255 * (1 - np.abs(label - mean)) ** AGREEMENT_POWER).astype(np.uint8), width, height
    )


def trusted(
    pairs: Sequence[Pair], net: MattingNet, device: torch.device, cache: Path
) -> list[Pair]:
    """Give pseudo-labelled pairs their weight maps; the first process makes those not yet made."""
    if rank() == 0:
        known: dict[str, Any] = {}
        if cache.exists():
            with np.load(cache) as maps:
                known = dict(maps)
        lacking = [p for p in pairs if p.kind == "pseudo" and p.name not in known]
        if lacking or not cache.exists():
            known |= {pair.name: agreement(pair, net.eval(), device) for pair in lacking}
            np.savez(cache.with_suffix(".part.npz"), **known)
            cache.with_suffix(".part.npz").replace(cache)
    if distributed.is_initialized():
        distributed.barrier()
    with np.load(cache) as maps:
        return [
            replace(pair, weight=maps[pair.name]) if pair.kind == "pseudo" else pair
            for pair in pairs
        ]
