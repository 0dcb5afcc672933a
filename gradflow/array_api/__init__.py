"""The namespace of the Python array API standard, version 2024.12, that ``Tensor.__array_namespace__`` returns.

Most names are gradflow's own; those whose signature the standard wants otherwise are in this package. The linear
algebra and Fourier extensions are ``linalg`` and ``fft``; ``special`` is one that is proposed, and that SciPy asks for.

Source: data-apis.org/array-api/2024.12.

>>> import gradflow as gf
>>> xp = gf.ones(2).__array_namespace__()
>>> xp.__array_api_version__, xp.astype(xp.asarray([1.5]), xp.int64)
('2024.12', tensor([1]))
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from gradflow import fft, linalg, special
from gradflow.array_api import functions
from gradflow.array_api.functions import *  # noqa: F403
from gradflow.array_api.inspection import Inspection as __array_namespace_info__
from gradflow.array_api.names import ELSEWHERE, NAMES

VERSIONS = ("2021.12", "2022.12", "2023.12", "2024.12")

__array_api_version__ = VERSIONS[-1]
__all__ = [  # noqa: PLE0604
    *NAMES,
    "__array_api_version__",
    "__array_namespace_info__",
    "fft",
    "linalg",
    "special",
]


def __getattr__(name: str) -> Any:
    if name not in NAMES:
        raise AttributeError(f"module 'gradflow.array_api' has no attribute {name!r}")
    gradflow = import_module("gradflow")  # above this file; only its public names are asked for
    found = globals()[name] = getattr(gradflow, ELSEWHERE.get(name, name))
    return found


def __dir__() -> list[str]:
    return sorted({*__all__, *functions.__all__})
