"""NVIDIA's runtime compiler by ctypes: CUDA C to PTX, or to what ptxas says a kernel needs, with no GPU."""

from __future__ import annotations

import ctypes
import re
import sys
from collections.abc import Callable, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from gradflow.errors import KernelError, MissingExtraError

FLAGS = ("-std=c++17", "-ftz=true", "--device-as-default-execution-space")  # CuPy's
NAMES = ("libnvrtc.so.13", "libnvrtc.so.12", "nvrtc64_130_0.dll", "nvrtc64_120_0.dll")
_remembered: dict[tuple[Any, ...], Any] = {}


class Compiled(NamedTuple):
    """PTX text, the mangled name of each name expression, and what the compiler had to say."""

    ptx: str
    names: dict[str, str]
    log: str


class Resources(NamedTuple):
    """What ptxas gives a kernel: registers a thread, and bytes of stack, spills, static shared and constant memory.

    ``constant`` is 0 from sm_90 on, for which ptxas does not say.
    """

    registers: int
    stack: int
    spill_stores: int
    spill_loads: int
    shared: int
    constant: int


def available() -> bool:
    """Whether NVRTC is installed and loads."""
    try:
        return _library() is not None
    except MissingExtraError:
        return False


def compile(source: str, names: Sequence[str], arch: str = "compute_80", options: Sequence[str] = ()) -> Compiled:
    """``source`` as PTX with line information, compiled with the flags that CuPy uses; remembered by content.

    ``names`` are the name expressions of the kernels that are wanted, ``f<float>`` or plain names. MissingExtraError
    without NVRTC; KernelError with the compiler's text where the program is wrong.

    >>> from gradflow.testing import nvrtc
    >>> source = "template <typename T> __global__ void zero(T* out) { *out = 0; }"
    >>> nvrtc.compile(source, ["zero<float>"]).names  # doctest: +SKIP
    {'zero<float>': '_Z4zeroIfEvPT_'}
    """
    key = ("ptx", source, tuple(names), arch, tuple(options))
    if key not in _remembered:
        with _Program(source) as program:
            log, mangled = program.compile(names, [f"--gpu-architecture={arch}", *FLAGS, "-lineinfo", *options])
            _remembered[key] = Compiled(program.text("PTX"), mangled, log)
    result: Compiled = _remembered[key]
    return result


def resources(source: str, names: Sequence[str], arch: str = "sm_80") -> dict[str, Resources]:
    """What each kernel of ``source`` needs on the real architecture ``arch``, by name expression, as ptxas reports it.

    Raises what ``compile`` raises.
    """
    key = ("resources", source, tuple(names), arch)
    if key not in _remembered:
        with _Program(source) as program:
            log, mangled = program.compile(names, [f"--gpu-architecture={arch}", *FLAGS, "--ptxas-options=-v"])
        found = _parse(log)
        _remembered[key] = {name: found[mangled[name]] for name in names}
    result: dict[str, Resources] = _remembered[key]
    return result


def version() -> tuple[int, int]:
    """The version of NVRTC: (12, 9)."""
    major, minor = ctypes.c_int(), ctypes.c_int()
    _library().nvrtcVersion(ctypes.byref(major), ctypes.byref(minor))
    return major.value, minor.value


def _parse(log: str) -> dict[str, Resources]:
    """Every entry function in the output of ``ptxas -v``, by mangled name."""
    found = {}
    for entry in re.split(r"Compiling entry function '", log)[1:]:

        def number(pattern: str, entry: str = entry) -> int:
            match = re.search(pattern, entry)
            return int(match.group(1)) if match else 0

        found[entry[: entry.index("'")]] = Resources(
            registers=number(r"Used (\d+) registers"),
            stack=number(r"(\d+) bytes stack frame"),
            spill_stores=number(r"(\d+) bytes spill stores"),
            spill_loads=number(r"(\d+) bytes spill loads"),
            shared=number(r"(\d+) bytes smem"),
            constant=number(r"(\d+) bytes cmem\[0\]"),
        )
    return found


class _Program:
    """An nvrtcProgram for the length of a with block."""

    def __init__(self, source: str) -> None:
        self.library = _library()
        self.handle = ctypes.c_void_p()
        self.check(
            self.library.nvrtcCreateProgram(ctypes.byref(self.handle), source.encode(), b"program.cu", 0, None, None)
        )

    def __enter__(self) -> _Program:
        return self

    def __exit__(self, *raised: object) -> None:
        self.library.nvrtcDestroyProgram(ctypes.byref(self.handle))

    def check(self, status: int) -> None:
        if status != 0:
            self.library.nvrtcGetErrorString.restype = ctypes.c_char_p
            raise KernelError(f"NVRTC: {self.library.nvrtcGetErrorString(status).decode()} (status {status})")

    def compile(self, names: Sequence[str], options: Sequence[str]) -> tuple[str, dict[str, str]]:
        """The log and the mangled names; KernelError with the log if the program is wrong."""
        for name in names:
            self.check(self.library.nvrtcAddNameExpression(self.handle, name.encode()))
        encoded = (ctypes.c_char_p * len(options))(*[option.encode() for option in options])
        status = self.library.nvrtcCompileProgram(self.handle, len(options), encoded)
        log = _shortened(self.text("ProgramLog"))
        if status != 0:
            raise KernelError(f"the CUDA program does not compile ({', '.join(options)}):\n{log.strip()}")
        mangled = {}
        for name in names:
            text = ctypes.c_char_p()
            self.check(self.library.nvrtcGetLoweredName(self.handle, name.encode(), ctypes.byref(text)))
            mangled[name] = (text.value or b"").decode()
        return log, mangled

    def text(self, what: str) -> str:
        """``nvrtcGet<what>`` as a string."""
        size = ctypes.c_size_t()
        self.check(getattr(self.library, f"nvrtcGet{what}Size")(self.handle, ctypes.byref(size)))
        buffer = ctypes.create_string_buffer(size.value)
        self.check(getattr(self.library, f"nvrtcGet{what}")(self.handle, buffer))
        return buffer.value.decode()


def _shortened(log: str) -> str:
    """The log with ``kernels/x.cu`` where NVRTC put the current directory in front of the name in a #line."""
    return log.replace(f"{Path.cwd()}/", "")


@cache
def _library() -> Any:
    """The shared library, from NVIDIA's wheel or from where the system keeps libraries."""
    for path in _candidates():
        try:
            library = (ctypes.CDLL if sys.platform != "win32" else _windows_library())(str(path))
        except OSError:
            continue
        library.nvrtcDestroyProgram.argtypes = [ctypes.c_void_p]
        return library
    raise MissingExtraError(
        "compiling CUDA needs NVRTC, which was found neither in a wheel nor on the library path: "
        'pip install "gradflow[cuda12]", or "gradflow[cuda13]" for CUDA 13'
    )


def _windows_library() -> Callable[[str], Any]:
    found: Callable[[str], Any] = getattr(ctypes, "WinDLL", ctypes.CDLL)
    return found


def _candidates() -> list[Path | str]:
    """Where the library may be, the wheels first."""
    spec = find_spec("nvidia")
    roots = [Path(root) for root in (spec.submodule_search_locations or [])] if spec else []
    folders = [
        root / part for root in roots for part in ("cuda_nvrtc/lib", "cu13/lib", "cuda_nvrtc/bin", "cu13/bin/x64")
    ]
    return [folder / name for folder in folders for name in NAMES if (folder / name).exists()] + list(NAMES)
