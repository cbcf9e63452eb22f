"""A PTX module in parts: functions, global variables, shared variables."""

import dataclasses
import re

# Bits of a register or value of each PTX type.
WIDTHS = {
    "pred": 8, "b8": 8, "u8": 8, "s8": 8,
    "b16": 16, "u16": 16, "s16": 16, "f16": 16,
    "b32": 32, "u32": 32, "s32": 32, "f32": 32,
    "b64": 64, "u64": 64, "s64": 64, "f64": 64,
}

FUNCTION = re.compile(
    r"(?:\.visible\s+|\.weak\s+|\.extern\s+)*\.(?:entry|func)\s*"
    r"(?P<returns>\([^)]*\)\s*)?(?P<name>[\w$]+)\s*(?P<parameters>\([^{;]*?\))?\s*"
    r"(?:\.(?:maxntid|reqntid|minnctapersm|maxnreg|noreturn)[^{;]*)?(?P<begin>\{|;)",
    re.S,
)
VARIABLE = re.compile(
    r"\.(?P<space>global|const|shared)\s+(?:\.align\s+(?P<align>\d+)\s+)?\.(?P<kind>\w+)\s+(?P<name>[\w$]+)\s*"
    r"(?P<dimensions>(?:\[\d*\])*)\s*(?P<value>=\s*(?:\{[^}]*\}|[^;]*))?;"
)


class Unknown(Exception):
    """Says that the translator does not know something of PTX."""


@dataclasses.dataclass
class Source:
    """The text of one function."""

    returns: str
    parameters: str
    body: str


def width_in_bytes(kind: str) -> int:
    """Returns the bytes of a value."""
    return WIDTHS[kind] // 8


def unsigned(width: int) -> str:
    """Returns the C type that holds so many bits."""
    return f"u{width}"


def c_name(name: str) -> str:
    """Returns a PTX name as a C identifier."""
    return name.replace("%", "R_").replace("$", "S_").replace(".", "_")


def literal(text: str, kind: str) -> str:
    """Returns a number of PTX as a C literal of its bits."""
    if found := re.fullmatch(r"0[fF]([0-9a-fA-F]{8})", text):
        return f"0x{found[1]}u"
    if found := re.fullmatch(r"0[dD]([0-9a-fA-F]{16})", text):
        return f"0x{found[1]}ull"
    if found := re.fullmatch(r"(-?)(0[xX][0-9a-fA-F]+|\d+)U?", text):
        width = WIDTHS.get(kind, 64)
        value = int(found[1] + found[2], 0) & ((1 << width) - 1)
        return f"0x{value:x}{'ull' if width == 64 else 'u'}"
    raise Unknown(f"the literal `{text}`")


class Module:
    """What stands in a module."""

    def __init__(self, text: str) -> None:
        self.functions: dict[str, Source] = {}
        # C definitions by name.
        self.globals: dict[str, str] = {}
        # Alignment and bytes by name.
        self.shared: dict[str, tuple[int, int]] = {}
        text = re.sub(r"/\*.*?\*/", " ", text, flags=re.S)
        text = re.sub(r"//[^\n]*", "", text)
        for variable in VARIABLE.finditer(self._take_functions(text)):
            self._add_variable(variable)

    def _take_functions(self, text: str) -> str:
        """Keeps the functions and returns what stands outside of them."""
        outside, last = [], 0
        while found := FUNCTION.search(text, last):
            outside.append(text[last : found.start()])
            last = found.end()
            if found["begin"] == "{":
                last = end_of_braces(text, found.end() - 1)
                body = text[found.end() : last - 1]
                self.functions[found["name"]] = Source(found["returns"] or "", found["parameters"] or "", body)
        return "\n".join([*outside, text[last:]])

    def _add_variable(self, found: re.Match[str]) -> None:
        kind, name = found["kind"], found["name"]
        count = 1
        for size in re.findall(r"\[(\d+)\]", found["dimensions"] or ""):
            count *= int(size)
        align = int(found["align"] or width_in_bytes(kind))
        if found["space"] == "shared":
            self.shared[name] = (align, count * width_in_bytes(kind))
            return
        value = (found["value"] or "").lstrip("=").strip().strip("{}")
        numbers = ",".join(literal(number.strip(), kind) for number in value.split(",")) if value else ""
        self.globals[name] = (
            f"static {unsigned(WIDTHS[kind])} {c_name(name)}[{count}] __attribute__((aligned({align})))"
            + (f" = {{{numbers}}};" if numbers else ";")
        )


def end_of_braces(text: str, start: int) -> int:
    """Returns the index behind the brace that closes the one at `start`."""
    depth = 0
    for index in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[index], 0)
        if depth == 0:
            return index + 1
    raise Unknown("braces without an end")
