"""PTX text as data: kernels, device functions and variables, with the source line of each instruction."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

WIDTHS = {  # bytes of a PTX type
    **{f"{kind}{8 * size}": size for kind in "bsu" for size in (1, 2, 4, 8)},
    **{"b128": 16, "f16": 2, "bf16": 2, "f16x2": 4, "bf16x2": 4, "f32": 4, "f64": 8, "pred": 1},
}


@dataclass(frozen=True)
class Instruction:
    """One instruction: opcode, operands as written, the predicate (``!%p1``) it depends on, the source line."""

    op: tuple[str, ...]
    operands: tuple[str, ...]
    predicate: str = ""
    line: str = ""

    def __str__(self) -> str:
        guard = f"@{self.predicate} " if self.predicate else ""
        return f"{guard}{'.'.join(self.op)} {', '.join(self.operands)}".strip()


@dataclass(frozen=True)
class Variable:
    """A variable in memory: bytes of its type, of all of it (0: as many as the launch gives), alignment, contents."""

    name: str
    space: str
    type: str
    size: int
    align: int
    values: tuple[str, ...] = ()


@dataclass
class Function:
    """A kernel or a device function; ``body`` holds instructions and, as strings, labels."""

    name: str
    entry: bool
    params: list[Variable] = field(default_factory=list)
    results: list[Variable] = field(default_factory=list)
    body: list[Instruction | str] = field(default_factory=list)
    registers: dict[str, str] = field(default_factory=dict)
    variables: list[Variable] = field(default_factory=list)
    targets: dict[str, list[str]] = field(default_factory=dict)  # .branchtargets
    threads: int | None = None  # what .maxntid allows


class Module:
    """A program: ``kernels`` by mangled name, and the ``variables`` that all functions share.

    The body of a function is read when it is first asked for.
    """

    def __init__(self, text: str) -> None:
        self._parser = _Parser(text)
        self._functions: dict[str, Function] = {}
        self.variables = self._parser.module_variables
        self.kernels = [name for name, (head, _, _) in self._parser.bodies.items() if head.group(1) == "entry"]

    def function(self, name: str) -> Function | None:
        """A kernel or device function by mangled name; None if the program has none."""
        if name not in self._functions and name in self._parser.bodies:
            self._functions[name] = self._parser.function(*self._parser.bodies[name])
        return self._functions.get(name)


_VARIABLE = re.compile(
    r"\.(?P<space>reg|shared|local|global|const|param)\s+(?:\.align\s+(?P<align>\d+)\s+)?(?:\.ptr\s+(?:\.\w+\s+)*)?"
    r"\.(?P<type>\w+)\s+(?:\.ptr\s*(?:\.(?:global|shared|local|const)\s*)?(?:\.align\s+\d+\s*)?)?(?P<names>[^=;]+)(?:=(?P<values>.*))?",
    re.S,
)
_HEAD = re.compile(r"\.(entry|func)\b\s*(\([^)]*\))?\s*([\w$%.]+)\s*(\([^)]*\))?", re.S)


class _Parser:
    def __init__(self, text: str) -> None:
        self.module_variables: list[Variable] = []
        self.bodies: dict[str, tuple[re.Match[str], str, str]] = {}
        self.files = dict(re.findall(r'^\s*\.file\s+(\d+)\s+"([^"]*)"', text, re.M))
        self.called_from: dict[tuple[str, str, str], tuple[str, str, str]] = {}
        self.line = ""
        text = re.sub(r"/\*.*?\*/|//[^\n]*", "", text, flags=re.S)
        text = re.sub(r"\.section\s+\S+\s*\{[^}]*\}", "", text)
        text = re.sub(r"^\s*\.(?:file|version|target|address_size)\b.*$", "", text, flags=re.M)
        self.outside(text)

    def outside(self, text: str) -> None:
        """Variables and functions; ``text`` is the whole module."""
        position = 0
        while match := re.compile(r"\S").search(text, position):
            head = _HEAD.search(text, match.start())
            stop = text.find(";", match.start())
            brace = head.end() if head else len(text)
            if head and (stop < 0 or head.start() < stop):
                opened, ended = text.find("{", brace), text.find(";", brace)
                if opened < 0 or 0 <= ended < opened:  # a declaration without a body
                    position = ended + 1
                    continue
                position = _closing(text, opened) + 1
                self.bodies[head.group(3)] = head, text[brace:opened], text[opened + 1 : position - 1]
            elif stop >= 0:
                self.module_variables += self.variables(text[match.start() : stop])
                position = stop + 1
            else:
                break

    def function(self, head: re.Match[str], directives: str, body: str) -> Function:
        kind, first, name, second = head.groups()
        function = Function(name, kind == "entry")
        function.params = self.parameters(second or "")
        function.results = self.parameters(first or "")
        if match := re.search(r"\.(?:max|req)ntid\s+([\d,\s]+)", directives):
            function.threads = 1
            for size in match.group(1).split(","):
                function.threads *= int(size) if size.strip() else 1
        self.line = ""
        self.called_from.clear()
        self.scopes: list[dict[str, str]] = []
        pieces = _pieces(body)
        for i, piece in enumerate(pieces):
            if piece == "{":
                outer = self.scopes[-1] if self.scopes else {}
                self.scopes.append({**outer, **{name: f"{name}${i}" for name in _declared(pieces[i:])}})
            elif piece == "}":
                self.scopes.pop()
            else:
                self.statement(function, self.renamed(piece))
        return function

    def renamed(self, text: str) -> str:
        """A statement with the names of the scope that it is in: an inner one may use names of an outer one again."""
        if not self.scopes or not self.scopes[-1] or text.startswith(".loc"):
            return text
        names = self.scopes[-1]
        return re.sub(r"(?<![.\w$%])[%\w$]+", lambda match: names.get(match.group(), match.group()), text)

    def parameters(self, text: str) -> list[Variable]:
        return [variable for part in text.strip("()").split(",") if part.strip() for variable in self.variables(part)]

    def statement(self, function: Function, text: str) -> None:
        """One statement of a body: a label, a .loc, a declaration or an instruction."""
        if re.match(r"\.loc\s", text):
            self.locate(text)
        elif match := re.match(r"([\w$%]+)\s*:\s*(.*)", text, re.S):
            function.body.append(match.group(1))
            if match.group(2).startswith(".branchtargets"):
                function.targets[match.group(1)] = _operands(match.group(2).removeprefix(".branchtargets"))
            elif match.group(2) and not match.group(2).startswith(".callprototype"):
                self.statement(function, match.group(2))
        elif text.startswith(".reg"):
            self.registers(function, text)
        elif text.startswith(".pragma"):
            pass
        elif text.startswith("."):
            function.variables += self.variables(text)
        else:
            function.body.append(self.instruction(text))

    def registers(self, function: Function, text: str) -> None:
        _, kind, names = text.split(None, 2)
        for name in names.split(","):
            if match := re.fullmatch(r"(\S+?)<(\d+)>", name.strip()):
                function.registers |= {f"{match.group(1)}{i}": kind[1:] for i in range(int(match.group(2)))}
            else:
                function.registers[name.strip()] = kind[1:]

    def variables(self, text: str) -> list[Variable]:
        match = _VARIABLE.search(text)
        if match is None:
            return []
        found = []
        width = WIDTHS[match["type"]]
        for name in match["names"].split(","):
            shape = re.fullmatch(r"\s*([\w$%]+)\s*((?:\[\s*\d*\s*\]\s*)*)", name)
            if shape is None:
                continue
            count = 1
            for size in re.findall(r"\[\s*(\d*)\s*\]", shape.group(2)):
                count *= int(size or 0)
            values = tuple(_operands((match["values"] or "").replace("{", "").replace("}", "")))
            align = int(match["align"] or width)
            found.append(Variable(shape.group(1), match["space"], match["type"], count * width, align, values))
        return found

    def instruction(self, text: str) -> Instruction:
        predicate = ""
        if text.startswith("@"):
            predicate, text = text[1:].split(None, 1)
        opcode, *rest = text.split(None, 1)
        return Instruction(tuple(opcode.split(".")), tuple(_operands(rest[0] if rest else "")), predicate, self.line)

    def locate(self, text: str) -> None:
        """Remember the source line that follows: the innermost one, and through which lines it was inlined."""
        match = re.match(r"\.loc\s+(\d+)\s+(\d+)\s+(\d+)(?:.*inlined_at\s+(\d+)\s+(\d+)\s+(\d+))?", text)
        if match is None or match.group(2) == "0":
            return
        here = (match.group(1), match.group(2), match.group(3))
        if match.group(4):
            self.called_from[here] = (match.group(4), match.group(5), match.group(6))
        chain = [here]
        while chain[-1] in self.called_from and len(chain) < 20:
            chain.append(self.called_from[chain[-1]])
        places = [f"{self.name(file)}:{line}" for file, line, _ in chain]
        inlined = [place for place in places[1:] if place != places[0]]
        self.line = places[0] + (f", inlined at {', '.join(dict.fromkeys(inlined))}" if inlined else "")

    def name(self, file: str) -> str:
        """The name in #line: NVRTC puts the current directory in front of it."""
        path: str = self.files.get(file, f"file {file}")
        at = path.rfind("/kernels/")
        return path[at + 1 :] if at >= 0 else path.rsplit("/", 1)[-1]


def _closing(text: str, opened: int) -> int:
    """Where the brace that opens at ``opened`` is closed."""
    depth = 0
    for match in re.compile(r"[{}]").finditer(text, opened):
        depth += 1 if match.group() == "{" else -1
        if depth == 0:
            return match.start()
    return len(text)


_PIECE = re.compile(
    r"\s*(?:(?P<brace>[{}])|(?P<loc>\.loc\s[^\n]*)|(?P<label>[\w$%]+\s*:)(?!\s*\.(?:branchtargets|callprototype))"
    r"|(?P<statement>[^;]+);)"
)


def _pieces(body: str) -> list[str]:
    """The statements of a function's body without semicolons, its labels with colons, the braces of its scopes."""
    pieces, position = [], 0
    while match := _PIECE.match(body, position):
        pieces.append(match.group(match.lastgroup or 0).strip())
        position = match.end()
    return pieces


def _declared(pieces: list[str]) -> list[str]:
    """The names that are declared in the scope that begins with the first of the pieces, a brace."""
    names: list[str] = []
    depth = 0
    for piece in pieces:
        depth += (piece == "{") - (piece == "}")
        if depth == 0:
            break
        if depth == 1 and piece.startswith((".reg", ".param", ".local", ".shared")):
            names += re.findall(r"(?<![.\w])[%A-Za-z_$][\w$]*(?=\s*(?:,|$|\[|<))", piece)
        elif depth == 1 and piece.endswith(":"):
            names.append(piece[:-1].strip())
    return names


def _operands(text: str) -> list[str]:
    """``text`` split at its commas, except those within brackets."""
    parts, depth, start = [], 0, 0
    for i, character in enumerate(text):
        depth += (character in "[{(") - (character in "]})")
        if character == "," and depth == 0:
            parts.append(text[start:i].strip())
            start = i + 1
    parts.append(text[start:].strip())
    return [part for part in parts if part]
