"""One PTX function as C statements: registers, variables, control flow, operands.

Every register is an unsigned integer of its bits; [`instructions`] sees them as numbers where an
instruction does.
"""

import re

import instructions
from module import WIDTHS, Module, Unknown, c_name, literal, unsigned, width_in_bytes

PARAMETER = re.compile(
    r"\.param\s+(?:\.align\s+\d+\s+)?\.(\w+)\s+(?:\.ptr[^,)]*?\s)?([\w$]+)(?:\[(\d+)\])?"
)
DECLARED = {
    ".local": re.compile(r"\.local\s+\.align\s+(?P<align>\d+)\s+\.(?P<kind>\w+)\s+(?P<name>[\w$]+)\[(?P<count>\d+)\]"),
    ".param": re.compile(r"\.param\s+(?:\.align\s+(?P<align>\d+)\s+)?\.(?P<kind>\w+)\s+(?P<name>[\w$]+)(?:\[(?P<count>\d+)\])?"),
    ".shared": re.compile(r"\.shared\s+\.align\s+(?P<align>\d+)\s+\.(?P<kind>\w+)\s+(?P<name>[\w$]+)(?:\[(?P<count>\d+)\])?"),
}
ENDS_BLOCK = ("bra", "ret", "exit", "trap", "call", "bar", "barrier")

SPECIAL = {
    f"%{name}.{axis}": f"thread->{name}[{index}]"
    for name in ("tid", "ntid", "ctaid", "nctaid")
    for index, axis in enumerate("xyz")
}
SPECIAL |= {"%laneid": "(thread->number & 31)", "WARP_SZ": "32"}


class Function:
    """A function while it is translated, and its C."""

    def __init__(self, module: Module, name: str) -> None:
        source = module.functions[name]
        self.module, self.name = module, name
        self.parameters = parameters(source.parameters)
        self.returns = parameters(source.returns)
        self.lines: list[str] = []
        self.widths: dict[str, int] = {}
        self.call_parameters: set[str] = set()
        self.shared = dict(module.shared)
        self.shared_offsets: dict[str, int] = {}
        self.shared_bytes = 0
        self.calls: set[str] = set()
        self.globals_used: set[str] = set()
        self.has_barriers = False
        # Of the basic block so far: instructions, bytes read, bytes written, atomics.
        self.counts = [0, 0, 0, 0]
        self._translate(source.body)

    # ---- operands ---------------------------------------------------------------------------------

    def bits(self, text: str, kind: str) -> str:
        """Returns an operand as an unsigned C expression of its bits."""
        text = text.strip()
        if text in SPECIAL:
            return SPECIAL[text]
        if text in self.widths:
            return c_name(text)
        if text in self.module.globals:
            self.globals_used.add(text)
            return f"(u64){c_name(text)}"
        if text in self.shared:
            return f"{self._shared_offset(text)}u"
        if text.startswith("__local_depot"):
            return f"(u64){text}"
        return literal(text, kind)

    def value(self, text: str, kind: str) -> str:
        """Returns an operand as a C value of a type."""
        bits = self.bits(text, kind)
        if kind.startswith("f"):
            return f"as_{kind}({bits})"
        return f"({c_type(kind)})({bits})"

    def assign(self, target: str, expression: str, kind: str) -> str:
        """Returns the statement that writes a value of a type into a register."""
        target = target.strip()
        if target == "_":
            return f"(void)({expression});"
        if target not in self.widths:
            raise Unknown(f"the register `{target}`")
        width = self.widths[target]
        if kind.startswith("f"):
            expression = f"of_{kind}({expression})"
        elif kind.startswith("s"):
            # A wider register gets the sign.
            expression = f"(i{width})({c_type(kind)})({expression})"
        return f"{c_name(target)} = ({unsigned(width)})({expression});"

    def _shared_offset(self, name: str) -> int:
        """Returns where a shared variable lies; each gets its place when it is first named."""
        if name not in self.shared_offsets:
            align, size = self.shared[name]
            begin = -(-self.shared_bytes // align) * align
            self.shared_offsets[name] = begin
            self.shared_bytes = begin + size
        return self.shared_offsets[name]

    # ---- statements -------------------------------------------------------------------------------

    def _translate(self, body: str) -> None:
        label = re.compile(r"([\w$]+)\s*:(?!:)")
        at = 0
        while at < len(body):
            if body[at].isspace():
                at += 1
            elif body[at] in "{}":
                self._end_block()
                self.lines.append(f"  {body[at]}")
                at += 1
            elif found := label.match(body, at):
                self._end_block()
                self.lines.append(f"{c_name(found[1])}: ;")
                at = found.end()
            else:
                end = end_of_statement(body, at)
                self._statement(" ".join(body[at:end].split()))
                at = end + 1
        self._end_block()

    def _statement(self, text: str) -> None:
        if not text or text.startswith((".pragma", ".loc", ".branchtargets")):
            return
        if text.startswith("."):
            self._declare(text)
            return
        guard = ""
        if found := re.match(r"@(!?)(%?[\w$]+)\s+", text):
            guard = f"if ({found[1]}{c_name(found[2])}) "
            text = text[found.end() :]
        operation, _, rest = text.partition(" ")
        self.counts[0] += instructions.cost(operation)
        code = instructions.translate(self, operation, split_operands(rest))
        if operation.split(".")[0] in ENDS_BLOCK:
            self._end_block()
        self.lines.append(f"  {guard}{{ {code} }}")

    def _declare(self, text: str) -> None:
        if text.startswith(".reg"):
            self._declare_registers(text)
            return
        found = DECLARED[text.split()[0]].fullmatch(text)
        if not found:
            raise Unknown(f"the declaration `{text}`")
        name, align = found["name"], int(found["align"] or 16)
        size = width_in_bytes(found["kind"]) * int(found["count"] or 1)
        if text.startswith(".shared"):
            self.shared[name] = (align, size)
            return
        if text.startswith(".param"):
            self.call_parameters.add(name)
        self.lines.append(f"  u8 {c_name(name)}[{size}] __attribute__((aligned({max(align, 8)})));")

    def _declare_registers(self, text: str) -> None:
        found = re.fullmatch(r"\.reg\s*\.(\w+)\s*(.*)", text, re.S)
        width, names = WIDTHS[found[1]], []
        for name in found[2].split(","):
            if many := re.fullmatch(r"(%?[\w$]+)<(\d+)>", name.strip()):
                names += [f"{many[1]}{index}" for index in range(int(many[2]))]
            else:
                names.append(name.strip())
        self.widths |= dict.fromkeys(names, width)
        self.lines.append(f"  {unsigned(width)} " + ", ".join(f"{c_name(name)} = 0" for name in names) + ";")

    def _end_block(self) -> None:
        if any(self.counts):
            self.lines.append(f"  COUNT({', '.join(map(str, self.counts))});")
        self.counts = [0, 0, 0, 0]


def c_type(kind: str) -> str:
    """Returns the C type of values of a PTX type."""
    return {"f16": "float", "f32": "float", "f64": "double"}.get(kind) or (
        f"{'i' if kind[0] == 's' else 'u'}{WIDTHS[kind]}"
    )


def parameters(text: str) -> list[tuple[str, str, int]]:
    """Returns type, name and number of values of every parameter."""
    return [(kind, name, int(count or 1)) for kind, name, count in PARAMETER.findall(text)]


def end_of_statement(text: str, start: int) -> int:
    """Returns the index of the next semicolon outside of braces, which hold vectors."""
    depth = 0
    for index in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[index], 0)
        if text[index] == ";" and depth == 0:
            return index
    raise Unknown("a statement without an end")


def split_operands(text: str) -> list[str]:
    """Splits operands at the commas outside of brackets."""
    operands, depth, current = [], 0, ""
    for char in text:
        depth += {"{": 1, "[": 1, "(": 1, "}": -1, "]": -1, ")": -1}.get(char, 0)
        if char == "," and depth == 0:
            operands.append(current.strip())
            current = ""
        else:
            current += char
    return [*operands, current.strip()] if current.strip() else operands
