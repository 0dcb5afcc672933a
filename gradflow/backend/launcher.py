"""How launches reach a device: kernels compiled when first used, arguments typed, the memory that launches share."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any, NamedTuple

from gradflow.backend.faults import Faults
from gradflow.backend.kernels import OPTIONS, generated, prelude, signature, source
from gradflow.dtypes import DType
from gradflow.errors import KernelError, MissingExtraError
from gradflow.launch import Fault, Launch, Scratch, Table, Tickets, Zeroed

TABLES = 256  # that are remembered; a program that makes ever new arrays must not grow memory without bound
TICKETS = 1024  # counters that are there at first


class Place(NamedTuple):
    """A device and a stream of it: launches there run one after another."""

    device: int
    stream: int


def failures(xp: Any) -> tuple[type[Exception], ...]:
    """The exceptions by which ``xp`` says that CUDA failed."""
    return xp.cuda.runtime.CUDARuntimeError, xp.cuda.driver.CUDADriverError


class Launcher:
    """Queues kernels on the current stream of ``xp``, which is cupy or its stand-in.

    ``launches`` counts kernels and products; what CuPy launches for a reference is not known.
    """

    def __init__(self, xp: Any) -> None:
        self.xp = xp
        self.launches = 0
        self._functions: dict[tuple[int, str, DType | None], Any] = {}
        self._tickets: dict[Place, Any] = {}
        self._tables: dict[tuple[Place, bytes], Any] = {}
        self._faults: dict[int, Faults] = {}

    def place(self) -> Place:
        """The current device and stream."""
        return Place(int(self.xp.cuda.runtime.getDevice()), int(self.xp.cuda.get_current_stream().ptr))

    def faults(self) -> Faults:
        """The record of the current device."""
        place = self.place().device
        if place not in self._faults:
            self._faults[place] = Faults(self.xp)
        return self._faults[place]

    def launch(self, work: Launch) -> None:
        """Queue a kernel on the current stream. Raises KernelError if it does not compile or arguments do not fit."""
        place = self.place()
        held: list[Any] = []  # scratch memory: it may go back to the pool once the launch is queued behind its users
        arguments = signature(work.kernel).typed(work.arguments, work.dtype, partial(self._address, place, held))
        blocks = (work.blocks,) if isinstance(work.blocks, int) else work.blocks
        self.function(place.device, work.kernel, work.dtype)(blocks, (work.threads,), arguments, shared_mem=work.shared)
        self.launches += 1

    def _address(self, place: Place, held: list[Any], x: Any) -> int:
        if isinstance(x, Scratch):
            held.append(self.xp.cuda.alloc(x.bytes))
            return int(held[-1].ptr)
        if isinstance(x, Tickets):
            return self._counters(place, x.counters)
        if isinstance(x, Zeroed):
            x.array.fill(0)
            return int(x.array.data.ptr)
        if isinstance(x, Table):
            return self._uploaded(place, x)
        if isinstance(x, Fault):
            return self.faults().address()
        return int(x.data.ptr)

    def _counters(self, place: Place, count: int) -> int:
        """Zeroed counters; launches on one stream run one after another and may share them."""
        counters = self._tickets.get(place)
        if counters is None or counters.size < count:
            counters = self._tickets[place] = self.xp.zeros(max(count, TICKETS), "int32")
        return int(counters.data.ptr)

    def _uploaded(self, place: Place, table: Table) -> int:
        """``table`` in device memory; kept by its content, since the same arrays are updated step after step."""
        numbers = table.numbers()
        key = place, numbers.tobytes()
        if key not in self._tables:
            if len(self._tables) >= TABLES:
                self._tables.clear()
            self._tables[key] = self.xp.asarray(numbers)
        return int(self._tables[key].data.ptr)

    def compile(self, names: Iterable[str]) -> None:
        """Compile the generated kernels ``names`` for the current device, as one program: that takes the least time."""
        device = self.place().device
        missing = [name for name in dict.fromkeys(names) if (device, name, None) not in self._functions]
        if missing:
            functions = self._compiled(prelude() + "".join(generated[name] for name in missing), missing)
            self._functions |= {(device, name, None): function for name, function in functions.items()}

    def function(self, device: int, kernel: str, dtype: DType | None) -> Any:
        """The kernel, compiled when first asked for, and alone: most programs need few of them."""
        key = (device, kernel, dtype)
        if key not in self._functions:
            if kernel in generated:
                self.compile([kernel])
            else:
                expression = signature(kernel).expression(dtype)
                self._functions[key] = self._compiled(source(), [expression])[expression]
        return self._functions[key]

    def _compiled(self, code: str, names: list[str]) -> dict[str, Any]:
        """The kernels ``names`` of the program ``code``. CuPy keeps them on disk."""
        module = self.xp.RawModule(code=code, options=OPTIONS, name_expressions=tuple(names), backend="nvrtc")
        described = ", ".join(names)
        try:
            return {name: module.get_function(name) for name in names}
        except self.xp.cuda.compiler.CompileException as error:
            raise KernelError(f"{described}: the CUDA kernels do not compile: {error}") from error
        except failures(self.xp):
            raise
        except MissingExtraError as error:  # of the simulated device
            raise MissingExtraError(f"{described}: {error}") from error
        except (ImportError, OSError, RuntimeError) as error:  # how CuPy says that it has not found the library
            raise MissingExtraError(
                f"{described}: kernels are compiled by NVRTC, and CuPy cannot load it ({error}); "
                'pip install "gradflow[cuda12]" or, for CUDA 13, "gradflow[cuda13]"'
            ) from error
