"""A step of training, and all that outlives it; a checkpoint holds the latter."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

import torch
from losses import total_loss
from processes import ranks, share_gradients, shared_progress
from torch import Tensor, nn

from data import IMAGENET_MEAN, IMAGENET_STD

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from pathlib import Path

    from net import MattingNet

ENCODER_RATE = 0.15  # of the decoder's learning rate: it knows photographs already
DENSE_RATE = 2.0  # of it, too: dense blocks start from nothing
FROZEN_STAGES = 1  # besides the stem; edges and textures are the same for every task
WARM_UP_STEPS = 150
NORM_MOMENTUM = 0.02
AVERAGE_DECAY = 0.998  # of the weights' moving average, per step
GRADIENT_NORM_MAX = 5.0


def normalised(rgb: Tensor) -> Tensor:
    """Turn uint8 (N,3,S,S) sRGB into float32 (N,3,S,S), ImageNet-normalised, channels last."""
    mean = torch.tensor(IMAGENET_MEAN, device=rgb.device).view(1, 3, 1, 1)
    std = torch.tensor(IMAGENET_STD, device=rgb.device).view(1, 3, 1, 1)
    return ((rgb / 255 - mean) / std).contiguous(memory_format=torch.channels_last)


def set_mode(net: MattingNet, *, keep_norm: bool) -> None:
    """Keep the encoder's BatchNorm statistics always, the decoder's if `keep_norm`."""
    net.train(mode=not keep_norm)
    net.encoder.eval()
    net.lateral_norm.eval()


def parameter_groups(net: MattingNet) -> list[dict[str, object]]:
    """Freeze stem and first stages; lower the encoder's rate; no decay of norms and biases."""
    encoder = net.encoder
    for part in (encoder.bn_in, encoder.conv0, encoder.bn0, *encoder.stages[:FROZEN_STAGES]):
        part.requires_grad_(requires_grad=False)
    for norm in (*encoder.modules(), *net.lateral_norm.modules()):
        if isinstance(norm, nn.BatchNorm2d):  # convolutions follow: they can take up any scale
            norm.requires_grad_(requires_grad=False)
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in net.named_parameters():
        if parameter.requires_grad:
            part, _, _ = name.partition(".")
            rate = {"encoder": ENCODER_RATE, "dense": DENSE_RATE}.get(part, 1.0)
            decay = 1e-2 if parameter.ndim > 1 else 0.0
            groups.setdefault((rate, decay), []).append(parameter)
    return [
        {"params": p, "share": rate, "weight_decay": decay} for (rate, decay), p in groups.items()
    ]


def learning_share(step: int, progress: float) -> float:
    """Warm up, then fall as a cosine from 1 to 0.01 over `progress` 0…1."""
    warm = min(1.0, (step + 1) / WARM_UP_STEPS)
    return warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0))))


@torch.no_grad()
def update_average(average: dict[str, Tensor], net: MattingNet, step: int) -> None:
    """Move the averaged weights and statistics towards the net's; quickly at first."""
    decay = min(AVERAGE_DECAY, (step + 1) / (step + 10))
    state = net.state_dict()
    moving = [name for name, value in state.items() if value.is_floating_point()]
    torch._foreach_lerp_(  # on CUDA one launch instead of 600
        [average[name] for name in moving], [state[name] for name in moving], 1 - decay
    )
    for name in state.keys() - moving:
        average[name].copy_(state[name])


class Trainer:
    """All that outlives a step: weights, their average, the optimizer, steps and time spent."""

    def __init__(self, net: MattingNet, options: argparse.Namespace, device: torch.device) -> None:
        self.net, self.options, self.device = net, options, device
        self.step, self.spent_s = 0, 0.0
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = NORM_MOMENTUM
        self.optimizer = torch.optim.AdamW(parameter_groups(net), lr=options.rate)
        self.parameters = [p for p in net.parameters() if p.requires_grad]
        self.average = {name: value.clone() for name, value in net.state_dict().items()}
        self.checkpoint: Path = options.out / "last.pt"
        if self.checkpoint.exists():
            state = torch.load(self.checkpoint, map_location=device, weights_only=True)
            net.load_state_dict(state["net"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.average, self.step, self.spent_s = (
                state[key] for key in ("average", "step", "spent_s")
            )

    def save(self) -> None:
        """Write the checkpoint; a kill at any moment leaves the old one or the new one."""
        state = {
            "net": self.net.state_dict(),
            "average": self.average,
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "spent_s": self.spent_s,
        }
        part = self.checkpoint.with_suffix(".part")
        torch.save(state, part)
        part.replace(self.checkpoint)

    def progress(self) -> float:
        """Return the share of the run that is over, 0…1, the same in all processes."""
        by_clock = self.spent_s / 60 / self.options.minutes
        return shared_progress(max(self.step / self.options.steps, by_clock))

    def learn(self, batch: Sequence[Tensor], progress: float) -> Tensor:
        """Take one step on rgb (N,3,S,S), alpha, weight (N,1,S,S), all uint8; return the loss.

        Raises RuntimeError if a gradient is not finite: one such step would ruin all weights.
        """
        rgb, alpha, trust = (plane.to(self.device, non_blocking=True) for plane in batch)
        set_mode(self.net, keep_norm=progress >= self.options.keep_norm_from)
        for group in self.optimizer.param_groups:
            share = learning_share(self.step, progress)
            group["lr"] = self.options.rate * group["share"] * share
        with torch.autocast(self.device.type, torch.bfloat16):
            logits = self.net(normalised(rgb))
        loss = total_loss(logits, alpha / 255, trust / 255)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        share_gradients(self.parameters)
        nn.utils.clip_grad_norm_(self.parameters, GRADIENT_NORM_MAX, error_if_nonfinite=True)
        self.optimizer.step()
        update_average(self.average, self.net, self.step)
        self.step += 1
        return loss.detach()

    def report(self, loss: float, progress: float) -> str:
        """Write a line of the log as JSON."""
        spent_min = self.spent_s / 60
        seen = self.step * self.options.batch * ranks()
        line = {
            "step": self.step,
            "loss": round(loss, 4),
            "images_per_s": round(seen / self.spent_s, 2),
            "spent_min": round(spent_min, 1),
            "left_min": round(spent_min * (1 - progress) / max(progress, 1e-6), 1),
        }
        return json.dumps(line)
