"""What a launcher is told: the tree it builds, and how it then starts."""

import os
from typing import Any

from holdfast.engines import DATA_AT, NEW_LAYER
from holdfast.engines.host import tree
from holdfast.engines.local.config import LocalConfig
from holdfast.engines.local.launchers import DATASETS
from holdfast.errors import HostError
from holdfast.guest.launcher import CONFIG_VARIABLE
from holdfast.languages import ENVIRONMENT_AT, LAYER_AT


def describe(config: LocalConfig, layer: str, launcher: dict[str, Any]) -> dict[str, Any]:
    """The description of a launcher whose cells have this layer; `launcher` is for itself. Raises HostError."""
    if not (config.guest_env / "bin" / "python").exists():
        raise HostError("The environment of the programs is not set up yet; run: holdfast setup")
    root = config.state_dir / "tree"
    root.mkdir(parents=True, exist_ok=True)
    building, layered = layer == NEW_LAYER, layer not in ("", DATASETS)
    return {
        "root": str(root),
        "rootless": os.geteuid() != 0,
        "binds": [*tree.binds(config.guest_env, config.toolchains), *_layer_binds(config, layer)],
        "copies": tree.copies(),
        "links": tree.links(config.toolchains) | (tree.LAYER_LINKS if layered else {}),
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
    return tree.BASE_ENVIRONMENT | (tree.LAYER_ENVIRONMENT if layer not in ("", NEW_LAYER, DATASETS) else {})


def _layer_binds(config: LocalConfig, layer: str) -> list[tuple[str, str]]:
    if layer != DATASETS:
        return tree.layer_binds(config.layers, layer)
    config.datasets.mkdir(parents=True, exist_ok=True)
    config.datasets.chmod(0o755)
    return [(str(config.datasets), DATA_AT)]
