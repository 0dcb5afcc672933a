"""Models in files: a state dict to and from the safetensors format, which other libraries read too."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from gradflow.dtypes import find_bfloat16
from gradflow.errors import CheckpointError, DTypeError, GradflowError, MissingExtraError
from gradflow.nn.module import Module
from gradflow.tensor import Tensor, TensorLike, tensor

StrPath = str | os.PathLike[str]


def save(model: Module | Mapping[str, TensorLike], path: StrPath, metadata: Mapping[str, str] | None = None) -> None:
    """Write the state dict of ``model``, or one itself, to ``path``, with ``metadata``: text by name.

    The file is complete or not there: until the last byte is on the disk, an older file stays as it is.
    Raises OSError if ``path`` cannot be written, DTypeError for metadata that is not text and for values that
    are not arrays, MissingExtraError without the package safetensors, whose format this is.

    >>> import gradflow as gf, tempfile
    >>> model = gf.nn.Linear(2, 1)
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     save(model, f"{directory}/model.safetensors", {"epoch": "3"})
    ...     state, metadata = load(f"{directory}/model.safetensors")
    >>> metadata, model.load_state_dict(state)
    ({'epoch': '3'}, LoadedKeys(missing_keys=[], unexpected_keys=[]))
    """
    from_numpy = _safetensors("save").numpy
    if not isinstance(model, Module | Mapping):
        raise DTypeError(f"save: takes a model, or its tensors by name, and then a path; got a {type(model).__name__}")
    state = model.state_dict() if isinstance(model, Module) else model
    texts = dict(metadata or {})
    if not all(isinstance(each, str) for item in texts.items() for each in item):
        raise DTypeError(f"save: metadata must be text by name, got {texts}; convert the values with str()")
    arrays = {name: _array(name, value) for name, value in state.items()}
    _replace(Path(os.path.realpath(path)), from_numpy.save(arrays, texts or None))


def load(path: StrPath) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The state dict in a safetensors file, on the CPU, for ``model.load_state_dict``, and the metadata.

    Raises CheckpointError, which names the file, if it is missing, truncated, of another format, or of a dtype
    that gradflow has not; MissingExtraError without the package safetensors.
    """
    safetensors = _safetensors("load")
    with suppress(MissingExtraError):
        find_bfloat16()  # where there is ml_dtypes, safetensors knows by its import what BF16 is
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            metadata = dict(file.metadata() or {})
            return {name: tensor(file.get_tensor(name)) for name in file.keys()}, metadata  # noqa: SIM118
    except FileNotFoundError as error:
        raise CheckpointError(f"load: {path} does not exist; check the path") from error
    except OSError as error:
        raise CheckpointError(f"load: {path} cannot be read ({error}); check that it is a file") from error
    except safetensors.SafetensorError as error:
        raise CheckpointError(
            f"load: {path} is truncated, or no safetensors file ({error}); copy it again, or write it "
            "with gf.serialize.save (in PyTorch, safetensors.torch.save_file)"
        ) from error
    except (AttributeError, TypeError) as error:  # how safetensors and gf.tensor refuse a dtype
        raise CheckpointError(
            f"load: {path} holds a dtype that gradflow has not ({error}); save it as float32"
        ) from error


def _array(name: str, value: TensorLike) -> Any:
    try:
        return np.asarray(tensor(value).detach().cpu().numpy(), order="C")  # safetensors ignores strides
    except GradflowError as error:
        raise DTypeError(f"save: {name!r} is not an array or tensor ({error})") from None


def _replace(path: Path, content: bytes) -> None:
    # beside the file, because a rename must not cross file systems
    part = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    try:
        with part.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _safetensors(function: str) -> ModuleType:
    try:
        import safetensors.numpy
    except ImportError as error:
        raise MissingExtraError(
            f"{function}: the files of models need the package safetensors, which is not installed; "
            'pip install "gradflow[train]"'
        ) from error
    return safetensors
