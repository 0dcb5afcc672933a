"""The command line: ``gradflow train``, ``predict``, ``explain``, ``info`` and ``selftest``."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence

from gradflow.cli import info, predict, selftest, train
from gradflow.errors import GradflowError
from gradflow.explanation import command as explain
from gradflow.train.model_file import version

COMMANDS = {
    "train": (train, "train a classifier, show how it goes, save it"),
    "predict": (predict, "classify examples with a saved model"),
    "explain": (explain, "backpropagation by worked examples, every number shown"),
    "info": (info, "versions, devices, optional packages"),
    "selftest": (selftest, "check a CUDA device against the CPU"),
}
FAILED, INTERRUPTED = 2, 130  # 2 as from argparse, 128 + SIGINT as from a shell


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that ``argv`` (by default the program's arguments) asks for, and return the exit status.

    The status is 0, 2 after an error, which is printed, or 130 after Ctrl-C. Raises SystemExit as argparse
    does: 0 for ``--help`` and ``--version``, 2 for arguments that are none.

    >>> main(["train", "--model", "64"])  # prints how a model is written
    2
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # not every terminal and pipe is UTF-8
            stream.reconfigure(errors="backslashreplace")
    arguments = _parser().parse_args(argv)
    try:
        status: int = arguments.run(arguments)
        sys.stdout.flush()
        return status
    except GradflowError as error:
        return _fail(str(error), FAILED)
    except MemoryError as error:
        return _fail(f"there is not enough memory ({error}); use a smaller model or batch", FAILED)
    except KeyboardInterrupt:
        return _fail("interrupted", INTERRUPTED)
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at exit
        return FAILED


def _fail(message: str, status: int) -> int:
    label = "error: " if status == FAILED else ""
    print(f"gradflow: {label}{message}", file=sys.stderr)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="gradflow", description="Gradients and training for NumPy and CuPy arrays.")
    parser.add_argument("--version", action="version", version=f"gradflow {version()}")
    commands = parser.add_subparsers(required=True, metavar="command")
    for name, (command, summary) in COMMANDS.items():
        subparser = commands.add_parser(name, help=summary, description=command.__doc__)
        command.add_arguments(subparser)
        subparser.set_defaults(run=command.run)
    return parser
