"""The processes that measurements run in: what they are told to do, and the lines of JSON that they reply."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from bench import CHECKOUT
from bench.engines import Unavailable

LENGTH = 300  # of a problem's first line
PATIENCE = 10  # seconds to end in


def start(module: str, *arguments: str, environment: Mapping[str, str]) -> subprocess.Popen[str]:
    """``python -m module arguments`` in the checkout, with those variables added to the environment."""
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=CHECKOUT,
        env=os.environ | environment,
    )


def stop(process: subprocess.Popen[str]) -> None:
    """Let it end, as no more requests come; kill it if it does not."""
    try:
        process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()


def reply_of(process: subprocess.Popen[str]) -> dict[str, Any]:
    """The next line it replies; a ``problem`` if it has ended instead."""
    assert process.stdout is not None
    line = process.stdout.readline()
    reply: dict[str, Any] = json.loads(line) if line else {"problem": f"its process ended with {process.wait()}"}
    return reply


@contextmanager
def replying() -> Iterator[Callable[..., None]]:
    """In such a process: a function that replies its keywords. An error within is replied as ``problem`` or, where
    something is not on this machine, as ``unavailable``; the first is raised as well."""
    with os.fdopen(os.dup(1), "w", buffering=1) as replies:
        os.dup2(2, 1)  # whatever a library prints must not be taken for a reply

        def reply(**said: Any) -> None:
            print(json.dumps(said), file=replies)

        try:
            yield reply
        except Unavailable as why:
            reply(unavailable=str(why))
        except Exception as error:
            first = f"{type(error).__name__}: {error}".strip().partition("\n")[0]
            reply(problem=first[:LENGTH])
            raise
