"""`python -m gridbench …` is `bench …`."""

import os
import subprocess
import sys

from gridbench import find_bench


def main() -> int:
    command = [find_bench(), *sys.argv[1:]]
    if os.name == "nt":
        return subprocess.run(command, check=False).returncode
    os.execv(command[0], command)


if __name__ == "__main__":
    sys.exit(main())
