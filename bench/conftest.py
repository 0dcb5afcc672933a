"""The pytest-benchmark suite: ``pytest bench --benchmark-only`` finds bench_*.py and the functions bench_* in them."""

from __future__ import annotations

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("python_files", "bench_*.py")
    config.addinivalue_line("python_functions", "bench_*")
