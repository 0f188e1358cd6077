"""Gives a model that was exported with a gain the soft stretch that `export.py` makes now.

    python soften.py --model old --gain 2 --version 0.3.1 --out ../erase-s/model.onnx

Only what follows the logit changes: it is divided by the gain, and alpha is stretched. Every weight
stays, int8 or not, so both IoUs do, too.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import onnx
from evaluate import read_card
from export import Graph, write_alpha, write_card

OUTPUT, TRAINED = "alpha", "logit.trained"


def softened(model: onnx.ModelProto, gain: float) -> onnx.ModelProto:
    """Replace the sigmoid at the end, in place."""
    graph = model.graph
    (sigmoid,) = (node for node in graph.node if OUTPUT in node.output)
    if sigmoid.op_type != "Sigmoid":
        message = f"the output comes from {sigmoid.op_type}: it has its stretch already"
        raise SystemExit(message)
    size = graph.output[0].type.tensor_type.shape.dim[-1].dim_value
    end = Graph(size)
    share = end.constant(f"{TRAINED}.share", np.array(1 / gain, np.float32))
    end.node("Mul", TRAINED, [sigmoid.input[0], share], size)
    write_alpha(end, TRAINED, size)
    graph.node.remove(sigmoid)
    graph.node.extend(end.nodes)
    graph.initializer.extend(end.constants)
    onnx.checker.check_model(model, full_check=True)
    return model


def main() -> None:
    """Write the model and its card."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    add = parser.add_argument
    add("--model", type=Path, required=True, help="the folder of the model, with its card")
    add("--gain", type=float, default=2.0, help="that it was exported with")
    add("--version", required=True, help="of the new one")
    add("--out", type=Path, required=True, help="the file; card.toml is written beside it")
    options = parser.parse_args()
    card = read_card(options.model / "card.toml")
    model = softened(onnx.load(card.file), options.gain)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, options.out)
    write_card(options.out, options.version, card.input_size, list(card.mean), list(card.std))


if __name__ == "__main__":
    main()
