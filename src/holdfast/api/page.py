"""The web page: `GET /`, and its files under a path that is another when any of them is.

Nothing is built and nothing comes from elsewhere: browsers get the files of `web/` as they are, compressed once.
"""

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from mimetypes import guess_type
from pathlib import Path

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

import holdfast
from holdfast.errors import NotFoundError

FILES = "/web/"
"""Where the files of the page are; they need no key, because a page has none when it is opened."""

_FOLDER = Path(holdfast.__file__).parent / "web"
_INDEX = "index.html"
_CURRENT = b"/web/current/"
_FOR_EVER = "public, max-age=31536000, immutable"
_ASK_FIRST = "no-cache"
_COMPRESSED_ALREADY = frozenset({".woff2", ".png"})
_POLICY = "; ".join(
    (
        "default-src 'none'",
        *("script-src 'self'", "style-src 'self'", "connect-src 'self'", "font-src 'self'"),
        "img-src 'self' data: blob:",
        *("base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"),
    )
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}


@dataclass(frozen=True)
class _File:
    body: bytes
    zipped: bytes | None
    media_type: str
    etag: str


async def root(request: Request) -> Response:
    """The page, or the message of the earlier system for a client that asks for JSON."""
    if "application/json" in request.headers.get("accept", ""):
        return JSONResponse({"message": "Code Runner is operational."}, headers={"Vary": "Accept"})
    return _answer(request, await run_sync(_index), _ASK_FIRST, vary="Accept, Accept-Encoding")


async def file(request: Request) -> Response:
    """A file of the page. Raises NotFoundError."""
    name, version = request.path_params["name"], request.path_params["version"]
    if name not in await run_sync(_names):
        raise NotFoundError("The page has no such file.")
    lasting = version == await run_sync(_version)
    return _answer(request, await run_sync(_read, name), _FOR_EVER if lasting else _ASK_FIRST)


def _answer(request: Request, found: _File, caching: str, vary: str = "Accept-Encoding") -> Response:
    headers = {**_HEADERS, "Cache-Control": caching, "ETag": found.etag, "Vary": vary}
    if found.etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if found.zipped is not None and "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        return Response(found.zipped, media_type=found.media_type, headers=headers)
    return Response(found.body, media_type=found.media_type, headers=headers)


@cache
def _names() -> frozenset[str]:
    """Every file of the page by its name below the folder: what is asked for is looked up, never opened by its name."""
    return frozenset(str(path.relative_to(_FOLDER)) for path in _FOLDER.rglob("*") if path.is_file())


@cache
def _version() -> str:
    digest = hashlib.sha256()
    for name in sorted(_names()):
        digest.update(name.encode() + b"\0" + hashlib.sha256((_FOLDER / name).read_bytes()).digest())
    return digest.hexdigest()[:16]


@cache
def _read(name: str) -> _File:
    return _made(name, (_FOLDER / name).read_bytes())


@cache
def _index() -> _File:
    return _made(_INDEX, (_FOLDER / _INDEX).read_bytes().replace(_CURRENT, f"{FILES}{_version()}/".encode()))


def _made(name: str, body: bytes) -> _File:
    small = Path(name).suffix in _COMPRESSED_ALREADY
    return _File(
        body=body,
        zipped=None if small else gzip.compress(body, mtime=0),
        media_type=_media_type(name),
        etag=f'"{hashlib.sha256(body).hexdigest()[:32]}"',
    )


def _media_type(name: str) -> str:
    if name.endswith(".js"):
        return "text/javascript"
    if name.endswith(".md"):
        return "text/plain"
    return guess_type(name)[0] or "application/octet-stream"
