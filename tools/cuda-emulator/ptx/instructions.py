"""What each PTX instruction does, as C.

A translation gets the function, the instruction and its operands, and returns statements. Sources:
"PTX ISA", chapter 9.
"""

import dataclasses
import re
from collections.abc import Callable

from module import WIDTHS, Unknown, c_name, unsigned, width_in_bytes

# Machine instructions of one PTX instruction where they are not one: estimates, for counts only.
COSTS = {
    "div.u32": 20, "rem.u32": 22, "div.s32": 24, "rem.s32": 26,
    "div.u64": 90, "rem.u64": 95, "div.s64": 100, "rem.s64": 105,
    "div.rn.f32": 10, "sqrt.rn.f32": 8, "rcp.rn.f32": 6,
    "mul.lo.s64": 4, "mul.lo.u64": 4, "add.s64": 2, "sub.s64": 2,
    "and.b64": 2, "or.b64": 2, "shl.b64": 2, "shr.u64": 2,
    "setp.eq.s64": 2, "setp.lt.u64": 2, "setp.ge.u64": 2,
    "cvt.u32.u64": 0, "cvta.to.global.u64": 0, "ld.param.u64": 0,
}

COMPARISONS = {
    "eq": "==", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "lo": "<", "ls": "<=", "hi": ">", "hs": ">=",
}
UNARY = {
    ("rcp", "f32"): "1.0f / {0}", ("rcp", "f64"): "1.0 / {0}",
    ("sqrt", "f32"): "__builtin_sqrtf({0})", ("sqrt", "f64"): "__builtin_sqrt({0})",
    ("rsqrt", "f32"): "1.0f / __builtin_sqrtf({0})",
    ("ex2", "f32"): "exp2f({0})", ("lg2", "f32"): "log2f({0})",
    ("sin", "f32"): "sinf({0})", ("cos", "f32"): "cosf({0})", ("tanh", "f32"): "tanhf({0})",
    ("abs", "f32"): "__builtin_fabsf({0})", ("abs", "f64"): "__builtin_fabs({0})",
    ("abs", "s32"): "abs({0})", ("abs", "s64"): "llabs({0})",
}


@dataclasses.dataclass
class Instruction:
    """`base.modifier.….type` in parts."""

    base: str
    modifiers: list[str]
    kinds: list[str]

    @property
    def kind(self) -> str:
        """The last type, which is that of most operands."""
        return self.kinds[-1]

    @property
    def width(self) -> int:
        """Bits of the last type."""
        return WIDTHS[self.kind]

    def has(self, modifier: str) -> bool:
        """Whether the instruction is modified so."""
        return modifier in self.modifiers


Translation = Callable[["Function", Instruction, list[str]], str]
TRANSLATIONS: dict[str, Translation] = {}


def instruction(*names: str) -> Callable[[Translation], Translation]:
    """Registers a translation for instructions."""

    def register(translation: Translation) -> Translation:
        TRANSLATIONS.update(dict.fromkeys(names, translation))
        return translation

    return register


def cost(operation: str) -> int:
    """Returns the machine instructions to count for an instruction."""
    return COSTS.get(operation, 1)


def translate(function: "Function", operation: str, operands: list[str]) -> str:
    """Returns the C of one instruction."""
    base, *modifiers = operation.split(".")
    kinds = [modifier for modifier in modifiers if modifier in WIDTHS]
    if base not in TRANSLATIONS:
        raise Unknown(f"the instruction `{operation}`")
    return TRANSLATIONS[base](function, Instruction(base, modifiers, kinds), operands)


# ---- control -------------------------------------------------------------------------------------


@instruction("bra")
def branch(_, __, operands):
    return f"goto {c_name(operands[0])};"


@instruction("ret", "exit")
def leave(*_):
    return "return;"


@instruction("trap")
def trap(*_):
    return 'emu_trap(thread, "trap");'


@instruction("bar", "barrier")
def barrier(function, what, _):
    if not what.has("sync") or what.has("warp"):
        raise Unknown(f"the barrier `{what.base}.{'.'.join(what.modifiers)}`")
    function.has_barriers = True
    return "emu_barrier(thread);"


@instruction("membar", "fence")
def fence(*_):
    return ";"


@instruction("call")
def call(function, _, operands):
    # `(returned), name, (given, …)`, or any of it but the name left out.
    returned = operands.pop(0).strip("() ") if operands[0].startswith("(") else None
    name = operands.pop(0)
    given = [c_name(one.strip()) for one in operands[0].strip("()").split(",")] if operands else []
    if name == "__assertfail":
        return f"emu_assert(thread, *(char **){given[0]}, *(u32 *){given[2]});"
    if name not in function.module.functions:
        raise Unknown(f"the function `{name}`")
    function.calls.add(name)
    pointers = ", ".join(given) or "0"
    return f"void *given[] = {{ {pointers} }}; fn_{c_name(name)}(thread, given, {c_name(returned) if returned else '0'});"


# ---- moves ---------------------------------------------------------------------------------------


@instruction("mov")
def move(function, what, operands):
    target, source = operands
    if target.startswith("{"):
        low, high = target.strip("{}").split(",")
        half = what.width // 2
        return (
            f"u64 whole = {function.bits(source, what.kind)}; "
            + function.assign(low, "whole", f"b{half}")
            + function.assign(high, f"whole >> {half}", f"b{half}")
        )
    if source.startswith("{"):
        parts = source.strip("{}").split(",")
        width = what.width // len(parts)
        joined = " | ".join(
            f"((u64)({unsigned(width)})({function.bits(part, f'b{width}')}) << {index * width})"
            for index, part in enumerate(parts)
        )
        return function.assign(target, joined, f"b{what.width}")
    return function.assign(target, function.bits(source, what.kind), f"b{what.width}")


@instruction("cvta")
def convert_address(function, what, operands):
    address = function.bits(operands[1], what.kind)
    if what.has("shared") and not what.has("to"):
        address = f"(u64)(thread->block->shared + {address})"
    return function.assign(operands[0], address, "b64")


@instruction("cvt")
def convert(function, what, operands):
    to, of = what.kinds
    value = function.value(operands[1], of)
    roundings = {"rni": "rint", "rzi": "trunc", "rmi": "floor", "rpi": "ceil"}
    for modifier in roundings.keys() & set(what.modifiers):
        if of[0] == "f":
            value = f"__builtin_{roundings[modifier]}{'' if of == 'f64' else 'f'}({value})"
    if what.has("sat") and to[0] == "f":
        value = f"emu_saturated({value})"
    if of[0] == "f" and to[0] != "f":
        value = f"emu_to_{to}({value})"
    return function.assign(operands[0], value, to)


@instruction("selp")
def select(function, what, operands):
    target, yes, no, condition = operands
    value = f"{c_name(condition)} ? {function.bits(yes, what.kind)} : {function.bits(no, what.kind)}"
    return function.assign(target, value, f"b{what.width}")


@instruction("slct")
def select_by_sign(function, what, operands):
    target, yes, no, sign = operands
    kind = what.kinds[0]
    value = f"{function.value(sign, what.kind)} >= 0 ? {function.bits(yes, kind)} : {function.bits(no, kind)}"
    return function.assign(target, value, f"b{WIDTHS[kind]}")


# ---- memory --------------------------------------------------------------------------------------


def address_of(function, text: str) -> tuple[str, int]:
    """Returns base and offset of `[base+offset]`."""
    found = re.fullmatch(r"\[\s*([%\w$.]+?)\s*(?:\+\s*(-?\w+))?\s*\]", text.strip())
    if not found:
        raise Unknown(f"the address `{text}`")
    return found[1], int(found[2] or "0", 0)


def pointer_to_parameter(function, name: str, offset: int) -> str:
    """Returns the pointer to a parameter of this function, of a call, or to what is returned."""
    names = [parameter[1] for parameter in function.parameters]
    if name in function.call_parameters:
        return f"((char *){c_name(name)} + {offset})"
    if name in names:
        return f"((char *)params[{names.index(name)}] + {offset})"
    if any(name == returned[1] for returned in function.returns):
        return f"((char *)returned + {offset})"
    raise Unknown(f"the parameter `{name}`")


def checked_pointer(function, what: Instruction, where: str, size: int, access: str) -> tuple[str, str]:
    """Returns the check of an access to memory, and the pointer."""
    base, offset = address_of(function, where)
    if what.has("param"):
        return "", pointer_to_parameter(function, base, offset)
    if what.has("shared"):
        place = f"(u32)({function.bits(base, 'u32')} + {offset})"
        return f"CHECK_SHARED({place}, {size}, {access}); ", f"(thread->block->shared + {place})"
    pointer = f"((char *)({function.bits(base, 'u64')}) + {offset})"
    if what.has("local") or base in function.module.globals:
        return "", pointer
    return f"CHECK({pointer}, {size}, {access}); ", pointer


@instruction("ld", "ldu", "st")
def load_or_store(function, what, operands):
    is_store = what.base == "st"
    where, values = operands if is_store else reversed(operands)
    names = [name.strip() for name in values.strip("{}").split(",")]
    size = width_in_bytes(what.kind)
    access = "WRITE" if is_store else "READ"
    code, pointer = checked_pointer(function, what, where, size * len(names), access)
    if code:
        function.counts[2 if is_store else 1] += size * len(names)
    for index, name in enumerate(names):
        place = f"*({unsigned(what.width)} *)({pointer} + {index * size})"
        if is_store:
            code += f"{place} = ({unsigned(what.width)})({function.bits(name, what.kind)}); "
        else:
            code += function.assign(name, place, f"{'s' if what.kind[0] == 's' else 'u'}{what.width}") + " "
    return code


@instruction("atom", "red")
def atomic(function, what, operands):
    target = operands.pop(0) if what.base == "atom" else None
    where, *given = operands
    size, bits = width_in_bytes(what.kind), unsigned(what.width)
    code, pointer = checked_pointer(function, what, where, size, "ATOMIC")
    function.counts[3] += 1
    is_float = what.kind[0] == "f"
    old = f"as_{what.kind}(before)" if is_float else f"({'i' if what.kind[0] == 's' else 'u'}{what.width})before"
    back = f"of_{what.kind}" if is_float else f"({bits})"
    value = function.value(given[0], what.kind)
    results = {
        "add": f"{old} + {value}", "exch": value,
        "min": f"{old} < {value} ? {old} : {value}", "max": f"{old} > {value} ? {old} : {value}",
        "and": f"{old} & {value}", "or": f"{old} | {value}", "xor": f"{old} ^ {value}",
    }
    code += f"{bits} *place = ({bits} *){pointer}; {bits} before = *place; "
    if what.has("cas"):
        wanted, new = (function.bits(one, what.kind) for one in given)
        code += f"if (before == ({bits})({wanted})) *place = ({bits})({new}); "
    else:
        name = next((modifier for modifier in what.modifiers if modifier in results), None)
        if name is None:
            raise Unknown(f"the atomic `{'.'.join(what.modifiers)}`")
        code += f"*place = {back}({results[name]}); "
    return code + (function.assign(target, "before", f"u{what.width}") if target else "")


# ---- arithmetic ----------------------------------------------------------------------------------


@instruction("add", "sub", "addc", "subc", "mul", "div", "rem", "mad", "madc", "fma", "min", "max")
def arithmetic(function, what, operands):
    if what.has("cc") or what.base in ("addc", "subc", "madc"):
        return with_carry(function, what, operands)
    if what.kind[0] == "f":
        return float_arithmetic(function, what, operands)
    return integer_arithmetic(function, what, operands)


def with_carry(function, what, operands):
    """Arithmetic of numbers wider than a register: 32 bits and a carry."""
    a, b, *c = (function.value(operand, "u32") for operand in operands[1:])
    first, sign = f"(u64){a}", "-" if what.base in ("sub", "subc") else "+"
    code = ""
    if what.base in ("mad", "madc"):
        code = f"u64 product = (u64){a} * {b}; "
        first, b = "(u64)(u32)product" if what.has("lo") else "(product >> 32)", c[0]
    carry = f" {sign} carry" if what.base in ("addc", "subc", "madc") else ""
    keep = "carry = (wide >> 32) & 1; " if what.has("cc") else ""
    return f"{code}u64 wide = {first} {sign} (u64){b}{carry}; {keep}" + function.assign(operands[0], "(u32)wide", "u32")


def float_arithmetic(function, what, operands):
    target, *rest = operands
    values = [function.value(operand, what.kind) for operand in rest]
    signs = {"add": "+", "sub": "-", "mul": "*", "div": "/"}
    if what.base in ("mad", "fma"):
        suffix = "" if what.kind == "f64" else "f"
        result = f"__builtin_fma{suffix}({', '.join(values)})"
    elif what.base in ("min", "max"):
        kind = "f64" if what.kind == "f64" else "f32"
        result = f"emu_{what.base}_{kind}{'_nan' if what.has('NaN') else ''}({', '.join(values)})"
    elif what.base in signs:
        result = f"{values[0]} {signs[what.base]} {values[1]}"
    else:
        raise Unknown(f"`{what.base}` of floats")
    return function.assign(target, f"emu_saturated({result})" if what.has("sat") else result, what.kind)


def integer_arithmetic(function, what, operands):
    target, *rest = operands
    width, sign = what.width, "s" if what.kind[0] == "s" else "u"
    # Two operands wrap around at their width, whatever their sign.
    bits = [f"({unsigned(width)})({function.bits(operand, what.kind)})" for operand in rest]
    values = [function.value(operand, what.kind) for operand in rest]
    wrapped = f"u{width}"
    if what.base in ("add", "sub"):
        return function.assign(target, f"{bits[0]} {'+' if what.base == 'add' else '-'} {bits[1]}", wrapped)
    if what.base in ("min", "max"):
        order = "<" if what.base == "min" else ">"
        return function.assign(target, f"{values[0]} {order} {values[1]} ? {values[0]} : {values[1]}", what.kind)
    if what.base in ("div", "rem"):
        by_zero, operator = ("-1", "/") if what.base == "div" else (values[0], "%")
        divided = f"{values[0]} {operator} ({values[1]} == 0 ? 1 : {values[1]})"
        return function.assign(target, f"{values[1]} == 0 ? {by_zero} : {divided}", what.kind)
    twice = {16: f"{sign}32", 32: f"{sign}64"}
    types = {16: "i32" if sign == "s" else "u32", 32: "i64" if sign == "s" else "u64"}
    wide = types.get(width, "__int128" if sign == "s" else "unsigned __int128")
    product = f"(({wide}){values[0]} * ({wide}){values[1]})"
    is_sum = what.base == "mad"
    if what.has("wide"):
        last = f" + {function.value(rest[2], twice[width])}" if is_sum else ""
        return function.assign(target, product + last, twice[width])
    if what.has("hi"):
        return function.assign(target, f"({product} >> {width})" + (f" + {values[2]}" if is_sum else ""), what.kind)
    low = f"(u{max(width, 32)}){bits[0]} * {bits[1]}" + (f" + {bits[2]}" if is_sum else "")
    return function.assign(target, low, wrapped)


@instruction("neg")
def negate(function, what, operands):
    return function.assign(operands[0], f"-{function.value(operands[1], what.kind)}", what.kind)


@instruction("abs", "rcp", "sqrt", "rsqrt", "ex2", "lg2", "sin", "cos", "tanh")
def unary(function, what, operands):
    if (what.base, what.kind) == ("abs", "f16"):
        return function.assign(operands[0], f"{function.bits(operands[1], 'f16')} & 0x7fff", "b16")
    if (what.base, what.kind) not in UNARY:
        raise Unknown(f"`{what.base}` of {what.kind}")
    return function.assign(operands[0], UNARY[what.base, what.kind].format(function.value(operands[1], what.kind)), what.kind)


@instruction("copysign")
def copy_sign(function, what, operands):
    name = "__builtin_copysignf" if what.kind == "f32" else "__builtin_copysign"
    target, sign, size = operands
    return function.assign(target, f"{name}({function.value(size, what.kind)}, {function.value(sign, what.kind)})", what.kind)


# ---- comparisons ---------------------------------------------------------------------------------


def condition(what: Instruction, comparison: str, a: str, b: str) -> str:
    """Returns a comparison as a C expression. With NaN the plain ones are false, those with `u` true."""
    if comparison == "num":
        return f"({a} == {a} && {b} == {b})"
    if comparison == "nan":
        return f"({a} != {a} || {b} != {b})"
    if comparison in COMPARISONS:
        return f"({a} {COMPARISONS[comparison]} {b})"
    if comparison == "ne":
        return f"({a} < {b} || {a} > {b})" if what.kind[0] == "f" else f"({a} != {b})"
    opposite = {"neu": "==", "ltu": ">=", "leu": ">", "gtu": "<=", "geu": "<"}
    if comparison == "equ":
        return f"!({a} < {b} || {a} > {b})"
    if comparison in opposite:
        return f"!({a} {opposite[comparison]} {b})"
    raise Unknown(f"the comparison `{comparison}`")


@instruction("setp")
def set_predicate(function, what, operands):
    found = condition(what, what.modifiers[0], function.value(operands[1], what.kind), function.value(operands[2], what.kind))
    combined = next((modifier for modifier in what.modifiers if modifier in ("and", "or", "xor")), None)
    if combined:
        last = operands[3].strip()
        last = f"!{c_name(last[1:])}" if last.startswith("!") else c_name(last)
        found = f"({found} {({'and': '&&', 'or': '||', 'xor': '^'})[combined]} {last})"
    yes, _, no = operands[0].partition("|")
    return f"u8 found = {found}; {c_name(yes.strip())} = found;" + (f" {c_name(no.strip())} = !found;" if no else "")


@instruction("set")
def set_register(function, what, operands):
    found = condition(what, what.modifiers[0], function.value(operands[1], what.kind), function.value(operands[2], what.kind))
    one, kind = {"f16": ("0x3c00", "b16"), "f32": ("1.0f", "f32")}.get(what.kinds[0], ("0xffffffffu", "u32"))
    return function.assign(operands[0], f"{found} ? {one} : 0", kind)


# ---- bits ----------------------------------------------------------------------------------------


@instruction("and", "or", "xor")
def combine_bits(function, what, operands):
    sign = {"and": "&", "or": "|", "xor": "^"}[what.base]
    a, b = (function.bits(operand, what.kind) for operand in operands[1:])
    return function.assign(operands[0], f"{a} {sign} {b}", what.kind)


@instruction("not")
def invert(function, what, operands):
    sign = "!" if what.kind == "pred" else "~"
    return function.assign(operands[0], f"{sign}{function.bits(operands[1], what.kind)}", what.kind)


@instruction("shl", "shr")
def shift(function, what, operands):
    target, value, by = operands
    width, count = what.width, function.value(by, "u32")
    if what.base == "shr" and what.kind[0] == "s":
        shifted = f"{function.value(value, what.kind)} >> ({count} >= {width} ? {width - 1} : {count})"
        return function.assign(target, shifted, what.kind)
    direction = "<<" if what.base == "shl" else ">>"
    shifted = f"{count} >= {width} ? 0 : ({unsigned(width)})(({unsigned(width)}){function.bits(value, what.kind)} {direction} {count})"
    return function.assign(target, shifted, f"b{width}")


@instruction("clz")
def leading_zeros(function, what, operands):
    value = function.bits(operands[1], what.kind)
    name = "__builtin_clzll" if what.width == 64 else "__builtin_clz"
    return function.assign(operands[0], f"{value} ? {name}({value}) : {what.width}", "u32")


@instruction("popc")
def ones(function, what, operands):
    return function.assign(operands[0], f"__builtin_popcountll({function.bits(operands[1], what.kind)})", "u32")


@instruction("bfi")
def insert_bits(function, what, operands):
    target, source, into, begin, length = operands
    bits = unsigned(what.width)
    return (
        f"{bits} length = {function.value(length, 'u32')}, begin = {function.value(begin, 'u32')}; "
        f"{bits} mask = length >= {what.width} ? ~({bits})0 : ((({bits})1 << length) - 1); "
        + function.assign(
            target,
            f"({function.bits(into, what.kind)} & ~(mask << begin)) | (({function.bits(source, what.kind)} & mask) << begin)",
            f"b{what.width}",
        )
    )


@instruction("bfe")
def extract_bits(function, what, operands):
    if what.kind != "u32":
        raise Unknown(f"`bfe` of {what.kind}")
    target, source, begin, length = operands
    mask = f"({function.value(length, 'u32')} >= 32 ? ~0u : ((1u << {function.value(length, 'u32')}) - 1))"
    return function.assign(target, f"({function.bits(source, 'u32')} >> {function.value(begin, 'u32')}) & {mask}", "u32")


@instruction("prmt")
def permute(function, what, operands):
    if what.modifiers != ["b32"]:
        raise Unknown(f"`prmt` in the mode {what.modifiers}")
    a, b, selector = (function.bits(operand, "b32") for operand in operands[1:])
    return function.assign(operands[0], f"emu_permuted({a}, {b}, {selector})", "b32")
