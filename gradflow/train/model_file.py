"""The file of a trained classifier: safetensors, with metadata from which the model is built again."""

from __future__ import annotations

import json
import sys

from gradflow import serialize
from gradflow.data.reading import StrPath
from gradflow.errors import CheckpointError
from gradflow.train.mlp import MLP, parse_sizes

KEY = "gradflow"  # of the metadata


def save_model(model: MLP, path: StrPath, *, data: str) -> None:
    """Write ``model``, trained on the data set named ``data``, to ``path``: all of it, or nothing changes there.

    The same model makes the same file, byte for byte. Raises CheckpointError if it cannot be written,
    MissingExtraError without the package safetensors.
    """
    described = {
        "version": version(),
        "model": model.extra_repr(),
        "activation": model.activation,
        "dropout": model.dropout,
        "classes": model.sizes[-1],
        "input": "(x - low) / width",
        "data": data,
    }
    try:
        # as one text, because safetensors writes several in an order that changes from run to run
        serialize.save(model, path, {KEY: json.dumps(described)})
    except OSError as error:
        raise CheckpointError(f"{path} cannot be written ({error.strerror or error}); choose another") from error


def load_model(path: StrPath) -> MLP:
    """The model that ``save_model`` wrote to ``path``, on the CPU, in evaluation mode.

    Raises CheckpointError for a file that is missing, damaged or not of such a model, MissingExtraError without
    the package safetensors.

    >>> model = load_model("digits.safetensors")  # doctest: +SKIP
    """
    state, metadata = serialize.load(path)
    try:
        described = json.loads(metadata[KEY])
        model = MLP(parse_sizes(described["model"]), described["activation"], described["dropout"])
        model.load_state_dict(state)
    except (KeyError, ValueError, TypeError) as error:  # among them what MLP and load_state_dict raise
        raise CheckpointError(
            f"{path} is not a model that gradflow train saved ({type(error).__name__}: {error}); "
            "gradflow.serialize.load reads the tensors of any safetensors file"
        ) from error
    model.eval()
    return model


def version() -> str:
    """The version of gradflow."""
    return str(vars(sys.modules["gradflow"])["__version__"])  # loaded before any module in it
