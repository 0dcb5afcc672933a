"""One training step, side by side: each engine in a process of its own, and one of them at work at a time."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from typing import Any

import numpy as np

from bench.cases import ADAM_BYTES, Case
from bench.child import reply_of, start, stop
from bench.engines import Engine
from bench.engines.numpy import build as build_by_hand
from bench.floor import ONE_THREAD
from bench.results import Comparison, Outcome, disagreement
from bench.table import Table, duration
from bench.worker import CHECKED

PAUSE = 0.1  # seconds between engines: OpenBLAS and OpenMP threads spin for a while after their work
# Rounding may put the input of one ReLU on the other side of 0, and Adam, which divides by the gradient's size, makes
# that 2e-4 of the loss within five steps; a learning rate wrong by a tenth makes it 8e-4 or more.
TOLERANCE = 5e-4
FLOORS: dict[str, dict[str, str]] = {"floor": {}, "floor, one BLAS thread": ONE_THREAD}


class Running:
    """A process that does one thing at a time and waits."""

    def __init__(self, outcome: Outcome, module: str, *arguments: str, environment: Mapping[str, str]) -> None:
        self.outcome = outcome
        self.last: dict[str, Any] = {}
        self.process = start(module, *arguments, environment=environment)

    def begun(self) -> dict[str, Any]:
        """What it says when it is ready; nothing if it had a problem."""
        reply = self._reply()
        self.outcome.version = reply.get("version", "")
        return reply

    def check(self, expected: Sequence[float]) -> None:
        """Wait for its first losses, and note whether they are right."""
        reply = self.begun()
        if reply:
            why = disagreement(reply["losses"], expected, TOLERANCE)
            self.outcome.problem = f"wrong, so it is not timed: {why}" if why else ""

    def time(self, seconds: float) -> None:
        """Add the time of a step, measured for ``seconds``, unless there has been a problem."""
        if self.outcome.problem:
            return
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):  # if it has died, the missing reply will tell
            print(seconds, file=self.process.stdin, flush=True)
        reply = self._reply()
        if reply:
            self.outcome.rounds.append(reply["seconds"])
            self.last = reply

    def _reply(self) -> dict[str, Any]:
        reply = reply_of(self.process)
        self.outcome.missing = "unavailable" in reply
        self.outcome.problem = reply.get("problem", "") or reply.get("unavailable", "")
        if self.outcome.problem:
            self.outcome.rounds.clear()
            return {}
        return reply

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *exception: object) -> None:
        stop(self.process)


def compare(case: Case, engines: Iterable[Engine], rounds: int, seconds: float) -> Comparison:
    """Time ``case`` in every engine that is installed and right, ``rounds`` times in turn for ``seconds`` each, and
    the floors among them."""
    by_hand = build_by_hand(case, np.float64)
    expected = [by_hand() for _ in range(CHECKED)]
    comparison = Comparison(case.name, [])
    with ExitStack() as stack:
        running: list[Running] = []
        for engine in engines:
            outcome = Outcome(engine.name, engine.peer)
            comparison.outcomes.append(outcome)
            if not engine.installed:
                outcome.problem, outcome.missing = f"not installed; pip install {engine.package}", True
                continue
            each = Running(outcome, "bench.worker", engine.module, case.name, environment=engine.environment)
            running.append(stack.enter_context(each))
            each.check(expected)
        floors = [
            stack.enter_context(Running(Outcome(name, False), "bench.floor", case.name, environment=environment))
            for name, environment in FLOORS.items()
        ]
        for each in floors:
            each.begun()
        for _ in range(rounds):
            for each in [*running, *floors]:
                time.sleep(PAUSE)
                each.time(seconds)
        comparison.floors = [each.outcome for each in floors]
        comparison.notes = [_described(each, case) for each in floors]
    return comparison


def _described(floor: Running, case: Case) -> str:
    """What a floor consists of, in the last round."""
    if not floor.last:
        return f"{floor.outcome.engine}: {floor.outcome.problem or 'not timed'}"
    moved, last = ADAM_BYTES * case.parameters, floor.last
    return (
        f"{floor.outcome.engine}: {duration(floor.outcome.seconds)}; in the last round "
        f"products {duration(last['products'])}, and {moved / 1e6:.3g} MB of the optimizer "
        f"{duration(moved / last['bandwidth'])} at {last['bandwidth'] / 1e9:.3g} GB/s "
        f"({duration(moved / last['cached'])} at the {last['cached'] / 1e9:.3g} GB/s of arrays as large as its own)"
    )


def table(comparison: Comparison) -> Table:
    """What is shown of ``comparison``: medians, quartiles and ratios, and below them who is missing and why."""
    others = [comparison.best_peer, comparison.timed_as("pytorch"), comparison.floor]
    rows = [
        [
            each.engine,
            each.version,
            duration(each.seconds),
            " ".join(f"{quartile / each.seconds - 1:+.0%}" for quartile in each.quartiles),
            *(f"{each.over(other):.2f}" if other else "" for other in others),
        ]
        for each in comparison.timed
    ]
    header = ["engine", "version", "a step", "quartiles", "/ best peer", "/ PyTorch", "/ floor"]
    notes = [f"{each.engine}: {each.problem}" for each in comparison.outcomes if each.problem]
    return Table(comparison.case, header, rows, [*comparison.notes, *notes])
