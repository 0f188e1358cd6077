"""Trains the matting network; resumes where it stopped.

    python train.py --pack pack.zip --init weights.npz --out runs/a --steps 9000

Runs on CUDA when there is one, else on the CPU; convolutions in bfloat16, weights, sums and losses
in float32. `--minutes` ends it earlier if the machine turns out slow: the learning rate then falls
by the clock instead. On several cores, `torchrun --nproc-per-node N train.py …` with one thread
each: unlike OpenMP's threads, processes that wait for each other once a step lose nothing when
other work takes a core.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from labels import Unseen, photographs, read_unseen, training_pairs
from mixer import Mixer, batches
from net import MattingNet, load
from torch import Tensor, distributed, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from data import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    Bytes,
    Pair,
    read_folder,
    read_pack,
    resized,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SIDE_WEIGHTS = (1.0, 0.5, 0.4, 0.3, 0.25, 0.2)  # of the losses at strides 1, 2, 4, 8, 16, 32
BOUNDARY_WEIGHT = 5.0  # as in F3Net (Wei et al., 2020)
L1_WEIGHT, GRADIENT_WEIGHT = 1.0, 1.0
ENCODER_RATE = 0.15  # of the decoder's learning rate: it knows photographs already
DENSE_RATE = 2.0  # of it, too: dense blocks start from nothing
FROZEN_STAGES = 1  # besides the stem; edges and textures are the same for every task
WARM_UP_STEPS = 150
NORM_MOMENTUM = 0.02
AVERAGE_DECAY = 0.998  # of the weights' moving average, per step
AGREEMENT_SIZE_PX = 320
AGREEMENT_POWER = 3.0
GRADIENT_NORM_MAX = 5.0
LOG_EVERY_STEPS = 20


class Samples(Dataset[tuple[Tensor, Tensor, Tensor]]):
    """(index, size px) -> rgb uint8 (3,S,S), alpha uint8 (1,S,S), weight uint8 (1,S,S)."""

    def __init__(self, mixer: Mixer) -> None:
        self._mixer = mixer

    def __getitem__(self, item: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor]:
        sample = self._mixer(*item)
        planes = (sample.rgb.transpose(2, 0, 1), sample.alpha[None], sample.weight[None])
        rgb, alpha, weight = (torch.from_numpy(np.array(plane)) for plane in planes)
        return rgb, alpha, weight


class Batches:
    """What DataLoader wants of a batch sampler: an endless iterable, from one step on."""

    def __init__(self, options: argparse.Namespace, start: int) -> None:
        self._options, self._start = options, start

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        o = self._options
        every = batches(o.sizes, o.batch * ranks(), o.seed, self._start)
        return (batch[rank() :: ranks()] for batch in every)


def normalised(rgb: Tensor) -> Tensor:
    """Turn uint8 (N,3,S,S) sRGB into float32 (N,3,S,S), ImageNet-normalised, channels last."""
    mean = torch.tensor(IMAGENET_MEAN, device=rgb.device).view(1, 3, 1, 1)
    std = torch.tensor(IMAGENET_STD, device=rgb.device).view(1, 3, 1, 1)
    return ((rgb / 255 - mean) / std).contiguous(memory_format=torch.channels_last)


def boundary_weight(alpha: Tensor) -> Tensor:
    """Weigh pixels 1 in flat parts … 6 on boundaries of alpha, float32 (N,1,S,S) in 0…1.

    |mean of a neighbourhood of about 36 px - alpha|, as in F3Net, the mean taken at a quarter of
    the size.
    """
    near = functional.avg_pool2d(functional.avg_pool2d(alpha, 4), 9, 1, 4, count_include_pad=False)
    near = functional.interpolate(near, alpha.shape[-2:], mode="bilinear", align_corners=False)
    return 1 + BOUNDARY_WEIGHT * (near - alpha).abs()


def structure_loss(logit: Tensor, alpha: Tensor, weight: Tensor) -> Tensor:
    """Add weighted cross-entropy and soft IoU (F3Net); all float32 (N,1,h,w), alpha in 0…1."""
    entropy = functional.binary_cross_entropy_with_logits(
        logit, alpha, weight=weight, reduction="none"
    ).sum((1, 2, 3))
    entropy = entropy / weight.sum((1, 2, 3)).clamp_min(1)  # a crop may hold nothing to trust
    found = logit.sigmoid()
    both = (found * alpha * weight).sum((1, 2, 3))
    either = ((found + alpha) * weight).sum((1, 2, 3)) - both
    return (entropy + 1 - (both + 1) / (either + 1)).mean()


def shrunk(x: Tensor, like: Tensor) -> Tensor:
    """Average `x` (N,1,S,S) over the cells of the grid of `like`."""
    height, width = like.shape[-2:]
    return x if x.shape == like.shape else functional.adaptive_avg_pool2d(x, (height, width))


def gradient(x: Tensor) -> tuple[Tensor, Tensor]:
    """Take forward differences along x and y."""
    return x[..., 1:] - x[..., :-1], x[..., 1:, :] - x[..., :-1, :]


def total_loss(logits: Sequence[Tensor], alpha: Tensor, trust: Tensor) -> Tensor:
    """Sum the loss over strides, finest first; alpha and trust float32 (N,1,S,S) in 0…1."""
    weight = boundary_weight(alpha) * trust
    total = torch.zeros((), device=alpha.device)
    for logit, share in zip(logits, SIDE_WEIGHTS, strict=True):
        target, at = (shrunk(plane, logit) for plane in (alpha, weight))
        total = total + share * structure_loss(logit.float(), target, at)
    found = logits[0].float().sigmoid()
    total = total + L1_WEIGHT * ((found - alpha).abs() * weight).sum() / weight.sum().clamp_min(1)
    for ours, theirs, where in zip(
        gradient(found), gradient(alpha), (trust[..., 1:], trust[..., 1:, :]), strict=True
    ):
        total = total + GRADIENT_WEIGHT * ((ours - theirs).abs() * where).mean()
    return total


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
    """Give pseudo-labelled pairs their weight maps; the first process makes them once per run."""
    if not cache.exists() and rank() == 0:
        maps = {
            pair.name: agreement(pair, net.eval(), device)
            for pair in pairs
            if pair.kind == "pseudo"
        }
        np.savez(cache.with_suffix(".part.npz"), **maps)
        cache.with_suffix(".part.npz").replace(cache)
    if distributed.is_initialized():
        distributed.barrier()
    with np.load(cache) as maps:
        return [
            replace(pair, weight=maps[pair.name]) if pair.kind == "pseudo" else pair
            for pair in pairs
        ]


def rank() -> int:
    """Return the process's number; 0 alone writes and prints."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def ranks() -> int:
    """Return how many processes train together."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def shared_progress(progress: float) -> float:
    """Return the first process's progress, so that all stop and cool down together."""
    if not distributed.is_initialized():
        return progress
    value = torch.tensor([progress], dtype=torch.float64)
    distributed.broadcast(value, 0)
    return float(value)


def shared_mean(loss: Tensor) -> float:
    """Return the mean of the processes' losses."""
    total = loss.clone()
    if distributed.is_initialized():
        distributed.all_reduce(total)
    return float(total) / ranks()


def share_gradients(parameters: Sequence[nn.Parameter]) -> None:
    """Replace each gradient by its mean over the processes: one message per step."""
    if not distributed.is_initialized():
        return
    gradients = [p.grad for p in parameters if p.grad is not None]
    flat = torch.cat([g.flatten() for g in gradients]) / ranks()
    distributed.all_reduce(flat)
    for gradient_, piece in zip(
        gradients, torch.split(flat, [g.numel() for g in gradients]), strict=True
    ):
        gradient_.copy_(piece.view_as(gradient_))


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "--pack", type=Path, required=True, help="pack.zip: RGBA images and index.csv"
    )
    parser.add_argument(
        "--folder",
        type=Path,
        action="append",
        default=[],
        help="more pairs: im/ and gt/ (repeatable)",
    )
    parser.add_argument("--photos", type=Path, help="photographs that label.py labelled")
    parser.add_argument("--labels", type=Path, help="the folder of their labels")
    parser.add_argument(
        "--unseen", type=Path, help="unseen.toml: sources of photographs that must not train"
    )
    parser.add_argument(
        "--without", nargs="*", default=[], help="sets of the pack that do not train"
    )
    parser.add_argument(
        "--init",
        type=Path,
        required=True,
        help="float weights (.npz) or a checkpoint to start from",
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for the checkpoint and the log"
    )
    parser.add_argument("--steps", type=int, default=9000)
    parser.add_argument(
        "--minutes", type=float, default=math.inf, help="end by the clock if that comes first"
    )
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[320, 384], help="px, one drawn per batch"
    )
    parser.add_argument(
        "--rate", type=float, default=5e-4, help="peak learning rate of the decoder"
    )
    parser.add_argument(
        "--keep-norm-from",
        type=float,
        default=0.0,
        help="share of the run after which BatchNorm statistics are kept; 0 to fine-tune",
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1, help="per process")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--save-minutes", type=float, default=4.0)
    options = parser.parse_args()
    if bool(options.photos) != bool(options.labels):
        parser.error("--photos and --labels go together")
    return options


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


def material(options: argparse.Namespace) -> list[Pair]:
    """Read all that trains."""
    pairs = [p for p in read_pack(options.pack, "train") if p.set not in options.without]
    for folder in options.folder:
        pairs += read_folder(folder)
    if options.photos:
        unseen = read_unseen(options.unseen) if options.unseen else Unseen.nothing()
        pairs += training_pairs(photographs(options.photos), options.labels, unseen)
    if rank() == 0:
        counts = Counter(f"{pair.kind} {pair.set}" for pair in pairs)
        print(json.dumps(dict(sorted(counts.items()))), flush=True)
    return pairs


def main() -> None:
    """Train until the steps or the minutes are spent."""
    options = arguments()
    options.out.mkdir(parents=True, exist_ok=True)
    if "WORLD_SIZE" in os.environ:
        distributed.init_process_group("gloo")
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    torch.backends.cudnn.benchmark = True  # two or three sizes make up the whole run
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    net = load(options.init).to(device)
    net = net.to(memory_format=torch.channels_last)
    pairs = trusted(material(options), net, device, options.out / "trust.npz")
    trainer = Trainer(net, options, device)
    loader = DataLoader(
        Samples(Mixer(pairs, options.seed)),
        batch_sampler=Batches(options, trainer.step),
        num_workers=options.workers,
        prefetch_factor=4 if options.workers else None,
        pin_memory=device.type == "cuda",
    )
    saved = time.monotonic()
    started = saved - trainer.spent_s
    losses: list[Tensor] = []
    for batch in loader:
        trainer.spent_s = time.monotonic() - started
        progress = trainer.progress()
        if progress >= 1:
            break
        losses.append(trainer.learn(batch, progress))
        if len(losses) == LOG_EVERY_STEPS:
            mean = shared_mean(torch.stack(losses).mean())
            if rank() == 0:
                print(trainer.report(mean, progress), flush=True)
            losses.clear()
        if rank() == 0 and time.monotonic() - saved > options.save_minutes * 60:
            saved = time.monotonic()
            trainer.save()
    if rank() == 0:
        trainer.save()


if __name__ == "__main__":
    main()
