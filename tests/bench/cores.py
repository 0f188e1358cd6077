"""What a second core brings; ``bench.py`` starts it, since it itself stays on one core.

python tests/bench/cores.py 7 1 12

The command line says how many runs a median is of, and the megapixels of the photos. It prints the
tables. Times are of the clock on the wall, as two threads spend their time at once; other work on
the machine makes them longer, so the load is printed too.
"""

import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

CORES = 2

# The cores are chosen before numpy and the network's runtime count them.
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, range(os.cpu_count() or 1))  # bench.py was on one core only
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    FOUND = len(os.sched_getaffinity(0))
else:
    FOUND = min(CORES, os.cpu_count() or 1)

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / part) for part in ("function", "events/local", "tests")]

from photos import photo  # noqa: E402
from tables import medians, table  # noqa: E402

from context import prepare_import  # noqa: E402

prepare_import()

import default_model  # noqa: E402

import app  # noqa: E402
from cutout.image.card import ModelCard  # noqa: E402
from cutout.image.compose import compose  # noqa: E402
from cutout.image.decode import Limits, Photo, decode  # noqa: E402
from cutout.image.encode import CODECS  # noqa: E402
from cutout.image.matte import Matte, extract_matte  # noqa: E402
from cutout.image.model import Model, load_network  # noqa: E402
from cutout.options import Format, InputAlpha, Options  # noqa: E402
from cutout.remover import Remover  # noqa: E402

LIMITS = Limits(max_pixels=50_000_000)


def main() -> None:
    """Print the tables, or why there are none."""
    runs, sizes_mp = int(sys.argv[1]), [float(text) for text in sys.argv[2:]]
    if FOUND < CORES:
        print("\nWhat a second core brings is not measured: this process may use one core only.")
        return
    print(
        f"\nA second core; the load of the machine before was {os.getloadavg()[0]:.1f}, and a "
        "quiet one has less than 0.1."
    )
    model = default_model.loaded()
    networks(model.card, sizes_mp, runs)
    halves(model, max(sizes_mp), runs)


def networks(card: ModelCard, sizes_mp: Sequence[float], runs: int) -> None:
    """Print whole removals with the network on one thread beside those with it on two."""
    folder = app.LOCAL_MODELS / card.name
    removers = [
        Remover(Model(card=card, network=load_network(card, folder, threads=threads)), LIMITS)
        for threads in range(1, CORES + 1)
    ]
    rows = []
    for megapixels in sizes_mp:
        data = photo(megapixels)
        jobs = [partial(remover.remove, data, Options()) for remover in removers]
        rows.append(_row(f"{megapixels:g} MP", medians(runs, *jobs, clock=time.perf_counter)))
    table(
        ["photo", "network on 1 thread, ms", "on 2, ms", "time"],
        rows,
        title="A whole removal by the clock on the wall, JPEG in and PNG out",
    )


def halves(model: Model, megapixels: float, runs: int) -> None:
    """Print what it would bring if two threads worked on the halves of a picture.

    Each step is done to both halves, first one after the other and then at once. Python's lock is
    free while numpy and the codecs work, so this is what threads can bring at the most.
    """
    decoded = decode(photo(megapixels), limits=LIMITS)
    matte = extract_matte(decoded, model.card, model.network, input_alpha=InputAlpha.MULTIPLY)
    middle = decoded.height // 2
    parts = [
        (Photo(pixels=decoded.pixels[rows], alpha=None), Matte(alpha=matte.alpha[rows]))
        for rows in (slice(middle), slice(middle, None))
    ]
    composed = [compose(*part, Options()).pixels for part in parts]
    quality = Options().quality
    steps: dict[str, list[Callable[[], object]]] = {
        "compose": [partial(compose, *part, Options()) for part in parts],
        **{
            name: [partial(CODECS[name].write, pixels, quality) for pixels in composed]
            for name in (Format.PNG, Format.WEBP)
        },
    }
    rows = []
    with ThreadPoolExecutor(CORES) as pool:
        for name, jobs in steps.items():
            both = [partial(_in_turn, jobs), partial(_at_once, pool, jobs)]
            rows.append(_row(name, medians(runs, *both, clock=time.perf_counter)))
    table(
        ["step", "one half after the other, ms", "at once, ms", "time"],
        rows,
        title=f"Two threads for the halves of a picture of {megapixels:g} MP",
    )


def _in_turn(jobs: Sequence[Callable[[], object]]) -> None:
    for job in jobs:
        job()


def _at_once(pool: ThreadPoolExecutor, jobs: Sequence[Callable[[], object]]) -> None:
    for done in [pool.submit(job) for job in jobs]:
        done.result()


def _row(title: str, times: Sequence[float]) -> list[str]:
    one, two = times
    return [title, f"{one:.0f}", f"{two:.0f}", f"x {two / one:.2f}"]


if __name__ == "__main__":
    main()
