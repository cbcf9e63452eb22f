#!/usr/bin/env python3
"""Says which glibc the program in a wheel needs, and fails where that is newer than allowed.

usage: check-wheel.py WHEEL [MAJOR.MINOR]
"""

import re
import sys
import zipfile


def newest_glibc(program: bytes) -> tuple:
    """Return the newest version of glibc whose symbols an ELF file names; (0, 0) for none."""
    named = re.findall(rb"\bGLIBC_(\d+)\.(\d+)\b", program)
    return max(((int(major), int(minor)) for major, minor in named), default=(0, 0))


def main(wheel: str, allowed: str = "999.0") -> int:
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if re.search(r"\.data/scripts/bench(\.exe)?$", name)]
        if len(names) != 1:
            print(f"error: `{wheel}` holds {len(names)} programs named `bench`, expected 1", file=sys.stderr)
            return 2
        program = archive.read(names[0])
    found = newest_glibc(program)
    print(f"{wheel}: {len(program) / 2**20:.1f} MiB, needs glibc {found[0]}.{found[1]}")
    if found > tuple(int(part) for part in allowed.split(".")):
        print(f"error: symbols of glibc {found[0]}.{found[1]} are newer than {allowed}", file=sys.stderr)
        print("  hint: build with `just wheel`, which links against an older glibc by zig", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
