"""A formula as lines of one operation each, and arithmetic on them that leaves out what is 0 or 1."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from gradflow.formula import FUNCTIONS, REDUCTIONS

ZERO, ONE, MINUS_ONE = "0", "1", "-1"
SYMBOLS = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**", ast.BitAnd: "&", ast.BitOr: "|",
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=",
}  # fmt: skip


class Lines:
    """A formula as assignments of one operation each, and the derivatives of what they assign.

    Operands are atoms: names or numbers, as text.
    """

    def __init__(self, by: str, taken: set[str]) -> None:
        self.taken = taken | {by}  # names that lines cannot have
        self.lines: dict[str, str] = {}  # an expression of atoms, and the name it has
        self.parts: dict[str, tuple[str, tuple[str, ...]]] = {}  # of a name: the operation and its atoms
        self.slopes: dict[str, str] = {by: ONE}

    # ---- the formula

    def atom(self, node: ast.expr, known: Mapping[str, str]) -> str:
        """``node`` as an atom, with lines for what it is made of; ``known`` are its names that are atoms already."""
        if isinstance(node, ast.Constant):
            return repr(node.value)
        if isinstance(node, ast.Name):
            return known.get(node.id, node.id)
        if isinstance(node, ast.UnaryOp):
            operand = self.atom(node.operand, known)
            return self.negative(operand) if isinstance(node.op, ast.USub) else self.line("~", operand)
        if isinstance(node, ast.BinOp):
            return self.line(SYMBOLS[type(node.op)], self.atom(node.left, known), self.atom(node.right, known))
        if isinstance(node, ast.Compare):
            return self.line(
                SYMBOLS[type(node.ops[0])], self.atom(node.left, known), self.atom(node.comparators[0], known)
            )
        assert isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        if node.func.id in REDUCTIONS:
            raise SyntaxError(f"{ast.unparse(node)!r}: derivatives are of formulas without reductions")
        return self.line(node.func.id, *(self.atom(each, known) for each in node.args))

    def line(self, operation: str, *atoms: str) -> str:
        """The name of ``operation`` of ``atoms``; the same is not computed twice."""
        expression = _written(operation, atoms)
        if expression not in self.lines:
            name = f"t{len(self.lines)}"
            while name in self.taken:
                name += "_"
            self.lines[expression] = name
            self.parts[name] = operation, atoms
        return self.lines[expression]

    def text(self, result: str) -> str:
        """The formula whose result is the atom ``result``: the lines it needs, those used once put where they are."""
        uses: dict[str, int] = {}
        waiting = [result]
        while waiting:
            atom = waiting.pop()
            uses[atom] = uses.get(atom, 0) + 1
            if uses[atom] == 1 and atom in self.parts:
                waiting += self.parts[atom][1]
        shown: dict[str, str] = {}
        lines = []
        for name, (operation, atoms) in self.parts.items():
            if name in uses:
                expression = _written(operation, tuple(shown.get(each, _bracketed(each)) for each in atoms))
                if uses[name] > 1:
                    lines.append(f"{name} = {expression}")
                elif name != result:
                    shown[name] = expression if operation in FUNCTIONS else f"({expression})"
                else:
                    shown[name] = expression
        lines.append(shown.get(result, result))
        return "\n".join(lines)

    # ---- arithmetic that leaves out what is 0 or 1

    def add(self, a: str, b: str) -> str:
        if ZERO in (a, b):
            return b if a == ZERO else a
        return self.line("-", a, self.parts[b][1][0]) if self._is_negative(b) else self.line("+", a, b)

    def multiply(self, a: str, b: str) -> str:
        if ZERO in (a, b):
            return ZERO
        if ONE in (a, b):
            return b if a == ONE else a
        if MINUS_ONE in (a, b):
            return self.negative(b if a == MINUS_ONE else a)
        if self._is_negative(a):
            return self.negative(self.multiply(self.parts[a][1][0], b))
        return self.line("*", a, b)

    def divide(self, a: str, b: str) -> str:
        return a if a == ZERO or b == ONE else self.line("/", a, b)

    def negative(self, a: str) -> str:
        if a not in self.parts and a.lstrip("-")[:1].isdigit():
            return ZERO if a == ZERO else a[1:] if a.startswith("-") else f"-{a}"
        return self.parts[a][1][0] if self._is_negative(a) else self.line("neg", a)

    def _is_negative(self, a: str) -> bool:
        return a in self.parts and self.parts[a][0] == "neg"

    # ---- what rules look for

    def exponential(self, atom: str) -> str | None:
        """u, where ``atom`` is exp(u)."""
        operation, atoms = self.parts.get(atom, ("", ()))
        return atoms[0] if operation == "exp" else None

    def one_and_exponential(self, atom: str) -> str | None:
        """u, where ``atom`` is 1 + exp(u)."""
        operation, atoms = self.parts.get(atom, ("", ()))
        if operation != "+" or not {"1", "1.0"} & set(atoms):
            return None
        return self.exponential(atoms[1] if atoms[0] in ("1", "1.0") else atoms[0])


def _written(operation: str, atoms: tuple[str, ...]) -> str:
    if operation in FUNCTIONS:
        return f"{operation}({', '.join(map(_bare, atoms))})"
    first = _bracketed(atoms[0])
    if operation in ("neg", "~"):
        return f"{'-' if operation == 'neg' else '~'}{first}"
    return f"{first} {operation} {_bracketed(atoms[1])}"


def _bracketed(atom: str) -> str:
    return f"({atom})" if atom.startswith("-") else atom


def _bare(atom: str) -> str:
    return atom[1:-1] if atom.startswith("(") and _closes_last(atom) else atom


def _closes_last(text: str) -> bool:
    """Whether the parenthesis that begins ``text`` is closed at its end."""
    depth = 0
    for i, each in enumerate(text):
        depth += (each == "(") - (each == ")")
        if not depth:
            return i == len(text) - 1
    return False
