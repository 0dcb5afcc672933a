"""LLVM IR as machine code of this processor, by llvmlite, the extra ``fast``."""

from __future__ import annotations

import ctypes
import itertools
import os
import platform
import re
import threading
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

from gradflow.backend.kernels import directory
from gradflow.backend.native import object_files

PAUSES = {"x86_64": "call void @llvm.x86.sse2.pause()", "aarch64": "call void @llvm.aarch64.hint(i32 1)"}
NAMES = {"amd64": "x86_64", "arm64": "aarch64"}  # of processors, as Windows and macOS have them

_DEFINED = re.compile(r"^define (?!internal )[^@]*@(\w+)", re.MULTILINE)
_lock = threading.Lock()
_numbers = itertools.count()  # libraries are named by them, as a name cannot be used again


class Target(NamedTuple):
    """What code is generated for; code for another one is kept apart."""

    triple: str
    cpu: str
    features: str
    version: str  # of llvmlite


class Code:
    """Functions in memory, for as long as this lives."""

    def __init__(self, tracker: Any) -> None:
        self._tracker = tracker

    def address(self, name: str) -> int:
        """Where the function ``name`` is."""
        found: int = self._tracker[name]
        return found


_loaded: WeakValueDictionary[str, Code] = WeakValueDictionary()


def code(text: str) -> Code:
    """The functions that ``text`` defines, compiled now or by an earlier process.

    Raises RuntimeError if LLVM fails, ImportError without llvmlite.
    """
    with _lock:
        known = _loaded.get(text)
        if known is None:
            image = object_files.read(_key(text))
            if image is None:
                image = _compiled(text)
                object_files.write(_key(text), image)
            known = _loaded[text] = _linked(image, _DEFINED.findall(text))
        return known


@cache
def kernel(name: str, **replaced: str) -> str:
    """The text of kernels/``name``.ll, with words ``replaced``, and how this processor waits a moment for PAUSE."""
    text = (directory() / f"{name}.ll").read_text(encoding="utf-8")
    machine = platform.machine().lower()
    for word, meaning in {"PAUSE": PAUSES.get(NAMES.get(machine, machine), ""), **replaced}.items():
        text = text.replace(word, meaning)
    return text


@cache
def failure() -> str | None:
    """Why there is no machine code in this process; None if there is. GRADFLOW_FAST=0 asks for none."""
    if os.environ.get("GRADFLOW_FAST") == "0":
        return "GRADFLOW_FAST is 0"
    try:
        code("define i32 @gradflow_check() {\n  ret i32 7\n}\n")
    except ImportError as error:
        return f"llvmlite is not installed ({error}); it comes with pip install 'gradflow[fast]'"
    except Exception as error:  # whatever it is that a compiler cannot do: programs run without it
        return f"llvmlite failed: {type(error).__name__}: {error}"
    return None


def available() -> bool:
    """Whether there is machine code: llvmlite is installed and works."""
    return failure() is None


@cache
def _target() -> Target:
    import llvmlite
    from llvmlite import binding

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    features = binding.get_host_cpu_features().flatten()
    return Target(binding.get_process_triple(), binding.get_host_cpu_name(), features, llvmlite.__version__)


@cache
def _linker() -> Any:
    from llvmlite import binding

    _target()
    return forever(binding.create_lljit_compiler())


def forever(thing: Any) -> Any:
    """``thing``, never to be freed: threads may be inside code that it owns when the interpreter ends."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))
    return thing


def _key(text: str) -> str:
    return sha256("\0".join((*_target(), text)).encode()).hexdigest()


def _compiled(text: str) -> bytes:
    from llvmlite import binding

    target = _target()
    machine = binding.Target.from_triple(target.triple).create_target_machine(
        cpu=target.cpu, features=target.features, opt=2, reloc="pic", jit=True
    )
    module = binding.parse_assembly(text)
    module.triple = target.triple
    module.data_layout = str(machine.target_data)
    module.verify()
    builder = binding.create_pass_builder(machine, binding.create_pipeline_tuning_options(2))
    builder.getModulePassManager().run(module, builder)
    image: bytes = machine.emit_object(module)
    return image


def _linked(image: bytes, names: Sequence[str]) -> Code:
    from llvmlite import binding

    library = binding.JITLibraryBuilder().add_object_img(image).add_current_process()  # which has memset and the like
    for name in names:
        library.export_symbol(name)
    return Code(library.link(_linker(), f"gradflow{next(_numbers)}"))
