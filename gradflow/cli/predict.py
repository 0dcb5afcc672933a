"""Classify examples with a saved model: a line each, with the class and its probability."""

from __future__ import annotations

import argparse
import sys

import numpy as np

from gradflow.cli.examples import read_examples
from gradflow.data.dataset import Features, Labels
from gradflow.train.evaluation import probabilities
from gradflow.train.mlp import MLP
from gradflow.train.model_file import load_model


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command, added to a parser or a subparser."""
    parser.add_argument("model", metavar="MODEL", help="the file that gradflow train saved")
    parser.add_argument(
        "examples",
        metavar="FILE",
        help="a .csv (one example a line, with or without the label in a last column), .npy or .npz file, or "
        "what gradflow train takes, of which the test examples are classified",
    )


def run(arguments: argparse.Namespace) -> int:
    """Print what the model says of the examples that ``arguments`` name; 0, the exit status."""
    model = load_model(arguments.model)
    x, labels = read_examples(arguments.examples, model.sizes[0])
    _warn_of_other_units(model, x, arguments.examples)
    p = probabilities(model, x)
    predicted = p.argmax(axis=1)
    print("example  class  probability" + ("" if labels is None else "  label"))
    for i, taken in enumerate(predicted):
        print(f"{i + 1:7}  {taken:5}  {p[i, taken]:11.4f}{_label(taken, labels, i)}")
    if labels is not None:
        right = np.count_nonzero(predicted == labels)
        print(f"accuracy {right / len(labels):.2%} ({right:,} of {len(labels):,})")
    return 0


def _label(taken: int, labels: Labels | None, i: int) -> str:
    if labels is None:
        return ""
    return f"  {labels[i]:5}" + ("" if taken == labels[i] else "  wrong")


def _warn_of_other_units(model: MLP, x: Features, source: str) -> None:
    low, high = float(model.low.numpy().min()), float((model.low + model.width).numpy().max())
    least, most = float(x.min()), float(x.max())
    if least < low - (high - low) or most > high + (high - low):
        print(
            f"gradflow: warning: the values in {source} go from {least:g} to {most:g}, in training they went from "
            f"{low:g} to {high:g}; scale them as they were then",
            file=sys.stderr,
        )
