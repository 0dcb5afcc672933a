"""Matrix products by our own cuBLASLt handle, which unlike CuPy's may be used while a CUDA graph is captured."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from threading import Lock
from typing import Any
from weakref import finalize

from gradflow.backend import cublaslt
from gradflow.backend.column_major import Matrix, Problem, column_major, describe
from gradflow.backend.cublaslt import Layout, Operation, Preference, Status, check
from gradflow.launch import Gemm

Array = Any

PLANS = 256  # that are kept, the least recently used going first
MIB = 1 << 20


class Plan:
    """The descriptors of one kind of product and the algorithm that was found for it.

    Where the arrays lie is told anew in each run, so products of the same shapes share a plan.
    """

    def __init__(self, library: cublaslt.Library, problem: Problem, name: str) -> None:
        self.library, self.problem, self.name = library, problem, name
        self.result = cublaslt.HeuristicResult()
        number = ctypes.c_double if problem.compute == cublaslt.Compute.F64 else ctypes.c_float
        self.one, self.zero = ctypes.byref(number(1)), ctypes.byref(number(0))
        self.address = ctypes.c_void_p()
        with ExitStack() as made:
            scale = cublaslt.Type.R_64F if number is ctypes.c_double else cublaslt.Type.R_32F
            self.operation = self._create(made, "MatmulDesc", problem.compute, scale)
            for attribute, value in (
                (Operation.TRANSA, ctypes.c_int32(problem.a.transposed)),
                (Operation.TRANSB, ctypes.c_int32(problem.b.transposed)),
                (Operation.EPILOGUE, ctypes.c_uint32(problem.epilogue)),
            ):
                self._set("MatmulDesc", self.operation, attribute, value)
            if problem.aux_ld:
                self._set("MatmulDesc", self.operation, Operation.AUX_LD, ctypes.c_int64(problem.aux_ld))
            self.a, self.b, self.d = (self._layout(made, x) for x in (problem.a, problem.b, problem.d))
            self.destroy: Callable[[], None] = made.pop_all().close

    def choose(self, handle: int, alignment: tuple[int, ...], workspace: int) -> bool:
        """Ask for an algorithm; whether there is one. The pointers of bias and aux must be set: they hint alignment."""
        with ExitStack() as made:
            preference = self._create(made, "MatmulPreference")
            limit = ctypes.c_uint64(workspace)
            self._set("MatmulPreference", preference, Preference.MAX_WORKSPACE_BYTES, limit)
            for attribute, of in zip(_ALIGNMENTS, alignment, strict=True):
                self._set("MatmulPreference", preference, attribute, ctypes.c_uint32(of))
            count = ctypes.c_int(0)
            status = self.library.cublasLtMatmulAlgoGetHeuristic(
                handle, self.operation, self.a, self.b, self.d, self.d, preference, 1, self.result, count
            )
        if status == Status.NOT_SUPPORTED:
            return False
        check(status, self.name)
        return count.value > 0 and self.result.status == Status.SUCCESS

    def point(self, gemm: Gemm) -> None:
        """Tell where the bias, or the gradient of one, and aux are."""
        vector = gemm.bias if gemm.bias_grad is None else gemm.bias_grad
        for attribute, array in ((Operation.BIAS_POINTER, vector), (Operation.AUX_POINTER, gemm.aux)):
            if array is not None:
                self.address.value = array.data.ptr
                self._set("MatmulDesc", self.operation, attribute, self.address)

    def run(self, handle: int, gemm: Gemm, workspace: Array, stream: int) -> None:
        """Put the product on ``stream``."""
        check(self.bound(handle, gemm, workspace)(stream), self.name)

    def bound(self, handle: int, gemm: Gemm, workspace: Array) -> Callable[[int], int]:
        """What puts the product on a stream, and returns its status."""
        out = gemm.out.data.ptr
        return partial(
            self.library.cublasLtMatmul,
            handle,
            self.operation,
            self.one,
            gemm.b.data.ptr,
            self.a,
            gemm.a.data.ptr,
            self.b,
            self.one if gemm.accumulate else self.zero,
            out,
            self.d,
            out,
            self.d,
            self.result.algorithm,
            workspace.data.ptr,
            workspace.nbytes,
        )

    def _create(self, made: ExitStack, kind: str, *arguments: int) -> int:
        """A new opaque object, destroyed when ``made`` is closed."""
        created = ctypes.c_void_p()
        check(getattr(self.library, f"cublasLt{kind}Create")(created, *arguments), self.name)
        made.callback(getattr(self.library, f"cublasLt{kind}Destroy"), created.value)
        return created.value or 0

    def _set(self, kind: str, of: int, attribute: int, value: Any) -> None:
        function = getattr(self.library, f"cublasLt{kind}SetAttribute")
        check(function(of, attribute, ctypes.byref(value), ctypes.sizeof(value)), self.name)

    def _layout(self, made: ExitStack, matrix: Matrix) -> int:
        layout = self._create(made, "MatrixLayout", self.problem.type, matrix.rows, matrix.columns, matrix.ld)
        if self.problem.batch > 1:
            self._set("MatrixLayout", layout, Layout.BATCH_COUNT, ctypes.c_int32(self.problem.batch))
            self._set("MatrixLayout", layout, Layout.BATCH_STRIDE, ctypes.c_int64(matrix.stride))
        return layout


_ALIGNMENTS = (
    Preference.MIN_ALIGNMENT_A,
    Preference.MIN_ALIGNMENT_B,
    Preference.MIN_ALIGNMENT_C,
    Preference.MIN_ALIGNMENT_D,
)


class Matmul:
    """Runs ``Gemm`` on the devices of one process; ``xp`` is CuPy, ``library`` comes from ``cublaslt.find``.

    A workspace serves one stream at a time: make one for each stream, and one for each captured graph that is kept as
    long as the graph is. The device that is current must be the one that holds the arrays.
    """

    def __init__(self, xp: Any, library: cublaslt.Library) -> None:
        self.xp, self.library = xp, library
        self._handles: dict[int, int] = {}  # by device; they live as long as the process
        self._plans: dict[Any, Plan | None] = {}  # None: refused, or no algorithm found
        self._lock = Lock()  # from telling a descriptor where arrays are to the call, no other thread may come between

    def workspace(self) -> Array:
        """Memory that products work in: 32 MiB on Hopper and later, 4 MiB before, which are NVIDIA's own sizes."""
        return self.xp.empty(self._workspace_bytes(), self.xp.uint8)

    def _workspace_bytes(self) -> int:
        return 32 * MIB if int(self.xp.cuda.Device().compute_capability) >= 90 else 4 * MIB

    def run(self, gemm: Gemm, stream: int, workspace: Array, tf32: bool = False) -> bool:
        """Put ``gemm`` on ``stream`` (its address; the current one) and say so; False, with nothing done, if cuBLASLt
        cannot: then another way must be taken.

        Raises ShapeError or ArgumentError for a product that makes no sense, DeviceError if cuBLASLt fails.
        """
        if gemm.out.size == 0 or gemm.a.size == 0:
            return _without_terms(gemm)
        with self._lock:
            device = self.xp.cuda.runtime.getDevice()
            handle = self._handles.get(device) or self._open(device)
            plan = self._plan(handle, device, gemm, workspace.nbytes, tf32)
            if plan is None:
                return False
            plan.point(gemm)
            plan.run(handle, gemm, workspace, stream)
        return True

    def computes(self, gemm: Gemm, tf32: bool = False) -> bool:
        """Whether there is a way to compute ``gemm`` on the current device."""
        if gemm.out.size == 0 or gemm.a.size == 0:
            return gemm.epilogue == "none"
        with self._lock:
            device = self.xp.cuda.runtime.getDevice()
            plan = self._make(self._handles.get(device) or self._open(device), gemm, self._workspace_bytes(), tf32)
        if plan is not None:
            plan.destroy()
        return plan is not None

    def prepared(self, gemm: Gemm, workspace: Array, tf32: bool = False) -> Callable[[int], None] | None:
        """What puts ``gemm`` on a stream, by descriptors of its own; None if cuBLASLt cannot or need not.

        The arrays must stay where they are, and be kept.
        """
        if gemm.out.size == 0 or gemm.a.size == 0:
            return None
        with self._lock:
            device = self.xp.cuda.runtime.getDevice()
            handle = self._handles.get(device) or self._open(device)
            plan = self._make(handle, gemm, workspace.nbytes, tf32)
        if plan is None:
            return None
        queue, name = plan.bound(handle, gemm, workspace), plan.name

        def put(stream: int) -> None:
            check(queue(stream), name)

        finalize(put, plan.destroy)
        return put

    def _open(self, device: int) -> int:
        handle = ctypes.c_void_p()
        check(self.library.cublasLtCreate(handle), f"cuBLASLt on cuda:{device}")
        self._handles[device] = handle.value or 0
        return self._handles[device]

    def _plan(self, handle: int, device: int, gemm: Gemm, workspace: int, tf32: bool) -> Plan | None:
        arrays = (gemm.a, gemm.b, gemm.out, gemm.bias, gemm.aux, gemm.bias_grad)
        flags = (gemm.transpose_a, gemm.transpose_b, gemm.epilogue, gemm.accumulate)
        key = (device, workspace, tf32, *flags, *map(_facts, arrays))
        if key in self._plans:
            plan = self._plans.pop(key)
        else:
            plan = self._make(handle, gemm, workspace, tf32)
            if len(self._plans) >= PLANS:
                oldest = self._plans.pop(next(iter(self._plans)))
                if oldest is not None:
                    oldest.destroy()
        self._plans[key] = plan  # the last one is the most recently used
        return plan

    def _make(self, handle: int, gemm: Gemm, workspace: int, tf32: bool) -> Plan | None:
        problem = column_major(gemm, tf32)
        if problem is None:
            return None
        plan = Plan(self.library, problem, describe(gemm))
        with ExitStack() as unless_chosen:
            unless_chosen.callback(plan.destroy)
            plan.point(gemm)
            # a bias may be read in vectors as wide as those of the result
            out = min(_alignment(x) for x in (gemm.out, gemm.bias, gemm.bias_grad) if x is not None)
            if not plan.choose(handle, (_alignment(gemm.b), _alignment(gemm.a), out, out), workspace):
                return None
            unless_chosen.pop_all()
        return plan


def _facts(array: Array) -> Any:
    """All about an array that a plan depends on."""
    return array if array is None else (array.shape, array.strides, array.dtype, _alignment(array))


def _alignment(array: Array) -> int:
    """The largest power of two, at most 256, that divides an array's address."""
    address: int = array.data.ptr
    return min(address & -address, 256)


def _without_terms(gemm: Gemm) -> bool:
    """Do a product that sums over nothing or has no result; False with an epilogue."""
    if gemm.epilogue != "none":
        return False
    bias = 0 if gemm.bias is None else gemm.bias
    gemm.out[...] = gemm.out + bias if gemm.accumulate else bias
    return True
