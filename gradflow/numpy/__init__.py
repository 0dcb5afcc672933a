"""NumPy's functions, under NumPy's names and signatures, for tensors: the ``xp`` of code written with NumPy.

``import gradflow.numpy as np`` in place of ``import numpy as np`` makes code differentiable, and ``np.sin(t)`` of NumPy
itself comes here, too (see gradflow/protocols.py). dtypes are NumPy's: Python floats become float64. Arguments that
gradflow does not take (``out=``, ``where=``) are a TypeError that says what to do instead.

>>> import gradflow.numpy as np
>>> x = np.array([3.0, 4.0]).requires_grad_()
>>> np.linalg.norm(x).backward()
>>> x.grad
tensor([0.6, 0.8], dtype=float64)
"""

from __future__ import annotations

from typing import Any

from gradflow.numpy import fft, linalg, random  # noqa: F401 - NumPy has them here, too
from gradflow.numpy.names import names, resolved
from gradflow.tensor import Tensor as ndarray  # noqa: F401

__all__ = [*sorted({*names(), "fft", "linalg", "ndarray", "random"})]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    found = globals()[name] = resolved(name)
    return found


def __dir__() -> list[str]:
    return __all__
