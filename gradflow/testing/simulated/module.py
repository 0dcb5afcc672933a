"""Raw kernels: compiled by NVRTC, run by the PTX interpreter, with the arguments as CuPy would pass them."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gradflow.errors import KernelError
from gradflow.testing.ptx.faults import KernelFault
from gradflow.testing.simulated.pointer import MemoryPointer
from gradflow.testing.simulated.status import CompileException, CUDARuntimeError

if TYPE_CHECKING:
    from gradflow.testing.simulated.machine import Machine

SIZES = {"8": 1, "16": 2, "32": 4, "64": 8}


class Parameter(NamedTuple):
    """A parameter of a kernel: how many bytes it reads, as what."""

    size: int
    dtype: np.dtype[Any]


def parameters(ptx: str, mangled: str) -> list[Parameter]:
    """The parameters that the entry function ``mangled`` declares."""
    entry = re.search(rf"\.entry\s+{re.escape(mangled)}\s*\((.*?)\)", ptx, re.DOTALL)
    declared = re.findall(
        r"\.param\s+(?:\.align\s+\d+\s+)?\.([a-z]+)(\d+)\s+[\w$]+(?:\[(\d+)\])?", entry[1] if entry else ""
    )
    return [_parameter(kind, SIZES[width], int(count) if count else 0) for kind, width, count in declared]


def _parameter(kind: str, width: int, count: int) -> Parameter:
    if count:
        return Parameter(count, np.dtype(f"V{count}"))
    return Parameter(width, np.dtype(f"{'f' if kind == 'f' else 'i' if kind == 's' else 'u'}{width}"))


class RawModule:
    """A program in CUDA C, compiled when the first kernel of it is asked for.

    Mistakes that CuPy does not see are not seen: a Python float is passed as 8 bytes, an int too, a view as the
    pointer to its first element. Only reading past the arguments that were given is an error here.
    """

    _machine: Machine
    _kernel: Any

    def __init__(
        self, code: str | None = None, *, path: str | None = None, options: tuple[str, ...] = (),
        backend: str = "nvrtc", translate_cucomplex: bool = False, enable_cooperative_groups: bool = False,
        name_expressions: Any = None, jitify: Any = None,
    ) -> None:  # fmt: skip
        if (code is None) == (path is None):
            raise TypeError("Exactly one of `code` and `path` keyword arguments must be given.")
        if path is not None or backend != "nvrtc":
            raise NotImplementedError("the simulated RawModule compiles `code` with nvrtc, nothing else")
        if not isinstance(options, tuple):
            raise TypeError("Argument 'options' has incorrect type (expected tuple, got list)")
        self.code, self.options, self.backend = code or "", options, backend
        self.name_expressions = None if name_expressions is None else list(name_expressions)
        self._program: Any = None
        self._compiled: Any = None

    def get_function(self, name: str) -> Any:
        """The kernel ``name``, one of ``name_expressions`` if those were given. Raises CompileException."""
        kernel = self._kernel._of(self, name)
        self._load([name])
        return kernel

    def compile(self, log_stream: Any = None) -> None:
        """Compile now; CompileException with the compiler's words."""
        self._load(self.name_expressions or [])

    def _load(self, names: list[str]) -> tuple[Any, Any]:
        if self._program is None or (self.name_expressions is None and not set(names) <= set(self._compiled.names)):
            from gradflow.testing import nvrtc, ptx

            names = self.name_expressions or names
            try:
                self._compiled = nvrtc.compile(self.code, names, options=_kept(self.options))
            except KernelError as error:
                raise CompileException(str(error), self.code, "program.cu", self.options) from None
            self._program = ptx.load(self._compiled)
        return self._compiled, self._program


def _kept(options: tuple[str, ...]) -> tuple[str, ...]:
    """The options that are not ours to choose: standard, flush-to-zero and line information are always the same."""
    ours = ("-std=", "--std=", "-ftz", "--ftz", "-lineinfo", "--generate-line-info", "--device-as-default")
    return tuple(option for option in options if not option.startswith(ours))


class RawKernel:
    """One kernel of a program: ``kernel(grid, block, args, shared_mem=0, stream=None)``."""

    _machine: Machine
    _module: type[RawModule]

    def __init__(
        self, code: str, name: str, options: tuple[str, ...] = (), backend: str = "nvrtc",
        translate_cucomplex: bool = False, *, enable_cooperative_groups: bool = False, jitify: Any = None,
    ) -> None:  # fmt: skip
        self._raw = self._module(code, options=options, backend=backend)
        self.name = name
        self._parameters: list[Parameter] | None = None

    @classmethod
    def _of(cls, module: RawModule, name: str) -> RawKernel:
        if module.name_expressions is not None and name not in module.name_expressions:
            raise KeyError(name)
        kernel = cls.__new__(cls)
        kernel._raw, kernel.name, kernel._parameters = module, name, None
        return kernel

    def compile(self, log_stream: Any = None) -> None:
        """Compile now; CompileException with the compiler's words."""
        self._raw._load([self.name])

    @property
    def kernel(self) -> Any:
        """The function as the driver knows it, by its handle ``ptr``."""
        self._machine.functions[id(self)] = self
        return SimpleNamespace(ptr=id(self))

    def _sizes(self) -> list[int]:
        """The bytes of each of its parameters."""
        self.compile()
        return [each.size for each in self._declared()]

    def _declared(self) -> list[Parameter]:
        if self._parameters is None:
            compiled, _ = self._raw._load([self.name])
            self._parameters = parameters(compiled.ptx, compiled.names[self.name])
        return self._parameters

    def __call__(self, grid: Any, block: Any, args: Any, *, shared_mem: int = 0, stream: Any = None) -> None:
        machine = self._machine
        _, program = self._raw._load([self.name])
        arguments = self._arguments(args)
        grid, block = (tuple(map(int, each)) + (1,) * (3 - len(each)) for each in (grid, block))
        if min(grid + block) < 1 or np.prod(block) > 1024 or shared_mem > 227 << 10:
            raise CUDARuntimeError("cudaErrorInvalidValue")

        def launch() -> None:
            report = program.launch(
                self.name, grid=grid, block=block, arguments=arguments, memory=machine.memory, shared=shared_mem
            )
            if machine.reports is not None:
                machine.reports.append(report)

        nbytes = sum(x.nbytes for x in args if isinstance(x, machine.ndarray))
        pointers = [int(x) for x in arguments if isinstance(x, np.uint64)]
        machine.enqueue("kernel", self.name, nbytes, launch, stream, pointers)

    def _arguments(self, args: Any) -> list[Any]:
        """What the kernel reads of each argument: as many bytes as its parameter has."""
        wanted = self._declared()
        if len(args) < len(wanted):
            raise KernelFault(
                "launch",
                f"{len(args)} arguments given, {len(wanted)} declared; CuPy would not notice, and the "
                "kernel would read whatever comes next in memory",
                self.name,
            )
        arguments = []
        for position, (x, parameter) in enumerate(zip(args, wanted, strict=False)):
            given = self._bytes(x)
            if len(given) < parameter.size:
                raise KernelFault(
                    "launch",
                    f"argument {position} is {len(given)} bytes, a {type(x).__name__}, its parameter "
                    f"{parameter.size}; CuPy would not notice, and the kernel would read what lies behind",
                    self.name,
                )
            read = given[: parameter.size]
            arguments.append(read if parameter.dtype.kind == "V" else np.frombuffer(read, parameter.dtype)[0])
        return arguments

    def _bytes(self, x: Any) -> bytes:
        if type(x) is self._machine.ndarray:
            if x._block.device_id != self._machine.device.number:
                raise ValueError(
                    f"{self.name}: an array of device {x._block.device_id} on {self._machine.device.number}"
                )
            return np.uint64(x._address() if x.size else 0).tobytes()
        if x is None:
            return bytes(8)
        if isinstance(x, MemoryPointer):
            return np.uint64(x.ptr).tobytes()
        if isinstance(x, np.generic):
            return x.tobytes()
        if isinstance(x, bool):
            return np.bool_(x).tobytes()
        if isinstance(x, int):
            return np.int64(x).tobytes() if x < 1 << 63 else np.uint64(x).tobytes()
        if isinstance(x, float | complex):
            return np.array(x)[()].tobytes()
        raise TypeError(f"Unsupported type {type(x)}")
