"""Turns `python main.py` into pid 1 of a container (`guest.contained`); otherwise as `hook/sitecustomize.py`."""

import sys

_started_with = set(sys.modules) - {"sitecustomize"}
sys.path[:] = [entry for entry in sys.path if not entry.endswith("/holdfast/guest/pid1")]
sys.path.insert(0, __file__.partition("/holdfast/guest/")[0])

from holdfast.guest.contained import serve  # noqa: E402

serve(_started_with)
raise ImportError(name="sitecustomize")
