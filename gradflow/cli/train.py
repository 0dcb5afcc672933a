"""Train a classifier on a data set, show how it goes, and save it."""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from gradflow.backend import backend_for
from gradflow.cli import display
from gradflow.data import Dataset, load
from gradflow.device import device as as_device
from gradflow.errors import ArgumentError, MissingExtraError
from gradflow.ops.generator import manual_seed
from gradflow.optim import SGD, Adam, AdamW, Optimizer
from gradflow.tensor import tensor
from gradflow.train.early_stopping import hold_out, stop_early
from gradflow.train.fit import Epoch, fit
from gradflow.train.mlp import ACTIVATIONS, MLP, parse_sizes
from gradflow.train.model_file import save_model

HIDDEN = 256
# like the other defaults, chosen on examples held out of the training part of digits, not on its test part
RATES = {"adam": 0.005, "adamw": 0.005, "sgd": 0.1}
MOMENTUM = 0.9
DECAYS = {"adam": 0.0, "adamw": 0.01, "sgd": 0.0}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command, added to a parser or a subparser."""
    add = parser.add_argument
    kinds = "digits, mnist5k, a directory with MNIST's four files, a .npz or a .csv file"
    add("data", nargs="?", default="digits", help=f"{kinds} (default: %(default)s)")
    add("--model", metavar="SIZES", help=f"layer sizes, as 64-256-10 (default: features-{HIDDEN}-classes)")
    add("--activation", choices=ACTIVATIONS, default="gelu", help="between layers (default: %(default)s)")
    add(
        "--dropout",
        type=float,
        default=0.0,
        metavar="P",
        help="share of hidden values that a step leaves out (default: %(default)s)",
    )
    add("--optimizer", choices=RATES, default="adam", help="how gradients become steps (default: %(default)s)")
    add("--lr", type=float, help=f"learning rate of the first epoch (default: {_listed(RATES)})")
    add("--momentum", type=float, metavar="M", help=f"of sgd (default: {MOMENTUM})")
    add("--weight-decay", type=float, metavar="W", help=f"pull of weights towards 0 (default: {_listed(DECAYS)})")
    add("--epochs", type=int, default=40, metavar="N", help="passes over the training examples (default: %(default)s)")
    add("--batch", type=int, default=32, metavar="N", help="examples in a step (default: %(default)s)")
    add(
        "--label-smoothing",
        type=float,
        default=0.1,
        metavar="S",
        help="share of a label spread over all classes (default: %(default)s)",
    )
    add("--early-stopping", type=int, metavar="N", help="stop after N epochs without progress on held-out examples")
    add("--seed", type=int, default=0, help="the same seed gives the same model (default: %(default)s)")
    add("--device", default="cpu", help="cpu, cuda or cuda:1 (default: %(default)s)")
    add("--out", type=Path, metavar="FILE", help="where the model is saved (default: DATA.safetensors)")


def run(arguments: argparse.Namespace) -> int:
    """Train and save the model that ``arguments`` ask for; 0, the exit status."""
    data = load(arguments.data)
    out = arguments.out or Path(f"{Path(data.name.removesuffix('.gz')).stem}.safetensors")
    _check_can_save(out)
    manual_seed(arguments.seed)
    stopping = arguments.early_stopping is not None
    trained_on = hold_out(data, arguments.seed) if stopping else data
    model = _model(arguments, trained_on)
    optimizer = _optimizer(arguments, model)
    epochs = _epochs(arguments, model, optimizer, trained_on)
    print(display.plan(arguments, data, trained_on, model, optimizer), flush=True)
    with np.errstate(over="ignore", invalid="ignore"):  # fit says in its own words when the loss is not finite
        seen = display.show(epochs, arguments.epochs, checked_on="validation" if stopping else "test")
    print()
    if stopping:
        best = min(seen, key=lambda epoch: epoch.test.loss)
        print(f"the model is that of epoch {best.number}, with the lowest loss on the validation examples")
    print(display.result(model, data))
    save_model(model, out, data=data.name)
    print(display.usage(arguments.data, out))
    return 0


def _epochs(arguments: argparse.Namespace, model: MLP, optimizer: Optimizer, data: Dataset) -> Iterator[Epoch]:
    epochs = fit(
        model,
        optimizer,
        data,
        epochs=arguments.epochs,
        batch=arguments.batch,
        label_smoothing=arguments.label_smoothing,
        seed=arguments.seed,
    )
    return epochs if arguments.early_stopping is None else stop_early(epochs, model, arguments.early_stopping)


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
        momentum = MOMENTUM if arguments.momentum is None else arguments.momentum
        return SGD(parameters, lr, momentum, weight_decay=decay)
    if arguments.momentum is not None:
        raise ArgumentError(f"--momentum is an option of sgd, not of {name}; add --optimizer sgd or leave it out")
    return (Adam if name == "adam" else AdamW)(parameters, lr, weight_decay=decay)


def _check_can_save(out: Path) -> None:
    """Raise before the training what would be raised after it."""
    if find_spec("safetensors") is None:
        raise MissingExtraError(
            "train: models are saved with the package safetensors, which is not installed; "
            'pip install "gradflow[train]"'
        )
    if out.suffix != ".safetensors" or out.is_dir():
        raise ArgumentError(f"--out {out}: give the name of a file that ends in .safetensors")
    if not out.absolute().parent.is_dir():
        raise ArgumentError(f"--out {out}: there is no directory {out.parent}; make it first")
    if not os.access(out.absolute().parent, os.W_OK):
        raise ArgumentError(f"--out {out}: the directory {out.parent} cannot be written to; choose another")


def _listed(defaults: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in defaults.items())
