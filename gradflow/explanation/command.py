"""The command ``gradflow explain``: worked examples of backpropagation, to be checked by hand."""

from __future__ import annotations

import argparse
import math

import numpy as np

from gradflow.explanation.document import as_markdown, as_text, escaped
from gradflow.explanation.examples import EXAMPLES, worked

FIRST = ("linear", "sigmoid")  # what is shown if no example is asked for
VALUES = ("x", "w", "b", "t")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command, added to a parser or a subparser."""
    parser.add_argument("example", nargs="?", choices=EXAMPLES, help="which example (default: linear, then sigmoid)")
    parser.add_argument("--x", type=_number, help="input of the neuron")
    parser.add_argument("--w", type=_number, help="weight before training")
    parser.add_argument("--b", type=_number, help="bias before training (sigmoid)")
    parser.add_argument("-t", "--target", dest="t", type=_number, help="what the output should be")
    parser.add_argument("--lr", type=_number, help="learning rate eta (default: 0.1)")
    parser.add_argument("--steps", type=_count, default=1, help="steps of gradient descent (default: 1)")
    parser.add_argument("--markdown", action="store_true", help="print Markdown instead of plain text")


def run(arguments: argparse.Namespace) -> int:
    """Print the examples that ``arguments`` ask for; 0, the exit status.

    Raises ArgumentError for a value that the example does not have.
    """
    parts = [_part(name, arguments) for name in ([arguments.example] if arguments.example else FIRST)]
    print("\n\n".join(parts))
    return 0


def _part(name: str, arguments: argparse.Namespace) -> str:
    example = EXAMPLES[name]
    given = {key: value for key in VALUES if (value := getattr(arguments, key)) is not None}
    if arguments.example is None:  # b belongs to one of the two
        given = {key: value for key, value in given.items() if key in example.values}
    rate = example.rate if arguments.lr is None else arguments.lr
    with np.errstate(over="ignore", invalid="ignore"):  # a rate that is too large shows in the numbers
        sections = worked(example, given, rate, arguments.steps)
    if arguments.markdown:
        return f"## {escaped(example.title)}\n\n{as_markdown(sections)}"
    return f"{example.title}\n{'=' * len(example.title)}\n\n{as_text(sections)}"


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not a finite number")
    return value


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of steps; use 0, 1, 2, ...")
    return int(text)
