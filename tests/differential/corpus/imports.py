"""Imports: siblings, packages, shadowed names, and everything that goes around the import statement."""

from tests.differential.program import Program

_PACKAGE = {
    "p/__init__.py": "print('p', __name__, __path__[0][-2:])",
    "p/a.py": "from . import b\nfrom .sub import c\nprint('a', b.v, c.v)",
    "p/b.py": "v = 1",
    "p/sub/__init__.py": "",
    "p/sub/c.py": "from .. import b\nv = b.v + 1",
}
_SHADOWS = {
    "json": ("json.py", "def loads(s): return 'mine'", "import json\nprint(json.loads('1'), json.__file__)"),
    "random": (
        "random.py",
        "def random(): return 4",
        "import random\nprint(random.random())\nimport tempfile\nprint(hasattr(tempfile, 'mkdtemp'))",
    ),
    "pandas": ("pandas.py", "DataFrame = 3", "import pandas\nprint(pandas.DataFrame, pandas.__file__)"),
    "numpy as a package": ("numpy/__init__.py", "array = list", "import numpy\nprint(numpy.array((1,)))"),
    "an empty numpy folder": (
        "numpy/readme.txt",
        "nothing",
        "import numpy\nprint(numpy.__file__[-9:] if numpy.__file__ else None, hasattr(numpy, 'array'))",
    ),
    "a folder named json without code": ("json/data.txt", "x", "import json\nprint(json.loads('1'))"),
    "logging": ("logging.py", "x = 1", "import logging\nprint(logging.x)\nimport asyncio"),
    "typing": ("typing.py", "x = 1", "import typing\nprint(typing.x)"),
    "os, which is loaded already": ("os.py", "x = 1", "import os\nprint(hasattr(os, 'x'))"),
    "sys, which is built in": ("sys.py", "x = 1", "import sys\nprint(hasattr(sys, 'x'))"),
    "site": ("site.py", "print('site')", "import site\nprint(hasattr(site, 'PREFIXES'))"),
    "sitecustomize": ("sitecustomize.py", "print('mine')", "import sitecustomize"),
    "usercustomize": ("usercustomize.py", "print('mine')", "import usercustomize"),
    "holdfast": ("holdfast.py", "x = 1", "import holdfast\nprint(holdfast.x)"),
    "the encodings": (
        "encodings.py",
        "x = 1",
        "import encodings\nprint(hasattr(encodings, 'x'))\nprint('ä'.encode('cp1252'))",
    ),
    "token, which tokenize needs": ("token.py", "x = 1", "import tokenize"),
    "a submodule of a package": ("xml/etree.py", "x = 1", "import xml.dom\nprint(xml.__file__)"),
    "a module by a shared object": ("json.so", "not elf", "import json\nprint(json.__file__)"),
    "a module by bytecode alone": ("json.pyc", "not bytecode", "import json\nprint(json.__file__)"),
}

PROGRAMS = (
    Program(
        "imports a sibling",
        "import s\nprint(s.v, s.__name__, s.__file__, s.__spec__.origin, s.__cached__)",
        {"s.py": "v = 1"},
    ),
    Program("imports a sibling twice", "import s, s\nfrom s import v", {"s.py": "print('once')\nv = 1"}),
    Program("imports a package with relative imports", "import p.a\nprint(p.a.__package__)", _PACKAGE),
    Program(
        "imports a namespace package", "import n.m\nprint(n.m.v, n.__path__.__class__.__name__)", {"n/m.py": "v = 1"}
    ),
    Program("imports relatively from main", "from . import s", {"s.py": ""}),
    Program("imports beyond the top", "import p.x", {"p/__init__.py": "", "p/x.py": "from ... import y"}),
    Program("imports in a circle", "import a", {"a.py": "import b\nv = 1", "b.py": "from a import v"}),
    Program(
        "imports itself",
        "import sys\nprint(__name__)\nif __name__ == '__main__':\n    import main\n    print(main is sys.modules['main'], main.__file__)",
    ),
    Program(
        "imports __main__",
        "import __main__\nprint(__main__.__name__, __main__.x if hasattr(__main__, 'x') else None)\nx = 1",
    ),
    Program(
        "star imports",
        "from s import *\nprint(sorted(n for n in vars() if n[0] != '_'))",
        {"s.py": "__all__ = ['a']\na = b = 1"},
    ),
    Program(
        "imports a module with getattr",
        "from s import anything\nprint(anything)",
        {"s.py": "def __getattr__(name): return name"},
    ),
    *(Program(f"a sibling shadows {name}", code, {path: text}) for name, (path, text, code) in _SHADOWS.items()),
    Program(
        "a shadow that is made later",
        "open('json.py', 'w').write('x = 1')\nimport importlib\nimportlib.invalidate_caches()\nimport json\nprint(hasattr(json, 'x'))",
    ),
    Program(
        "a shadow in a folder put on the path",
        "import sys, os\nsys.path.insert(0, 'lib')\nimport json, decimal\nprint(json.x, decimal.x)",
        {"lib/json.py": "x = 1", "lib/decimal.py": "x = 2"},
    ),
    Program(
        "a shadow at the end of the path",
        "import sys\nsys.path.append('lib')\nimport json\nprint(hasattr(json, 'x'))",
        {"lib/json.py": "x = 1"},
    ),
    Program(
        "an emptied path", "import sys\nsys.path.clear()\ntry:\n    import json\nexcept ImportError as e: print(e)"
    ),
    Program(
        "a path without packages",
        "import sys\nsys.path[:] = [p for p in sys.path if 'site-packages' not in p]\ntry:\n    import numpy\nexcept ImportError as e: print(e)",
    ),
    Program(
        "a path without the library",
        "import sys\nsys.path[:] = [p for p in sys.path if 'site-packages' in p]\ntry:\n    import decimal\nexcept ImportError as e: print(e)",
    ),
    Program("a replaced path", "import sys\nsys.path = ['lib']\nimport json\nprint(json.x)", {"lib/json.py": "x = 1"}),
    Program(
        "emptied meta_path",
        "import sys\nsys.meta_path.clear()\ntry:\n    import json\nexcept ImportError as e: print(e)",
    ),
    Program(
        "a blocked import",
        "import sys\nsys.modules['json'] = None\ntry:\n    import json\nexcept ImportError as e: print(e)",
    ),
    Program(
        "a fake module",
        "import sys, types\nsys.modules['json'] = types.SimpleNamespace(loads=lambda s: 'fake')\nimport json\nprint(json.loads('1'))",
    ),
    Program(
        "a fake package that others import",
        "import sys, types\nsys.modules['pyarrow'] = None\nsys.modules['_decimal'] = None\nimport decimal\nprint(decimal.__file__[-10:], decimal.Decimal.__module__, hasattr(decimal, '_WorkRep'))",
    ),
    Program(
        "a finder of its own",
        "import sys, importlib.machinery, types\nclass F:\n    def find_spec(self, name, path=None, target=None):\n        if name == 'json': return importlib.machinery.ModuleSpec(name, self)\n    def create_module(self, spec): return types.ModuleType(spec.name)\n    def exec_module(self, m): m.x = 'made'\nsys.meta_path.insert(0, F())\nimport json\nprint(json.x)",
    ),
    Program(
        "a finder that refuses",
        "import sys\nclass F:\n    def find_spec(self, name, path=None, target=None):\n        if name == 'decimal': raise ImportError('no ' + name)\nsys.meta_path.insert(0, F())\nimport decimal",
    ),
    Program(
        "a module removed and imported again",
        "import sys, json\nold = json\nold.mark = 1\ndel sys.modules['json']\nimport json\nprint(json is old, hasattr(json, 'mark'))",
    ),
    Program(
        "a module of the library reloaded",
        "import importlib, json\njson.mark = 1\nprint(importlib.reload(json) is json, json.mark, json.loads('[1]'))",
    ),
    Program(
        "a sibling reloaded",
        "import importlib, s\nopen('s.py', 'w').write('v = 22222')\nprint(importlib.reload(s).v)",
        {"s.py": "v = 1"},
    ),
    Program(
        "a module loaded from its spec",
        "import importlib.util, sys\ns = importlib.util.find_spec('json')\nm = importlib.util.module_from_spec(s)\ns.loader.exec_module(m)\nprint(m.loads('1'), 'json' in sys.modules, m is sys.modules.get('json'))",
    ),
    Program(
        "two copies of a module",
        "import importlib.util\ndef load():\n    s = importlib.util.find_spec('fractions')\n    m = importlib.util.module_from_spec(s)\n    s.loader.exec_module(m)\n    return m\na, b = load(), load()\nprint(a is b, a.Fraction is b.Fraction, a.Fraction(1, 2))",
    ),
    Program(
        "import_fresh of the library",
        "import sys\nimport fractions\nF = fractions.Fraction\nfor n in [n for n in sys.modules if n.startswith('fractions')]: del sys.modules[n]\nimport fractions as again\nprint(F is again.Fraction)",
    ),
    Program("import_module with a package", "import importlib\nprint(importlib.import_module('.dom', 'xml').__name__)"),
    Program("an import of a part of a module that is none", "import json.nothing"),
    Program("an import of a part of a file", "import csv.x"),
    Program(
        "a lazy loader",
        "import importlib.util, sys\ns = importlib.util.find_spec('fractions')\nl = importlib.util.LazyLoader(s.loader)\ns.loader = l\nm = importlib.util.module_from_spec(s)\nsys.modules['fractions'] = m\nl.exec_module(m)\nprint(m.Fraction(1, 3))",
    ),
    Program(
        "a zip on the path",
        "import zipfile, sys\nwith zipfile.ZipFile('lib.zip', 'w') as z: z.writestr('inside.py', 'v = 1')\nsys.path.insert(0, 'lib.zip')\nimport inside\nprint(inside.v, inside.__file__, type(inside.__loader__).__name__)",
    ),
    Program(
        "a zip that shadows the library",
        "import zipfile, sys\nwith zipfile.ZipFile('lib.zip', 'w') as z: z.writestr('json.py', 'v = 1')\nsys.path.insert(0, 'lib.zip')\nimport json\nprint(json.v)",
    ),
    Program(
        "pkgutil over siblings", "import pkgutil\nprint(sorted(m.name for m in pkgutil.iter_modules(['.'])))", _PACKAGE
    ),
    Program(
        "pkgutil over the library",
        "import pkgutil, json\nprint(sorted(m.name for m in pkgutil.iter_modules(json.__path__)), len(list(pkgutil.iter_modules())) > 100)",
    ),
    Program(
        "resources of a package",
        "from importlib import resources\nprint(resources.files('p').joinpath('t.txt').read_text())",
        {"p/__init__.py": "", "p/t.txt": "text"},
    ),
    Program(
        "metadata of installed packages",
        "from importlib import metadata\nprint(sorted(d.name for d in metadata.distributions()), metadata.version('numpy'))",
    ),
    Program(
        "runpy of a path",
        "import runpy\nprint(sorted(k for k in runpy.run_path('s.py', run_name='__main__') if k[0] != '_'))",
        {"s.py": "import sys\nprint(__name__, sys.argv)\nx = 1"},
    ),
    Program(
        "runpy of a module",
        "import runpy\nrunpy.run_module('s', run_name='__main__', alter_sys=True)",
        {"s.py": "import sys\nprint(__name__, sys.argv, __spec__.name)"},
    ),
    Program(
        "runpy of a module of the library",
        "import runpy, sys\nsys.argv = ['x', '--help']\nrunpy.run_module('json.tool', run_name='__main__')",
    ),
    Program(
        "python -m of a sibling",
        "import subprocess, sys\nprint(subprocess.run([sys.executable, '-m', 's', 'a'], capture_output=True, text=True))",
        {"s.py": "import sys\nprint(__name__, sys.argv[1:], sys.path[0])"},
    ),
    Program(
        "python -c",
        "import subprocess, sys\nprint(subprocess.run([sys.executable, '-c', 'import sys; print(sys.argv, sys.path[1:], sorted(sys.modules))'], capture_output=True, text=True))",
    ),
    Program(
        "python -S -E -s",
        "import subprocess, sys\nprint(subprocess.run([sys.executable, '-S', '-E', '-s', '-c', 'import sys; print(sys.path, sys.flags)'], capture_output=True, text=True))",
    ),
    Program(
        "python -X importtime of a child",
        "import subprocess, sys\nr = subprocess.run([sys.executable, '-X', 'importtime', '-c', 'import json'], capture_output=True, text=True)\nprint([l.rsplit('|')[-1].strip() for l in r.stderr.splitlines()][1:])",
    ),
    Program(
        "bytecode of a sibling is written", "import s, os\nprint(sorted(os.listdir('__pycache__')))", {"s.py": "v = 1"}
    ),
    Program(
        "sys.path[0] is the folder of main",
        "import sys, os\nprint(sys.path[0], os.path.abspath(sys.path[0]) == os.getcwd())",
    ),
    Program(
        "changes the folder and imports",
        "import os\nos.makedirs('d')\nos.chdir('d')\nimport s\nprint(s.__file__)",
        {"s.py": ""},
    ),
    Program(
        "imports while another module is loading",
        "import a",
        {
            "a.py": "import sys\nprint(sys.modules['a'].__spec__._initializing)\nimport json\nprint(json.__spec__._initializing)"
        },
    ),
    Program(
        "imports under a lock of its own",
        "import threading\ndef f():\n    import decimal\n    print(decimal.Decimal(1))\nts = [threading.Thread(target=f) for _ in range(4)]\n[t.start() for t in ts]\n[t.join() for t in ts]",
    ),
    Program(
        "a future import", "from __future__ import annotations\ndef f(x: undefined): pass\nprint(f.__annotations__)"
    ),
    Program(
        "a module that fails half way",
        "try:\n    import s\nexcept ZeroDivisionError: pass\nimport sys\nprint('s' in sys.modules)\nimport s",
        {"s.py": "1 / 0"},
    ),
    Program(
        "a module that replaces itself",
        "import s\nprint(s)",
        {"s.py": "import sys\nsys.modules[__name__] = 'replaced'"},
    ),
    Program("antigravity and this", "import this"),
)
