"""What importing the function does, in a process of its own: it is what a cold start takes."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

FUNCTION = Path(__file__).resolve().parents[2] / "function"

START = """
import gc, json, sys
import onnxruntime

passes = []

class Session(onnxruntime.InferenceSession):
    def run(self, *arguments):
        passes.append(arguments)
        return super().run(*arguments)

onnxruntime.InferenceSession = Session
import app

print(json.dumps({
    "passes": len(passes), "collects": gc.isenabled(), "frozen": gc.get_freeze_count(),
    "level": app.logger.log_level,
    "doors": [name for name in ("http", "s3") if f"cutout.{name}" in sys.modules],
}))
"""


def start(**variables: str) -> dict[str, Any]:
    """Return what a process found that imported the function with these variables."""
    done = subprocess.run(
        [sys.executable, "-c", START],
        cwd=FUNCTION,
        env={**os.environ, **variables},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def refusal(**variables: str) -> str:
    """Return the last line of what the function says when its import ends with an error."""
    done = subprocess.run(
        [sys.executable, "-c", "import app"],
        cwd=FUNCTION,
        env={**os.environ, **variables},
        check=False,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert done.returncode == 1
    return done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("how", "passes"), [("on-demand", 0), ("snap-start", 1), ("provisioned-concurrency", 1)]
)
def test_the_network_runs_before_requests_where_none_waits(how: str, passes: int) -> None:
    """A request that waits for its own start would wait for a pass that answers nothing."""
    assert start(AWS_LAMBDA_INITIALIZATION_TYPE=how)["passes"] == passes


@pytest.mark.parametrize("how", ["on-demand", "snap-start"])
def test_a_missing_model_is_said_at_the_start(how: str, tmp_path: Path) -> None:
    """In the log, before any request: whoever deployed it should know."""
    done = subprocess.run(
        [sys.executable, "-c", "import app"],
        cwd=FUNCTION,
        env={**os.environ, "AWS_LAMBDA_INITIALIZATION_TYPE": how, "MODEL_DIR": str(tmp_path)},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    (line,) = done.stdout.splitlines()
    told = json.loads(line)
    assert (told["level"], told["message"]) == ("CRITICAL", "no model")
    assert told["code"] == "model_unavailable"
    assert str(tmp_path) in told["facts"]["reason"]


@pytest.mark.parametrize(
    ("given", "level"),
    [("", 20), (" ", 20), (" debug ", 10), ("Warning", 30), ("WARN", 30), ("FATAL", 50)],
)
def test_the_log_has_the_level_that_the_variable_names(given: str, level: int) -> None:
    """In any case, and with spaces around it, as in all other variables."""
    assert start(POWERTOOLS_LOG_LEVEL=given)["level"] == level


@pytest.mark.parametrize("given", ["foo", "20", "TRACE"])
def test_a_wrong_level_is_refused_with_all_other_faults(given: str) -> None:
    """By the project's own message, which says what is accepted."""
    assert refusal(POWERTOOLS_LOG_LEVEL=given, SHOW_PAGES="on") == (
        "cutout.errors.InvalidSettings: Invalid settings: "
        "POWERTOOLS_LOG_LEVEL must be DEBUG, INFO, WARNING, ERROR or CRITICAL; "
        "SHOW_PAGES must be true or false"
    )


@pytest.mark.parametrize(
    ("name", "accepted"),
    [
        ("POWERTOOLS_DEBUG", "true or false"),
        ("POWERTOOLS_DEV", "true or false"),
        ("POWERTOOLS_LOGGER_LOG_EVENT", "true or false"),
        ("POWERTOOLS_LOGGER_SAMPLE_RATE", "a number from 0 to 1"),
        ("POWERTOOLS_LOG_DEDUPLICATION_DISABLED", "true or false"),
        ("POWERTOOLS_METRICS_DISABLED", "true or false"),
    ],
)
def test_what_powertools_reads_is_checked_before_it_does(name: str, accepted: str) -> None:
    """Its own errors name no variable, and some come with the first request only."""
    assert refusal(**{name: "foo"}, SHOW_PAGES="on") == (
        "cutout.errors.InvalidSettings: Invalid settings: "
        f"SHOW_PAGES must be true or false; {name} must be {accepted}"
    )


def test_garbage_is_collected_after_the_start_only() -> None:
    """What was imported stays, and no collection looks through it; what requests leave goes."""
    found = start()
    assert found["collects"]
    assert found["frozen"] > 10_000


@pytest.mark.parametrize(
    ("handler", "doors"),
    [
        ("app.http_handler", ["http"]),
        ("app.upload_handler", ["s3"]),
        ("app.lambda_handler", ["http", "s3"]),
    ],
)
def test_a_function_imports_its_own_door_at_the_start(handler: str, doors: list[str]) -> None:
    """Not at its first request, when it may have less than one core; and not the other door."""
    assert start(_HANDLER=handler)["doors"] == doors


def test_nothing_is_written_about_the_machine_or_its_user(tmp_path: Path) -> None:
    """Or sent to anyone: onnxruntime's report begins with an identifier in the user's home."""
    told = ("AWS", "ORT_DISABLE_TELEMETRY", "XDG", "PYTHON")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(told)}
    subprocess.run(
        [sys.executable, "-c", "import app; assert app.remover"],
        cwd=FUNCTION,
        env={**kept, "HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    assert list(tmp_path.rglob("*")) == []
