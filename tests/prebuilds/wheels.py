"""Wheels made on the spot, so that pip has something to install where there is no index."""

import base64
import io
import zipfile


def wheel(name: str, version: str, source: str, command: str = "") -> tuple[str, dict[str, str]]:
    """The file name of a wheel with one module, and its content as a request has it."""
    info = f"{name}-{version}.dist-info"
    members = {
        f"{name}.py": source,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    if command:
        members[f"{info}/entry_points.txt"] = f"[console_scripts]\n{command} = {name}:main\n"
    members[f"{info}/RECORD"] = "".join(f"{member},,\n" for member in (*members, f"{info}/RECORD"))
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for member, text in members.items():
            archive.writestr(member, text)
    return f"{name}-{version}-py3-none-any.whl", {"base64": base64.b64encode(data.getvalue()).decode()}
