"""Trains the matting network; resumes where it stopped.

    python train.py --pack pack.zip --init start.pt --out runs/a --steps 9000

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
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from labels import read_unseen, training_pairs
from mixer import Mixer, batches
from photographs import photographs
from processes import rank, ranks, shared_mean
from programs import add_material, run_program
from torch import Tensor, distributed
from torch.utils.data import DataLoader, Dataset
from trainer import Trainer
from trust import trusted
from weights import load

from data import Pair, read_folder, read_pack

if TYPE_CHECKING:
    from collections.abc import Iterator

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


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    add_material(
        parser,
        pack="pack.zip: RGBA images and index.csv; its training part trains",
        unseen="unseen.toml: sources of photographs that must not train",
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
    if not (options.pack or options.folder or options.photos):
        parser.error("name something to train on: --pack, --folder, or --photos and --labels")
    return options


def material(options: argparse.Namespace) -> list[Pair]:
    """Read all that trains."""
    pack = read_pack(options.pack, "train") if options.pack else []
    pairs = [p for p in pack if p.set not in options.without]
    for folder in options.folder:
        pairs += read_folder(folder)
    if options.photos:
        unseen = read_unseen(options.unseen)
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
    run_program(main)
