"""The API on this machine: HTTP requests → API Gateway events → the function → HTTP replies.

``make serve PORT=3000 PAYLOAD=1.0|2.0`` runs it. Events, limits and refusals are those of API
Gateway (:mod:`gateway`); the function runs inside this process, one event at a time, as in one
Lambda environment. With ``RIE=1`` it is built, with its layers, and runs in a pool of AWS's runtime
emulators (:mod:`emulator`). Only this machine can reach it. The API key is ``local``.
"""

import argparse
import contextlib
import importlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "layers" / "deps"))  # what packs the layers, for RIE=1

from context import prepare_import, set_variables  # noqa: E402 - as the next: the path comes first
from emulator import Emulator, EmulatorError, Pool  # noqa: E402
from gateway import LOCAL_KEY, Gateway  # noqa: E402
from http_gateway import HttpGateway  # noqa: E402
from lambda_build import build_mounts  # noqa: E402
from lambda_function import InProcess, Invoke  # noqa: E402
from rest_gateway import RestGateway  # noqa: E402
from sam_template import read_template  # noqa: E402
from server import (  # noqa: E402
    Service,
    cannot_listen,
    listening,
    log,
    on_signals,
    port_number,
    run_and_exit,
)


@contextlib.contextmanager
def emulated(*, wait_s: float) -> Iterator[Invoke]:
    """Run the built function in a pool of emulators, one for each core."""
    mounts = build_mounts(os.environ.get("MODEL_NAME", "erase-s"))
    variables = {name: v for name, v in os.environ.items() if not name.startswith("PYTHON")}

    def make() -> Emulator:
        return Emulator(mounts, "app.http_handler", variables=variables, echo=log)

    pool = Pool(make, os.cpu_count() or 1, wait_s=wait_s)
    try:
        yield pool
    finally:
        pool.stop()


def load_handler(folder: Path) -> Callable[[Any, Any], Any]:
    """Import ``app`` from ``folder``."""
    prepare_import(folder)
    handler: Callable[[Any, Any], Any] = importlib.import_module("app").http_handler
    return handler


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--port", type=port_number, default=3000, help="0 for any free one")
    parser.add_argument("--payload", choices=("1.0", "2.0"), default="1.0", help="format of events")
    parser.add_argument(
        "--emulated", action="store_true", help="build it and run it in AWS's runtime emulator"
    )
    parser.add_argument(
        "--function", type=Path, default=ROOT / "function", help="folder that holds app.py"
    )
    parser.add_argument(
        "--timeout", type=float, default=29.0, metavar="S", help="longest wait for the function"
    )
    parser.add_argument(
        "--patience", type=float, default=60.0, metavar="S", help="longest wait for a client"
    )
    return parser.parse_args()


def run(arguments: argparse.Namespace, output: TextIO) -> int:
    """Serve until a signal comes; return the exit status."""
    wait_for_signal = on_signals()
    gateway: Gateway = HttpGateway()
    if arguments.payload == "1.0":
        gateway = RestGateway.of(read_template(ROOT / "template.yaml"))
    set_variables(checked_by="gateway" if arguments.payload == "1.0" else "function")
    with contextlib.ExitStack() as stack:
        if arguments.emulated:
            try:
                invoke = stack.enter_context(emulated(wait_s=arguments.timeout))
            except (EmulatorError, OSError, subprocess.CalledProcessError) as error:
                log(f"cannot run the built function: {error}")
                return 1
        else:
            handler = load_handler(arguments.function.resolve())
            invoke = InProcess(handler, wait_s=arguments.timeout)
        service = Service(gateway=gateway, invoke=invoke, patience_s=arguments.patience)
        try:
            url = stack.enter_context(listening(arguments.port, service))
        except OSError as error:
            log(cannot_listen(arguments.port, error, option="--port", variable="PORT"))
            return 1
        print(f"{url} (API key: {LOCAL_KEY}, payload {arguments.payload})", file=output, flush=True)
        wait_for_signal()
    return 0


def main() -> None:
    """Run the program."""
    run_and_exit(lambda output: run(_arguments(), output))


if __name__ == "__main__":
    main()
