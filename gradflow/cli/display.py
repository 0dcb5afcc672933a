"""What a training shows: the plan, a line an epoch with a progress bar below, the result, the way to use it."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from gradflow.data import Dataset
from gradflow.optim import Optimizer
from gradflow.train.evaluation import confusions, logits
from gradflow.train.fit import Epoch
from gradflow.train.mlp import MLP

CONFUSIONS = 5  # how many are shown
SHOWN = {"momentum": "momentum", "weight_decay": "weight decay"}  # options of an optimizer, if they are not 0


def plan(arguments: argparse.Namespace, data: Dataset, trained_on: Dataset, model: MLP, optimizer: Optimizer) -> str:
    """What is trained on what, and how."""
    group = optimizer.param_groups[0]
    count = sum(p.size for p in model.parameters())
    held = f"{len(trained_on.y_test):,} to stop early by, " if trained_on is not data else ""
    hidden = f" with {model.activation}" + (f" and dropout {model.dropout:g}" if model.dropout else "")
    settings = [f"{type(optimizer).__name__}, learning rate {group['lr']:g} falling to 0"]
    settings += [f"{words} {group[name]:g}" for name, words in SHOWN.items() if group.get(name)]
    return "\n".join(
        [
            f"data       {data.name}: {len(trained_on.y_train):,} examples to train on, {held}"
            f"{len(data.y_test):,} to test on; {model.sizes[0]} features, {data.classes} classes",
            f"model      {model.extra_repr()}{hidden if len(model.sizes) > 2 else ''}: {count:,} parameters",
            f"optimizer  {', '.join(settings)}",
            f"run        {arguments.epochs} epoch{'s' * (arguments.epochs != 1)} in batches of {arguments.batch}, "
            f"label smoothing {arguments.label_smoothing:g}, seed {arguments.seed}, on {arguments.device}",
            "",
        ]
    )


def show(epochs: Iterable[Epoch], total: int, checked_on: str) -> list[Epoch]:
    """Run ``epochs``, of which there are at most ``total``, print a line after each, and return them.

    ``checked_on`` says what their test examples are: "test" or "validation". In a terminal, if rich is
    installed, a bar shows the progress; what goes to a file or a pipe is plain lines.
    """
    titles = ["epoch", "train loss", "train accuracy", f"{checked_on} accuracy", "seconds"]
    print("  ".join(titles), flush=True)
    if sys.stdout.isatty() and os.environ.get("TERM") != "dumb" and find_spec("rich") is not None:
        return _show_above_bar(epochs, total, titles)
    seen = []
    for epoch in epochs:
        print(_line(epoch, titles), flush=True)
        seen.append(epoch)
    return seen


def _line(epoch: Epoch, titles: list[str]) -> str:
    cells = (
        f"{epoch.number}",
        f"{epoch.train.loss:.4f}",
        f"{epoch.train.accuracy:.2%}",
        f"{epoch.test.accuracy:.2%}",
        f"{epoch.seconds:.2f}",
    )
    return "  ".join(cell.rjust(len(title)) for cell, title in zip(cells, titles, strict=True))


def _show_above_bar(epochs: Iterable[Epoch], total: int, titles: list[str]) -> list[Epoch]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (MofNCompleteColumn(), BarColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    seen = []
    with Progress(*columns, transient=True) as progress:
        task = progress.add_task("", total=total)
        for epoch in epochs:
            progress.console.print(_line(epoch, titles), highlight=False, markup=False)
            state = f"loss {epoch.train.loss:.4f}  accuracy {epoch.train.accuracy:.2%}"
            progress.update(task, advance=1, description=state)
            seen.append(epoch)
    return seen


def result(model: MLP, data: Dataset) -> str:
    """How ``model`` does on the test examples, and what it confuses most."""
    predicted = logits(model, data.x_test).argmax(axis=1)
    right, count = np.count_nonzero(predicted == data.y_test), len(data.y_test)
    lines = [f"test accuracy {right / count:.2%} ({right:,} of {count:,})"]
    for label, taken, times in confusions(data.y_test, predicted)[:CONFUSIONS]:
        lines.append(f"  {label} taken for {taken}: {times} time{'s' * (times != 1)}")
    return "\n".join(lines)


def usage(source: str, out: Path) -> str:
    """Where the model is, and how to classify the test examples of ``source`` with it."""
    return f"""
saved to {out} ({out.stat().st_size / 1000:.1f} kB); to classify with it:

  {subprocess.list2cmdline(["gradflow", "predict", str(out), source])}

or in Python:

  from gradflow import data, train
  model = train.load_model({str(out)!r})
  print(train.probabilities(model, data.load({source!r}).x_test).argmax(axis=1))"""
