"""The machine that the numbers come from, and whether something else is keeping it busy."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from datetime import UTC, datetime
from importlib import metadata, util
from pathlib import Path
from typing import cast

import numpy as np

from bench import CHECKOUT

SETTINGS = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
BUSY = 0.1  # of the processors' time spent on others


def facts() -> dict[str, str]:
    """What a reader needs to judge the numbers."""
    settings = {name: os.environ[name] for name in SETTINGS if name in os.environ}
    loads = " ".join(f"{load:.2f}" for load in os.getloadavg()) if hasattr(os, "getloadavg") else "unknown"
    return {
        "processor": f"{_processor()}, {cores()} cores usable",
        "system": platform.platform(terse=True),
        "Python": platform.python_version(),
        "NumPy": f"{np.__version__} with {_blas()}",
        "llvmlite": metadata.version("llvmlite") if util.find_spec("llvmlite") else "not installed",
        "OPENBLAS_CORETYPE": settings.pop("OPENBLAS_CORETYPE", "not set"),
        **settings,
        "date": datetime.now(UTC).isoformat(" ", "minutes"),
        "command": f"python -m bench {' '.join(sys.argv[1:])}",
        "commit": _commit(),
        "load average": loads,
    }


def _processor() -> str:
    try:
        described = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in described.splitlines() if line.startswith("model name")]
    return names[0] if names else platform.machine()


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _blas() -> str:
    """NumPy's BLAS; with threadpoolctl, the kernels it has chosen and its threads as well."""
    if util.find_spec("threadpoolctl") is not None:
        from threadpoolctl import threadpool_info

        for pool in threadpool_info():
            if pool["user_api"] == "blas":
                kernels = pool.get("architecture", "unknown")
                return f"{pool['internal_api']} {pool['version']} ({kernels}, {pool['num_threads']} threads)"
    built = cast(dict[str, dict[str, dict[str, str]]], np.show_config(mode="dicts"))["Build Dependencies"]["blas"]
    return f"{built['name']} {built['version']}"


def _commit() -> str:
    """The commit of the checkout; with a plus sign if there are changes on top of it."""
    command = ["git", "describe", "--always", "--dirty=+", "--exclude=*"]
    try:
        done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return done.stdout.strip()


def busy_warning() -> str:
    """A warning if other programs are using the processors now; otherwise an empty string.

    Where /proc/stat is, the share of time they use while this process sleeps counts; the load average, which
    remembers this program's own last run, where it is not.
    """
    share = _busy_share()
    if share <= BUSY:
        return ""
    return f"The machine is busy: others use {share:.0%} of its processors. Only trust the ratios of a quiet run."


def _busy_share() -> float:
    try:
        before = _ticks()
        time.sleep(0.5)
        after = _ticks()
    except OSError:
        return os.getloadavg()[0] / cores() if hasattr(os, "getloadavg") else 0.0
    spent = [b - a for a, b in zip(before, after, strict=True)]
    return 1 - (spent[3] + spent[4]) / max(sum(spent), 1)  # user, nice, system, idle, waiting for disks, ...


def _ticks() -> list[int]:
    first = Path("/proc/stat").read_text(encoding="utf-8").partition("\n")[0]
    return [int(each) for each in first.split()[1:9]]
