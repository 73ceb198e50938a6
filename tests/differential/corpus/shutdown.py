"""What happens after the last line: callbacks, finalizers, unflushed files, and objects that outlive the program."""

from tests.differential.program import Program

_CALLBACKS = (
    Program(
        "atexit runs in reverse order", "import atexit\nfor n in range(3): atexit.register(print, n)\nprint('main')"
    ),
    Program("atexit after sys.exit", "import atexit, sys\natexit.register(print, 'bye')\nsys.exit(4)"),
    Program("atexit after an error", "import atexit\natexit.register(print, 'bye')\n1 / 0"),
    Program("atexit that raises", "import atexit\natexit.register(lambda: 1 / 0)\natexit.register(print, 'also')"),
    Program(
        "atexit that raises SystemExit",
        "import atexit, sys\natexit.register(print, 'last')\natexit.register(sys.exit, 3)",
    ),
    Program(
        "atexit that raises SystemExit after sys.exit", "import atexit, sys\natexit.register(sys.exit, 3)\nsys.exit(4)"
    ),
    Program("atexit that calls os._exit", "import atexit, os\natexit.register(os._exit, 5)\nprint('lost')"),
    Program(
        "atexit that registers", "import atexit\natexit.register(lambda: atexit.register(print, 'late'))\nprint('x')"
    ),
    Program(
        "atexit that registers one that registers",
        "import atexit\ndef again(n):\n    print(n)\n    if n: atexit.register(again, n - 1)\natexit.register(again, 5)",
    ),
    Program("atexit unregister", "import atexit\natexit.register(print, 'no')\natexit.unregister(print)\nprint('x')"),
    Program(
        "atexit with an import",
        "import atexit\ndef f():\n    import json, colorsys\n    print(json.dumps([1]), colorsys.__name__)\natexit.register(f)",
    ),
    Program(
        "atexit that starts a thread",
        "import atexit, threading\ndef f():\n    try:\n        t = threading.Thread(target=print, args=('t',)); t.start(); t.join()\n    except RuntimeError as e: print(e)\natexit.register(f)",
    ),
    Program(
        "atexit that forks",
        "import atexit, os\ndef f():\n    pid = os.fork()\n    print('child' if pid == 0 else 'parent', flush=True) if pid == 0 or os.waitpid(pid, 0) else 0\natexit.register(f)",
    ),
    Program("atexit that closes stdout", "import atexit, sys\natexit.register(lambda: sys.stdout.close())\nprint('x')"),
    Program(
        "atexit that sees sys.exc_info",
        "import atexit, sys\natexit.register(lambda: print(sys.exc_info(), hasattr(sys, 'last_value')))\n1 / 0",
    ),
    Program(
        "atexit that sees the main module",
        "import atexit, sys\natexit.register(lambda: print(sorted(n for n in vars(sys.modules['__main__']))))\nx = 1",
    ),
    Program(
        "atexit that sees where it is called from",
        "import atexit, sys\ndef f():\n    n, frame = 0, sys._getframe()\n    while frame: n, frame = n + 1, frame.f_back\n    print(n)\natexit.register(f)",
    ),
    Program(
        "weakref.finalize at exit",
        "import weakref\nclass A: pass\na = A()\nweakref.finalize(a, print, 'one')\nweakref.finalize(a, print, 'two')",
    ),
    Program(
        "weakref.finalize without atexit",
        "import weakref\nclass A: pass\na = A()\nweakref.finalize(a, print, 'dead').atexit = False\nprint('x')",
    ),
    Program(
        "weakref callbacks at exit",
        "import weakref\nclass A: pass\na = A()\nr = weakref.ref(a, lambda r: print('gone'))",
    ),
    Program("threading._register_atexit", "import threading\nthreading._register_atexit(print, 'threads')\nprint('x')"),
)

_SPEAKS = "class Speaks:\n    def __init__(self, name): self.name = name\n    def __del__(self): print('del', self.name, flush=True)\n"
_FINALIZERS = (
    Program("__del__ of a global", _SPEAKS + "a = Speaks('a')"),
    Program(
        "__del__ of several globals",
        _SPEAKS + "a = Speaks('a')\nb = Speaks('b')\n_c = Speaks('_c')\n__d = Speaks('__d')",
    ),
    Program("__del__ of many globals", _SPEAKS + "for n in range(50): globals()[f'g{n}'] = Speaks(n)"),
    Program("__del__ after sys.exit", _SPEAKS + "import sys\na = Speaks('a')\nsys.exit(3)"),
    Program("__del__ after an error", _SPEAKS + "a = Speaks('a')\n1 / 0"),
    Program("__del__ of a local of an error", _SPEAKS + "def f():\n    a = Speaks('local')\n    1 / 0\nf()"),
    Program("__del__ of a cycle", _SPEAKS + "a = Speaks('a')\na.me = a\ndel a\nprint('end')"),
    Program("__del__ of a cycle held by a global", _SPEAKS + "a = Speaks('a')\na.me = a"),
    Program("__del__ of a class attribute", _SPEAKS + "class Holder:\n    held = Speaks('held')"),
    Program("__del__ of a default argument", _SPEAKS + "def f(x=Speaks('default')): pass"),
    Program(
        "__del__ of something put into builtins",
        _SPEAKS + "import builtins\nbuiltins.kept = Speaks('builtin')\nkept2 = Speaks('global')",
    ),
    Program(
        "__del__ of something put into sys",
        _SPEAKS + "import sys\nsys.kept = Speaks('in sys')\nkept2 = Speaks('global')",
    ),
    Program(
        "__del__ of something put into a module of the library",
        _SPEAKS + "import string\nstring.kept = Speaks('in string')",
    ),
    Program("__del__ of something put into a module loaded at start", _SPEAKS + "import os\nos.kept = Speaks('in os')"),
    Program(
        "__del__ of something put into a dict of the library",
        _SPEAKS + "import os\nos.environ.kept = Speaks('in environ')",
    ),
    Program(
        "__del__ of something put on sys.path",
        _SPEAKS + "import sys\nsys.meta_path.append(Speaks('finder'))\nsys.meta_path[-1].find_spec = lambda *a: None",
    ),
    Program(
        "__del__ of something in a sibling",
        "import sibling\nprint('x')",
        {"sibling.py": _SPEAKS + "a = Speaks('sibling')"},
    ),
    Program(
        "__del__ of two modules",
        _SPEAKS + "import one, two\na = Speaks('main')",
        {"one.py": "import main\n", "two.py": _SPEAKS + "b = Speaks('two')"},
    ),
    Program(
        "__del__ that uses a global",
        "class A:\n    def __del__(self): print(value, value2)\nvalue, value2 = 1, 'x'\na = A()",
    ),
    Program(
        "__del__ that imports",
        "class A:\n    def __del__(self):\n        try:\n            import colorsys\n            print(colorsys.__name__)\n        except BaseException as e: print(type(e).__name__, e)\na = A()",
    ),
    Program(
        "__del__ that opens a file",
        "class A:\n    def __del__(self):\n        try:\n            with open('out', 'w') as f: f.write('x')\n        except BaseException as e: print(type(e).__name__)\na = A()",
        artifacts=("out",),
    ),
    Program(
        "__del__ that fails", "class A:\n    def __del__(self): 1 / 0\n    def __repr__(self): return 'A'\na = A()"
    ),
    Program(
        "__del__ that raises SystemExit",
        "class A:\n    def __del__(self): raise SystemExit(7)\n    def __repr__(self): return 'A'\na = A()",
    ),
    Program(
        "__del__ that raises SystemExit early", "class A:\n    def __del__(self): raise SystemExit(7)\nA()\nprint('on')"
    ),
    Program(
        "__del__ that registers atexit",
        "import atexit\nclass A:\n    def __del__(self):\n        try: atexit.register(print, 'late'); print('registered')\n        except BaseException as e: print(e)\na = A()",
    ),
    Program(
        "__del__ that revives",
        "kept = []\nclass A:\n    def __del__(self): print('del'); kept.append(self)\na = A()\ndel a\nprint(len(kept))",
    ),
    Program(
        "__del__ that makes garbage",
        "class A:\n    n = 3\n    def __del__(self):\n        print('del', A.n if A else None)\n        if A and A.n:\n            A.n -= 1\n            b = A(); b.b = b\na = A()",
    ),
    Program(
        "__del__ that calls os._exit", "import os\nclass A:\n    def __del__(self, exit=os._exit): exit(9)\na = A()"
    ),
    Program(
        "__del__ sees sys.is_finalizing",
        "import sys\nclass A:\n    def __del__(self): print(sys.is_finalizing(), sys is None, print is None)\na = A()",
    ),
    Program(
        "__del__ sees what is left of sys.modules",
        "import sys\nclass A:\n    def __del__(self, modules=sys.modules): print('os' in modules, '__main__' in modules)\na = A()",
    ),
    Program(
        "__del__ sees sys.meta_path",
        "import sys\nclass A:\n    def __del__(self): print(sys.meta_path is None)\na = A()",
    ),
    Program(
        "a global generator is closed",
        "def g():\n    try:\n        yield\n    finally:\n        print('closed')\nx = g()\nnext(x)",
    ),
    Program("a suspended coroutine", "async def f(): pass\nx = f()\nprint('x')"),
    Program(
        "a context manager left open",
        "import contextlib\n@contextlib.contextmanager\ndef m():\n    try: yield\n    finally: print('left')\nx = m()\nx.__enter__()",
    ),
    Program(
        "cyclic garbage with finalizers",
        _SPEAKS + "import gc\ngc.disable()\na, b = Speaks('a'), Speaks('b')\na.b, b.a = b, a\ndel a, b",
    ),
    Program("gc callbacks at exit", "import gc\ngc.callbacks.append(lambda phase, info: print(phase))\nprint('x')"),
    Program("gc debug statistics at exit", "import gc\ngc.set_debug(gc.DEBUG_UNCOLLECTABLE)\nprint('x')"),
    Program("gc frozen by the program", _SPEAKS + "import gc\na = Speaks('a')\na.a = a\ngc.freeze()"),
    Program(
        "an object with a finalizer in threading.local",
        _SPEAKS + "import threading\nl = threading.local()\nl.a = Speaks('local')",
    ),
    Program(
        "an object with a finalizer in a context variable",
        _SPEAKS + "import contextvars\nv = contextvars.ContextVar('v')\nv.set(Speaks('var'))",
    ),
    Program(
        "a finalizer in an lru_cache",
        _SPEAKS + "import functools\n@functools.lru_cache\ndef f(): return Speaks('cached')\nf()",
    ),
    Program(
        "a trace function during shutdown",
        "import sys\nclass A:\n    def __del__(self): pass\na = A()\nsys.settrace(lambda f, e, a: print(e, f.f_code.co_name))",
    ),
    Program(
        "a profile function during shutdown",
        "import sys, atexit\nclass A:\n    def __del__(self): pass\na = A()\natexit.register(lambda: None)\nsys.setprofile(lambda f, e, a: print(e, f.f_code.co_name, file=sys.stderr) if sys else None)",
    ),
    Program(
        "an audit hook during shutdown",
        "import sys\nsys.addaudithook(lambda e, a: print(e) if e.startswith('cpython') else None)",
    ),
    Program(
        "an audit hook that sees everything late",
        "import sys, atexit\nsys.addaudithook(lambda e, a: print(e))\natexit.register(print, 'bye')",
    ),
)

_FILES = (
    Program("an open file is flushed", "f = open('out', 'w')\nf.write('kept')", artifacts=("out",)),
    Program(
        "an open file is flushed after sys.exit",
        "import sys\nf = open('out', 'w')\nf.write('kept')\nsys.exit(3)",
        artifacts=("out",),
    ),
    Program(
        "an open file is flushed after an error", "f = open('out', 'w')\nf.write('kept')\n1 / 0", artifacts=("out",)
    ),
    Program(
        "an open file in a local of an error is flushed",
        "def g():\n    f = open('out', 'w')\n    f.write('kept')\n    1 / 0\ng()",
        artifacts=("out",),
    ),
    Program(
        "an open file in a cycle is flushed",
        "f = open('out', 'w')\nx = [f]\nx.append(x)\ndel f\nx[0].write('kept')\ndel x",
        artifacts=("out",),
    ),
    Program(
        "an open file in a module of the library",
        "import os, string\nos.f = open('out', 'w')\nos.f.write('kept')\nstring.g = open('out2', 'wb')\nstring.g.write(b'kept')",
        artifacts=("out*",),
    ),
    Program(
        "an open file held by builtins",
        "import builtins\nbuiltins.f = open('out', 'w')\nf.write('kept')",
        artifacts=("out",),
    ),
    Program("an open file held by a default", "def g(f=open('out', 'w')): f.write('kept')\ng()", artifacts=("out",)),
    Program(
        "an open file held by a frozen cycle",
        "import gc\nf = open('out', 'w')\nf.write('kept')\nx = [f]\nx.append(x)\ngc.freeze()",
        artifacts=("out",),
    ),
    Program(
        "an open file held by a daemon thread",
        "import threading, time\ng = threading.Event()\ndef t():\n    f = open('out', 'w'); f.write('kept'); g.set(); time.sleep(9)\nthreading.Thread(target=t, daemon=True).start()\ng.wait()",
        artifacts=("out",),
    ),
    Program(
        "an open file held by C state",
        "import contextvars, sys\nv = contextvars.ContextVar('v')\nf = open('out', 'w')\nf.write('kept')\nv.set(f)\nsys.stdin.kept = f",
        artifacts=("out",),
    ),
    Program(
        "an open file held by an exit callback",
        "import atexit\nf = open('out', 'w')\nf.write('kept')\natexit.register(f.fileno)\ndel f",
        artifacts=("out",),
    ),
    Program(
        "an open file held by a trace function",
        "import sys\ndef t(*a, f=open('out', 'w')): f.write('k')\nsys.settrace(t)\ndef g(): pass\ng()",
        artifacts=("out",),
    ),
    Program(
        "an open file held by a codec",
        "import codecs\nf = open('out', 'w')\nf.write('kept')\ncodecs.register_error('mine', lambda e, f=f: ('', 0))\ncodecs.register(lambda n, f=f: None)\ndel f",
        artifacts=("out",),
    ),
    Program(
        "an open file held by a signal handler",
        "import signal\nf = open('out', 'w')\nf.write('kept')\nsignal.signal(10, lambda n, x, f=f: None)\ndel f",
        artifacts=("out",),
    ),
    Program(
        "an open file held by an audit hook",
        "import sys\nf = open('out', 'w')\nf.write('kept')\nsys.addaudithook(lambda e, a, f=f: None)\ndel f",
        artifacts=("out",),
    ),
    Program(
        "an open file held by copyreg and interned types",
        "import copyreg\nf = open('out', 'w')\nf.write('kept')\ncopyreg.dispatch_table[f] = f\nclass T(int): held = f\ndel f",
        artifacts=("out",),
    ),
    Program(
        "gzip left open",
        "import gzip\nf = gzip.GzipFile('out', 'wb', mtime=0)\nf.write(b'kept' * 10)",
        artifacts=("out",),
    ),
    Program(
        "zipfile left open",
        "import zipfile\nz = zipfile.ZipFile('out', 'w')\nz.writestr(zipfile.ZipInfo('a'), 'kept')",
        artifacts=("out",),
    ),
    Program(
        "csv left open",
        "import csv\nw = csv.writer(open('out', 'w', newline=''))\nw.writerow([1, 2])",
        artifacts=("out",),
    ),
    Program(
        "shelve left open", "import shelve, os\ns = shelve.open('s')\ns['k'] = [1]\ndel s\nprint(shelve.open('s')['k'])"
    ),
    Program(
        "sqlite left open",
        "import sqlite3\nc = sqlite3.connect('db')\nc.execute('create table t(x)')\nc.execute('insert into t values (1)')",
    ),
    Program(
        "temporary files are removed",
        "import tempfile, atexit, os\nf = tempfile.NamedTemporaryFile(dir='.')\nd = tempfile.TemporaryDirectory(dir='.')\nprint('x')",
        artifacts=("tmp*", "tmp*/*"),
    ),
    Program(
        "tempfile cleanup warns at exit",
        "import warnings, tempfile\nwarnings.simplefilter('always')\nd = tempfile.TemporaryDirectory(prefix='p')\nd.name2 = 1\nprint('x')",
    ),
    Program("a resource warning at exit", "import warnings\nwarnings.simplefilter('always')\nf = open('x', 'w')"),
    Program(
        "a resource warning at exit as an error", "import warnings\nwarnings.simplefilter('error')\nf = open('x', 'w')"
    ),
    Program(
        "logging is flushed at exit",
        "import logging.handlers\nh = logging.handlers.MemoryHandler(100, target=logging.StreamHandler())\nlogging.getLogger().addHandler(h)\nlogging.warning('kept')",
    ),
    Program(
        "a C level stream is flushed",
        "import ctypes\nlibc = ctypes.CDLL(None)\nlibc.puts(b'from C')\nprint('from python', flush=True)",
    ),
    Program(
        "a C level exit handler runs",
        "import ctypes\nlibc = ctypes.CDLL(None)\nf = ctypes.CFUNCTYPE(None)(lambda: None)\nlibc.puts(b'x')",
    ),
)

PROGRAMS = (*_CALLBACKS, *_FINALIZERS, *_FILES)
