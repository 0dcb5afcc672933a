"""Train a classifier on a data set, show how it goes, and save it."""

from __future__ import annotations

import argparse
import math
import os
import subprocess
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from gradflow.backend import backend_for
from gradflow.cli.display import show
from gradflow.data import Dataset, load
from gradflow.device import device as as_device
from gradflow.errors import ArgumentError, MissingExtraError
from gradflow.ops.generator import manual_seed
from gradflow.optim import SGD, Adam, AdamW, Optimizer
from gradflow.tensor import tensor
from gradflow.train.early_stopping import hold_out, stop_early
from gradflow.train.evaluation import confusions, logits
from gradflow.train.fit import fit
from gradflow.train.mlp import ACTIVATIONS, MLP, parse_sizes
from gradflow.train.model_file import save_model

HIDDEN = 128
CONFUSIONS = 5  # how many are shown
# like the other defaults, chosen on examples held out of the training part of digits, not on its test part
RATES = {"adam": 0.005, "adamw": 0.005, "sgd": 0.1}
DECAYS = {"adam": 0.0, "adamw": 0.01, "sgd": 0.0}
SHOWN = {"momentum": "momentum", "weight_decay": "weight decay"}  # options of an optimizer, if they are not 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command, added to a parser or a subparser."""
    add = parser.add_argument
    kinds = "digits, mnist5k, a directory with MNIST's four files, a .npz or a .csv file"
    add("data", nargs="?", default="digits", help=f"{kinds} (default: %(default)s)")
    add("--model", metavar="SIZES", help=f"layer sizes, as 64-128-10 (default: features-{HIDDEN}-classes)")
    add("--activation", choices=ACTIVATIONS, default="relu", help="between layers (default: %(default)s)")
    add("--dropout", type=float, default=0.2, metavar="P", help="share of hidden values that a step leaves out (default: %(default)s)")
    add("--optimizer", choices=RATES, default="adam", help="how gradients become steps (default: %(default)s)")
    add("--lr", type=float, help=f"learning rate of the first epoch (default: {_listed(RATES)})")
    add("--momentum", type=float, default=0.9, metavar="M", help="of sgd (default: %(default)s)")
    add("--weight-decay", type=float, metavar="W", help=f"pull of weights towards 0 (default: {_listed(DECAYS)})")
    add("--epochs", type=int, default=40, metavar="N", help="passes over the training examples (default: %(default)s)")
    add("--batch", type=int, default=32, metavar="N", help="examples in a step (default: %(default)s)")
    add("--early-stopping", type=int, metavar="N", help="stop after N epochs without progress on held-out examples")
    add("--seed", type=int, default=0, help="the same seed gives the same model (default: %(default)s)")
    add("--device", default="cpu", help="cpu, cuda or cuda:1 (default: %(default)s)")
    add("--out", type=Path, metavar="FILE", help="where the model is saved (default: DATA.safetensors)")


def run(arguments: argparse.Namespace) -> int:
    """Train and save the model that ``arguments`` ask for; 0, the exit status."""
    data = load(arguments.data)
    out = arguments.out or Path(f"{Path(data.name).name.partition('.')[0]}.safetensors")
    _check_can_save(out)
    manual_seed(arguments.seed)
    patience = arguments.early_stopping
    trained_on = data if patience is None else hold_out(data, arguments.seed)
    model = _model(arguments, trained_on)
    optimizer = _optimizer(arguments, model)
    epochs = fit(
        model, optimizer, trained_on, epochs=arguments.epochs, batch=arguments.batch, seed=arguments.seed
    )
    if patience is not None:
        epochs = stop_early(epochs, model, patience)
    print(_plan(arguments, data, trained_on, model, optimizer), flush=True)
    show(epochs, arguments.epochs, checked_on="test" if patience is None else "validation")
    print(_result(model, data))
    save_model(model, out, data=data.name)
    print(_use(arguments.data, out))
    return 0


def _model(arguments: argparse.Namespace, data: Dataset) -> MLP:
    features, classes = math.prod(data.x_train.shape[1:]), data.classes
    sizes = parse_sizes(arguments.model or f"{features}-{HIDDEN}-{classes}")
    if (sizes[0], sizes[-1]) != (features, classes):
        wanted = "-".join(map(str, (features, *sizes[1:-1], classes)))
        raise ArgumentError(
            f"model {arguments.model!r}: {data.name} has {features} features and {classes} classes, so the first "
            f"size must be {features} and the last {classes}: {wanted}"
        )
    device = as_device(arguments.device)
    backend_for(device)  # raises unless it is there
    model = MLP(sizes, arguments.activation, arguments.dropout)
    model.learn_range(tensor(data.x_train))
    return model.to(device)


def _optimizer(arguments: argparse.Namespace, model: MLP) -> Optimizer:
    name, parameters = arguments.optimizer, model.parameters()
    lr = RATES[name] if arguments.lr is None else arguments.lr
    decay = DECAYS[name] if arguments.weight_decay is None else arguments.weight_decay
    if name == "sgd":
        return SGD(parameters, lr, arguments.momentum, weight_decay=decay)
    return (Adam if name == "adam" else AdamW)(parameters, lr, weight_decay=decay)


def _check_can_save(out: Path) -> None:
    """Raise before the training what would be raised after it."""
    if find_spec("safetensors") is None:
        raise MissingExtraError(
            "train: models are saved with the package safetensors, which is not installed; "
            'pip install "gradflow[train]"'
        )
    if out.is_dir():
        raise ArgumentError(f"--out {out} is a directory; give the name of a file")
    if not out.absolute().parent.is_dir():
        raise ArgumentError(f"--out {out}: there is no directory {out.parent}; make it first")
    if not os.access(out.absolute().parent, os.W_OK):
        raise ArgumentError(f"--out {out}: the directory {out.parent} cannot be written to; choose another")


def _plan(
    arguments: argparse.Namespace, data: Dataset, trained_on: Dataset, model: MLP, optimizer: Optimizer
) -> str:
    group = optimizer.param_groups[0]
    count = sum(p.size for p in model.parameters())
    held = f"{len(trained_on.y_test):,} to stop early by, " if trained_on is not data else ""
    settings = [f"{type(optimizer).__name__}, learning rate {group['lr']:g} falling to 0"]
    settings += [f"{words} {group[name]:g}" for name, words in SHOWN.items() if group.get(name)]
    return "\n".join(
        [
            f"data       {data.name}: {len(trained_on.y_train):,} examples to train on, {held}"
            f"{len(data.y_test):,} to test on; {model.sizes[0]} features, {data.classes} classes",
            f"model      {model.extra_repr()} with {model.activation} and dropout {model.dropout:g}: "
            f"{count:,} parameters",
            f"optimizer  {', '.join(settings)}",
            f"run        {arguments.epochs} epochs in batches of {arguments.batch}, seed {arguments.seed}, "
            f"on {arguments.device}",
            "",
        ]
    )


def _result(model: MLP, data: Dataset) -> str:
    predicted = logits(model, data.x_test).argmax(axis=1)
    right, count = np.count_nonzero(predicted == data.y_test), len(data.y_test)
    lines = ["", f"test accuracy {right / count:.2%} ({right:,} of {count:,})"]
    for label, taken, times in confusions(data.y_test, predicted)[:CONFUSIONS]:
        lines.append(f"  {label} taken for {taken}: {times} time{'s' * (times != 1)}")
    return "\n".join(lines)


def _use(source: str, out: Path) -> str:
    return f"""
saved to {out} ({out.stat().st_size / 1000:.1f} kB); to classify with it:

  {subprocess.list2cmdline(["gradflow", "predict", str(out), source])}

or in Python:

  from gradflow import data, train
  model = train.load_model({str(out)!r})
  print(train.probabilities(model, data.load({source!r}).x_test).argmax(axis=1))"""


def _listed(defaults: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in defaults.items())
