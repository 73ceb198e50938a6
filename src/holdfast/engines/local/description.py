"""What a launcher is told: the tree it builds, and how it then starts."""

import os
from typing import Any

from holdfast.engines import NEW_LAYER
from holdfast.engines.host import tree
from holdfast.engines.local.config import LocalConfig
from holdfast.errors import HostError
from holdfast.guest.launcher import CONFIG_VARIABLE
from holdfast.languages import ENVIRONMENT_AT, LAYER_AT


def describe(config: LocalConfig, layer: str, launcher: dict[str, Any]) -> dict[str, Any]:
    """The description of a launcher whose cells have this layer; `launcher` is for itself. Raises HostError."""
    if not (config.guest_env / "bin" / "python").exists():
        raise HostError("The environment of the programs is not set up yet; run: holdfast setup")
    root = config.state_dir / "tree"
    root.mkdir(parents=True, exist_ok=True)
    building = layer == NEW_LAYER
    return {
        "root": str(root),
        "rootless": os.geteuid() != 0,
        "binds": [*tree.binds(config.guest_env, config.toolchains), *tree.layer_binds(config.layers, layer)],
        "copies": tree.copies(),
        "links": tree.links(config.toolchains) | (tree.LAYER_LINKS if layer else {}),
        "interpreter": f"{ENVIRONMENT_AT}/bin/python",
        "argv": ["python", "main.py"],
        # Never with a layer: a launcher must not find anything that a build has made.
        "environment": tree.BASE_ENVIRONMENT | {"PYTHONPATH": tree.HOOK_AT},
        "config_variable": CONFIG_VARIABLE,
        "launcher": {
            **launcher,
            "environment": environment(layer),
            "places": [("layer", 0o755, LAYER_AT)] if building else [],
        },
    }


def environment(layer: str) -> dict[str, str]:
    """What programs find in theirs besides what a request adds."""
    return tree.BASE_ENVIRONMENT | (tree.LAYER_ENVIRONMENT if layer and layer != NEW_LAYER else {})
