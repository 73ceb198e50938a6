"""Programs that cannot be written down as plain text: other encodings, no newline at the end, or simply long."""

from tests.differential.program import Program

PROGRAMS = (
    Program("a null byte", b"print(1)\nx = '\0'\n"),
    Program("a null byte in a sibling", "import sibling", {"sibling.py": b"x = 1\0"}),
    Program("bytes that are not UTF-8", b"# ok\nprint('\xff\xfe')\n"),
    Program("a good encoding cookie", "# coding: latin-1\nprint('ä')".encode("latin-1")),
    Program("a cookie that contradicts the BOM", b"\xef\xbb\xbf# coding: latin-1\nprint(1)"),
    Program("a traceback with a very long line", "x = " + "1 + " * 3000 + "undefined"),
    Program("stdin is not read", "print('x')", stdin=b"x" * 200_000),
    Program("an empty program", ""),
    Program("one newline", "\n"),
    Program("only a comment", "# nothing"),
    Program("a BOM", b"\xef\xbb\xbfprint('bom')"),
    Program("CRLF line ends", b"x = '''a\r\nb'''\r\nprint(repr(x))\r\n"),
    Program("CR line ends", b"print(1)\rprint(2)\r"),
    Program("no newline at the end", "print(1)\nif True:\n    print(2)"),
    Program("a form feed", "print(1)\n\x0c\nprint(2)"),
    Program("a Ctrl-Z", "print(1)\n\x1a"),
    Program("a line continued at the end", "x = 1 + \\"),
    Program("a very long line", "x = [" + "1, " * 50_000 + "]\nprint(len(x))"),
    Program("very many lines", "x = 0\n" + "x += 1\n" * 20_000 + "print(x)"),
    Program("a source of a mebibyte", "# " + "x" * 1_000_000 + "\nprint('big')"),
    Program("a long string", f"print(len('{'y' * 500_000}'))"),
    Program("too many nested blocks", "\n".join(" " * n + "if 1:" for n in range(105)) + "\n" + " " * 105 + "pass"),
    Program(
        "a damaged __pycache__ beside main",
        "import s\nprint(s.v)",
        {"s.py": "v = 1", "__pycache__/s.cpython-311.pyc": b"x"},
    ),
    Program("bytecode as main", b"\xa7\r\r\n" + bytes(12) + b"\xe3"),
)
