"""The file of a trained classifier: safetensors, with metadata from which the model is built again."""

from __future__ import annotations

import math
import sys

from gradflow import serialize
from gradflow.data.reading import StrPath
from gradflow.errors import CheckpointError, GradflowError
from gradflow.train.mlp import MLP, parse_sizes


def save_model(model: MLP, path: StrPath, *, data: str) -> None:
    """Write ``model``, trained on the data set named ``data``, to ``path``: all of it, or nothing changes there.

    Raises CheckpointError if the file cannot be written, MissingExtraError without the package safetensors.
    """
    metadata = {
        "gradflow": version(),
        "model": "-".join(map(str, model.sizes)),
        "activation": model.activation,
        "dropout": repr(model.dropout),
        "classes": str(model.sizes[-1]),
        "input": "(x - low) / width",
        "data": data,
    }
    try:
        serialize.save(model, path, metadata)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be written ({error.strerror or error}); choose another") from error


def load_model(path: StrPath) -> MLP:
    """The model that ``save_model`` wrote to ``path``, on the CPU, in evaluation mode.

    Raises CheckpointError for a file that is missing, damaged or not of such a model, MissingExtraError without
    the package safetensors.
    """
    state, metadata = serialize.load(path)
    if missing := [name for name in ("model", "activation", "dropout") if name not in metadata]:
        raise CheckpointError(
            f"{path} is not a model of gradflow train: its metadata lack {', '.join(missing)}; "
            "gradflow.serialize.load reads the tensors of any safetensors file"
        )
    try:
        model = MLP(parse_sizes(metadata["model"]), metadata["activation"], _number(metadata["dropout"]))
        model.load_state_dict(state)
    except GradflowError as error:
        raise CheckpointError(f"{path} does not hold the model that its metadata describe: {error}") from error
    model.eval()
    return model


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan  # which Dropout refuses with a message


def version() -> str:
    """The version of gradflow."""
    return str(vars(sys.modules["gradflow"])["__version__"])  # loaded before any module in it
