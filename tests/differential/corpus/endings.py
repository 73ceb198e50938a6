"""How programs end: exit codes, SystemExit in odd places, signals, and what hides the end from us."""

from tests.differential.program import Program

_VALUES = {
    "nothing": "",
    "None": "None",
    "zero": "0",
    "one": "1",
    "three": "3",
    "255": "255",
    "256": "256",
    "a big number": "10**30",
    "a negative number": "-1",
    "a very negative number": "-(2**63)",
    "a string": "'a reason'",
    "an empty string": "''",
    "a tuple": "(1, 2)",
    "an empty tuple": "()",
    "a pair": "('error', 3)",
    "True": "True",
    "False": "False",
    "a float": "2.5",
    "bytes": "b'x'",
    "an exception": "ValueError('inner')",
    "a lone surrogate": "'\\udc80'",
}
_VALUES_THAT_MISBEHAVE = """\
import sys
class Odd(%s):
    def __str__(self): %s
    def __repr__(self): return 'odd'
print('before')
sys.exit(Odd())
"""

_EXITS = (
    *(
        Program(f"sys.exit with {name}", f"import sys\nprint('x')\nsys.exit({value})")
        for name, value in _VALUES.items()
    ),
    Program("sys.exit with an object that speaks", _VALUES_THAT_MISBEHAVE % ("object", "return 'said'")),
    Program("sys.exit with an object whose str fails", _VALUES_THAT_MISBEHAVE % ("object", "1 / 0")),
    Program("sys.exit with a kind of int", _VALUES_THAT_MISBEHAVE % ("int", "return 'said'")),
    Program("raise SystemExit in main", "raise SystemExit"),
    Program("raise SystemExit with two arguments", "raise SystemExit(1, 2)"),
    Program("raise SystemExit in a function", "def f():\n    raise SystemExit(7)\nf()"),
    Program(
        "raise SystemExit from another exception",
        "try:\n    1/0\nexcept ZeroDivisionError as e:\n    raise SystemExit(4) from e",
    ),
    Program("a subclass of SystemExit", "class Bye(SystemExit): pass\nraise Bye(9)"),
    Program("SystemExit whose code was changed", "e = SystemExit(1)\ne.code = 5\nraise e"),
    Program("SystemExit whose code is deleted", "e = SystemExit(1)\ndel e.code\nraise e"),
    Program("exit with 5", "exit(5)"),
    Program("quit with a word", "quit('word')"),
    Program("exit closes stdin", "import sys, atexit\natexit.register(lambda: print(sys.stdin.closed))\nexit()"),
    Program("exit is described", "print(exit, quit, copyright is None, credits is None)\nprint(repr(license)[:20])"),
    Program("os._exit skips everything", "import os, atexit\natexit.register(print, 'no')\nprint('lost')\nos._exit(6)"),
    Program("os._exit after a flush", "import os\nprint('kept', flush=True)\nos._exit(0)"),
    Program("os.abort", "import os\nprint('lost')\nos.abort()"),
    Program(
        "sys.exit caught and ignored",
        "import sys\ntry:\n    sys.exit(3)\nexcept SystemExit as e:\n    print('caught', e.code)",
    ),
    Program("sys.exit in finally of an error", "import sys\ntry:\n    1 / 0\nfinally:\n    sys.exit(8)"),
    Program("sys.exit in a class body", "import sys\nclass A:\n    sys.exit(2)"),
    Program("sys.exit in a generator", "import sys\ndef g():\n    yield 1\n    sys.exit(12)\nfor x in g(): print(x)"),
    Program("sys.exit in an imported module", "import sibling", {"sibling.py": "import sys\nsys.exit(11)"}),
    Program("an uncaught exception", "print('x')\n1 / 0"),
    Program("an uncaught KeyboardInterrupt", "raise KeyboardInterrupt"),
    Program("a subclass of KeyboardInterrupt", "class K(KeyboardInterrupt): pass\nraise K('k')"),
    Program("an uncaught BaseException", "raise BaseException('base')"),
    Program("an uncaught GeneratorExit", "raise GeneratorExit"),
    Program("an uncaught StopIteration", "raise StopIteration(3)"),
    Program("a MemoryError", "raise MemoryError"),
    Program("nothing at all happens", "pass"),
)

_ATTACKS_ON_CERTAINTY = (
    Program("sys.exit after all globals are cleared", "import sys\ne = sys.exit\nglobals().clear()\ne(3)"),
    Program("sys.exit after __file__ is deleted", "import sys\ndel __file__\nsys.exit(3)"),
    Program("sys.exit after __file__ and __cached__ are deleted", "import sys\ndel __file__, __cached__\nsys.exit(3)"),
    Program("the end after __file__ is deleted", "del __file__\nprint('x')"),
    Program("an error after __file__ is deleted", "del __file__\n1 / 0"),
    Program(
        "an error and then SystemExit in excepthook",
        "import sys\ndef hook(*a):\n    sys.exit(9)\nsys.excepthook = hook\n1 / 0",
    ),
    Program(
        "sys.exit with a last_type left behind", "import sys\ndel __file__\nsys.last_type = ValueError\nsys.exit(0)"
    ),
    Program(
        "sys.exit with a last_exc left behind", "import sys\ndel __file__\nsys.last_exc = ValueError()\nsys.exit(0)"
    ),
    Program("the end with a last_type left behind", "import sys\nsys.last_type = ValueError"),
    Program("the end with a last_type that is no class", "import sys\nsys.last_type = 3"),
    Program(
        "an error whose last_type is removed at exit",
        "import sys, atexit\natexit.register(lambda: sys.__dict__.pop('last_type', None))\n1 / 0",
    ),
    Program(
        "an exit whose traces are removed at exit",
        "import sys, atexit\natexit.register(lambda: [globals().pop(n, None) for n in ('__file__', '__cached__')])\nsys.exit(3)",
    ),
    Program(
        "sys.exit after main is replaced",
        "import sys, types\nsys.modules['__main__'] = types.ModuleType('__main__')\nsys.exit(3)",
    ),
    Program("the end after main is removed", "import sys\ndel sys.modules['__main__']\nprint('x')"),
    Program("sys.exit after main is removed", "import sys\ndel sys.modules['__main__']\nsys.exit(3)"),
    Program("sys.exit after main is None", "import sys\nsys.modules['__main__'] = None\nsys.exit(3)"),
    Program(
        "sys.exit after main is an odd object",
        "import sys\nclass Odd:\n    __slots__ = ()\n    def __getattr__(self, name): raise ValueError(name)\n"
        "sys.modules['__main__'] = Odd()\nsys.exit(3)",
    ),
    Program("sys.modules emptied, then sys.exit", "import sys\ne = sys.exit\nsys.modules.clear()\ne(3)"),
    Program("sys.modules emptied, then the end", "import sys\nsys.modules.clear()\nprint('x')"),
    Program("sys.modules is another object", "import sys\nsys.modules = {}\nprint('x')"),
    Program("sys.modules is None", "import sys\nsys.modules = None\nprint('x')"),
    Program("the namespace of sys emptied", "import sys\nvars(sys).clear()"),
    Program("the namespace of os emptied", "import os\nvars(os).clear()\nprint('x')"),
    Program("os._exit replaced", "import os\nos._exit = lambda code: print('replaced', code)\nprint('x')"),
    Program(
        "posix._exit replaced", "import posix, os\nposix._exit = os._exit = lambda code: print('replaced')\nprint('x')"
    ),
    Program("gc.collect replaced", "import gc\ngc.collect = lambda *a: print('replaced')\nprint('x')"),
    Program(
        "builtins replaced",
        "import builtins\nbuiltins.frozenset = builtins.set = builtins.getattr = builtins.issubclass = None\nprint('x')",
    ),
    Program(
        "atexit callbacks unregistered", "import atexit\natexit.register(print, 'gone')\natexit._clear()\nprint('x')"
    ),
    Program(
        "atexit callbacks counted",
        "import atexit\nprint(atexit._ncallbacks())\natexit.register(print)\nprint(atexit._ncallbacks())",
    ),
    Program(
        "atexit callbacks run early",
        "import atexit\natexit.register(print, 'early')\natexit._run_exitfuncs()\nprint('after')",
    ),
    Program(
        "a callback that replaces os._exit",
        "import atexit, os\natexit.register(lambda: setattr(os, '_exit', print))\nprint('x')",
    ),
)

_SIGNALS = (
    *(
        Program(
            f"killed by {name}",
            f"import os, signal\nprint('x', flush=True)\nos.kill(os.getpid(), signal.{name})\nprint('alive')",
        )
        for name in (
            "SIGTERM",
            "SIGHUP",
            "SIGKILL",
            "SIGUSR1",
            "SIGUSR2",
            "SIGALRM",
            "SIGSEGV",
            "SIGPIPE",
            "SIGQUIT",
            "SIGCHLD",
        )
    ),
    Program("SIGINT to itself", "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nprint('not reached')"),
    Program(
        "SIGINT caught",
        "import os, signal\ntry:\n    os.kill(os.getpid(), 2)\nexcept KeyboardInterrupt:\n    print('caught')",
    ),
    Program(
        "SIGTERM handled",
        "import os, signal, sys\nsignal.signal(15, lambda n, f: sys.exit(n))\nos.kill(os.getpid(), 15)",
    ),
    Program(
        "SIGALRM ends the program", "import signal, time\nsignal.setitimer(signal.ITIMER_REAL, 0.05)\ntime.sleep(5)"
    ),
    Program("SIGINT in an atexit callback", "import atexit, os\natexit.register(os.kill, os.getpid(), 2)\nprint('x')"),
    Program("the exit code is 130 by hand", "import sys\nsys.exit(130)"),
    Program("raise_signal", "import signal\nsignal.raise_signal(signal.SIGTERM)"),
    Program(
        "the dispositions of all signals",
        "import signal\nfor n in sorted(signal.valid_signals()):\n    h = signal.getsignal(n)\n"
        "    print(n, h if not callable(h) or isinstance(h, signal.Handlers) else h.__name__)",
    ),
    Program(
        "the signal mask and caught signals",
        "print(*(l for l in open('/proc/self/status') if l.startswith(('Sig', 'Shd'))), sep='')",
    ),
    Program(
        "the wakeup descriptor",
        "import signal\nprint(signal.set_wakeup_fd(-1), signal.pthread_sigmask(signal.SIG_BLOCK, []))",
    ),
)

PROGRAMS = (*_EXITS, *_ATTACKS_ON_CERTAINTY, *_SIGNALS)
