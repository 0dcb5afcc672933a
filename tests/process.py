"""A fresh Python process that imports gradflow from this checkout."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]


def python(*arguments: str, cwd: Path = CHECKOUT) -> str:
    """What the process prints; it fails the test if it exits with an error."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}  # it is no worker of it
    environment = ours | {"PYTHONPATH": str(CHECKOUT)}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()
