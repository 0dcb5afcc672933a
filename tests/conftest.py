"""Fixtures every test may use."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # the arrays are small: threads that spin only slow the others down

import numpy as np
import pytest


@pytest.fixture
def torch():
    """PyTorch, an oracle where it is installed."""
    return pytest.importorskip("torch")


@pytest.fixture
def rng() -> np.random.Generator:
    """The same random numbers in every run."""
    return np.random.default_rng(0)
