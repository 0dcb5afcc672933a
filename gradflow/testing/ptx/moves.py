"""What PTX instructions that move, compare, convert, load and store are in Python; see instructions.py."""

from __future__ import annotations

import re

from gradflow.testing.ptx.instructions import SYMBOLS, kinds_of
from gradflow.testing.ptx.parse import WIDTHS, Instruction
from gradflow.testing.ptx.registers import code_of
from gradflow.testing.ptx.translate import Translator, opcode

COMPARISONS = {
    "eq": "{a} == {b}",
    "ne": "{a} != {b}",
    "lt": "{a} < {b}",
    "le": "{a} <= {b}",
    "gt": "{a} > {b}",
    "ge": "{a} >= {b}",
    "lo": "{a} < {b}",
    "ls": "{a} <= {b}",
    "hi": "{a} > {b}",
    "hs": "{a} >= {b}",
    "equ": "~(({a} < {b}) | ({a} > {b}))",
    "neu": "{a} != {b}",
    "ltu": "~({a} >= {b})",
    "leu": "~({a} > {b})",
    "gtu": "~({a} <= {b})",
    "geu": "~({a} < {b})",
    "num": "({a} == {a}) & ({b} == {b})",
    "nan": "({a} != {a}) | ({b} != {b})",
}
ORDERED_NE = "({a} < {b}) | ({a} > {b})"


def _comparison(t: Translator, i: Instruction, comparison: str, kind: str, a: str, b: str) -> str:
    if kind == "bf16":
        x, y = (t.temporary(f"widen_bf16({t.read(n, 'u2')})") for n in (a, b))
    else:
        code, ftz = code_of(kind), "ftz" in i.op
        x, y = t.read_float(a, code, ftz), t.read_float(b, code, ftz)
    floating = "f" in kind
    text = ORDERED_NE if comparison == "ne" and floating else COMPARISONS[comparison]
    return "(" + text.format(a=x, b=y) + ")"


def _compared(t: Translator, i: Instruction) -> tuple[str, str | None]:
    """The comparison of a setp or set with what it is combined with, and the same with the comparison negated."""
    kind = kinds_of(i)[-1]
    result = _comparison(t, i, i.op[1], kind, i.operands[1], i.operands[2])
    if len(i.operands) == 3:
        return result, None
    combine = next(part for part in i.op if part in {"and", "or", "xor"})
    other = t.read(i.operands[3], "?")
    first = t.temporary(result)
    return f"{first} {SYMBOLS[combine]} {other}", f"~{first} {SYMBOLS[combine]} {other}"


@opcode("setp")
def _setp(t: Translator, i: Instruction) -> None:
    outs = i.operands[0].split("|")
    if kinds_of(i)[-1] in {"f16x2", "bf16x2"}:
        widen = "halves" if kinds_of(i)[-1] == "f16x2" else "halves_bf16"
        a, b = (t.temporary(f"{widen}({t.read(n, 'u4')})") for n in i.operands[1:3])
        text = ORDERED_NE if i.op[1] == "ne" else COMPARISONS[i.op[1]]
        for k, out in enumerate(outs):
            t.write(out, "?", text.format(a=f"{a}[{k}]", b=f"{b}[{k}]"))
        return
    result, negated = _compared(t, i)
    t.write(outs[0], "?", result)
    if len(outs) == 2:
        t.write(outs[1], "?", negated or f"~{t.read(outs[0], '?')}")


@opcode("set")
def _set(t: Translator, i: Instruction) -> None:
    target = code_of(kinds_of(i)[0])
    result, _ = _compared(t, i)
    yes = "1.0" if target[0] == "f" else "-1"
    one = t.read("0f3F800000" if yes == "1.0" else "-1", target)
    t.write(i.operands[0], target, f"where({result}, {one}, {t.read('0', target)})")


@opcode("selp")
def _select(t: Translator, i: Instruction) -> None:
    code = code_of(kinds_of(i)[0])
    out, a, b, p = i.operands
    t.write(out, code, f"where({t.read(p, '?')}, {t.read(a, code)}, {t.read(b, code)})")


@opcode("slct")
def _select_by_sign(t: Translator, i: Instruction) -> None:
    kinds = kinds_of(i)
    code, by = code_of(kinds[0]), code_of(kinds[1])
    out, a, b, c = i.operands
    t.write(out, code, f"where({t.read_float(c, by, 'ftz' in i.op)} >= 0, {t.read(a, code)}, {t.read(b, code)})")


@opcode("and", "or", "xor")
def _logic(t: Translator, i: Instruction) -> None:
    code = code_of(kinds_of(i)[0])
    out, a, b = i.operands
    t.write(out, code, f"{t.read(a, code)} {SYMBOLS[i.op[0]]} {t.read(b, code)}")


@opcode("not", "cnot")
def _not(t: Translator, i: Instruction) -> None:
    code = code_of(kinds_of(i)[0])
    out, a = i.operands
    x = t.read(a, code)
    t.write(out, code, f"~{x}" if i.op[0] == "not" else f"({x} == 0).astype({code!r})")


@opcode("shl", "shr")
def _shift(t: Translator, i: Instruction) -> None:
    code = code_of(kinds_of(i)[0])
    out, a, by = i.operands
    x = t.read(a, code)
    if re.fullmatch(r"\d+", by) and int(by) < 8 * WIDTHS[kinds_of(i)[0]]:
        t.write(out, code, f"{x} {'<<' if i.op[0] == 'shl' else '>>'} {t.read(by, code)}")
    else:
        t.write(out, code, f"shift_{'left' if i.op[0] == 'shl' else 'right'}({x}, {t.read(by, 'u4')})")


@opcode("popc", "clz", "brev", "bfind")
def _count(t: Translator, i: Instruction) -> None:
    kind = kinds_of(i)[0]
    code = code_of(kind)
    out, a = i.operands
    name = {"popc": "population", "clz": "leading_zeros", "brev": "reverse", "bfind": "highest_bit"}[i.op[0]]
    expression = f"{name}({t.read(a, code)})"
    if "shiftamt" in i.op:
        expression = f"shift_amount({expression}, {8 * WIDTHS[kind] - 1})"
    t.write(out, code if i.op[0] == "brev" else "u4", expression)


@opcode("bfe", "bfi")
def _field(t: Translator, i: Instruction) -> None:
    code = code_of(kinds_of(i)[0])
    out, *values, start, length = i.operands
    names = ", ".join([*(t.read(x, code) for x in values), t.read(start, "u4"), t.read(length, "u4")])
    t.write(out, code, f"{'extract' if i.op[0] == 'bfe' else 'insert'}({names})")


@opcode("prmt")
def _permute(t: Translator, i: Instruction) -> None:
    out, *operands = i.operands
    mode = next((part for part in i.op if part in {"f4e", "b4e", "rc8", "ecl", "ecr", "rc16"}), "")
    t.write(out, "u4", f"permute({', '.join(t.read(x, 'u4') for x in operands)}, {mode!r})")


@opcode("shf")
def _funnel(t: Translator, i: Instruction) -> None:
    out, *operands = i.operands
    names = ", ".join(t.read(x, "u4") for x in operands)
    t.write(out, "u4", f"funnel({names}, {'l' in i.op}, {'clamp' in i.op})")


@opcode("lop3")
def _any_logic(t: Translator, i: Instruction) -> None:
    out, a, b, c, table = i.operands[:5]
    names = ", ".join(t.read(x, "u4") for x in (a, b, c))
    t.write(out, "u4", f"logic({names}, {int(table, 0)})")


@opcode("dp4a", "dp2a")
def _byte_products(t: Translator, i: Instruction) -> None:
    out, a, b, c = i.operands
    signs = tuple("i" if kind[0] == "s" else "u" for kind in kinds_of(i))
    if i.op[0] == "dp2a":
        raise ValueError("dp2a")
    names = ", ".join([t.read(a, "u4"), t.read(b, "u4"), t.read(c, f"{'i' if 'i' in signs else 'u'}4")])
    t.write(out, "u4", f"byte_products({names}, {signs!r})")


@opcode("mov")
def _move(t: Translator, i: Instruction) -> None:
    kind = kinds_of(i)[0]
    code = code_of(kind)
    out, a = i.operands
    if out.startswith("{"):
        _unpack(t, kind, [part.strip() for part in out.strip("{}").split(",")], a)
    elif a.startswith("{"):
        _pack(t, kind, out, [part.strip() for part in a.strip("{}").split(",")])
    else:
        if a in t.registers and t.registers[a] != "pred":
            given = t.register(a, t.home[a])
            code = t.home[a] if code[1:] == t.home[a][1:] else code
            t.write(out, code, t.read(a, code) if given else "")
        else:
            t.write(out, code, t.read(a, code))
        if a in t.clean:
            t.clean[out] = t.clean[a]


def _unpack(t: Translator, kind: str, outs: list[str], a: str) -> None:
    size = WIDTHS[kind] // len(outs)
    whole = t.read(a, f"u{WIDTHS[kind]}")
    for k, out in enumerate(outs):
        shifted = f"({whole} >> {8 * size * k})" if k else whole
        t.write(out, f"u{size}", f"{shifted}.astype('u{size}')") if out != "_" else None


def _pack(t: Translator, kind: str, out: str, parts: list[str]) -> None:
    size, code = WIDTHS[kind] // len(parts), f"u{WIDTHS[kind]}"
    pieces = [f"{t.read(part, f'u{size}')}.astype({code!r})" for part in parts]
    t.write(out, code, " | ".join(f"({piece} << {8 * size * k})" if k else piece for k, piece in enumerate(pieces)))


@opcode("cvt")
def _convert(t: Translator, i: Instruction) -> None:
    kinds, ftz = kinds_of(i), "ftz" in i.op
    rounding = next((part for part in i.op if re.fullmatch(r"r[nzmp]i?", part)), "")
    out, *operands = i.operands
    target = code_of(kinds[0])
    if kinds[0] in {"f16x2", "bf16x2"}:
        half = "f2" if kinds[0] == "f16x2" else "bf"
        parts = [
            f"convert({t.read_float(x, 'f4', ftz)}, 'f4', {half!r}, {rounding!r}, {'sat' in i.op})" for x in operands
        ]
        packed = f"pack({', '.join(parts)})"
        t.write(out, "u4", f"relu_halves({packed})" if "relu" in i.op else packed)
        return
    source = code_of(kinds[1])
    name = t.read(operands[0], "u2") if source == "bf" else t.read_float(operands[0], source, ftz)
    if source[0] in "iu" and target[0] in "iu" and "sat" not in i.op:
        t.write(out, target, t.cast(name, source, target) if source[1] == target[1] else f"{name}.astype({target!r})")
        return
    expression = f"convert({name}, {source!r}, {target!r}, {rounding!r}, {'sat' in i.op})"
    exact = (source, target) in {("f2", "f4"), ("f4", "f8"), ("f2", "f8")} or (source[0] in "iu" and rounding == "rn")
    if exact and "sat" not in i.op:
        expression = f"{name}.astype({target!r})"
    if "relu" in i.op:
        expression = f"maximum_nan({expression}, 0)" if target != "bf" else f"relu_bf16({expression})"
    t.write_float(out, target, expression, ftz and target == "f4", gradual=source != "f2" and not exact)


@opcode("cvta")
def _convert_address(t: Translator, i: Instruction) -> None:
    out, a = i.operands
    code = "i4" if "u32" in i.op else "i8"
    window = "SHARED_WINDOW" if "shared" in i.op else "LOCAL_WINDOW" if "local" in i.op else ""
    sign = "-" if "to" in i.op else "+"
    t.write(out, code, f"{t.read(a, code)} {sign} {window}" if window else t.read(a, code))


@opcode("isspacep")
def _is_space(t: Translator, i: Instruction) -> None:
    out, a = i.operands
    t.write(out, "?", f"in_space({t.read(a, 'i8')}, {i.op[1]!r})")


SPACES = {"global", "shared", "local", "const", "param"}


def space_of(i: Instruction) -> str:
    """The state space of a memory instruction; "generic" if it names none."""
    return next((part.split("::")[0] for part in i.op if part.split("::")[0] in SPACES), "generic")


def place(t: Translator, i: Instruction, operand: str) -> tuple[str, str, str]:
    """The end of the name of the access function, the arguments for the space, and the address."""
    space = {"const": "global", "param": "global"}.get(space_of(i), space_of(i))
    if space_of(i) == "param" and operand.strip("[]").split("+")[0] in t.local_params:
        space = "private"  # the arguments of a call, which a GPU has in registers
    name, offset = t.address(operand)
    if space == "global":
        return "global", "", f"{name}, {offset} - BASE"
    return (
        ("private", f"{space!r}, ", f"{name}, {offset}") if space != "generic" else ("generic", "", f"{name}, {offset}")
    )


@opcode("ld", "ldu")
def _load(t: Translator, i: Instruction) -> None:
    kind = kinds_of(i)[-1]
    code = code_of(kind).replace("bf", "u2")
    outs = [part.strip() for part in i.operands[0].strip("{}").split(",")]
    known = t.parameter(i.operands[1]) if space_of(i) == "param" else None
    if known is not None:
        for k, out in enumerate(outs):
            t.write(out, code, f"g.parameter({known + k * WIDTHS[kind]}, {code!r})")
        return
    end, space, address = place(t, i, i.operands[1])
    call = f"load_{end}(g, {space}{address}, {code!r}, {len(outs)}, {t.number})"
    if len(outs) == 1:
        t.write(outs[0], code, call)
    else:
        vector = t.temporary(call)
        for k, out in enumerate(outs):
            t.write(out, code, f"{vector}[{k}]")


@opcode("st")
def _store(t: Translator, i: Instruction) -> None:
    code = code_of(kinds_of(i)[-1]).replace("bf", "u2")
    values = [t.read(part.strip(), code) for part in i.operands[1].strip("{}").split(",")]
    end, space, address = place(t, i, i.operands[0])
    t.emit(f"store_{end}(g, {space}{address}, {code!r}, ({', '.join(values)},), {t.number})")
