"""What PTX instructions that involve other threads are in Python: barriers, warps, atomics; see instructions.py."""

from __future__ import annotations

from gradflow.testing.ptx.instructions import kinds_of, unsupported
from gradflow.testing.ptx.moves import place, space_of
from gradflow.testing.ptx.parse import Instruction
from gradflow.testing.ptx.registers import code_of
from gradflow.testing.ptx.translate import Translator, opcode


@opcode("bar", "barrier")
def _barrier(t: Translator, i: Instruction) -> None:
    if "warp" in i.op:
        t.emit("g.launch.races.warp_barrier(g)")
        return
    if "arrive" in i.op:
        unsupported(t, i)
    t.emit("g.launch.races.barrier(g)")
    if "red" in i.op:
        out, predicate = i.operands[0], i.operands[-1]
        mode = next(part for part in i.op if part in {"popc", "and", "or"})
        result = f"g.block_reduce({mode!r}, {t.read(predicate, '?')})"
        t.write(out, "u4" if mode == "popc" else "?", result)


@opcode("shfl")
def _shuffle(t: Translator, i: Instruction) -> None:
    outs = i.operands[0].split("|")
    source, by, clamp, mask = i.operands[1:5]
    code = t.home.get(source, "u4")
    names = ", ".join([t.read(source, code), t.read(by, "u4"), t.read(clamp, "u4"), t.read(mask, "u4")])
    pair = t.temporary(f"shuffle(g, {i.op[2]!r}, {names}, {t.number})")
    t.write(outs[0], code, f"{pair}[0]")
    if len(outs) == 2:
        t.write(outs[1], "?", f"{pair}[1]")
    if source in t.flushed:
        t.clean[outs[0]] = t.have[outs[0]][code]


@opcode("vote")
def _vote(t: Translator, i: Instruction) -> None:
    out, predicate, mask = i.operands
    call = f"vote(g, {i.op[2]!r}, {t.read(predicate, '?')}, {t.read(mask, 'u4')})"
    t.write(out, "u4" if i.op[2] == "ballot" else "?", call)


@opcode("activemask")
def _active(t: Translator, i: Instruction) -> None:
    t.write(i.operands[0], "u4", "active(g)")


@opcode("match")
def _match(t: Translator, i: Instruction) -> None:
    outs = i.operands[0].split("|")
    code = code_of(kinds_of(i)[0])
    pair = t.temporary(f"match(g, {i.op[1]!r}, {t.read(i.operands[1], code)}, {t.read(i.operands[2], 'u4')})")
    t.write(outs[0], "u4", f"{pair}[0]")
    if len(outs) == 2:
        t.write(outs[1], "?", f"{pair}[1]")


@opcode("redux")
def _reduce(t: Translator, i: Instruction) -> None:
    code = code_of(kinds_of(i)[0])
    out, a, mask = i.operands
    t.write(out, code, f"reduce(g, {i.op[2]!r}, {t.read(a, code)}, {t.read(mask, 'u4')})")


OPERATIONS = {"add", "min", "max", "and", "or", "xor", "exch", "cas", "inc", "dec"}


@opcode("atom", "red")
def _atomic(t: Translator, i: Instruction) -> None:
    kind = kinds_of(i)[-1]
    code = code_of(kind).replace("bf", "u2")
    operands = list(i.operands)
    out = operands.pop(0) if i.op[0] == "atom" else "_"
    operation = next(part for part in i.op[1:] if part in OPERATIONS)
    if kind in {"f16x2", "bf16x2", "bf16"}:
        operation += f"_{kind}"
    _, _, address = place(t, i, operands[0])
    space = {"const": "global", "param": "global"}.get(space_of(i), space_of(i))
    values = [t.read(operand, code) for operand in operands[1:]] + ["None"]
    returns = out != "_"
    scope = "cta" if "cta" in i.op else "gpu"
    order = next((part for part in i.op if part in {"acquire", "release", "acq_rel"}), "relaxed")
    t.emit(f"g.launch.races.order(g, {order!r}, {scope!r}, True)") if order in {"release", "acq_rel"} else None
    call = f"atomic(g, {space!r}, {operation!r}, {address}, {code!r}, {values[0]}, {values[1]}, {t.number}, {returns})"
    if returns:
        t.write(out, code, call)
    else:
        t.emit(call)
    t.emit(f"g.launch.races.order(g, {order!r}, {scope!r}, False)") if order in {"acquire", "acq_rel"} else None


@opcode("membar", "fence")
def _fence(t: Translator, i: Instruction) -> None:
    if "proxy" not in i.op:
        t.emit(f"g.launch.races.fence(g, {'cta' in i.op})")


@opcode("bra", "brx", "ret", "exit", "prefetch", "prefetchu", "nanosleep", "applypriority", "discard")
def _nothing(t: Translator, i: Instruction) -> None:
    """Jumps are the machine's work; hints do nothing."""


@opcode("trap")
def _trap(t: Translator, i: Instruction) -> None:
    t.emit(f"g.launch.trap(g, {t.number})")
