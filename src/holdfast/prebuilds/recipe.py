"""What a build is told: its environment, and what happens before the setup script begins.

Ordinary commands install into the layer: it is the prefix of a virtual environment over the programs' packages, of
npm's global packages and of `cargo install`, the place of `go install`, and the working directory.
"""

from collections.abc import Mapping

from holdfast.engines import RESERVED, WORKSPACE, Command
from holdfast.languages import ENVIRONMENT_AT, INSTALLER_AT, LANGUAGES, LAYER_AT, LIBRARY_AT, SYSTEM_PATH

SCRIPT = f"{RESERVED}/setup.sh"
CERTIFICATES = f"{RESERVED}/certificates.pem"
_OWN_TOOLS = "/tmp/.holdfast"  # inside the sandbox
_PACKAGE_MANAGERS = "apt apt-get aptitude dpkg apk yum dnf pacman sudo su"

_BEFORE = f"""
umask 022
cd {LAYER_AT} || exit
mkdir -p bin {_OWN_TOOLS} || exit
version=$(cd {ENVIRONMENT_AT}/lib && echo python3*)
mkdir -p lib/$version/site-packages || exit
cp {ENVIRONMENT_AT}/pyvenv.cfg pyvenv.cfg
ln -s {ENVIRONMENT_AT}/bin/python bin/python
ln -s python bin/python3
echo {ENVIRONMENT_AT}/lib/$version/site-packages > lib/$version/site-packages/holdfast.pth
for name in pip pip3; do printf '#!/bin/sh\\nexec python -m pip "$@"\\n' > {_OWN_TOOLS}/$name; done
for name in {_PACKAGE_MANAGERS}; do
  printf '#!/bin/sh\\necho "holdfast: %s needs root, which no build has: install with pip or npm, or put files below \\$LAYER (programs into \\$LAYER/bin), or have the operator install system packages on the host" >&2\\nexit 100\\n' $name > {_OWN_TOOLS}/$name
done
chmod 755 {_OWN_TOOLS}/*
exec sh -e {WORKSPACE}/{SCRIPT}
"""  # noqa: E501

PACK = (
    f"{ENVIRONMENT_AT}/bin/python",
    *("-I", "-S", "-B", "-c"),
    "import sys; sys.path.insert(0, sys.argv[1]); from holdfast.guest.archive import pack_here as go; go(sys.argv[2])",
    LIBRARY_AT,
    LAYER_AT,
)
"""The command that writes a finished layer to stdout."""

_ALWAYS = {
    "LAYER": LAYER_AT,
    "HOLDFAST_LAYER": LAYER_AT,
    "PATH": f"{_OWN_TOOLS}:{LAYER_AT}/bin:{ENVIRONMENT_AT}/bin:{SYSTEM_PATH}",
    "VIRTUAL_ENV": LAYER_AT,
    "PYTHONPATH": INSTALLER_AT,
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_NO_CACHE_DIR": "1",
    "PIP_NO_INPUT": "1",
    "PIP_PROGRESS_BAR": "off",
    "npm_config_prefix": LAYER_AT,
    "npm_config_cache": "/tmp/npm",
    "npm_config_update_notifier": "false",
    "npm_config_audit": "false",
    "npm_config_fund": "false",
    "NODE_PATH": f"{LAYER_AT}/node_modules:{LAYER_AT}/lib/node_modules",
    "GOBIN": f"{LAYER_AT}/bin",
    "GOMODCACHE": f"{LAYER_AT}/go/mod",
    "CARGO_INSTALL_ROOT": LAYER_AT,
}
_WITHOUT_NETWORK = {"PIP_NO_INDEX": "1", "npm_config_offline": "true"}
_OFFLINE_LANGUAGE = frozenset({"GOPROXY", "CARGO_NET_OFFLINE"})
_NAMES_OF_CERTIFICATES = (
    *("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"),
    *("npm_config_cafile", "CARGO_HTTP_CAINFO", "GIT_SSL_CAINFO"),
)


def command(
    base: str,
    script: str,
    files: Mapping[str, bytes],
    *,
    networked: Mapping[str, str] | None,
    certificates: bytes | None,
    wall_seconds: float,
) -> Command:
    """The build of a layer. `networked` is the environment of a build with a network; without it there is none."""
    language = LANGUAGES[base].environment
    if networked is None:
        environment = {**language, **_ALWAYS, **_WITHOUT_NETWORK}
    else:
        online = {name: value for name, value in language.items() if name not in _OFFLINE_LANGUAGE}
        environment = {**online, **_ALWAYS, **networked}
    ours = {SCRIPT: script.encode()}
    if networked is not None and certificates is not None:
        ours[CERTIFICATES] = certificates
        environment |= dict.fromkeys(_NAMES_OF_CERTIFICATES, f"{WORKSPACE}/{CERTIFICATES}")
    return Command(
        argv=("sh", "-c", _BEFORE), environment=environment, files={**files, **ours}, wall_seconds=wall_seconds
    )


def index_environment(index_url: str | None, npm_registry: str | None) -> Mapping[str, str]:
    """Where a build with a network finds packages, if the operator says so."""
    index = {"PIP_INDEX_URL": index_url, "UV_DEFAULT_INDEX": index_url} if index_url else {}
    return {**index, **({"npm_config_registry": npm_registry} if npm_registry else {})}
