"""Card + folder → :data:`~cutout.image.card.Network`. The sole importer of onnxruntime."""

import hashlib
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from cutout.errors import ModelUnavailable
from cutout.image.card import ModelCard, Network


def load_network(card: ModelCard, folder: Path) -> Network:
    """Return the network in ``folder``, its file verified against the card's SHA-256.

    It may be called from several threads.

    :raises ModelUnavailable: the file is missing, is not the card's, or is no network of the
        card's shape; the reason is in its facts, for the log.
    """
    try:
        model = (folder / card.file).read_bytes()
    except OSError as error:
        raise ModelUnavailable(reason=f"{card.file}: {error}") from error
    digest = hashlib.sha256(model).hexdigest()
    if digest != card.sha256:
        raise ModelUnavailable(reason=f"{card.file}: SHA-256 is {digest}, not {card.sha256}")

    options = onnxruntime.SessionOptions()
    # One image at a time: threads that wait by spinning take the cores from decode and encode.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3  # errors; its warnings of graph details are no one's here
    try:
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime's errors share no base but Exception
        raise ModelUnavailable(reason=f"{card.file}: {error}") from error
    input_name = session.get_inputs()[0].name
    output_name = session.get_outputs()[0].name  # the first: U2-Net has six more for training

    def network(tensor: NDArray[np.float32]) -> NDArray[np.float32]:
        (output,) = session.run([output_name], {input_name: tensor})
        return np.asarray(output, dtype=np.float32)

    return network
