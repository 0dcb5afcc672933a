"""Opening a data file, plain or gzip-compressed, so that what is wrong with it is a DataError naming it."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

from gradflow.errors import DataError

StrPath = str | os.PathLike[str]


@contextmanager
def reading(path: Path) -> Iterator[BufferedReader | gzip.GzipFile]:
    """The bytes of the file at `path`, decompressed if its name ends in .gz.

    Raises DataError for a file that is missing, unreadable, truncated or not gzip, when opened or when read.
    """
    try:
        with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
            yield file
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist; check the path") from error
    except EOFError as error:
        raise DataError(f"{path} is truncated: its compressed data stop early; copy it again") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        advice = "copy it again, or drop .gz from its name if it is not compressed"
        raise DataError(f"{path} is not gzip data or is damaged ({error}); {advice}") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror or error}); check the file") from error
