"""Python packages of a layer: found like those of the programs' environment, and before them.

Only a guest that is locked in may do this: what a layer holds was made by a build nobody trusts.
"""

import sys

VARIABLE = "PYTHONPATH"
"""Set for programs with a layer. It leads an interpreter that is started to `layered/sitecustomize.py`."""

LAYER_AT = "/opt/holdfast/layer"
PACKAGES_AT = f"{LAYER_AT}/lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"


def show() -> None:
    """Let imports find the layer's packages, and do what its `.pth` files say, as an installed environment would."""
    import site

    before = list(sys.path)
    site.addsitedir(PACKAGES_AT)
    added = [entry for entry in sys.path if entry not in before]
    place = next((index for index, entry in enumerate(before) if entry.endswith("/site-packages")), len(before))
    sys.path[:] = before[:place] + added + before[place:]
