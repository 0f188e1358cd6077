"""int8 ONNX from a float one.

    python quantize.py --pack pack.zip --photos photos.zip --labels labels --unseen unseen.toml \
        --card runs/a/card.toml --out ../erase-s/model.onnx --version 0.5.0

What int8 means here is in ../int8.py. The ranges of activations come from real photographs that
trained: half of them from the pack (never its validation part) and from folders of pairs, and half
of them labelled ones, which are larger than the pack's; without the one or the other, all from the
rest. A fixed order of photographs and no other chance: the same float file gives the same bytes.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import onnx
from export import NAME, write_card
from labels import read_unseen, training_pairs
from mattings import Card, read_card, tensor
from photographs import photographs
from programs import add_material, run_program

from data import Pair, UnreadableError, read_folder, read_pack

sys.path.append(str(Path(__file__).resolve().parents[1]))
from int8 import quantize

if TYPE_CHECKING:
    from collections.abc import Sequence

PHOTOGRAPHS = 96  # for the ranges
PICKS = 6_400  # of each tensor's values on each of them (runs.md, Quantization)
FILE_MAX_BYTES = 12_000_000
# What stays float, by node name: int8 gains no time there (Resize, Concat, 12 channels at full
# size) and the head's output is the matte itself, where one step of a uint8 logit shows.
FLOAT_NODES = ("rgb", "head.", "side", "lift.grown", "logit", "alpha")
# A Relu before uint8 with zero point 0 vanishes.
QUANTIZED = ["Conv", "Relu", "Add", "MaxPool", "ReduceMean"]


def examples(options: argparse.Namespace) -> list[Pair]:
    """Take PHOTOGRAPHS of what may train, half of them labelled ones if there are any."""
    pack = [pair for pair in pairs_of(options) if pair.kind != "cut"]
    if not options.photos:
        return spaced(pack, PHOTOGRAPHS)
    unseen = read_unseen(options.unseen)
    labelled = training_pairs(photographs(options.photos), options.labels, unseen)
    if not pack:
        return spaced(labelled, PHOTOGRAPHS)
    return (spaced(pack, PHOTOGRAPHS) + spaced(labelled, PHOTOGRAPHS))[::2]


def pairs_of(options: argparse.Namespace) -> list[Pair]:
    """Read the pack's training part and the folders."""
    pack = read_pack(options.pack, "train") if options.pack else []
    return pack + [pair for folder in options.folder for pair in read_folder(folder)]


def spaced(pairs: Sequence[Pair], count: int) -> list[Pair]:
    """Take `count` of them, evenly spaced, so that every set is heard."""
    return list(pairs[:: max(1, len(pairs) // count)][:count])


def float_nodes(model: onnx.ModelProto) -> list[str]:
    """Name the nodes kept in float."""
    return [
        n.name for n in model.graph.node if n.op_type == "Resize" or n.name.startswith(FLOAT_NODES)
    ]


def quantized(card: Card, pairs: Sequence[Pair], out: Path) -> None:
    """Write the int8 model of the float model that `card` describes.

    One that is too large is not written, and what `out` was before stays.

    Raises UnreadableError for the card of an int8 model.
    """
    model = onnx.load(card.file)
    if any(node.op_type == "QLinearConv" for node in model.graph.node):
        raise UnreadableError(f"{card.file} is int8 already: name the card that export.py wrote")
    part = out.with_suffix(".part")
    quantize(
        card.file,
        part,
        [tensor(pair.rgb, card) for pair in pairs],
        operators=QUANTIZED,
        float_nodes=float_nodes(model),
        fold=False,  # the export wrote BatchNorms into the weights
        picks=PICKS,
    )
    size = part.stat().st_size
    if size > FILE_MAX_BYTES:
        part.unlink()
        raise SystemExit(
            f"{out.name} would have {size} bytes; at most {FILE_MAX_BYTES} are accepted"
        )
    part.replace(out)


def main() -> None:
    """Write the int8 model and its card."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    add_material(
        parser,
        pack="its training part gives ranges",
        unseen="unseen.toml: sources that must not train",
    )
    parser.add_argument("--card", type=Path, required=True, help="card.toml of the float model")
    parser.add_argument(
        "--out", type=Path, required=True, help="the file; card.toml is written beside it"
    )
    parser.add_argument("--name", default=NAME, help="of the card: that of the model's folder")
    parser.add_argument("--version", required=True, help="of the card, such as 0.5.0")
    options = parser.parse_args()
    if bool(options.photos) != bool(options.labels):
        parser.error("--photos and --labels go together")
    card = read_card(options.card)
    pairs = examples(options)
    if not pairs:
        parser.error("name photographs: --pack, --folder, or --photos and --labels")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    quantized(card, pairs, options.out)
    write_card(
        options.out,
        name=options.name,
        version=options.version,
        size=card.input_size,
        mean=list(card.mean),
        std=list(card.std),
        optimized=True,
    )


if __name__ == "__main__":
    run_program(main)
