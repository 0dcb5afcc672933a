"""A stand-in for the cuBLASLt library: it is called through the same pointers, objects to what the real one objects to,
records what it is told, and computes it."""

from __future__ import annotations

import ctypes
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

from gradflow.backend.cublaslt import (
    SIGNATURES,
    Algorithm,
    Compute,
    Epilogue,
    Layout,
    Operation,
    Preference,
    Status,
    Type,
)
from gradflow.errors import KernelError
from gradflow.testing.simulated.product import FORWARD_BIAS, GELUS, Product, Stored

# bytes of the attributes that are known here; the real library knows more, and takes any value until it is used
SIZES: dict[str, dict[int, int]] = {
    "operation": {
        Operation.TRANSA: 4,
        Operation.TRANSB: 4,
        Operation.EPILOGUE: 4,
        Operation.BIAS_POINTER: 8,
        Operation.AUX_POINTER: 8,
        Operation.AUX_LD: 8,
    },
    "layout": {Layout.BATCH_COUNT: 4, Layout.BATCH_STRIDE: 8},
    "preference": {
        Preference.MAX_WORKSPACE_BYTES: 8,
        Preference.MIN_ALIGNMENT_A: 4,
        Preference.MIN_ALIGNMENT_B: 4,
        Preference.MIN_ALIGNMENT_C: 4,
        Preference.MIN_ALIGNMENT_D: 4,
    },
}
POINTERS = (Operation.BIAS_POINTER, Operation.AUX_POINTER)
SUPPORTED: dict[tuple[int, ...], tuple[Type, ...]] = {  # compute type, scale type: types of matrices
    (Compute.F32, Type.R_32F): (Type.R_16F, Type.R_16BF, Type.R_32F),
    (Compute.F32_FAST_TF32, Type.R_32F): (Type.R_32F,),
    (Compute.F64, Type.R_64F): (Type.R_64F,),
}
SUMS_A_SINGLE_TERM = 120304  # the first version in which BGRADA and BGRADB work for k = 1
NEEDS = 1 << 16  # bytes of workspace that the algorithms here ask for, if they may
BITS, VALUES = 128, 8  # what the leading dimension of aux must be a multiple of


class Opaque(NamedTuple):
    """An object of the library: what it was created with, and the attributes set since."""

    kind: str
    created: tuple[int, ...]
    attributes: dict[int, int]


class Chosen(NamedTuple):
    """What an algorithm was found for."""

    problem: Any
    alignment: tuple[int, ...]  # of A, B, C, D, bias, aux
    workspace_bytes: int


class CublasLt:
    """Acts as the ctypes object of the library, on ``memory``: see ``gradflow.backend.cublaslt.SIGNATURES``.

    ``submit(product, work)`` is to run ``work`` now, or when the graph runs that ``product.stream`` is captured into.
    ``calls`` counts calls by function; ``products`` are those of ``cublasLtMatmul``, ``preferences`` what the heuristic
    was told, in order. ``failing`` makes a function return a status, and no algorithm is found for the epilogues in
    ``unsupported``.
    """

    def __init__(self, memory: Any, submit: Callable[[Product, Callable[[], None]], None] | None = None) -> None:
        self.memory = memory
        self.submit = submit or (lambda product, work: work())
        self.version = 120903
        self.calls: Counter[str] = Counter()
        self.products: list[Product] = []
        self.preferences: list[dict[int, int]] = []
        self.failing: dict[str, int] = {}
        self.unsupported: set[Epilogue] = set()
        self._objects: dict[int, Opaque] = {}
        self._addresses = iter(range(0x5500_0000_0000, 0x5600_0000_0000, 0x100))
        self._algorithms: dict[int, Chosen] = {}
        for kind, name in (("operation", "MatmulDesc"), ("layout", "MatrixLayout"), ("preference", "MatmulPreference")):
            self._provide(f"cublasLt{name}Create", lambda out, *given, kind=kind: self._create(kind, out, *given))
            self._provide(f"cublasLt{name}Destroy", lambda address, kind=kind: self._destroy(kind, address))
            self._provide(f"cublasLt{name}SetAttribute", lambda *given, kind=kind: self._set(kind, *given))
        self._provide("cublasLtCreate", lambda out: self._create("handle", out))
        self._provide("cublasLtGetVersion", lambda: self.version)
        self._provide("cublasLtMatmulAlgoGetHeuristic", self._heuristic)
        self._provide("cublasLtMatmul", self._matmul)

    @property
    def alive(self) -> Counter[str]:
        """How many objects of each kind are created and not destroyed."""
        return Counter(x.kind for x in self._objects.values())

    def _provide(self, name: str, function: Callable[..., int]) -> None:
        """Make ``function`` callable as ``name``, its arguments converted as ctypes converts those of a C function."""
        received: list[Any] = []
        convert = ctypes.CFUNCTYPE(None, *SIGNATURES[name])(lambda *arguments: received.append(arguments))

        def call(*arguments: Any) -> int:
            convert(*arguments)
            self.calls[name] += 1
            status = self.failing.get(name)
            return int(function(*received.pop()) if status is None else status)

        setattr(self, name, call)

    def _create(self, kind: str, out: Any, *given: int) -> Status:
        address = next(self._addresses)
        self._objects[address] = Opaque(kind, given, {})
        out[0] = address
        return Status.SUCCESS

    def _get(self, kind: str, address: int | None) -> Opaque:
        """The object at ``address``. With any other the real library would follow a wild pointer."""
        found = self._objects.get(address or 0)
        if found is None or found.kind != kind:
            raise KernelError(f"cuBLASLt was given {address or 0:#x} as {kind}; it was destroyed, or never was one")
        return found

    def _destroy(self, kind: str, address: int | None) -> Status:
        self._get(kind, address)
        del self._objects[address or 0]
        return Status.SUCCESS

    def _set(self, kind: str, address: int | None, attribute: int, value: int | None, size: int) -> Status:
        of = self._get(kind, address)
        if not value or SIZES[kind].get(attribute) != size:
            return Status.INVALID_VALUE
        of.attributes[attribute] = int.from_bytes(ctypes.string_at(value, size), "little", signed=True)
        return Status.SUCCESS

    def _heuristic(self, handle: Any, operation: Any, *rest: Any) -> Status:
        *given, preference, wanted, results, count = rest
        self._get("handle", handle)
        op, layouts = self._get("operation", operation), tuple(self._get("layout", x) for x in given)
        wishes = self._get("preference", preference).attributes
        self.preferences.append(dict(wishes))
        count[0] = 0
        if wanted < 1:
            return Status.INVALID_VALUE
        status = examine(op, layouts, self.version)
        if status != Status.SUCCESS or op.attributes.get(Operation.EPILOGUE) in self.unsupported:
            return status
        aligned = [wishes.get(x, 256) for x in range(Preference.MIN_ALIGNMENT_A, Preference.MIN_ALIGNMENT_D + 1)]
        aligned += [alignment(op.attributes.get(x, 0)) for x in POINTERS]
        needs = min(NEEDS, wishes.get(Preference.MAX_WORKSPACE_BYTES, 0))
        number = len(self._algorithms) + 1
        self._algorithms[number] = Chosen(problem(op, *layouts), tuple(aligned), needs)
        results[0].algorithm.data[0] = number
        results[0].workspace_bytes, results[0].status = needs, Status.SUCCESS
        count[0] = 1
        return Status.SUCCESS

    def _matmul(self, handle: Any, operation: Any, *rest: Any) -> Status:
        alpha, a, a_layout, b, b_layout, beta, c, c_layout, d, d_layout, algorithm, workspace, size, stream = rest
        self._get("handle", handle)
        op = self._get("operation", operation)
        layouts = tuple(self._get("layout", x) for x in (a_layout, b_layout, c_layout, d_layout))
        status = examine(op, layouts, self.version)
        if status != Status.SUCCESS:
            return status
        pointers = a, b, c, d, *(op.attributes.get(x, 0) for x in POINTERS)
        if not (alpha and beta and all(pointers[:4]) and has_arrays(op, pointers)):
            return Status.INVALID_VALUE
        if not self._suits(algorithm.contents, problem(op, *layouts), pointers, workspace, size):
            return Status.INVALID_VALUE
        number = ctypes.c_double if op.created[1] == Type.R_64F else ctypes.c_float
        scales = (number.from_address(x).value for x in (alpha, beta))
        product = described(op, layouts, pointers, tuple(scales), (workspace, size, stream or 0))
        self.products.append(product)
        self.submit(product, lambda: self._run(product))
        return Status.SUCCESS

    def _suits(self, algorithm: Algorithm, what: Any, pointers: Any, workspace: Any, size: int) -> bool:
        """Whether ``algorithm`` was found for this product, for arrays no better aligned and this much workspace."""
        chosen = self._algorithms.get(algorithm.data[0])
        if chosen is None or chosen.problem != what or size < chosen.workspace_bytes:
            return False
        if chosen.workspace_bytes and (not workspace or workspace % 16):
            return False
        return all(not x or alignment(x) >= least for x, least in zip(pointers, chosen.alignment, strict=True))

    def _run(self, product: Product) -> None:
        used = min(NEEDS, product.workspace_bytes)
        if used:  # whatever lay in the workspace is lost
            self.memory.view(product.workspace, (used,), "u1")[:] = 0xFF
        product.run(self.memory)


def alignment(address: int) -> int:
    """The largest power of two, at most 256, that divides ``address``."""
    return min(address & -address, 256) or 256


def problem(op: Opaque, *layouts: Opaque) -> Any:
    """What an algorithm is found for: all but the addresses."""
    attributes = {k: v for k, v in op.attributes.items() if k not in POINTERS}
    return op.created, attributes, [(x.created, dict(x.attributes)) for x in layouts]


def examine(op: Opaque, layouts: tuple[Opaque, ...], version: int) -> Status:
    """What the library says to these descriptions of an operation and of A, B, C and D."""
    a, b, c, d = layouts
    epilogue = op.attributes.get(Operation.EPILOGUE, Epilogue.DEFAULT)
    m, k = shape(a, op.attributes.get(Operation.TRANSA, 0))
    terms, n = shape(b, op.attributes.get(Operation.TRANSB, 0))
    if k != terms or shape(c) != (m, n) or shape(d) != (m, n) or min(m, n, k) < 1:
        return Status.INVALID_VALUE
    batches = {x.attributes.get(Layout.BATCH_COUNT, 1) for x in layouts}
    batch = batches.pop()
    if batches or batch < 1 or (batch > 1 and d.attributes.get(Layout.BATCH_STRIDE, 0) < m):
        return Status.INVALID_VALUE
    if any(x.created[3] < x.created[1] for x in layouts) or epilogue not in Epilogue.__members__.values():
        return Status.INVALID_VALUE
    kinds = {x.created[0] for x in layouts}
    if len(kinds) > 1 or not kinds <= set(SUPPORTED.get(op.created, ())):
        return Status.NOT_SUPPORTED
    return examine_epilogue(op, Epilogue(epilogue), m, k, batch, version)


def examine_epilogue(op: Opaque, epilogue: Epilogue, m: int, k: int, batch: int, version: int) -> Status:
    """What the library says to an epilogue of a product of ``m`` rows that sums over ``k`` terms."""
    if epilogue & 128:
        multiple = VALUES if epilogue in GELUS or epilogue & 64 else BITS
        ld = op.attributes.get(Operation.AUX_LD, 0)
        if ld < m or ld % multiple:
            return Status.INVALID_VALUE
    sums = epilogue in (Epilogue.BGRADA, Epilogue.BGRADB)
    if sums and k == 1 and version < SUMS_A_SINGLE_TERM:
        return Status.NOT_SUPPORTED
    # not in NVIDIA's table of supported types, so not counted on
    if (op.created[0] == Compute.F64 or batch > 1) and (epilogue & 128 or sums):
        return Status.NOT_SUPPORTED
    return Status.SUCCESS


def has_arrays(op: Opaque, pointers: tuple[int, ...]) -> bool:
    """Whether the bias and aux that the epilogue of ``op`` uses are there, and aux is aligned to 16 bytes."""
    epilogue = op.attributes.get(Operation.EPILOGUE, Epilogue.DEFAULT)
    bias, aux = pointers[4:]
    needs_bias = epilogue in FORWARD_BIAS or epilogue & 16 or epilogue >= Epilogue.BGRADA
    return not (needs_bias and not bias) and not (epilogue & 128 and (not aux or aux % 16))


def shape(layout: Opaque, transposed: int = 0) -> tuple[int, int]:
    """Rows and columns of a matrix as the product takes it."""
    _, rows, columns, _ = layout.created
    return (columns, rows) if transposed else (rows, columns)


def described(op: Opaque, layouts: tuple[Opaque, ...], pointers: Any, scales: Any, place: Any) -> Product:
    """A call of ``cublasLtMatmul`` as data."""
    flags = op.attributes.get(Operation.TRANSA, 0), op.attributes.get(Operation.TRANSB, 0), 0, 0
    a, b, c, d = (
        Stored(address, rows, columns, ld, x.attributes.get(Layout.BATCH_STRIDE, 0), bool(flag))
        for address, x, (_, rows, columns, ld), flag in zip(
            pointers[:4], layouts, (x.created for x in layouts), flags, strict=True
        )
    )
    kind, compute = Type(layouts[0].created[0]), Compute(op.created[0])
    epilogue = Epilogue(op.attributes.get(Operation.EPILOGUE, Epilogue.DEFAULT))
    batch, aux_ld = layouts[0].attributes.get(Layout.BATCH_COUNT, 1), op.attributes.get(Operation.AUX_LD, 0)
    return Product(a, b, c, d, batch, kind, compute, epilogue, pointers[4], pointers[5], aux_ld, *scales, *place)
