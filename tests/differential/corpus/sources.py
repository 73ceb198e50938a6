"""The text of main.py itself: empty, huge, odd, moved, removed."""

from tests.differential.program import Program

PROGRAMS = (
    Program("an empty program", ""),
    Program("one newline", "\n"),
    Program("only a comment", "# nothing"),
    Program("only a docstring", '"""Doc."""'),
    Program("a docstring that is shown", '"""Doc."""\nprint(__doc__)'),
    Program("a BOM", b"\xef\xbb\xbfprint('bom')"),
    Program("CRLF line ends", "x = '''a\r\nb'''\r\nprint(repr(x))\r\n"),
    Program("CR line ends", "print(1)\rprint(2)\r"),
    Program("no newline at the end", "print(1)\nif True:\n    print(2)"),
    Program("a form feed", "print(1)\n\x0c\nprint(2)"),
    Program("a Ctrl-Z", "print(1)\n\x1a"),
    Program("a shebang", "#!/usr/bin/env python\nprint(1)"),
    Program("a line continued at the end", "x = 1 + \\"),
    Program("tabs", "if 1:\n\tprint(1)\n\tif 1:\n\t\tprint(2)"),
    Program("a very long line", "x = [" + "1, " * 50_000 + "]\nprint(len(x))"),
    Program("very many lines", "x = 0\n" + "x += 1\n" * 20_000 + "print(x)"),
    Program("a source of a mebibyte", "# " + "x" * 1_000_000 + "\nprint('big')"),
    Program("a long string", f"print(len('{'y' * 500_000}'))"),
    Program("deep nesting of brackets", "x = " + "(" * 150 + "1" + ")" * 150 + "\nprint(x)"),
    Program("too deep a nesting", "x = " + "(" * 1000 + ")" * 1000),
    Program("too many nested blocks", "\n".join(" " * n + "if 1:" for n in range(105)) + "\n" + " " * 105 + "pass"),
    Program("a huge number", "print(len(str(10 ** 4000)))\nint('1' * 5000)"),
    Program("unicode identifiers", "größe = 1\nﬁ = 2\nprint(größe, fi)"),
    Program("main deletes itself", "import os\nos.remove(__file__)\nprint(os.listdir())"),
    Program(
        "main deletes itself and is inspected",
        "import os, inspect\ndef f(): pass\nos.remove(__file__)\ninspect.getsource(f)",
    ),
    Program(
        "main renames itself",
        "import os\nos.rename('main.py', 'other.py')\nimport other"
        if False
        else "import os\nos.rename('main.py', 'other.py')\nprint(os.listdir(), __file__)",
    ),
    Program("main overwrites itself", "open(__file__, 'w').write('print(2)')\nprint(1)"),
    Program(
        "main runs itself again",
        "import subprocess, sys\nif len(sys.argv) == 1:\n    print(subprocess.run([sys.executable, __file__, 'again'], capture_output=True, text=True).stdout)\nelse: print('inner')",
    ),
    Program(
        "main executes its own source",
        "import sys\nif not globals().get('again'):\n    again = True\n    exec(open(__file__).read())\nprint(__name__)",
    ),
    Program(
        "main removes its folder",
        "import os, shutil\nshutil.rmtree('/workspace', ignore_errors=True)\nprint(os.listdir('.'))",
    ),
    Program("main changes its folder and fails", "import os\nos.chdir('/')\n1 / 0"),
    Program(
        "a __main__.py beside main", "print('main')", {"__main__.py": "print('other')", "__init__.py": "print('init')"}
    ),
    Program(
        "a __pycache__ beside main",
        "import s\nprint(s.v)",
        {"s.py": "v = 1", "__pycache__/s.cpython-311.pyc": b"garbage"},
    ),
    Program(
        "a pyvenv.cfg and a pth file beside main",
        "import sys\nprint(sys.prefix, len(sys.path))",
        {"pyvenv.cfg": "home = /nowhere", "x.pth": "import os; os._exit(9)"},
    ),
    Program(
        "a python312._pth beside main", "import sys\nprint(len(sys.path))", {"python._pth": ".", "python311._pth": "."}
    ),
    Program("a file named like an argument", "import sys\nprint(sys.argv)", {"-c": "print('no')"}, args=("-c",)),
    Program("global statements and annotations", "global x\nx: int = 1\nprint(__annotations__)"),
    Program("a walrus, a match and a star", "match (n := [1, 2, 3]):\n    case [a, *b]:\n        print(a, b, n)"),
    Program(
        "type hints that are evaluated",
        "import typing\nclass A:\n    x: 'list[int]' = 1\nprint(typing.get_type_hints(A))",
    ),
    Program("names are mangled", "class A:\n    __x = 1\nprint(A._A__x)"),
    Program(
        "main deletes its own names",
        "del __name__, __builtins__, __doc__, __loader__, __spec__, __package__\nprint('x')",
    ),
    Program("main has no builtins", "import sys\n__builtins__ = {}\nprint(1)"),
    Program("main changes its name", "__name__ = 'other'\nclass A: pass\nprint(A.__module__)\n1 / 0"),
    Program("main clears its globals", "print('x')\nglobals().clear()"),
    Program(
        "main grows its globals at the end", "import atexit\natexit.register(lambda: globals().update(a=1))\nprint('x')"
    ),
    Program("bytecode as main", b"\xa7\r\r\n" + bytes(12) + b"\xe3"),
)
