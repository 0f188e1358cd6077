"""Runs a command: loads the model, does the jobs in threads, and reports on standard error."""

import signal
import sys
import uuid
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path

from cutout.cli.arguments import Command, read_command
from cutout.cli.plan import Job, UsageError, make_plan
from cutout.errors import CutoutError, ModelUnavailable
from cutout.image.decode import Limits
from cutout.image.model import read_model
from cutout.options import Options
from cutout.remover import Remover, Report

DONE, SOME_FAILED, WRONG_COMMAND, NO_MODEL, INTERRUPTED = 0, 1, 2, 3, 130
"""The exit statuses."""

_BAR_WIDTH = 30


@dataclass(slots=True, kw_only=True)
class Progress:
    """Counts the photos, and shows them: a bar on a terminal, or a line for each if verbose."""

    total: int
    verbose: bool
    done: int = 0
    skipped: int = 0
    failed: int = 0

    def add(self, job: Job, made: Report | str) -> None:
        """Count a photo that is finished: its report, or why it failed."""
        self._clear()
        if isinstance(made, str):
            self.failed += 1
            _say(f"{job.name}: {made}")
        else:
            self.done += 1
            if self.verbose:
                _say(f"{job.name}: done, confidence {made.confidence:.2f}")
        self._draw()

    def skip(self, job: Job) -> None:
        """Count a photo whose result was there."""
        self.skipped += 1
        if self.verbose:
            _say(f"{job.name}: skipped, its result exists")

    def finish(self) -> None:
        """Print the summary."""
        self._clear()
        _say(
            f"{self.total} photos: {self.done} cut out, {self.skipped} skipped, "
            f"{self.failed} failed."
        )

    def _has_bar(self) -> bool:
        return self.total > 1 and not self.verbose and sys.stderr.isatty()

    def _clear(self) -> None:
        if self._has_bar():
            sys.stderr.write("\r\x1b[K")

    def _draw(self) -> None:
        if self._has_bar():
            finished = self.done + self.skipped + self.failed
            bar = "#" * (finished * _BAR_WIDTH // self.total)
            sys.stderr.write(f"\r[{bar:<{_BAR_WIDTH}}] {finished}/{self.total}")
            sys.stderr.flush()


def main(arguments: Sequence[str]) -> int:
    """Run the command that the arguments spell, and return its exit status."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    command = read_command(arguments)
    try:
        jobs, is_folder = make_plan(command)
    except (UsageError, OSError) as error:
        _say(f"cutout: error: {error}")
        return WRONG_COMMAND
    except KeyboardInterrupt:
        return INTERRUPTED
    if jobs[0].target is None and sys.stdout.isatty():
        _say("cutout: error: an image is not written to a terminal; redirect standard output")
        return WRONG_COMMAND
    progress = Progress(total=len(jobs), verbose=command.verbose)
    try:
        return _run(command, jobs, progress, is_folder=is_folder)
    except ModelUnavailable as error:
        _say(f"cutout: error: {error} {error.facts.get('reason', '')}".rstrip())
        return NO_MODEL
    except KeyboardInterrupt:
        _say("\ncutout: interrupted; finished results are kept")
        return INTERRUPTED


def _run(command: Command, jobs: list[Job], progress: Progress, *, is_folder: bool) -> int:
    """Do the jobs that are not done yet.

    :raises ModelUnavailable: the model cannot be loaded.
    """
    left = []
    for job in jobs:
        if is_folder and not command.overwrite and job.is_done():
            progress.skip(job)
        else:
            left.append(job)
    if left:
        _work(command, left, progress)
    if is_folder:
        progress.finish()
    return SOME_FAILED if progress.failed else DONE


def _work(command: Command, jobs: list[Job], progress: Progress) -> None:
    remover = Remover(read_model(command.model), Limits(max_pixels=command.max_pixels))
    if len(jobs) == 1:
        # Ctrl-C ends the wait for standard input here, and no wait in another thread.
        progress.add(jobs[0], _do(remover, jobs[0], command.options))
        return
    # Threads share one network, and the heavy stages release the interpreter's lock.
    pool = ThreadPoolExecutor(command.jobs)
    try:
        futures: dict[Future[Report | str], Job] = {
            pool.submit(_do, remover, job, command.options): job for job in jobs
        }
        for future in as_completed(futures):
            progress.add(futures[future], future.result())
    finally:
        # After Ctrl-C the photos in work are finished, so no result is left half-written.
        pool.shutdown(cancel_futures=True)


def _do(remover: Remover, job: Job, options: Options) -> Report | str:
    """Cut out one photo; return its report, or why it failed."""
    try:
        data = sys.stdin.buffer.read() if job.source is None else job.source.read_bytes()
        result = remover.remove(data, replace(options, format=job.format))
        file = job.file(result.file.format)
        if file is None:
            sys.stdout.buffer.write(result.file.body)
            sys.stdout.buffer.flush()
        else:
            _write(file, result.file.body)
    except CutoutError as error:
        return str(error)
    except OSError as error:
        file = error.filename2 or error.filename  # of a renamed file the second is its new name
        return f"{error.strerror or error} ({file})" if file else str(error)
    return result.report


def _write(file: Path, body: bytes) -> None:
    """Write a file that appears only when it is whole."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f".{uuid.uuid4().hex}.part")
    try:
        part.write_bytes(body)
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
