"""What each PTX instruction is in Python: one function for each opcode, which writes source through a Translator."""

from __future__ import annotations

import numpy as np

from gradflow.testing.ptx.parse import WIDTHS, Instruction
from gradflow.testing.ptx.registers import code_of
from gradflow.testing.ptx.translate import Translator, Unsupported, opcode


def kinds_of(instruction: Instruction) -> list[str]:
    """The types in an opcode, in order."""
    return [part for part in instruction.op[1:] if part in WIDTHS]


SYMBOLS = {"add": "+", "sub": "-", "mul": "*", "and": "&", "or": "|", "xor": "^"}


@opcode("add", "sub")
def _sum(t: Translator, i: Instruction) -> None:
    kind, sign = kinds_of(i)[0], SYMBOLS[i.op[0]]
    code = code_of(kind)
    out, a, b = i.operands
    if (kind[0] in "fb" and "16" in kind) or set(i.op) & {"rz", "rm", "rp"}:
        return _floating(t, i, f"lambda a, b: a {sign} b", (a, b), out)
    if "sat" in i.op and code == "i4":
        function = "add_saturated" if sign == "+" else "subtract_saturated"
        t.write(out, code, f"{function}({t.read(a, code)}, {t.read(b, code)})")
    elif "cc" in i.op:
        _carry(t, i, "add_with_carry" if sign == "+" else "subtract_with_borrow", "k_zero")
    elif code[0] == "f":
        _floating(t, i, sign, (a, b), out)
    else:
        t.write(out, code, f"{t.read(a, code)} {sign} {t.read(b, code)}")


@opcode("addc", "subc")
def _sum_with_carry(t: Translator, i: Instruction) -> None:
    _carry(t, i, "add_with_carry" if i.op[0] == "addc" else "subtract_with_borrow", t.read("%cc", "u4"))


def _carry(t: Translator, i: Instruction, function: str, carry: str) -> None:
    code = f"u{WIDTHS[kinds_of(i)[0]]}"
    out, a, b = i.operands[:3]
    pair = t.temporary(f"{function}({t.read(a, code)}, {t.read(b, code)}, {carry})")
    t.write(out, code, f"{pair}[0]")
    if "cc" in i.op:
        t.write("%cc", "u4", f"{pair}[1]")


def _floating(t: Translator, i: Instruction, operation: str, operands: tuple[str, ...], out: str) -> None:
    """An operation on floats: an operator between two, or a lambda for types that wider ones stand in for."""
    kind = kinds_of(i)[0]
    code, ftz = code_of(kind), "ftz" in i.op
    directed = next((part for part in i.op if part in {"rz", "rm", "rp"}), None)
    if kind in {"f16x2", "bf16x2"}:
        packed = "packed_bf16" if kind == "bf16x2" else "packed"
        t.write(out, "u4", f"{packed}({operation}, {', '.join(t.read(x, 'u4') for x in operands)})")
    elif kind == "bf16":
        t.write(out, "u2", f"brain({operation}, {', '.join(t.read(x, 'u2') for x in operands)})")
    else:
        names = [t.read_float(x, code, ftz) for x in operands]
        if directed:
            expression = f"directed({i.op[0]!r}, {directed!r}, {', '.join(names)})"
        elif operation.startswith("lambda"):
            expression = f"({operation})({', '.join(names)})"
        else:
            expression = f"{names[0]} {operation} {names[1]}"
        if "sat" in i.op:
            expression = f"saturate({expression})"
        t.write_float(out, code, expression, ftz)


@opcode("mul")
def _product(t: Translator, i: Instruction) -> None:
    kind = kinds_of(i)[0]
    code = code_of(kind)
    out, a, b = i.operands
    if kind[0] in "fb":
        plain = code in {"f4", "f8"} and not set(i.op) & {"rz", "rm", "rp"}
        _floating(t, i, "*" if plain else "lambda a, b: a * b", (a, b), out)
    else:
        t.write(out, _product_code(i, code), _integer_product(t, i, code, a, b))


def _product_code(i: Instruction, code: str) -> str:
    return f"{code[0]}{2 * int(code[1])}" if "wide" in i.op else code


def _integer_product(t: Translator, i: Instruction, code: str, a: str, b: str) -> str:
    x, y = t.read(a, code), t.read(b, code)
    if "hi" in i.op:
        return f"high_product({x}, {y})"
    if "wide" in i.op:
        wide = _product_code(i, code)
        return f"{x}.astype({wide!r}) * {y}.astype({wide!r})"
    return f"{x} * {y}"


@opcode("mul24", "mad24")
def _product24(t: Translator, i: Instruction) -> None:
    code = code_of(kinds_of(i)[0])
    out, a, b = i.operands[:3]
    wide = f"{code[0]}8"
    x, y = (f"({t.read(n, code)} << 8 >> 8).astype({wide!r})" for n in (a, b))
    result = f"({x} * {y}{' >> 16' if 'hi' in i.op else ''}).astype({code!r})"
    t.write(out, code, result + (f" + {t.read(i.operands[3], code)}" if i.op[0] == "mad24" else ""))


@opcode("fma", "mad", "madc")
def _multiply_add(t: Translator, i: Instruction) -> None:
    kind = kinds_of(i)[0]
    code, ftz = code_of(kind), "ftz" in i.op
    out, a, b, c = i.operands
    if kind[0] in "su":
        target = _product_code(i, code)
        product = t.temporary(_integer_product(t, i, code, a, b))
        if i.op[0] == "madc" or "cc" in i.op:
            carry = t.read("%cc", "u4") if i.op[0] == "madc" else "k_zero"
            unsigned = f"u{target[1]}"
            pair = t.temporary(f"add_with_carry({product}.view({unsigned!r}), {t.read(c, unsigned)}, {carry})")
            t.write(out, unsigned, f"{pair}[0]")
            if "cc" in i.op:
                t.write("%cc", "u4", f"{pair}[1]")
        else:
            t.write(out, target, f"{product} + {t.read(c, target)}")
    elif code in {"f4", "f8"}:
        names = ", ".join(t.read_float(x, code, ftz) for x in (a, b, c))
        directed = next((part for part in i.op if part in {"rz", "rm", "rp"}), None)
        name = {"f4": "fma_f4z" if ftz else "fma_f4", "f8": "fma_f8"}[code]
        expression = f"directed('fma', {directed!r}, {names})" if directed else f"{name}({names})"
        t.write_float(out, code, f"saturate({expression})" if "sat" in i.op else expression, ftz)
    else:
        function = "fma_odd" if kind.startswith("bf") else "fma_f2"
        if "relu" in i.op:
            function = f"lambda a, b, c: maximum_nan({function}(a, b, c), 0)"
        _floating(t, i, function if "lambda" in function else f"lambda a, b, c: {function}(a, b, c)", (a, b, c), out)


@opcode("div")
def _quotient(t: Translator, i: Instruction) -> None:
    kind = kinds_of(i)[0]
    code = code_of(kind)
    out, a, b = i.operands
    if kind[0] in "su":
        t.write(out, code, f"divide({t.read(a, code)}, {t.read(b, code)})")
    else:
        directed = set(i.op) & {"rz", "rm", "rp"}
        _floating(t, i, "lambda a, b: a / b" if directed else "/", (a, b), out)


@opcode("rem")
def _remainder(t: Translator, i: Instruction) -> None:
    code = code_of(kinds_of(i)[0])
    out, a, b = i.operands
    t.write(out, code, f"remainder({t.read(a, code)}, {t.read(b, code)})")


@opcode("sad")
def _difference(t: Translator, i: Instruction) -> None:
    code = code_of(kinds_of(i)[0])
    out, a, b, c = i.operands
    x, y = t.read(a, code), t.read(b, code)
    t.write(out, code, f"{t.read(c, code)} + where({x} < {y}, {y} - {x}, {x} - {y})")


@opcode("neg", "abs")
def _sign(t: Translator, i: Instruction) -> None:
    kind = kinds_of(i)[0]
    out, a = i.operands
    if kind in {"f16", "bf16", "f16x2", "bf16x2"}:  # the sign bits
        code = "u4" if kind.endswith("x2") else "u2"
        mask = {("u4", "neg"): 0x80008000, ("u4", "abs"): 0x7FFF7FFF, ("u2", "neg"): 0x8000, ("u2", "abs"): 0x7FFF}
        sign = "^" if i.op[0] == "neg" else "&"
        t.write(out, code, f"{t.read(a, code)} {sign} {t.read(str(mask[code, i.op[0]]), code)}")
        return
    code, ftz = code_of(kind), "ftz" in i.op
    name = t.read_float(a, code, ftz)
    t.write_float(out, code, f"-{name}" if i.op[0] == "neg" else f"abs({name})", ftz, gradual=False)


@opcode("min", "max")
def _extreme(t: Translator, i: Instruction) -> None:
    kind = kinds_of(i)[0]
    code, ftz = code_of(kind), "ftz" in i.op
    out, *operands = i.operands
    name = f"{i.op[0]}imum"
    if kind[0] in "su":
        t.write(out, code, f"np_{name}({t.read(operands[0], code)}, {t.read(operands[1], code)})")
        return
    function = f"{name}_nan" if "NaN" in i.op else name
    if kind in {"f16", "bf16", "f16x2", "bf16x2"}:
        _floating(t, i, f"lambda a, b: {function}(a, b)", tuple(operands), out)
        return
    names = [t.read_float(x, code, ftz) for x in operands]
    expression = f"{function}({names[0]}, {names[1]})"
    for more in names[2:]:
        expression = f"{function}({expression}, {more})"
    t.write_float(out, code, expression, ftz, gradual=False)


APPROXIMATE = {
    "ex2": "np_exp2",
    "lg2": "np_log2",
    "sin": "np_sin",
    "cos": "np_cos",
    "tanh": "np_tanh",
    "rcp": "reciprocal",
    "sqrt": "np_sqrt",
    "rsqrt": "reciprocal_root",
}


@opcode(*APPROXIMATE)
def _function(t: Translator, i: Instruction) -> None:
    kind = kinds_of(i)[0]
    code, ftz = code_of(kind), "ftz" in i.op
    out, a = i.operands
    function = APPROXIMATE[i.op[0]]
    if kind in {"f16", "bf16", "f16x2", "bf16x2"}:
        _floating(t, i, f"lambda a: {function}(a)", (a,), out)
    elif directed := next((part for part in i.op if part in {"rz", "rm", "rp"}), None):
        name = t.read_float(a, code, ftz)
        t.write_float(out, code, f"directed({i.op[0]!r}, {directed!r}, {name})", ftz)
    elif code == "f8":
        t.write(out, code, f"{function}({t.read(a, code)})")
    elif "rn" in i.op:  # rcp and sqrt, which NumPy rounds correctly
        expression = f"{'np_sqrt(' if i.op[0] == 'sqrt' else 'k_one / ('}{t.read_float(a, code, ftz)})"
        t.write_float(out, code, expression, ftz)
    else:
        expression = f"approximate({function}, {t.read_float(a, code, ftz)}, {ftz})"
        t.write_float(out, code, expression, ftz, gradual=False)


@opcode("copysign")
def _copysign(t: Translator, i: Instruction) -> None:
    code = code_of(kinds_of(i)[0])
    out, a, b = i.operands
    t.write(out, code, f"copysign({t.read(b, code)}, {t.read(a, code)})")


@opcode("testp")
def _test(t: Translator, i: Instruction) -> None:
    code = code_of(kinds_of(i)[0])
    out, a = i.operands
    tiny = t.constant(np.dtype(code).type(2.0**-126 if code == "f4" else 2.0**-1022))
    x = t.read(a, code)
    tests = {
        "finite": f"isfinite({x})",
        "infinite": f"isinf({x})",
        "number": f"({x} == {x})",
        "notanumber": f"({x} != {x})",
        "normal": f"(isfinite({x}) & (abs({x}) >= {tiny}))",
        "subnormal": f"(({x} != 0) & (abs({x}) < {tiny}))",
    }
    t.write(out, "?", tests[i.op[1]])


def unsupported(t: Translator, i: Instruction) -> None:
    """For opcodes that are known and not offered."""
    raise Unsupported(str(i))
