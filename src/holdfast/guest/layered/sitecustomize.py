"""Lets a Python that a program with a layer starts find the layer's packages.

The ImportError is the one `site` expects when there is no sitecustomize: it removes every trace of this module.
"""

import sys

_library = __file__.partition("/holdfast/guest/")[0]
sys.path[:] = [entry for entry in sys.path if not entry.endswith("/holdfast/guest/layered")]
sys.path.insert(0, _library)

from holdfast.guest.layering import show  # noqa: E402

sys.path.remove(_library)
for _name in [name for name in sys.modules if name.partition(".")[0] == "holdfast"]:
    del sys.modules[_name]
for _entry in [entry for entry in sys.path_importer_cache if entry.startswith(_library)]:
    del sys.path_importer_cache[_entry]
show()
raise ImportError(name="sitecustomize")
