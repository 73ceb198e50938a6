"""What a program can see of its interpreter."""

from tests.differential.program import Program

_EXPRESSIONS = {
    "the names of main": "sorted(vars())",
    "the attributes of main": "__name__, __file__, __spec__, __doc__, __package__, __cached__, type(__loader__).__name__, __loader__.path, __loader__.name",
    "the builtins of main": "type(__builtins__).__name__, __builtins__.__name__, sorted(vars(__builtins__))",
    "annotations of main": "globals().get('__annotations__')",
    "sys.argv": "sys.argv",
    "sys.orig_argv": "sys.orig_argv",
    "sys.path": "sys.path",
    "sys.path_hooks": "[getattr(h, '__qualname__', h) for h in sys.path_hooks]",
    "sys.meta_path": "sys.meta_path",
    "sys.path_importer_cache": "{k: type(v).__name__ for k, v in sys.path_importer_cache.items()}",
    "sys.flags": "sys.flags",
    "sys.warnoptions and xoptions": "sys.warnoptions, sys._xoptions",
    "sys.modules": "sorted(sys.modules)",
    "the order of sys.modules": "list(sys.modules)",
    "the names of sys": "sorted(vars(sys))",
    "sys.executable and prefixes": "sys.executable, sys._base_executable, sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix, sys.platlibdir",
    "the recursion limit": "sys.getrecursionlimit()",
    "the switch interval": "sys.getswitchinterval()",
    "the hooks of sys": "sys.excepthook is sys.__excepthook__, sys.displayhook is sys.__displayhook__, sys.unraisablehook is sys.__unraisablehook__, sys.breakpointhook is sys.__breakpointhook__",
    "trace, profile and coroutine hooks": "sys.gettrace(), sys.getprofile(), sys.get_asyncgen_hooks(), sys.get_coroutine_origin_tracking_depth()",
    "stack trampolines and thread info": "sys.thread_info, sys.int_info, sys.hash_info, sys.float_info",
    "the version": "sys.version, sys.version_info, sys.implementation, sys.hexversion, sys.api_version",
    "dont_write_bytecode and pycache_prefix": "sys.dont_write_bytecode, sys.pycache_prefix",
    "dlopen flags and file system encoding": "sys.getdlopenflags(), sys.getfilesystemencoding(), sys.getfilesystemencodeerrors(), sys.getdefaultencoding()",
    "int digits limit": "sys.get_int_max_str_digits()",
    "the frame": "sys._getframe().f_code.co_name, sys._getframe().f_back, sys._getframe().f_lineno, sys._getframe().f_globals is globals()",
    "current frames": "len(sys._current_frames()), len(sys._current_exceptions())",
    "exc_info": "sys.exc_info(), sys.exception()",
    "last exceptions": "[hasattr(sys, n) for n in ('last_type', 'last_value', 'last_traceback', 'last_exc', 'ps1')]",
    "the code of main": "sys._getframe().f_code.co_filename, sys._getframe().f_code.co_name, sys._getframe().f_code.co_flags",
    "allocated blocks are about as many": "sys.getallocatedblocks() > 1000",
    "gc state": "gc.isenabled(), gc.get_threshold(), gc.get_debug(), gc.garbage, gc.callbacks",
    "faulthandler": "faulthandler.is_enabled()",
    "tracemalloc": "tracemalloc.is_tracing(), tracemalloc.get_traceback_limit()",
    "warning filters": "warnings.filters, warnings.defaultaction, warnings.onceregistry",
    "decimal context": "decimal.getcontext()",
    "locale": "locale.getlocale(), locale.getpreferredencoding(), locale.setlocale(locale.LC_ALL), locale.localeconv()",
    "time zone": "time.tzname, time.timezone, os.environ.get('TZ')",
    "the environment": "dict(os.environ)",
    "the order of the environment": "list(os.environ)",
    "python variables are absent": "[n for n in os.environ if n.startswith(('PYTHON', 'HOLDFAST', 'VIRTUAL'))]",
    "the environment of C": "ctypes.CDLL(None).getenv(b'PYTHONPATH'), [n for n in os.popen('env') if n.startswith(('PYTHON', 'HOLDFAST'))]",
    "the working directory": "os.getcwd(), os.listdir()",
    "the mask and the ids": "oct(os.umask(0)), os.getuid(), os.getgid(), os.getgroups(), os.geteuid(), os.getresuid()",
    "the process": "os.getpid() == os.getpgrp(), os.getsid(0) == os.getpid(), os.getppid() == 1, os.nice(0), os.sched_getscheduler(0)",
    "open descriptors": "sorted(os.listdir('/proc/self/fd')), os.get_inheritable(0), os.get_blocking(1)",
    "the kinds of descriptors": "[os.readlink(f'/proc/self/fd/{n}').split(':')[0] for n in range(3)]",
    "resource limits": "[(n, resource.getrlimit(getattr(resource, n))) for n in dir(resource) if n.startswith('RLIMIT')]",
    "the name of the process": "open('/proc/self/comm').read(), os.path.basename(os.readlink('/proc/self/exe'))",
    "the command line of the process": "open('/proc/self/cmdline').read()",
    "the threads of the process": "len(os.listdir('/proc/self/task')), threading.active_count(), threading.current_thread().name, threading.main_thread().ident == threading.get_ident()",
    "thread settings": "threading.stack_size(), threading.TIMEOUT_MAX, threading.gettrace(), threading.getprofile()",
    "what the kernel says of the process": "[l for l in open('/proc/self/status') if l.startswith(('Umask', 'Uid', 'Gid', 'Groups', 'Cap', 'NoNewPrivs', 'Seccomp:', 'Threads', 'Tracer'))]",
    "the oom score and dumpability": "open('/proc/self/oom_score_adj').read(), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), ctypes.CDLL(None).prctl(39, 0, 0, 0, 0)",
    "the parent death signal": "(lambda n: (ctypes.CDLL(None).prctl(2, ctypes.byref(n), 0, 0, 0), n.value))(ctypes.c_int())",
    "codec errors and interned names": "codecs.lookup('utf-8').name, codecs.lookup_error('strict').__name__, sys.intern('main') is sys.intern('main')",
    "context variables": "list(contextvars.copy_context().items())",
    "the type cache of abc": "isinstance([], collections.abc.Sequence), collections.abc.Mapping.__subclasses__()",
    "subclasses of object from the library": "'Stash' in [c.__name__ for c in object.__subclasses__()], '_Ending' in [c.__name__ for c in object.__subclasses__()]",
    "linecache": "linecache.cache",
    "import machinery": "importlib._bootstrap_external.SourceFileLoader.__name__, type(importlib._bootstrap_external.SourceFileLoader).__name__, importlib.machinery.all_suffixes()",
    "__import__ and build_class": "__import__.__module__, __build_class__.__name__, type(__import__).__name__",
    "sysconfig": "sysconfig.get_paths(), sysconfig.get_platform(), sysconfig.get_default_scheme()",
    "site": "site.ENABLE_USER_SITE, site.getsitepackages(), site.PREFIXES, 'sitecustomize' in sys.modules, site.USER_SITE",
    "platform": "platform.python_implementation(), platform.python_build(), platform.python_compiler()",
    "the license and other site builtins": "type(exit).__name__, type(help).__name__, repr(exit), repr(credits)[:10]",
    "signal wakeups and timers": "signal.getitimer(signal.ITIMER_REAL), signal.siginterrupt(signal.SIGUSR1, True)",
    "hash randomisation is on": "sys.flags.hash_randomization, 'PYTHONHASHSEED' in os.environ",
    "small things that are cached": "(256 is int('256'), '' is str(), () is tuple())",
    "the random module seeded": "(random.seed(1), random.random(), random.getrandbits(64), random.sample(range(99), 5))[1:]",
    "a random generator seeded": "random.Random('a').random(), random.Random(b'b').random()",
    "uuid3 and uuid5": "uuid.uuid3(uuid.NAMESPACE_DNS, 'a'), uuid.uuid5(uuid.NAMESPACE_DNS, 'a')",
    "multiprocessing defaults": "multiprocessing.get_start_method(), multiprocessing.current_process().name, multiprocessing.parent_process()",
    "asyncio defaults": "type(asyncio.get_event_loop_policy()).__name__, asyncio.iscoroutinefunction(print)",
    "logging defaults": "logging.root.handlers, logging.root.level, logging.raiseExceptions, logging.getLevelName(30), sorted(logging.root.manager.loggerDict)",
    "socket defaults": "socket.getdefaulttimeout(), socket.gethostname()",
    "mimetypes and csv": "mimetypes.inited, csv.list_dialects(), csv.field_size_limit()",
    "struct caches and re flags": "re.compile('a').flags, re.purge()",
    "the tempfile directory": "tempfile.tempdir, tempfile.gettempdir(), tempfile.template",
    "copyreg and pickle tables": "sorted(k.__name__ for k in __import__('copyreg').dispatch_table), pickle.DEFAULT_PROTOCOL",
    "zoneinfo and calendar": "calendar.firstweekday(), datetime.date(2024, 2, 29).isoformat()",
    "sqlite3": "sqlite3.sqlite_version_info > (3,), sqlite3.paramstyle, sorted(k.__name__ for k, _ in sqlite3.adapters)",
    "xml namespaces": "sorted(xml.etree.ElementTree._namespace_map)",
    "getpass and user names": "getpass.getuser(), os.path.expanduser('~'), pwd.getpwuid(os.getuid()).pw_name",
}
_MODULES = "asyncio calendar codecs collections.abc contextvars csv ctypes datetime decimal faulthandler gc getpass importlib.machinery linecache locale logging mimetypes multiprocessing os pickle platform pwd random re resource signal site socket sqlite3 sys sysconfig tempfile threading time tracemalloc uuid warnings xml.etree.ElementTree"


def _shown(name: str, expression: str) -> Program:
    words = {word.partition(".")[0] for word in _MODULES.split() if f"{word.partition('.')[0]}." in expression}
    names = sorted(word for word in _MODULES.split() if word.partition(".")[0] in words)
    imports = f"import {', '.join(names)}\n" if names else ""
    return Program(f"shows {name}", f"{imports}for part in ({expression},): print(part)")


_COUNT = "import sys\nn = 0\ndef f():\n    global n\n    n += 1\n    f()\n"
_SEEN = (
    *(_shown(name, expression) for name, expression in _EXPRESSIONS.items()),
    Program(
        "shows arguments", "import sys\nprint(sys.argv, sys.orig_argv)", args=("a", "--b", "", "ä ö", "-c", "print(1)")
    ),
    Program(
        "shows argparse at work",
        "import argparse\np = argparse.ArgumentParser()\np.add_argument('n', type=int)\nprint(p.parse_args())",
        args=("x",),
    ),
    Program("shows argparse help", "import argparse\np = argparse.ArgumentParser()\np.print_help()"),
    Program("counts how deep a recursion goes", _COUNT + "try:\n    f()\nexcept RecursionError:\n    print(n)"),
    Program(
        "counts how deep with another limit",
        _COUNT + "sys.setrecursionlimit(200)\ntry:\n    f()\nexcept RecursionError:\n    print(n)",
    ),
    Program(
        "counts how deep a recursion through C goes",
        "n = 0\nclass A:\n    def __repr__(self):\n        global n\n        n += 1\n        return repr([self])\ntry:\n    repr(A())\nexcept RecursionError:\n    print(n)",
    ),
    Program(
        "counts how deep a recursion with open goes",
        "n = 0\ndef f():\n    global n\n    open('main.py').close()\n    n += 1\n    f()\ntry:\n    f()\nexcept RecursionError:\n    print(n)",
    ),
    Program(
        "sets a recursion limit that is too low",
        "import sys\ntry:\n    sys.setrecursionlimit(1)\nexcept Exception as e: print(type(e), e)",
    ),
    Program(
        "counts frames",
        "import sys\ndef depth():\n    n, f = 0, sys._getframe()\n    while f: n, f = n + 1, f.f_back\n    return n\nprint(depth(), (lambda: depth())())",
    ),
    Program(
        "shows inspect.stack",
        "import inspect\ndef f(): print([(i.filename, i.function, i.lineno) for i in inspect.stack()])\nf()",
    ),
    Program(
        "shows its own source",
        "import inspect\ndef f():\n    return 1\nprint(inspect.getsource(f), inspect.getfile(f), inspect.getmodule(f).__name__)",
    ),
    Program(
        "shows modules after an import",
        "import sys\nbefore = set(sys.modules)\nimport json\nprint(sorted(set(sys.modules) - before))",
    ),
    Program(
        "shows what is imported by datetime and decimal",
        "import sys\nbefore = set(sys.modules)\nimport datetime, decimal, fractions, statistics\nprint(sorted(set(sys.modules) - before))",
    ),
    Program(
        "shows what is imported by asyncio",
        "import sys\nbefore = set(sys.modules)\nimport asyncio\nprint(sorted(set(sys.modules) - before))",
    ),
    Program(
        "shows what is imported by a from import",
        "import sys\nbefore = set(sys.modules)\nfrom concurrent.futures import ThreadPoolExecutor\nfrom xml.dom import minidom\nfrom email import message\nprint(sorted(set(sys.modules) - before))",
    ),
    Program(
        "shows what a package has before its parts are loaded",
        "import xml, email, concurrent, json, logging\nprint([hasattr(xml, 'etree'), hasattr(email, 'message'), hasattr(concurrent, 'futures'), hasattr(json, 'tool'), hasattr(logging, 'handlers')])",
    ),
    Program(
        "shows the order in which modules appear",
        "import sys\nbefore = len(sys.modules)\nimport logging, csv\nprint(list(sys.modules)[before:])",
    ),
    Program(
        "watches imports with a finder",
        "import sys\nseen = []\nclass F:\n    def find_spec(self, name, path=None, target=None): seen.append(name)\nsys.meta_path.insert(0, F())\nimport json, decimal\nprint(seen)",
    ),
    Program(
        "watches imports with an audit hook",
        "import sys\nseen = []\nsys.addaudithook(lambda e, a: seen.append(a[0]) if e == 'import' else None)\nimport json, decimal\nprint(seen)",
    ),
    Program(
        "watches imports through __import__",
        "import builtins\nseen = []\nreal = builtins.__import__\ndef spy(name, *a, **k):\n    seen.append(name)\n    return real(name, *a, **k)\nbuiltins.__import__ = spy\nimport json\nprint(seen)",
    ),
    Program(
        "times and traces imports",
        "import sys\ncalls = []\nsys.setprofile(lambda f, e, a: calls.append(f.f_code.co_name) if e == 'call' else None)\nimport json\nsys.setprofile(None)\nprint(len(calls) > 0)",
    ),
    Program(
        "shows the attributes of a loaded module",
        "import json\nprint(json.__name__, json.__spec__, json.__loader__ is json.__spec__.loader, json.__file__, json.__cached__, json.__path__, json.__package__, type(json.__loader__).__name__)",
    ),
    Program(
        "shows find_spec of a module not yet imported",
        "import importlib.util\nfor n in ('json', 'decimal', 'sys', 'xml.dom', 'pandas', 'nothing'):\n    s = importlib.util.find_spec(n)\n    print(n, s and (s.name, s.origin, type(s.loader).__name__, s.loader.__class__.__module__, s.submodule_search_locations, s.has_location, s.cached))",
    ),
    Program(
        "shows DeprecationWarning from main",
        "import warnings\nwarnings.warn('old', DeprecationWarning)\nwarnings.warn('user')\nwarnings.warn('pending', PendingDeprecationWarning)",
    ),
    Program(
        "hides DeprecationWarning from a module",
        "import sibling",
        {
            "sibling.py": "import warnings\nwarnings.warn('old', DeprecationWarning)\nwarnings.warn('shown', UserWarning)"
        },
    ),
    Program("shows a warning once per place", "import warnings\nfor n in range(3): warnings.warn('again')"),
    Program(
        "shows all warnings",
        "import warnings\nwarnings.simplefilter('always')\nfor n in range(2): warnings.warn('again', ImportWarning)",
    ),
    Program("shows a SyntaxWarning", "x = 1\nprint(x is 1, '\\d')"),
    Program(
        "shows warnings of the library",
        "import warnings\nwarnings.simplefilter('always')\nimport imp\n"
        if False
        else "import warnings\nwarnings.simplefilter('always')\nimport datetime, asyncio\nasyncio.get_event_loop_policy()\nprint(datetime.datetime.fromtimestamp(0, datetime.timezone.utc))",
    ),
    Program("shows ResourceWarning on demand", "import warnings\nwarnings.simplefilter('always')\nopen('main.py')"),
    Program("uses displayhook", "import sys\nsys.displayhook([1])\nprint(_)\nexec(compile('1 + 1', 'x', 'single'))"),
    Program("uses breakpoint without a terminal", "breakpoint()\nprint('x')"),
    Program("uses help", "help(len)"),
    Program(
        "uses memory profiling",
        "import tracemalloc\ntracemalloc.start()\nx = [0] * 1000\nprint(tracemalloc.get_traced_memory()[0] > 8000)",
    ),
    Program(
        "uses a profiler",
        "import cProfile, pstats, io\np = cProfile.Profile()\np.runcall(sorted, [3, 1])\ns = io.StringIO()\npstats.Stats(p, stream=s)\nprint('sorted' in str(p.getstats()))",
    ),
    Program(
        "enables faulthandler and crashes",
        "import faulthandler, os, signal\nfaulthandler.enable()\nos.kill(os.getpid(), signal.SIGSEGV)",
    ),
    Program(
        "decimal contexts are its own",
        "import decimal\ndecimal.getcontext().prec = 5\nprint(decimal.Decimal(1) / 3)\nimport threading\nt = threading.Thread(target=lambda: print(decimal.Decimal(1) / 3)); t.start(); t.join()",
    ),
    Program(
        "changes everything in sys", "import sys\nsys.argv = sys.path = sys.stdin = sys.warnoptions = None\nprint('x')"
    ),
    Program("loses sys.stdout", "import sys\ndel sys.stdout\nprint('x')"),
    Program(
        "gc of a big cycle", "import gc\nclass A: pass\na = A(); a.a = a; del a\nprint(gc.collect() >= 1, gc.garbage)"
    ),
    Program(
        "finds only its own objects in the collector",
        "import gc\nprint([type(o).__name__ for o in gc.get_objects() if type(o).__module__.startswith('holdfast')])",
    ),
)
PROGRAMS = _SEEN
