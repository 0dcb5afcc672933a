"""Fixtures every test may use."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # the arrays are small: threads that spin only slow the others down

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import gradflow as gf
from gradflow.backend.launcher import Launcher
from gradflow.testing import device, nvrtc


@pytest.fixture
def torch():
    """PyTorch, an oracle where it is installed."""
    return pytest.importorskip("torch")


@pytest.fixture
def rng() -> np.random.Generator:
    """The same random numbers in every run."""
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def simulated() -> Any:
    """The CUDA backend on two simulated devices, the same for all tests: its kernels are compiled once."""
    if not nvrtc.available():
        pytest.skip("NVRTC is not installed, which compiles the kernels")
    return device.simulated_backend(devices=2)


@pytest.fixture
def cuda(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Device "cuda" and the module cupy: a GPU where there is one, elsewhere simulated."""
    if gf.cuda.is_available():
        yield gf.backend.cuda_backend().xp
        return
    if os.environ.get("GRADFLOW_REQUIRE_CUDA"):
        gf.zeros(1, device="cuda")  # raises, and says why there is none
    with device.serving(request.getfixturevalue("simulated")) as xp:
        yield xp


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the kernels launched so far, in order."""
    names: list[str] = []
    launch = Launcher.launch
    monkeypatch.setattr(Launcher, "launch", lambda self, work: names.append(work.kernel) or launch(self, work))
    return names
