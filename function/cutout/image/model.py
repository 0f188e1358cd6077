"""Card + folder → :class:`Model`: the network as a function. The sole importer of onnxruntime."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from cutout.errors import ModelUnavailable
from cutout.image.card import ModelCard, read_card
from cutout.image.memory import memory_shortage_told

_NETWORK_PX = 20_000_000
"""The size of a picture whose codec takes more memory than a network of 1,024 px does."""

Network = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""float32 (1, 3, S, S), normalised as the card says → float32 (1, 1, S, S), as ``output`` says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A loaded network and the card that says how to feed it."""

    card: ModelCard
    network: Network


def read_model(folder: Path) -> Model:
    """Return the model in ``folder``: its card, and the network of the file that the card names.

    :raises ModelUnavailable: the card or the file is missing or wrong; the reason is in its facts,
        for the log.
    :raises MemoryError: it needs more memory than there is.
    """
    card = read_card(folder)
    return Model(card=card, network=load_network(card, folder))


def load_network(card: ModelCard, folder: Path, *, threads: int = 0) -> Network:
    """Return the network in ``folder``, its file verified against the card's SHA-256.

    It may be called from several threads at once. It works on ``threads`` of its own, or with 0 on
    as many as onnxruntime chooses, which is one for each core.

    :raises ModelUnavailable: the file is missing, is not the card's file, or is not a network that
        takes the card's tensor; the reason is in its facts, for the log. A pass raises it, too, if
        what it puts out is no matte.
    :raises MemoryError: it needs more memory than there is, which says nothing about the files.
    """
    file = folder / card.file
    try:
        # onnxruntime reads the file by itself: if it got the bytes, it would keep a copy of them.
        with file.open("rb", buffering=0) as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        raise ModelUnavailable(reason=f"{card.file}: {error}") from error
    if digest != card.sha256:
        raise ModelUnavailable(reason=f"{card.file}: SHA-256 is {digest}, not {card.sha256}")

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # One image at a time: threads that wait by spinning take the cores from decode and encode.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # A plan of the memory would lie beside what the first pass has reserved, and save no time: 188
    # MiB more for U2-Net-p, 17 MiB for erase-s.
    options.enable_mem_pattern = False
    if card.optimized:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3  # errors only; warnings about the graph help nobody here
    try:
        with memory_shortage_told(0):  # there is no picture yet
            session = onnxruntime.InferenceSession(
                file, options, providers=["CPUExecutionProvider"]
            )
    except MemoryError:
        raise
    except Exception as error:  # the runtime's errors share no base but Exception
        raise ModelUnavailable(reason=f"{card.file}: {error}") from error
    input_name = _input_name(session, card)
    output_name = session.get_outputs()[0].name  # U2-Net's six others are for training only

    def network(tensor: NDArray[np.float32]) -> NDArray[np.float32]:
        with memory_shortage_told(_NETWORK_PX):
            (output,) = session.run([output_name], {input_name: tensor})
        matte = np.asarray(output, dtype=np.float32)
        expected = (1, 1, *tensor.shape[2:])
        if matte.shape != expected:
            raise ModelUnavailable(
                reason=f"{card.file}: its output {output_name} is {_sides(matte.shape)}, and must"
                f" be {_sides(expected)}"
            )
        return matte

    return network


def _input_name(session: onnxruntime.InferenceSession, card: ModelCard) -> str:
    """Return the name of the network's one input, which takes what the card says.

    :raises ModelUnavailable: it takes something else.
    """
    inputs = session.get_inputs()
    if len(inputs) != 1:
        names = ", ".join(each.name for each in inputs)
        raise ModelUnavailable(
            reason=f"{card.file}: its inputs are {names}, and it must have one, the picture"
        )
    (picture,) = inputs
    wanted = (1, 3, card.input_size, card.input_size)
    shape = picture.shape  # a side that is not fixed is no number; without any, nothing is fixed
    fits = not shape or (
        len(shape) == len(wanted)
        and all(
            not isinstance(side, int) or side == want
            for side, want in zip(shape, wanted, strict=True)
        )
    )
    if picture.type != "tensor(float)" or not fits:
        raise ModelUnavailable(
            reason=f"{card.file}: its input {picture.name} is {picture.type} {_sides(shape)}, and"
            f" must be tensor(float) {_sides(wanted)}"
        )
    return str(picture.name)


def _sides(shape: Iterable[object]) -> str:
    return " × ".join("?" if side is None else str(side) for side in shape)
