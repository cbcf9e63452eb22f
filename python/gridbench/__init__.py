"""The Python side of `bench`: where the program of this wheel lies.

`bench` itself is a program without Python in it; the wheel only carries it. `python -m gridbench`
runs it where the folder of scripts is not on the PATH.
"""

import os
import sys
import sysconfig

__all__ = ["find_bench"]


def find_bench() -> str:
    """Return the path of the program `bench` that this package was installed with."""
    name = "bench" + (sysconfig.get_config_var("EXE") or "")
    user = sysconfig.get_preferred_scheme("user") if sys.version_info >= (3, 10) else None
    places = [sysconfig.get_path("scripts"), sysconfig.get_path("scripts", vars={"base": sys.base_prefix})]
    if user is not None:
        places.append(sysconfig.get_path("scripts", scheme=user))
    # `pip install --target DIR` puts scripts beside the package.
    places.append(os.path.join(os.path.dirname(os.path.dirname(__file__)), "bin"))
    for place in places:
        path = os.path.join(place, name)
        if os.path.isfile(path):
            return path
    raise FileNotFoundError(f"`{name}` is in none of: {', '.join(places)}")
