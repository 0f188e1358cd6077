"""Load: the local gateway under mixed traffic, for as long as you like: ``make load MINUTES=10``.

Clients send good requests, bad ones, huge ones, slow ones, and ones that they give up. It fails if
an answer is not the expected one, if a result is not that of a single request, or if the service
takes more and more memory. With ``--emulated`` the built function runs in a pool of AWS's runtime
emulators.
"""

import argparse
import http.client
import io
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import skimage.data
from PIL import Image
from tables import table

ROOT = Path(__file__).resolve().parents[2]
_HEADERS = {"x-api-key": "local", "Content-Type": "image/png"}
_SLOW_PIECES, _SLOW_PAUSE_S = 5, 0.1
_MAX_GROWTH_MB = 150  # of all processes together, from the first tenth of the time to the end
_WAIT_S = 120
_PERCENTILES = (50, 95, 99)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of request, the statuses that it may have, and how often it comes."""

    path: str
    body: bytes
    statuses: frozenset[int]
    weight: int
    key: str = "local"
    is_slow: bool = False
    is_aborted: bool = False


@dataclass(slots=True, kw_only=True)
class Findings:
    """What the clients saw, by kind: seconds of the answers, and what was wrong."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    wrong: list[str] = field(default_factory=list)
    expected: dict[str, bytes] = field(default_factory=dict)


def photo(side: int) -> bytes:
    """Return a photograph as a PNG."""
    with io.BytesIO() as file:
        Image.fromarray(skimage.data.astronaut()).resize((side, side)).save(file, "PNG")
        return file.getvalue()


def kinds() -> dict[str, Kind]:
    """Return the mixture."""
    good, small = photo(512), photo(200)
    bomb = small[:16] + (60_000).to_bytes(4, "big") * 2 + small[24:]
    return {
        "cutout": Kind(path="/v2", body=small, statuses=frozenset({200}), weight=6),
        "options": Kind(
            path="/v2?format=jpg&bg_color=white&crop=true&size=preview",
            body=good,
            statuses=frozenset({200}),
            weight=4,
        ),
        "slow": Kind(path="/v2", body=small, statuses=frozenset({200}), weight=2, is_slow=True),
        "bad option": Kind(path="/v2?scale=no", body=small, statuses=frozenset({400}), weight=3),
        "no image": Kind(path="/v2", body=b"junk", statuses=frozenset({400}), weight=3),
        "bad key": Kind(path="/v2", body=small, statuses=frozenset({401, 403}), weight=2, key="x"),
        "bomb": Kind(path="/v2", body=bomb, statuses=frozenset({413}), weight=2),
        "huge": Kind(path="/v2", body=bytes(11 << 20), statuses=frozenset({413}), weight=1),
        "aborted": Kind(path="/v2", body=good, statuses=frozenset(), weight=2, is_aborted=True),
    }


def send(url: str, kind: Kind) -> tuple[int, bytes]:
    """Send one request; return status and body, of an aborted one 0 and nothing."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=_WAIT_S)
    try:
        connection.putrequest("POST", kind.path)
        for name, value in (_HEADERS | {"x-api-key": kind.key}).items():
            connection.putheader(name, value)
        connection.putheader("Content-Length", str(len(kind.body)))
        connection.endheaders()
        if kind.is_aborted:
            connection.send(kind.body[: len(kind.body) // 2])
            return 0, b""
        pieces = _SLOW_PIECES if kind.is_slow else 1
        step = -(-len(kind.body) // pieces)
        try:
            for start in range(0, len(kind.body), step):
                connection.send(kind.body[start : start + step])
                time.sleep(_SLOW_PAUSE_S * kind.is_slow)
        except (BrokenPipeError, ConnectionResetError):
            pass  # a body that is refused need not be read; the answer is there
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def client(url: str, mixture: dict[str, Kind], end_s: float, findings: Findings) -> None:
    """Send requests until the time is over."""
    names, weights = list(mixture), [kind.weight for kind in mixture.values()]
    while time.monotonic() < end_s:
        (name,) = random.choices(names, weights)
        kind, start = mixture[name], time.monotonic()
        try:
            status, body = send(url, kind)
        except (OSError, http.client.HTTPException) as error:
            if name != "huge":  # its connection may be reset before the answer is read
                findings.wrong.append(f"{name}: {type(error).__name__}: {error}")
            continue
        findings.seconds[name].append(time.monotonic() - start)
        if kind.is_aborted:
            continue
        if status not in kind.statuses:
            findings.wrong.append(f"{name}: status {status}: {body[:200]!r}")
        elif status == http.client.OK and body != findings.expected[name]:
            findings.wrong.append(f"{name}: not the result of a single request")


def memory_mb(pid: int) -> float:
    """Return what a process and all that it has started hold in MB.

    In the emulators the function is a process of theirs, and so two steps below the gateway.
    """
    parents: dict[int, int] = {}
    held_kb: dict[int, int] = {}
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            text = status.read_text(encoding="utf-8")
        except OSError:
            continue  # it has ended
        values = dict(re.findall(r"^(Pid|PPid|VmRSS):\s+(\d+)", text, re.MULTILINE))
        parents[int(values["Pid"])] = int(values["PPid"])
        held_kb[int(values["Pid"])] = int(values.get("VmRSS", 0))
    own = {pid}
    while more := {one for one, parent in parents.items() if parent in own} - own:
        own |= more
    return sum(held_kb.get(one, 0) for one in own) / 1024


def print_percentiles(findings: Findings) -> None:
    """Print how long the answers took, as a table."""
    rows = []
    for name, seconds in sorted(findings.seconds.items()):
        ordered = sorted(seconds)
        found = [ordered[len(ordered) * share // 100] for share in _PERCENTILES]
        rows.append([name, f"{len(seconds):,}", *(f"{1000 * value:.0f}" for value in found)])
    table(["request", "answers", *(f"p{share}, ms" for share in _PERCENTILES)], rows)


def attack(url: str, pid: int, minutes: float, clients: int) -> Findings:
    """Send the mixture for that long; return what was found."""
    mixture, findings = kinds(), Findings()
    for name, kind in mixture.items():
        if kind.statuses == {http.client.OK}:
            findings.expected[name] = send(url, kind)[1]
    start = time.monotonic()
    arguments = (url, mixture, start + minutes * 60, findings)
    threads = [threading.Thread(target=client, args=arguments) for _ in range(clients)]
    for thread in threads:
        thread.start()
    time.sleep(minutes * 6)
    before = memory_mb(pid)
    for thread in threads:
        thread.join()
    after = memory_mb(pid)
    print(f"memory: {before:.0f} MB after a tenth of the time, {after:.0f} MB at the end")
    if after - before > _MAX_GROWTH_MB:
        findings.wrong.append(f"the service took {after - before:.0f} MB more")
    return findings


def main() -> int:
    """Run the service and the clients; print percentiles and what was wrong."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--emulated", action="store_true", help="in AWS's runtime emulators")
    arguments = parser.parse_args()
    command = [sys.executable, str(ROOT / "events/local/serve.py"), "--port", "0"]
    command += ["--emulated"] if arguments.emulated else []
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True) as service,
    ):
        assert service.stdout is not None
        url = service.stdout.readline().partition(" ")[0]
        if not url:
            service.wait()
            log.seek(0)
            print(f"{log.read()}The service did not start.", file=sys.stderr)
            return 1
        try:
            findings = attack(url, service.pid, arguments.minutes, arguments.clients)
        finally:
            service.terminate()
    print_percentiles(findings)
    for line in findings.wrong[:20]:
        print(line)
    print(f"{len(findings.wrong)} answers were wrong")
    return int(bool(findings.wrong))


if __name__ == "__main__":
    sys.exit(main())
