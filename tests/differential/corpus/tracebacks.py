"""What a program that fails prints."""

from tests.differential.program import Program

_NESTED = "def a(): b()\ndef b():\n    c(\n        1,\n    )\ndef c(x):\n    raise ValueError(x)\na()"
_CHAIN = "try:\n    try:\n        1 / 0\n    except ZeroDivisionError:\n        {}['k']\nexcept KeyError as e:\n    raise RuntimeError('last') from e"

PROGRAMS = (
    Program("a nested traceback", _NESTED),
    Program("a chained traceback", _CHAIN),
    Program(
        "a traceback with a suppressed context",
        "try:\n    1 / 0\nexcept ZeroDivisionError:\n    raise ValueError from None",
    ),
    Program(
        "a traceback through a sibling", "import sibling\nsibling.f(0)", {"sibling.py": "def f(x):\n    return 1 / x\n"}
    ),
    Program("a traceback through the library", "import json\njson.loads('{')"),
    Program("a traceback through a callback of the library", "import re\nre.sub('a', lambda m: 1 / 0, 'a')"),
    Program("a traceback through a class body", "class A:\n    x = 1\n    y = undefined"),
    Program("a traceback through a comprehension", "x = [1 / n for n in (1, 0)]"),
    Program("a traceback through exec and eval", "exec(compile('eval(\"1 / 0\")', 'made up', 'exec'))"),
    Program(
        "a traceback through a decorator",
        "import functools\ndef d(f):\n    @functools.wraps(f)\n    def w(*a): return f(*a)\n    return w\n@d\ndef f(): raise OSError(2, 'gone', 'name')\nf()",
    ),
    Program("a traceback with notes", "e = ValueError('v')\ne.add_note('one')\ne.add_note('two\\nlines')\nraise e"),
    Program(
        "a traceback of an exception group",
        "raise ExceptionGroup('all', [ValueError(1), ExceptionGroup('in', [KeyError('k'), OSError(2, 'x')])])",
    ),
    Program(
        "except star lets the rest through",
        "try:\n    raise ExceptionGroup('g', [ValueError(1), TypeError(2)])\nexcept* ValueError as e:\n    print(e.exceptions)",
    ),
    Program("a SyntaxError in main", "print('never')\nx = = 1"),
    Program("an unclosed bracket", "x = (1,\nprint(x)\n"),
    Program("an unclosed string", "x = 'abc\n"),
    Program("an IndentationError", "def f():\nprint(1)"),
    Program("a TabError", "if 1:\n        x = 1\n\ty = 2"),
    Program("a missing colon", "if True\n    pass"),
    Program("a SyntaxError found late", "def f():\n    x = 1\n    global x"),
    Program("return outside of a function", "return 3"),
    Program("await outside of a function", "await x"),
    Program("a SyntaxError in a sibling", "import sibling", {"sibling.py": "def f(:\n    pass"}),
    Program("an IndentationError in a sibling", "import sibling", {"sibling.py": "  x = 1"}),
    Program("a SyntaxError in eval", "eval('1 +')"),
    Program("a null byte", b"print(1)\nx = '\0'\n"),
    Program("a null byte in a sibling", "import sibling", {"sibling.py": b"x = 1\0"}),
    Program("bytes that are not UTF-8", b"# ok\nprint('\xff\xfe')\n"),
    Program("a bad encoding cookie", "# coding: nonsense\nprint(1)"),
    Program("a good encoding cookie", "# coding: latin-1\nprint('ä')".encode("latin-1")),
    Program("a cookie that contradicts the BOM", b"\xef\xbb\xbf# coding: latin-1\nprint(1)"),
    Program("an invalid character", "x = 1 \u2212 2"),
    Program("an exception whose str fails", "class E(Exception):\n    def __str__(self): 1 / 0\nraise E"),
    Program("an exception whose str is no string", "class E(Exception):\n    def __str__(self): return 3\nraise E"),
    Program("an exception with a surrogate", "raise ValueError('\\ud800 x')"),
    Program("an exception with many lines", "raise ValueError('a\\nb\\n' * 3)"),
    Program("an exception with a very long message", "raise ValueError('x' * 100_000)"),
    Program("an exception whose module is odd", "class E(Exception): pass\nE.__module__ = 3\nraise E('x')"),
    Program("raise something that is no exception", "raise 3"),
    Program("a NameError with a suggestion", "value = 1\nprint(valeu)"),
    Program("an AttributeError with a suggestion", "class A:\n    blech = 1\nA().blach"),
    Program("an ImportError with a name", "from os import nothing_like_it"),
    Program("a ModuleNotFoundError", "import no_such_module_at_all"),
    Program("a NameError that names the library", "print(sys.argv)"),
    Program("a deep recursion", "def f(n): return f(n + 1)\nf(0)"),
    Program("a mutual recursion", "def f(n): return g(n)\ndef g(n): return f(n)\nf(0)"),
    Program("a recursion in repr", "class A:\n    def __repr__(self): return repr(self)\nrepr(A())"),
    Program("a recursion caught", "def f(): f()\ntry:\n    f()\nexcept RecursionError as e:\n    print(e)"),
    Program("a traceback with a very long line", "x = " + "1 + " * 3000 + "undefined"),
    Program("a traceback with wide characters", "x = 'äöü漢字' + 1 + '🎉'"),
    Program("a traceback without its source", "import os\nos.remove('main.py')\n1 / 0"),
    Program("a traceback whose source changed", "open('main.py', 'w').write('# other\\n' * 5)\n1 / 0"),
    Program("a traceback limited", "import sys\nsys.tracebacklimit = 1\ndef f(): g()\ndef g(): 1 / 0\nf()"),
    Program(
        "traceback.print_exc", "import traceback\ntry:\n    1 / 0\nexcept ZeroDivisionError:\n    traceback.print_exc()"
    ),
    Program("traceback.print_stack", "import traceback\ndef f(): traceback.print_stack()\nf()"),
    Program(
        "traceback.format_exception of a chain",
        "import traceback\ntry:\n    "
        + _CHAIN.replace("\n", "\n    ")
        + "\nexcept RuntimeError as e:\n    print(*traceback.format_exception(e), sep='')",
    ),
    Program(
        "logging.exception", "import logging\ntry:\n    1 / 0\nexcept ZeroDivisionError:\n    logging.exception('it')"
    ),
    Program(
        "faulthandler dumps a traceback",
        "import faulthandler, sys\ndef f(): faulthandler.dump_traceback(sys.stderr, all_threads=False)\nf()",
    ),
    Program(
        "excepthook replaced",
        "import sys\nsys.excepthook = lambda t, v, b: print('hook', t.__name__, v, b.tb_lineno)\n1 / 0",
    ),
    Program(
        "excepthook that fails", "import sys\ndef hook(*a): raise KeyError('in hook')\nsys.excepthook = hook\n1 / 0"
    ),
    Program("excepthook removed", "import sys\ndel sys.excepthook\n1 / 0"),
    Program(
        "excepthook that deletes what was noted",
        "import sys\ndef hook(*a):\n    del sys.last_type, sys.last_value, sys.last_traceback\nsys.excepthook = hook\n1 / 0",
    ),
    Program("stderr closed before the traceback", "import sys\nsys.stderr.close()\n1 / 0"),
    Program("stderr is None before the traceback", "import sys\nsys.stderr = None\n1 / 0"),
    Program(
        "stderr replaced before the traceback",
        "import sys, io\nsys.stderr = s = io.StringIO()\nimport atexit\natexit.register(lambda: print(s.getvalue()))\n1 / 0",
    ),
    Program(
        "an unraisable exception",
        "class A:\n    def __del__(self): raise ValueError('in del')\n    __del__.__qualname__ = 'x'\nimport sys\nsys.unraisablehook = lambda u: print(u.exc_type.__name__, u.exc_value, u.err_msg)\nA()",
    ),
    Program("an assertion", "assert 1 == 2, 'message'"),
    Program("a warning turned into an error", "import warnings\nwarnings.simplefilter('error')\nwarnings.warn('w')"),
    Program("a KeyboardInterrupt in a function", "def f(): raise KeyboardInterrupt('k')\nf()"),
    Program(
        "code.interact leaves last_type behind",
        "import code\ncode.InteractiveConsole().runsource('1 / 0')\nprint('on')",
    ),
    Program(
        "the failure of a caught exception is left in last_traceback",
        "import sys\ntry:\n    1 / 0\nexcept ZeroDivisionError:\n    sys.last_type, sys.last_value, sys.last_traceback = sys.exc_info()\nprint('on')",
    ),
    Program(
        "code.interact and then a failure",
        "import code\ncode.InteractiveConsole().runsource('1 / 0')\nraise ValueError",
    ),
    Program(
        "code.interact and then sys.exit", "import code, sys\ncode.InteractiveConsole().runsource('1 / 0')\nsys.exit(4)"
    ),
)
