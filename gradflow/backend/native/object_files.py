"""Compiled code on disk, for the next process."""

from __future__ import annotations

import os
import sys
import tempfile
from hashlib import sha256
from pathlib import Path

DIGEST = 32  # bytes of SHA-256 in front of each file, so that a damaged one is not executed


def folder() -> Path:
    """Where code is kept: $GRADFLOW_CACHE_DIR, or gradflow/ in the user's directory for caches."""
    chosen = os.environ.get("GRADFLOW_CACHE_DIR")
    if chosen:
        return Path(chosen)
    if sys.platform == "win32":
        caches = os.environ.get("LOCALAPPDATA") or "~/AppData/Local"
    else:
        caches = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(os.path.expanduser(caches)) / "gradflow"


def read(key: str) -> bytes | None:
    """What was written under ``key``; None if nothing was, or it is damaged."""
    try:
        content = (folder() / f"{key}.o").read_bytes()
    except OSError:
        return None
    digest, image = content[:DIGEST], content[DIGEST:]
    return image if sha256(image).digest() == digest else None


def write(key: str, image: bytes) -> None:
    """Keep ``image`` under ``key``, at once or not at all; a directory that cannot be written to is no error."""
    place = folder()
    try:
        place.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=place)
        try:
            with open(handle, "wb") as file:
                file.write(sha256(image).digest() + image)
            os.replace(temporary, place / f"{key}.o")
        except OSError:
            os.unlink(temporary)
            raise
    except OSError:
        return
