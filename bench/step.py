"""One training step, side by side: each engine in a process of its own, and one of them at work at a time."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, suppress
from typing import Any

import numpy as np

from bench import CHECKOUT
from bench.cases import Case
from bench.engines import Engine
from bench.engines.numpy import build as build_by_hand
from bench.results import Comparison, Outcome, disagreement
from bench.table import Table, duration
from bench.worker import CHECKED

PAUSE = 0.1  # seconds between engines: OpenBLAS and OpenMP threads spin for a while after their work
# Rounding may put the input of one ReLU on the other side of 0, and Adam, which divides by the gradient's size, makes
# that 2e-4 of the loss within five steps; a learning rate wrong by a tenth makes it 8e-4 or more.
TOLERANCE = 5e-4


class Running:
    """An engine's process, which does one thing at a time and waits."""

    def __init__(self, engine: Engine, case: Case) -> None:
        self.outcome = Outcome(engine.name, engine.peer)
        command = [sys.executable, "-m", "bench.worker", engine.module, case.name]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=CHECKOUT)

    def check(self, expected: Sequence[float]) -> None:
        """Wait for its first losses, and note whether they are right."""
        reply = self._reply()
        if reply:
            self.outcome.version = reply["version"]
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

    def _reply(self) -> dict[str, Any]:
        """What it says; nothing if it had a problem, which then is noted."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        reply: dict[str, Any] = json.loads(line) if line else {}
        if not line:
            self.outcome.problem = f"its process ended with {self.process.wait()}"
        elif "problem" in reply:
            self.outcome.problem = reply.pop("problem")
        if self.outcome.problem:
            self.outcome.rounds.clear()
        return reply

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *exception: object) -> None:
        self.process.kill()
        self.process.communicate()


def compare(case: Case, engines: Iterable[Engine], rounds: int, seconds: float) -> Comparison:
    """Time ``case`` in every engine that is installed and right, ``rounds`` times in turn for ``seconds`` each."""
    by_hand = build_by_hand(case, np.float64)
    expected = [by_hand() for _ in range(CHECKED)]
    outcomes: list[Outcome] = []
    with ExitStack() as stack:
        running: list[Running] = []
        for engine in engines:
            if not engine.installed:
                problem = f"not installed; pip install {engine.package}"
                outcomes.append(Outcome(engine.name, engine.peer, problem=problem))
                continue
            each = stack.enter_context(Running(engine, case))
            each.check(expected)
            running.append(each)
            outcomes.append(each.outcome)
        for _ in range(rounds):
            for each in running:
                time.sleep(PAUSE)
                each.time(seconds)
    return Comparison(case.name, outcomes)


def table(comparison: Comparison) -> Table:
    """What is shown of ``comparison``: medians, quartiles and ratios, and below them who is missing and why."""
    best, torch = comparison.best_peer, comparison.timed_as("pytorch")
    rows = [
        [
            each.engine,
            each.version,
            duration(each.seconds),
            " ".join(f"{quartile / each.seconds - 1:+.0%}" for quartile in each.quartiles),
            f"{each.over(best):.2f}" if best else "",
            f"{each.over(torch):.2f}" if torch else "",
        ]
        for each in comparison.timed
    ]
    header = ["engine", "version", "a step", "quartiles", "/ best peer", "/ PyTorch"]
    notes = [f"{each.engine}: {each.problem}" for each in comparison.outcomes if each.problem]
    return Table(comparison.case, header, rows, notes)
