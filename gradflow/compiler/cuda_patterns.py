"""What cuBLASLt does on a product's way to memory, instead of a loop of its own: bias, ReLU, its gradient, sums.

With them a step of a ReLU network of L layers is 3L+1 launches: 3L-1 products, the loss, the update. The mask of a
ReLU, a bit for each element, is written by the product of the forward pass and read by that of the backward pass.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

from gradflow.backend import backend_for
from gradflow.backend.column_major import aux_shape
from gradflow.compiler.clean import kept
from gradflow.compiler.memory import ALIGNMENT
from gradflow.compiler.program import COMPUTED, Program, Storage, Value
from gradflow.compiler.works import Work
from gradflow.device import Device
from gradflow.dtypes import uint8
from gradflow.launch import Gemm
from gradflow.loop import COLUMN, COLUMN_SUM, ELEMENT, Loop
from gradflow.shapes import size_of

GRADIENT = "relu_grad", "sum"  # of a ReLU and of the bias before it
Supports = Callable[[Gemm], bool]  # whether cuBLASLt has an algorithm for such a product


def with_epilogues(works: Sequence[Work], program: Program, supports: Supports) -> list[Work]:
    """``works`` with loops that cuBLASLt can do as epilogues of products, where it ``supports`` them."""
    found = _Works(list(works), program, supports)
    for rewrite in (found.add_bias, found.sum_gradient, found.relu, found.relu_gradient):
        for work in list(found.works):
            if work in found.works:
                rewrite(work)
    return found.works


def supported_on(device: Device) -> Supports:
    """What tells whether cuBLASLt has an algorithm on ``device`` for a product of values."""
    backend: Any = backend_for(device)

    def supports(gemm: Gemm) -> bool:
        arrays: dict[str, Any] = {name: _Shaped(x) for name, x in gemm._asdict().items() if isinstance(x, Value)}
        with backend.on(device):
            return bool(backend.multiplies(gemm._replace(**arrays)))

    return supports


class _Shaped:
    """What an array of a value is going to be like, and how its address is aligned."""

    def __init__(self, value: Value) -> None:
        self.shape, self.dtype, self.ndim, self.size = value.shape, value.dtype, len(value.shape), value.size
        self.itemsize, self.nbytes = value.dtype.itemsize, value.nbytes
        self.strides = value.strides or tuple(
            self.itemsize * size_of(self.shape[axis + 1 :]) for axis in range(self.ndim)
        )
        self.flags = SimpleNamespace(c_contiguous=value.strides is None)
        start = ALIGNMENT if value.storage.array is None else int(value.storage.array.data.ptr)
        self.data = SimpleNamespace(ptr=start + value.offset)


class _Works:
    """A list of works that is rewritten."""

    def __init__(self, works: list[Work], program: Program, supports: Supports) -> None:
        self.works = works
        self.program = program
        self.supports = supports
        self.kept = {value.storage for value in kept(program)}
        self.masks: dict[Storage, Value] = {}  # of what a ReLU made

    def add_bias(self, work: Work) -> None:
        """A product and the bias that is added to it."""
        loop = _loop(work, "add")
        product, bias = self._product_and(work, loop, COLUMN)
        if loop is None or product is None or bias is None:
            return
        (result,) = loop.results
        with_bias = product.does._replace(out=result.array, bias=bias)
        if self.supports(with_bias):
            self._replace(product, work, with_bias)

    def relu(self, work: Work) -> None:
        """A product with bias and the ReLU after it; with the mask, if a gradient is going to read it."""
        loop = _loop(work, "add", "relu")
        product, bias = self._product_and(work, loop, COLUMN)
        if loop is None or product is None or bias is None:
            return
        (result,) = loop.results
        readers = [each for each in self.works if result.array in each.reads and _loop(each, *GRADIENT)]
        plain = product.does._replace(out=result.array, bias=bias, epilogue="relu")
        if readers and self._with_gradient(plain, readers[0]):
            mask = self.masks[result.array.storage]
            self._replace(product, work, plain._replace(epilogue="relu_aux", aux=mask))
        elif self.supports(plain):
            self._replace(product, work, plain)

    def _with_gradient(self, plain: Gemm, reader: Work) -> bool:
        """Whether the mask of ``plain`` can be had and used by ``reader``, the gradient; if so it is there now."""
        before = self._maker(reader, "relu_grad")
        if before is None:
            return False
        out = plain.out
        shape = aux_shape("relu_aux", *out.shape)
        mask = Value(Storage(COMPUTED, len(self.program.storages), size_of(shape), out.storage.device), shape, uint8)
        backward = self._backward(before, reader, mask)
        forward = plain._replace(epilogue="relu_aux", aux=mask)
        if backward is None or not (self.supports(forward) and self.supports(backward)):
            return False
        self.program.storages.append(mask.storage)
        self.masks[out.storage] = mask
        return True

    def relu_gradient(self, work: Work) -> None:
        """A product, the gradient of a ReLU that it meets, and the sums of that over rows."""
        loop = _loop(work, *GRADIENT)
        product = self._maker(work, "relu_grad")
        if loop is None or product is None:
            return
        mask = next((self.masks[x.storage] for x in work.reads if x.storage in self.masks), None)
        backward = None if mask is None else self._backward(product, work, mask)
        if backward is not None:
            self._replace(product, work, backward)

    def _backward(self, product: Any, work: Any, mask: Value) -> Gemm | None:
        """The product with what the loop of ``work`` does to its result and sums."""
        results = work.does.results
        element = [x.array for x in results if x.kind == ELEMENT]
        summed = [x.array for x in results if x.kind == COLUMN_SUM and x.scale == 1]
        if len(element) != 1 or len(summed) != 1 or len(results) != 2:
            return None
        gemm: Gemm = product.does
        return gemm._replace(out=element[0], epilogue="drelu_bgrad", aux=mask, bias_grad=_flat(summed[0]))

    def sum_gradient(self, work: Work) -> None:
        """The gradient of a weight, and the sums over rows of the gradient that it is made of."""
        loop = _loop(work, "sum")
        if loop is None or len(loop.results) != 1 or len(loop.operands) != 1:
            return
        (result,), (operand,) = loop.results, loop.operands
        if result.kind != COLUMN_SUM or result.scale != 1 or operand.kind != ELEMENT:
            return
        for product in self.works:
            gemm = product.does
            if not isinstance(gemm, Gemm) or gemm.epilogue != "none" or gemm.bias is not None:
                continue
            if gemm.transpose_a and _same(gemm.a, operand.array) and self._adjacent(product, work):
                with_sums = gemm._replace(epilogue="bgrad_a", bias_grad=_flat(result.array))
                if self.supports(with_sums):
                    self._replace(product, work, with_sums)
                    return

    # ---- finding

    def _product_and(self, work: Work, loop: Loop | None, kind: str) -> tuple[Any, Value | None]:
        """The product that ``loop`` alone reads, and its other operand, one of ``kind``."""
        if loop is None or len(loop.results) != 1 or len(loop.operands) != 2 or loop.results[0].kind != ELEMENT:
            return None, None
        other = [x.array for x in loop.operands if x.kind == kind]
        product = self._maker(work, "add")
        if len(other) != 1 or product is None:
            return None, None
        return product, _flat(other[0])

    def _maker(self, work: Work, first: str) -> Any:
        """The plain product whose result ``work`` reads in its ``first`` call, and nothing else ever does."""
        call = work.calls[0]
        if call.name != first:
            return None
        given = next((x for x in call.reads if len(x.shape) == 2), None)
        if given is None or given.storage.origin != COMPUTED or given.storage in self.kept:
            return None
        makers = [each for each in self.works if any(x.storage is given.storage for x in each.writes)]
        readers = [each for each in self.works if any(x.storage is given.storage for x in each.reads)]
        if len(makers) != 1 or readers != [work] or not isinstance(makers[0].does, Gemm):
            return None
        gemm = makers[0].does
        plain = gemm.epilogue == "none" and not gemm.accumulate and gemm.bias is None
        return makers[0] if plain and _same(gemm.out, given) and self._adjacent(makers[0], work) else None

    def _adjacent(self, a: Work, b: Work) -> bool:
        """Whether what ``a`` and ``b`` do could as well be done at once, where the first of them is."""
        first, last = sorted((self._position(a), self._position(b)))
        between = self.works[first + 1 : last]
        later = self.works[last]
        reads = [x for x in later.reads if not any(_same(x, y) for y in self.works[first].writes)]
        return not any(
            any(x.overlaps(y) for x in each.writes for y in (*reads, *later.writes))
            or any(x.overlaps(y) for x in each.reads for y in later.writes)
            for each in between
        )

    def _position(self, work: Work) -> int:
        return next(i for i, each in enumerate(self.works) if each is work)

    def _replace(self, product: Work, loop: Work, gemm: Gemm) -> None:
        """Put ``gemm`` where the first of ``product`` and ``loop`` was, and nothing where the other was."""
        first, last = sorted((self._position(product), self._position(loop)))
        reads = tuple(x for x in (gemm.a, gemm.b, gemm.bias) if x is not None)
        writes = (gemm.out,) if gemm.bias_grad is None else (gemm.out, gemm.bias_grad)
        if gemm.aux is not None:
            forward = gemm.epilogue == "relu_aux"
            reads, writes = (reads, (*writes, gemm.aux)) if forward else ((*reads, gemm.aux), writes)
        self.works[first] = Work(gemm, (*self.works[first].calls, *self.works[last].calls), reads, writes)
        del self.works[last]


def _loop(work: Work, *names: str) -> Loop | None:
    """The loop that does calls of these ops and no others, if ``work`` is one."""
    return work.does if isinstance(work.does, Loop) and [each.name for each in work.calls] == list(names) else None


def _flat(x: Value) -> Value:
    """``x`` with one dimension."""
    return Value(x.storage, (x.size,), x.dtype, x.offset)


def _same(a: Value, b: Value) -> bool:
    return (a.storage, a.offset, a.shape, a.strides) == (b.storage, b.offset, b.shape, b.strides)
