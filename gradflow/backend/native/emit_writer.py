"""LLVM text under construction: instructions that move out of every loop they do not depend on, and the loops."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from gradflow.backend.native.emit_values import Operand, Value, constant, llvm, stored, suffix
from gradflow.dtypes import DType, bool_, int64, uint8


class _Block:
    """Instructions that follow each other, up to where a loop inside begins."""

    def __init__(self, label: str) -> None:
        self.label = label  # of the basic block that the next instruction is in
        self.lines: list[str] = []
        self.known: dict[str, Value] = {}


class Writer:
    """A function being written. Blocks are nested: the last one is what is inside all loops that are open.

    An instruction goes to the outermost block in which its operands are known, and is written once there.
    """

    def __init__(self) -> None:
        self._blocks = [_Block("entry")]
        self._count = 0
        self.declarations: dict[str, str] = {}

    @property
    def depth(self) -> int:
        """How many loops are open."""
        return len(self._blocks) - 1

    @property
    def text(self) -> str:
        """The instructions so far."""
        return "\n".join(["entry:", *self._blocks[0].lines])

    def instruction(self, text: str, dtype: DType, width: int, operands: Iterable[Value]) -> Value:
        """What ``text`` computes from ``operands`` and nothing else."""
        depth = max((each.depth for each in operands), default=0)
        block = self._blocks[depth]
        known = block.known.get(text)
        if known is None:
            known = block.known[text] = Value(self._new("%v"), dtype, width, depth)
            block.lines.append(f"  {known.text} = {text}")
        return known

    def call(self, function: str, dtype: DType, width: int, operands: tuple[Value, ...]) -> Value:
        """What ``function`` answers, which has no memory of its own."""
        result = llvm(dtype, width)
        if not function.startswith("llvm."):  # which LLVM knows
            types = ", ".join(llvm(each.dtype, each.width) for each in operands)
            self.declarations[function] = f"declare {result} @{function}({types}) nounwind willreturn memory(none)"
        given = ", ".join(each.typed for each in operands)
        return self.instruction(f"call {result} @{function}({given})", dtype, width, operands)

    def intrinsic(self, name: str, *operands: Value) -> Value:
        """One of LLVM's own functions, for each lane."""
        first = operands[0]
        return self.call(f"llvm.{name}.{suffix(first.dtype, first.width)}", first.dtype, first.width, operands)

    def splat(self, value: Value, width: int) -> Value:
        """``value`` in each of ``width`` lanes."""
        if value.width == width:
            return value
        if not value.text.startswith("%"):
            return value._replace(text=f"splat ({value.typed})", width=width)
        kind = llvm(value.dtype, width)
        lane = self.instruction(f"insertelement {kind} poison, {value.typed}, i64 0", value.dtype, width, [value])
        text = f"shufflevector {lane.typed}, {kind} poison, <{width} x i32> zeroinitializer"
        return self.instruction(text, value.dtype, width, [lane])

    def lanes(self, value: Value, fill: Value, picked: Iterable[int]) -> Value:
        """The lanes of ``value`` with these numbers, as a vector; numbers past its width are lanes of ``fill``."""
        chosen = [f"i32 {each}" for each in picked]
        text = f"shufflevector {value.typed}, {fill.typed}, <{len(chosen)} x i32> <{', '.join(chosen)}>"
        return self.instruction(text, value.dtype, len(chosen), [value, fill])

    # memory

    def address(self, base: Value, dtype: DType, index: Operand) -> Value:
        """Where element number ``index`` of an array of ``dtype`` lies."""
        index = index if isinstance(index, Value) else constant(index, int64)
        text = f"getelementptr {stored(dtype, 1)}, ptr {base.text}, i64 {index.text}"
        return self.instruction(text, int64, 1, [base, index])

    def load(self, address: Value, dtype: DType, width: int = 1) -> Value:
        """``width`` elements from there on, read where ``address`` becomes known: nobody writes them in between."""
        return self._read(address, dtype, width, address.depth)

    def recall(self, address: Value, dtype: DType, width: int = 1) -> Value:
        """``width`` elements from there on, as they are now."""
        return self._read(address, dtype, width, self.depth)

    def _read(self, address: Value, dtype: DType, width: int, depth: int) -> Value:
        raw = Value(self._new("%v"), uint8 if dtype == bool_ else dtype, width, depth)
        kind = stored(dtype, width)
        self._blocks[depth].lines.append(f"  {raw.text} = load {kind}, ptr {address.text}, align {dtype.itemsize}")
        if dtype != bool_:
            return raw
        zero = constant(0, uint8, width)
        return self.instruction(f"icmp ne {raw.typed}, {zero.text}", bool_, width, [raw])

    def store(self, value: Value, address: Value) -> None:
        """Write ``value`` there, now; conditions become bytes."""
        align = value.dtype.itemsize
        if value.dtype == bool_:
            text = f"zext {value.typed} to {stored(bool_, value.width)}"
            value = self.instruction(text, uint8, value.width, [value])
        self._blocks[-1].lines.append(f"  store {value.typed}, ptr {address.text}, align {align}")

    def argument(self, position: int) -> Value:
        """The address that the function is given at ``position``."""
        word = self.address(Value("%arguments", int64, 1, 0), int64, position)
        return self.instruction(f"load ptr, ptr {word.text}, align 8", int64, 1, [word])

    def room(self, dtype: DType, count: int) -> Value:
        """Memory of the function's own for so many elements; a variable, which LLVM keeps in registers if it can."""
        value = Value(self._new("%v"), int64, 1, 0)
        text = f"  {value.text} = alloca [{count} x {stored(dtype, 1)}], align 64"
        self._blocks[0].lines.insert(0, text)
        return value

    # control

    @contextmanager
    def loop(self, start: Operand, stop: Operand, step: int) -> Iterator[Value]:
        """What is written inside is done for start, start + step, ... below ``stop``, at least once."""
        if not isinstance(start, Value) and not isinstance(stop, Value) and stop - start <= step:
            self._blocks.append(_Block(self._blocks[-1].label))
            yield constant(start, int64)
            self._leave()
            return
        first, end = (each if isinstance(each, Value) else constant(each, int64) for each in (start, stop))
        head = self._new("loop")
        self._blocks.append(block := _Block(head))
        index = Value(self._new("%v"), int64, 1, self.depth)
        yield index
        following = self._new("%v")
        block.lines += [
            f"  {following} = add i64 {index.text}, {step}",
            f"  {following}.more = icmp slt i64 {following}, {end.text}",
            f"  br i1 {following}.more, label %{head}, label %{head}.end",
            f"{head}.end:",
        ]
        before, after = self._blocks[-2].label, block.label
        phi = f"  {index.text} = phi i64 [ {first.text}, %{before} ], [ {following}, %{after} ]"
        block.lines[:0] = [f"  br label %{head}", f"{head}:", phi]
        block.label = f"{head}.end"
        self._leave()

    @contextmanager
    def case(self, condition: Value) -> Iterator[None]:
        """What is written inside is done if ``condition`` holds, and ends the function."""
        here = self._new("case")
        self._blocks.append(block := _Block(here))
        yield
        block.lines[:0] = [f"  br i1 {condition.text}, label %{here}, label %{here}.not", f"{here}:"]
        block.lines += ["  ret i32 0", f"{here}.not:"]
        block.label = f"{here}.not"
        self._leave()

    def unless(self, condition: Value, usual: Value, rare: Callable[[], Value]) -> Value:
        """``usual``, or what ``rare`` computes if ``condition`` holds, which is first known inside all open loops."""
        block = self._blocks[-1]
        start, known, branch = block.label, dict(block.known), self._new("rare")
        block.lines += [f"  br i1 {condition.text}, label %{branch}, label %{branch}.end", f"{branch}:"]
        block.label = branch
        other = rare()
        block.lines += [f"  br label %{branch}.end", f"{branch}.end:"]
        text = f"phi {llvm(usual.dtype, usual.width)} [ {usual.text}, %{start} ], [ {other.text}, %{block.label} ]"
        block.known, block.label = known, f"{branch}.end"
        return self.instruction(text, usual.dtype, usual.width, [condition])

    def _leave(self) -> None:
        block = self._blocks.pop()
        self._blocks[-1].lines += block.lines
        self._blocks[-1].label = block.label

    def _new(self, prefix: str) -> str:
        self._count += 1
        return f"{prefix}{self._count}"
