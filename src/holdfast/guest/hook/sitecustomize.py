"""Turns `python main.py` into a launcher that waits, single-threaded and started up, to be forked.

Python imports this module while it starts, before it looks for main.py. The launcher never returns from `serve`; a
guest forked from it does, so the interpreter goes on to run the main.py of *its* workspace as `python main.py` would.
The ImportError is the one `site` expects when there is no sitecustomize: it removes every trace of this module.
"""

import sys

_started_with = set(sys.modules) - {"sitecustomize"}
sys.path[:] = [entry for entry in sys.path if not entry.endswith("/holdfast/guest/hook")]
sys.path.insert(0, __file__.partition("/holdfast/guest/")[0])

from holdfast.guest.launcher import serve  # noqa: E402

serve(_started_with)
raise ImportError(name="sitecustomize")
