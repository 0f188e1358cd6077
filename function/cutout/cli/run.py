"""Runs a command: loads the model, does the jobs in threads, and reports on standard error."""

import sys
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path

from cutout.cli.arguments import Command, UsageError, read_command
from cutout.cli.interrupts import end_at_signals
from cutout.cli.plan import Job, Plan, make_plan
from cutout.cli.results import parts_in, write
from cutout.cli.streams import STDIN, STDOUT, escaped, fill_closed, flush, send, tell
from cutout.errors import CutoutError, ModelUnavailable
from cutout.image.card import CARD_FILE
from cutout.image.decode import Limits
from cutout.image.model import read_model
from cutout.options import Options
from cutout.remover import Remover
from cutout.report import Report

DONE, SOME_FAILED, WRONG_COMMAND, NO_MODEL = 0, 1, 2, 3
"""The exit statuses, beside that after a signal."""

_BAR_WIDTH = 30

_UNSURE = 0.8
"""Below this confidence somebody should look at a result; models/README.md has the numbers."""


@dataclass(slots=True, kw_only=True)
class Progress:
    """Counts the photos, and shows them: a bar on a terminal, or a line for each if verbose.

    Photos whose results somebody should look at have a line in any case.
    """

    total: int
    verbose: bool
    done: int = 0
    empty: int = 0
    unsure: int = 0
    skipped: int = 0
    failed: int = 0
    others: int = 0

    def add(self, job: Job, made: Report | str) -> None:
        """Count a photo that is finished: its report, or why it failed."""
        self._clear()
        if isinstance(made, str):
            self.failed += 1
            result = job.earlier_result()
            left = "" if result is None else f" ({result} is still that of an earlier run)"
            _say(f"{job.name}: {made}{left}")
        else:
            self.done += 1
            is_empty = not made.subject.width
            confidence = round(made.confidence, 2)
            is_unsure = not is_empty and confidence < _UNSURE
            self.empty += is_empty
            self.unsure += is_unsure
            if self.verbose or is_empty or is_unsure:
                found = "without a subject" if is_empty else f"confidence {confidence:.2f}"
                _say(f"{job.name}: done, {found}")
        self._draw()

    def skip(self, job: Job) -> None:
        """Count a photo whose result was there."""
        self.skipped += 1
        if self.verbose:
            _say(f"{job.name}: skipped, its result exists")

    def pass_over(self, others: dict[Path, str]) -> None:
        """Count the files that are not tried."""
        self.others = len(others)
        if self.verbose:
            for file, why in others.items():
                _say(f"{file}: passed over, {why}")

    def finish(self) -> None:
        """Print the summary."""
        self._clear()
        _say(
            f"{self.total} photo{'' if self.total == 1 else 's'}: {self.done} cut out, "
            f"{self.skipped} skipped, {self.failed} failed."
        )
        if self.empty or self.unsure:
            _say(
                f"Look at these results: {self.empty} without a subject, {self.unsure} with a "
                f"confidence below {_UNSURE}."
            )
        if self.skipped:
            _say(
                "What is skipped has a result that is not older than the photo; --overwrite cuts "
                "it out again, as after a change of options."
            )
        if self.others:
            _say(f"Files that were passed over: {self.others} (-v names them).")

    def _has_bar(self) -> bool:
        return self.total > 1 and not self.verbose and sys.stderr.isatty()

    def _clear(self) -> None:
        if self._has_bar():
            tell("\r\x1b[K")

    def _draw(self) -> None:
        if self._has_bar():
            finished = self.done + self.skipped + self.failed
            bar = "#" * (finished * _BAR_WIDTH // self.total)
            tell(f"\r[{bar:<{_BAR_WIDTH}}] {finished}/{self.total}")


def main(arguments: Sequence[str]) -> int:
    """Run the command that the arguments spell, and return its exit status."""
    end_at_signals()
    fill_closed()
    try:
        status = _main(arguments)
    except SystemExit as end:  # of argparse: after --help, --version and its errors
        status = int(end.code or DONE)
    if problem := flush():
        _say(f"cutout: error: {problem}")
        return status or SOME_FAILED
    return status


def _main(arguments: Sequence[str]) -> int:
    command = read_command(arguments)
    try:
        plan = make_plan(command)
    except (UsageError, OSError) as error:
        _say(f"cutout: error: {_reason(error)}")
        return WRONG_COMMAND
    if problem := _stream_problem(plan.jobs[0]):
        _say(f"cutout: error: {problem}")
        return WRONG_COMMAND
    progress = Progress(total=len(plan.jobs), verbose=command.verbose)
    try:
        return _run(command, plan, progress)
    except ModelUnavailable as error:
        _say(f"cutout: error: {_model_problem(command.model, error)}")
        return NO_MODEL
    except MemoryError:
        _say(f"cutout: error: there is too little memory to load the model {command.model}")
        return NO_MODEL


def _reason(error: UsageError | OSError) -> str:
    """Return what is wrong with a command, or with a name that cannot even be looked at."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def _model_problem(model: Path, error: ModelUnavailable) -> str:
    """Return why a model cannot be used, for somebody who has no deployment and no log."""
    try:
        is_there = model.is_dir()
    except OSError as unknown:
        return _reason(unknown)
    if is_there:
        return f"the model {model} cannot be used: {error.facts['reason']}"
    others = sorted(card.parent.name for card in model.parent.glob(f"*/{CARD_FILE}"))
    return (
        f"there is no model {model.name} in {model.parent}, but {', '.join(others) or 'none'}; "
        f"make model NAME={model.name} adds it to models/ if it is a public one, and --model-dir "
        "names another folder"
    )


def _stream_problem(job: Job) -> str:
    """Return why a standard stream cannot be what the command makes of it; empty if it can."""
    if job.source is None and sys.stdin is None:
        return f"{STDIN} is closed; give the photo as a file"
    if job.target is None and sys.stdout is None:
        return f"{STDOUT} is closed; give a file as the output"
    if job.target is None and sys.stdout.isatty():
        return "an image is not written to a terminal; redirect standard output"
    return ""


def _run(command: Command, plan: Plan, progress: Progress) -> int:
    """Do the jobs that are not done yet.

    :raises ModelUnavailable: the model cannot be loaded.
    """
    left = []
    progress.pass_over(plan.others)
    for job in plan.jobs:
        if plan.several and not command.overwrite and job.is_done():
            progress.skip(job)
        else:
            left.append(job)
    if left:
        _work(command, left, progress)
    if plan.several:
        progress.finish()
        _tell_of_parts(plan)
    for folder, why in plan.closed.items():
        _say(f"{folder}: {why}; the photos in this folder are not cut out.")
    return SOME_FAILED if progress.failed or plan.closed else DONE


def _tell_of_parts(plan: Plan) -> None:
    """Say what a run that was killed has left. It is not removed: another run may be writing it."""
    parts = parts_in({job.target.parent for job in plan.jobs if job.target is not None})
    if parts:
        _say(
            f"Unfinished files of a run that was killed or is still going on: {len(parts)}, such "
            f"as {parts[0]}. Remove them when no other run is going on."
        )


def _work(command: Command, jobs: list[Job], progress: Progress) -> None:
    remover = Remover(read_model(command.model), Limits(max_pixels=command.max_pixels))
    # Threads share one network, and the heavy stages release the interpreter's lock.
    with ThreadPoolExecutor(command.jobs) as pool:
        futures: dict[Future[Report | str], Job] = {
            pool.submit(_do, remover, job, command.options): job for job in jobs
        }
        for future in as_completed(futures):
            progress.add(futures[future], future.result())


def _do(remover: Remover, job: Job, options: Options) -> Report | str:
    """Cut out one photo; return its report, or why it failed."""
    place = STDIN if job.source is None else str(job.source)
    try:
        data = sys.stdin.buffer.read() if job.source is None else job.source.read_bytes()
        result = remover.remove(data, replace(options, format=job.format))
        file = job.file(result.file.format)
        place = STDOUT if file is None else str(file)
        if file is None:
            send(result.file.body)
        else:
            write(file, result.file.body)
    except CutoutError as error:
        return str(error)
    except OSError as error:
        return f"{error.strerror or error} ({place})"
    except Exception as error:  # noqa: BLE001 - whatever it is, the other photos go on
        return f"{type(error).__name__}: {error}"
    return result.report


def _say(line: str) -> None:
    """Print one line, whatever is in a file's name."""
    tell(f"{escaped(line)}\n")
