"""What a catalogue takes and costs: ``make fleet``.

Measured here: the CPU time of one image, the start of a worker, and the calls to S3 that an image
takes. A small fluid model of Lambda, SQS and API Gateway makes time and cost of them. What AWS
says of its services, and what is only assumed, stands in :class:`Assumptions`.
"""

import argparse
import itertools
import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

if __name__ == "__main__" and hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # one core, as 1,769 MB of Lambda have

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [
    str(ROOT / part) for part in ("function", "events/local", "tests", "tests/functional")
]

from cloud import (  # noqa: E402 - as the others here: its path stands above
    REGION,
    Cloud,
    Proxy,
    Uploaded,
    messages,
    moto,
)
from photos import photo  # noqa: E402
from tables import table  # noqa: E402

import app  # noqa: E402
from cutout.options import Options  # noqa: E402
from make_events import PHOTO  # noqa: E402

RUNS = 7
STEP_S = 1.0
PHOTO_MP = 3.0

# The last word that it prints is its CPU time in seconds; before that comes the function's log.
_START = """
import json, sys, time
import app
from context import LocalContext
app.upload_handler(json.loads(sys.argv[1]), LocalContext())
print(time.process_time())
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumptions:
    """What is not measured: AWS's documentation and price list (us-east-1, x86_64), and guesses."""

    memory_gb: float = 1769 / 1024
    # Lambda, per GB-second and per invocation; starts are billed like running.
    usd_per_gb_s: float = 0.0000166667
    usd_per_invocation: float = 0.20e-6
    # SQS, per call: an image is sent, received and deleted; EventBridge, per event.
    usd_per_sqs_call: float = 0.40e-6
    usd_per_event: float = 1.00e-6
    # S3, per call: writes and lists, and all others but deletes, which are free.
    usd_per_s3_write: float = 5.00e-6
    usd_per_s3_read: float = 0.40e-6
    # S3 Batch Operations, per job and per object.
    usd_per_job: float = 0.25
    usd_per_task: float = 1.00e-6
    # A queue's mapping begins with 5 workers and adds 300 a minute (services-sqs-scaling).
    queue_workers_first: float = 5
    queue_workers_per_s: float = 300 / 60
    # A function gets 1,000 more environments every 10 s (lambda-concurrency, "scaling rate").
    function_workers_per_s: float = 100
    # Guesses: a call to S3 in the same region, and Lambda's own time around a start.
    s3_call_s: float = 0.025
    start_overhead_s: float = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What one image takes; ``s3_calls`` are by HTTP method, ``LIST`` apart from ``GET``."""

    image_s: float
    start_s: float
    s3_calls: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Images that come at one rate, and how they are worked on; ``workers`` at most at a time."""

    images: int
    over_s: float
    workers: int
    batch: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a load: time until all is done, waiting times, workers, cost."""

    total_s: float
    wait_median_s: float
    wait_p95_s: float
    peak_workers: int
    lambda_usd: float
    other_usd: float

    @property
    def usd(self) -> float:
        """All of the cost."""
        return self.lambda_usd + self.other_usd


def busy_s(measured: Measured, given: Assumptions) -> float:
    """Return for how long one image keeps a worker, in seconds."""
    return measured.image_s + sum(measured.s3_calls.values()) * given.s3_call_s


def simulate(load: Load, measured: Measured, given: Assumptions) -> Outcome:
    """Let a load through the workers, in steps of a second, as a fluid: first come, first served.

    Workers are added while something waits, as fast as AWS adds them, and lose their start.
    """
    each_s = busy_s(measured, given)
    start_s = measured.start_s + given.start_overhead_s
    first, more = given.queue_workers_first, given.queue_workers_per_s
    if load.batch:
        first, more = given.function_workers_per_s, given.function_workers_per_s
    workers = peak = 0.0
    arrived = done = 0.0
    arrivals, ends = [0.0], [0.0]
    for step in itertools.count(1):
        now_s = step * STEP_S
        due = load.images * min(1.0, now_s / load.over_s) if load.over_s else load.images
        arrived = float(due)
        # As many as would empty the queue within this step, and no more than AWS gives by now.
        wanted = min(load.workers, first + more * (now_s - STEP_S), (arrived - done) * each_s)
        new = max(0.0, wanted - workers)
        workers = max(workers, wanted)
        peak = max(peak, workers)
        ready_s = max(0.0, workers * STEP_S - new * start_s)
        done = min(arrived, done + ready_s / each_s)
        arrivals.append(arrived)
        ends.append(done)
        if done >= load.images - 1e-6:
            break
    waits = [
        _when(ends, load.images * share) - _when(arrivals, load.images * share)
        for share in (0.5, 0.95)
    ]
    return Outcome(
        total_s=_when(ends, load.images - 1e-6) + each_s,
        wait_median_s=max(0.0, waits[0]) + each_s,
        wait_p95_s=max(0.0, waits[1]) + each_s,
        peak_workers=math.ceil(peak),
        lambda_usd=load.images * (given.usd_per_invocation + each_s * _per_s(given))
        + peak * measured.start_s * _per_s(given),
        other_usd=load.images * _others_usd(measured, given, batch=load.batch)
        + (given.usd_per_job if load.batch else 0.0),
    )


def answered_after_s(requests: int, per_s: float, burst: float) -> tuple[int, float, int]:
    """Return (accepted at once, seconds until all are, answers 429) of requests sent together.

    API Gateway's token bucket; who is refused tries again after a second, as ``Retry-After`` says.
    """
    waiting, refused, now_s, tokens = float(requests), 0.0, 0.0, burst
    at_once = min(waiting, tokens)
    while waiting > 0:
        passed = min(waiting, tokens)
        waiting -= passed
        refused += waiting
        tokens = min(burst, tokens - passed + per_s)
        now_s += 1
    return int(at_once), now_s - 1, int(refused)


def _when(curve: Sequence[float], level: float) -> float:
    """Return when a rising curve, one value a step, reaches a level."""
    low, high = 0, len(curve) - 1
    while low < high:
        middle = (low + high) // 2
        if curve[middle] < level:
            low = middle + 1
        else:
            high = middle
    if low == 0 or curve[low] == curve[low - 1]:
        return low * STEP_S
    part = (level - curve[low - 1]) / (curve[low] - curve[low - 1])
    return (low - 1 + part) * STEP_S


def _per_s(given: Assumptions) -> float:
    return given.memory_gb * given.usd_per_gb_s


def _others_usd(measured: Measured, given: Assumptions, *, batch: bool) -> float:
    calls = measured.s3_calls
    writes = calls.get("PUT", 0) + calls.get("LIST", 0)
    reads = calls.get("GET", 0) + calls.get("HEAD", 0)
    s3 = writes * given.usd_per_s3_write + reads * given.usd_per_s3_read
    return s3 + (given.usd_per_task if batch else 3 * given.usd_per_sqs_call + given.usd_per_event)


# --------------------------------------------------------------------------- measuring


def measure(runs: int) -> Measured:
    """Measure on one core of this machine, through the real handlers and a local S3.

    Times are medians of ``runs`` runs.
    """
    with moto() as url:
        proxy = Proxy(url)
        os.environ |= {
            "AWS_ENDPOINT_URL_S3": proxy.url,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }
        deployment = Cloud.make(url, "fleet")
        return Measured(
            image_s=_image_s(runs),
            start_s=_start_s(deployment, runs),
            s3_calls=_s3_calls(deployment, proxy),
        )


def _image_s(runs: int) -> float:
    """Return the median CPU time of a JPEG of 3 MP to PNG, as ``make bench`` has it too."""
    data = photo(PHOTO_MP)
    times = []
    for _ in range(runs):
        start_s = time.process_time()
        app.remover.remove(data, Options())
        times.append(time.process_time() - start_s)
    return statistics.median(times)


def _start_s(deployment: Cloud, runs: int) -> float:
    """Return the median CPU time of a new process that imports the function and reaches S3.

    Its event is about an object that was deleted, so there is no image to work on.
    """
    gone = Uploaded(
        bucket=deployment.settings.input_bucket, key="uploads/gone", etag="0", version_id="", size=1
    )
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(sys.path),
        "INPUT_BUCKET": deployment.settings.input_bucket,
        "RESULT_BUCKET": deployment.settings.result_bucket,
    }
    times = []
    for _ in range(runs):
        done = subprocess.run(
            [sys.executable, "-c", _START, json.dumps(gone.created())],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        times.append(float(done.stdout.split()[-1]))
    return statistics.median(times)


def _s3_calls(deployment: Cloud, proxy: Proxy) -> dict[str, int]:
    """Return how many calls of each kind the first result of a source takes."""
    uploaded = deployment.put("uploads/cat.jpg", PHOTO.read_bytes())
    proxy.calls.clear()
    deployment.handle(messages(uploaded.created()))
    names = ("LIST" if "list-type" in call.query else call.method for call in proxy.calls)
    return dict(sorted(Counter(names).items()))


# --------------------------------------------------------------------------- printing


def loads() -> Iterator[tuple[str, Load]]:
    """Yield what the table is about."""
    minute, hour = 60, 3_600
    for images in (1_000, 100_000, 10_000_000):
        for workers in (5, 100, 1_000):
            yield "uploads at once", Load(images=images, over_s=0, workers=workers)
    yield "uploads over an hour", Load(images=100_000, over_s=hour, workers=100)
    yield "burst of a minute", Load(images=10_000, over_s=minute, workers=100)
    yield "batch job", Load(images=1_000_000, over_s=0, workers=100, batch=True)
    yield "batch job", Load(images=1_000_000, over_s=0, workers=1_000, batch=True)
    yield "batch job", Load(images=10_000_000, over_s=0, workers=1_000, batch=True)


def _time(seconds: float) -> str:
    if seconds < 2 * 60:
        return f"{seconds:.0f} s"
    if seconds < 2 * 3_600:
        return f"{seconds / 60:.0f} min"
    if seconds < 2 * 86_400:
        return f"{seconds / 3_600:.1f} h"
    return f"{seconds / 86_400:.1f} days"


def main() -> None:
    """Measure, simulate, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=RUNS, help="runs of which a time is the median")
    given, measured = Assumptions(), measure(parser.parse_args().runs)
    calls = ", ".join(f"{count} {name}" for name, count in measured.s3_calls.items())
    print(
        f"Measured: {PHOTO_MP:g} MP in {measured.image_s:.2f} s of one core, start of a worker "
        f"{measured.start_s:.2f} s, S3 calls of an image: {calls}. "
        f"A worker is busy with an image for {busy_s(measured, given):.2f} s."
    )
    rows = []
    for name, load in loads():
        outcome = simulate(load, measured, given)
        rows.append(
            [
                name,
                f"{load.images:,}",
                f"{load.workers:,}",
                _time(outcome.total_s),
                f"{load.images / outcome.total_s:,.0f}",
                _time(outcome.wait_p95_s),
                f"{outcome.lambda_usd:,.2f}",
                f"{outcome.other_usd:,.2f}",
                f"{outcome.usd:,.2f}",
            ]
        )
    table(
        ["load", "images", "workers", "time", "images/s", "p95 of one", "Lambda", "others", "USD"],
        rows,
    )
    burst = []
    for requests, per_s, size in ((100, 10, 20), (1_000, 10, 20), (1_000, 100, 200)):
        at_once, seconds, refused = answered_after_s(requests, per_s, size)
        burst.append(
            [f"{requests:,}", f"{per_s}, {size}", f"{at_once}", _time(seconds), f"{refused:,}"]
        )
    table(["requests at once", "rate, burst", "accepted at once", "all after", "429s"], burst)


if __name__ == "__main__":
    main()
