"""A function that does what goes wrong: each event says what."""

import importlib
import os
import sys
import time
from typing import Any


def handler(event: dict[str, Any], context: object) -> object:  # noqa: ARG001 # Lambda passes it
    """Do what ``event["do"]`` names."""
    match event["do"]:
        case "crash":
            os._exit(3)
        case "hang":
            time.sleep(600)
        case "raise":
            raise LookupError("it went wrong")
        case "write":
            return "x" * event["bytes"]
        case "import":
            modules = [importlib.import_module(name) for name in event["names"]]
            files = {module.__name__: module.__file__ for module in modules}
            return {"version": list(sys.version_info[:2]), "files": files}
    return {"pid": os.getpid()}
