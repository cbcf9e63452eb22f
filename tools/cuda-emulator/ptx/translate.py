#!/usr/bin/env python3
"""Translates one entry of a PTX module to C.

    translate.py MODULE.ptx ENTRY OUT.c

The C includes `device.h`, which runs it for every thread of a grid. An instruction that is not
known is an error of the translation, never a silent no-op.
"""

import pathlib
import sys

from function import Function, c_name
from module import Module, Unknown, width_in_bytes


def translate(text: str, entry: str) -> str:
    """Returns the C of an entry and of every function it calls."""
    module = Module(text)
    if entry not in module.functions:
        raise Unknown(f"there is no entry `{entry}`, only {', '.join(module.functions)}")
    translated = in_order_of_calls(module, entry)
    used = sorted({name for function in translated for name in function.globals_used})
    lines = ['#include "device.h"', *(module.globals[name] for name in used)]
    for function in translated:
        lines += [
            f"static void fn_{c_name(function.name)}(Thread *thread, void **params, void *returned) {{",
            "  u32 carry = 0; (void)carry; (void)params; (void)returned;",
            *function.lines,
            "}",
        ]
    sizes = [str(width_in_bytes(kind) * count) for kind, _, count in translated[-1].parameters]
    has_barriers = int(any(function.has_barriers for function in translated))
    shared_bytes = max(function.shared_bytes for function in translated)
    arguments = [f"fn_{c_name(entry)}", str(has_barriers), str(shared_bytes), *sizes, "0"]
    lines.append(f"EMU_ENTRY({', '.join(arguments)})")
    return "\n".join(lines) + "\n"


def in_order_of_calls(module: Module, entry: str) -> list[Function]:
    """Translates `entry` and what it calls; whoever is called comes before its caller."""
    done: set[str] = set()
    order: list[Function] = []

    def visit(name: str) -> None:
        if name in done:
            return
        done.add(name)
        function = Function(module, name)
        for callee in sorted(function.calls):
            visit(callee)
        order.append(function)

    visit(entry)
    return order


if __name__ == "__main__":
    source, entry, target = sys.argv[1:]
    try:
        code = translate(pathlib.Path(source).read_text(), entry)
    except Unknown as error:
        sys.exit(f"translate.py: `{entry}`: {error}")
    pathlib.Path(target).write_text(code)
