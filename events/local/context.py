"""What Lambda gives the function, on this machine: shared by invoke.py and serve.py.

Its settings, and the second argument of a handler.
"""

import hashlib
import os
import sys
import time
import uuid
from pathlib import Path

from aws_lambda_powertools.utilities.typing import LambdaContext

from gateway import LOCAL_KEY

FUNCTION_NAME = "cutout-local"
TIMEOUT_S = 28
"""The time limit that the template gives the function."""

_FUNCTION = Path(__file__).resolve().parents[2] / "function"


def set_variables(*, checked_by: str = "gateway") -> None:
    """Set what a deployment sets, without changing variables that are set already.

    ``checked_by`` says who checks the key, which is :data:`~gateway.LOCAL_KEY`.
    """
    os.environ.setdefault("KEYS_CHECKED_BY", checked_by)
    os.environ.setdefault("API_KEY_HASHES", hashlib.sha256(LOCAL_KEY.encode()).hexdigest())


def prepare_import(folder: Path = _FUNCTION) -> None:
    """Make ``import app`` take the function in ``folder``, with a local deployment's settings."""
    set_variables()
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


class LocalContext(LambdaContext):
    """One invocation on this machine: an id of its own, and a clock that runs from now on."""

    def __init__(self, *, timeout_s: float = TIMEOUT_S) -> None:
        """Start an invocation that has ``timeout_s`` seconds."""
        self._deadline_s = time.monotonic() + timeout_s
        self._aws_request_id = str(uuid.uuid4())
        self._function_name = FUNCTION_NAME
        self._function_version = "$LATEST"
        self._invoked_function_arn = f"arn:aws:lambda:eu-west-1:000000000000:{FUNCTION_NAME}"
        self._memory_limit_in_mb = 1769
        self._log_group_name = f"/aws/lambda/{FUNCTION_NAME}"
        self._log_stream_name = "local"

    def get_remaining_time_in_millis(self) -> int:  # type: ignore[override] # static upstream
        """Return what is left of the time limit in ms, never less than 0."""
        return max(0, round((self._deadline_s - time.monotonic()) * 1000))
