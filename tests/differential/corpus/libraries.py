"""Programs as people write them, with the library and the packages of the guest environment."""

from tests.differential.program import Program

_MAIN_CLASS = "import pickle, dataclasses\n@dataclasses.dataclass\nclass P:\n    x: int\n    y: list = dataclasses.field(default_factory=list)\n"
_LIBRARY = (
    Program("pickle of a class of main", _MAIN_CLASS + "b = pickle.dumps(P(1, [2]))\nprint(b, pickle.loads(b))"),
    Program("pickle of a lambda", "import pickle\npickle.dumps(lambda: 1)"),
    Program(
        "copy and dataclasses",
        _MAIN_CLASS
        + "import copy\np = P(1)\nprint(copy.deepcopy(p) == p, dataclasses.asdict(p), dataclasses.replace(p, x=2))",
    ),
    Program(
        "enum",
        "import enum\nclass E(enum.Enum):\n    A = enum.auto()\n    B = 'b'\nprint(list(E), repr(E.A), E('b'))\nE(9)",
    ),
    Program(
        "typing at run time",
        "import typing\nT = typing.TypeVar('T')\nclass G(typing.Generic[T]): pass\nprint(G[int], typing.get_origin(list[int]), typing.Optional[int])",
    ),
    Program(
        "abc that is not implemented",
        "import abc\nclass A(abc.ABC):\n    @abc.abstractmethod\n    def f(self): ...\nA()",
    ),
    Program(
        "named tuples and counters",
        "import collections\nN = collections.namedtuple('N', 'a b')\nprint(N(1, 2), collections.Counter('abca').most_common())",
    ),
    Program(
        "regular expressions",
        "import re\nprint(re.findall(r'(?P<w>\\w+)@', 'a@ b@'), re.compile('x', re.I))\nre.compile('(')",
    ),
    Program(
        "json",
        "import json\nprint(json.dumps({'b': [1, None, 1.5], 'a': 'ä'}, indent=1, sort_keys=True))\njson.loads('[1,]')",
    ),
    Program("csv and io", "import csv, io\nprint(list(csv.DictReader(io.StringIO('a,b\\n1,2\\n'))))"),
    Program(
        "datetime",
        "import datetime as d\nprint(d.datetime(2024, 2, 29, tzinfo=d.timezone.utc).isoformat(), d.timedelta(days=1.5), d.date.fromisocalendar(2024, 9, 4))",
    ),
    Program(
        "itertools and functools",
        "import itertools, functools\nprint(list(itertools.batched('abcde', 2)) if hasattr(itertools, 'batched') else list(itertools.pairwise('abc')), functools.reduce(lambda a, b: a * b, range(1, 20)))",
    ),
    Program(
        "fractions, statistics and cmath",
        "import fractions, statistics, cmath, math\nprint(fractions.Fraction(0.1), statistics.stdev([1, 2, 4]), cmath.sqrt(-1), math.comb(50, 25))",
    ),
    Program(
        "hashlib and base64",
        "import hashlib, base64, zlib, hmac\nprint(hashlib.sha256(b'x').hexdigest(), base64.b64encode(b'x'), zlib.crc32(b'x'), hmac.new(b'k', b'm', 'md5').hexdigest(), sorted(hashlib.algorithms_available))",
    ),
    Program("struct and array", "import struct, array\nprint(struct.pack('>IhQ', 1, -2, 3), array.array('d', [1, 2]))"),
    Program(
        "xml",
        "import xml.etree.ElementTree as E\nr = E.fromstring('<a b=\"1\"><c>t</c></a>')\nprint(E.tostring(r), [e.tag for e in r.iter()])\nE.fromstring('<a>')",
    ),
    Program(
        "html, urllib and email",
        "import html, urllib.parse, email.message\nm = email.message.EmailMessage()\nm['To'] = 'a@b'\nm.set_content('x')\nprint(html.escape('<'), urllib.parse.urlparse('http://a/b?c=d'), m)",
    ),
    Program(
        "no network",
        "import urllib.request\ntry:\n    urllib.request.urlopen('http://127.0.0.1:9/')\nexcept OSError as e: print(e)",
    ),
    Program(
        "sqlite",
        "import sqlite3\nc = sqlite3.connect(':memory:')\nc.execute('create table t(a, b)')\nc.executemany('insert into t values (?, ?)', [(1, 'x'), (2, 'y')])\nprint(c.execute('select sum(a), max(b) from t').fetchall())\nc.execute('select nothing')",
    ),
    Program(
        "zip, tar and gzip",
        "import zipfile, tarfile, gzip, io, bz2, lzma\nprint(gzip.decompress(gzip.compress(b'x')), bz2.decompress(bz2.compress(b'y')), lzma.decompress(lzma.compress(b'z')))",
    ),
    Program(
        "pathlib, glob and shutil",
        "import pathlib, glob, shutil\np = pathlib.Path('d/e'); p.mkdir(parents=True); (p / 'f').write_text('x')\nshutil.copytree('d', 'g')\nprint(sorted(glob.glob('**', recursive=True)), pathlib.Path.cwd(), pathlib.Path.home())",
    ),
    Program(
        "logging with a configuration",
        "import logging\nlogging.basicConfig(format='%(levelname)s %(name)s %(process)d' if 0 else '%(levelname)s %(name)s %(threadName)s %(filename)s', level=10)\nlogging.getLogger('a.b').debug('d')\nlogging.warning('w')",
    ),
    Program(
        "unittest.main",
        "import unittest\nclass T(unittest.TestCase):\n    def test_a(self): self.assertEqual(1, 1)\n    def test_b(self): self.assertEqual(1, 2)\nr = unittest.main(exit=False, argv=['x'], testRunner=unittest.TextTestRunner(stream=__import__('io').StringIO())).result\nprint(r, r.failures[0][1])",
    ),
    Program(
        "unittest.main that exits",
        "import unittest, io\nclass T(unittest.TestCase):\n    def test_b(self): self.fail()\nunittest.main(testRunner=unittest.TextTestRunner(stream=io.StringIO()))",
    ),
    Program(
        "doctest",
        "import doctest\ndef f():\n    '''\n    >>> f()\n    1\n    >>> f() + 1\n    3\n    '''\n    return 1\nprint(doctest.testmod())",
    ),
    Program(
        "timeit, contextlib and operator",
        "import timeit, contextlib, operator\nprint(timeit.timeit('1', number=1) >= 0)\nwith contextlib.suppress(KeyError): {}[1]\nprint(operator.itemgetter(1)([1, 2]))",
    ),
    Program(
        "ast, dis and tokenize",
        "import ast, dis, io, tokenize\nprint(ast.dump(ast.parse('x = 1')))\ndis.dis('x + 1')\nprint([t.string for t in tokenize.generate_tokens(io.StringIO('a+1').readline)])",
    ),
    Program(
        "inspect.signature and help",
        "import inspect\ndef f(a, *b, c: int = 1, **d) -> str: 'doc'\nprint(inspect.signature(f), inspect.getdoc(f))\nhelp(f)",
    ),
    Program(
        "configparser and tomllib",
        "import configparser, tomllib\nc = configparser.ConfigParser()\nc.read_string('[a]\\nb = 1')\nprint(dict(c['a']), tomllib.loads('x = [1]'))",
    ),
    Program(
        "heapq, bisect and graphlib",
        "import heapq, bisect, graphlib\nprint(heapq.nsmallest(2, [3, 1, 2]), bisect.bisect([1, 2], 1), list(graphlib.TopologicalSorter({'a': 'b'}).static_order()))",
    ),
    Program(
        "weak references",
        "import weakref, gc\nclass A: pass\na = A()\nd = weakref.WeakValueDictionary(a=a)\ndel a\nprint(dict(d))",
    ),
    Program(
        "string formatting",
        "import string\nprint(string.Template('$a').substitute(a=1), '{:>5}|{!r}'.format(1, 'x'), '%05.1f' % 2.25)",
    ),
    Program(
        "ctypes",
        "import ctypes\nprint(ctypes.CDLL(None).abs(-3), ctypes.sizeof(ctypes.c_long), ctypes.string_at(b'x'))",
    ),
    Program(
        "mmap and selectors",
        "import mmap, selectors\nm = mmap.mmap(-1, 10); m[:2] = b'ab'\nprint(m[:3], type(selectors.DefaultSelector()).__name__)",
    ),
    Program(
        "curses and readline are quiet",
        "try:\n    import readline\n    print('readline')\nexcept ImportError as e: print(e)",
    ),
    Program(
        "venv and ensurepip can be found",
        "import importlib.util\nprint([bool(importlib.util.find_spec(n)) for n in ('venv', 'pip', 'setuptools', 'holdfast')])",
    ),
)

_FRAME = "import pandas as pd\nf = pd.DataFrame({'k': list('abab'), 'v': [1, 2, 3, 4.5]})\n"
_DATA = (
    Program("a frame is printed", _FRAME + "print(f)\nprint(f.describe())\nf.info()"),
    Program("a frame is grouped", _FRAME + "print(f.groupby('k').v.agg(['sum', 'mean']))"),
    Program(
        "a CSV file is read",
        "import pandas as pd\nf = pd.read_csv('a.csv', parse_dates=['d'])\nprint(f.dtypes, f.set_index('d').resample('ME').sum())",
        {"a.csv": "d,v\n2024-01-01,1\n2024-01-15,2\n2024-02-01,3\n"},
    ),
    Program(
        "a frame is written and read",
        _FRAME + "f.to_csv('o.csv', index=False)\nf.to_json('o.json')\nprint(pd.read_csv('o.csv').equals(f))",
        artifacts=("o.*",),
    ),
    Program(
        "a frame is merged and pivoted",
        _FRAME + "print(f.merge(f, on='k').pivot_table(index='k', values='v_x', aggfunc='sum'))",
    ),
    Program("a frame that fails", _FRAME + "f['nothing']"),
    Program(
        "a frame with a warning",
        _FRAME + "import warnings\nwarnings.simplefilter('always')\ng = f[f.v > 1]\ng['w'] = 1\nprint(len(g))",
    ),
    Program(
        "options and modules of pandas",
        "import sys\nbefore = set(sys.modules)\nimport pandas as pd\nprint(sorted(set(sys.modules) - before))\nprint(pd.get_option('display.max_rows'), pd.options.mode.copy_on_write)",
    ),
    Program("the public names of pandas", "import pandas\nprint(sorted(vars(pandas)))"),
    Program(
        "the attributes of loaded packages",
        "import pandas, numpy, duckdb, pyarrow\nfor m in (pandas, numpy, duckdb, pyarrow): print(m.__name__, m.__version__, m.__file__, m.__spec__.origin, type(m.__loader__).__name__, m.__spec__.loader is m.__loader__, m.__path__)",
    ),
    Program(
        "modules brought by numpy",
        "import sys\nbefore = set(sys.modules)\nimport numpy\nprint(sorted(set(sys.modules) - before))",
    ),
    Program(
        "modules brought by duckdb",
        "import sys\nbefore = set(sys.modules)\nimport duckdb\nprint(sorted(set(sys.modules) - before))",
    ),
    Program(
        "modules brought by pyarrow",
        "import sys\nbefore = set(sys.modules)\nimport pyarrow\nprint(sorted(set(sys.modules) - before))",
    ),
    Program(
        "modules brought by numpy and then pandas",
        "import sys\nimport numpy\nbefore = set(sys.modules)\nimport pandas\nprint(sorted(set(sys.modules) - before))",
    ),
    Program(
        "modules brought by a part of numpy",
        "import sys\nbefore = set(sys.modules)\nimport numpy.linalg, numpy.testing\nprint(sorted(set(sys.modules) - before))",
    ),
    Program(
        "a part of a package that is not loaded by itself",
        "import numpy, pyarrow, pandas\nprint(hasattr(pyarrow, 'parquet'), hasattr(pyarrow, 'dataset'), hasattr(numpy, 'testing'), hasattr(pandas, 'plotting'))\nimport pyarrow.parquet\nprint(pyarrow.parquet.__name__)",
    ),
    Program(
        "numpy prints",
        "import numpy as np\nprint(np.arange(6).reshape(2, 3) / 3, np.array(['a', 'ä']), np.float64(1) / 3, np.geterr(), np.get_printoptions())",
    ),
    Program("numpy warns", "import numpy as np\nprint(np.array([1.0]) / 0, np.log(np.array([-1.0])))"),
    Program("numpy raises", "import numpy as np\nnp.zeros(2) + np.zeros(3)"),
    Program("numpy errors as configured", "import numpy as np\nnp.seterr(all='raise')\nnp.array([1.0]) / 0"),
    Program(
        "numpy linear algebra",
        "import numpy as np\nprint(np.linalg.inv([[2.0, 0], [0, 4]]), np.linalg.eigvalsh([[2.0, 0], [0, 4]]), (np.ones((50, 50)) @ np.ones((50, 50)))[0, 0])",
    ),
    Program(
        "numpy seeded",
        "import numpy as np\nnp.random.seed(7)\nprint(np.random.random(3), np.random.default_rng(7).integers(0, 99, 5), np.random.RandomState(3).normal())",
    ),
    Program(
        "numpy random state",
        "import numpy as np\nprint(np.random.get_state()[0], type(np.random.get_bit_generator() if hasattr(np.random, 'get_bit_generator') else None).__name__)",
    ),
    Program(
        "numpy in threads",
        "import numpy as np, threading\nts = [threading.Thread(target=lambda: print(np.ones(3).sum())) for _ in range(2)]\n[(t.start(), t.join()) for t in ts]",
    ),
    Program("numpy and a sys.exit", "import numpy as np, sys\nprint(np.ones(2))\nsys.exit(4)"),
    Program("pandas and a sys.exit", _FRAME + "import sys\nprint(f.v.sum())\nsys.exit(0)"),
    Program("pandas and exit callbacks", _FRAME + "import atexit\natexit.register(lambda: print(f.v.sum()))"),
    Program("pandas and a finalizer", _FRAME + "class A:\n    def __del__(self): print('del', f.v.sum())\na = A()"),
    Program(
        "pandas and a trace function",
        "import sys\ncalls = []\nsys.settrace(lambda *a: calls.append(a[1]))\n"
        + _FRAME
        + "sys.settrace(None)\nprint(len(calls) > 0)",
    ),
    Program(
        "pandas imported twice",
        "import sys, pandas\nold = pandas.DataFrame\nfor n in [n for n in sys.modules if n.partition('.')[0] in ('pandas',)]: del sys.modules[n]\ntry:\n    import pandas\n    print(old is pandas.DataFrame)\nexcept Exception as e: print(type(e), e)",
    ),
    Program(
        "pandas without pyarrow",
        "import sys\nsys.modules['pyarrow'] = None\nimport pandas as pd\nprint(pd.DataFrame({'a': [1]}))\ntry:\n    pd.DataFrame({'a': [1]}).to_parquet('x')\nexcept ImportError as e: print(str(e)[:40])",
    ),
    Program(
        "pandas accessors and options of its own",
        _FRAME
        + "@pd.api.extensions.register_dataframe_accessor('mine')\nclass A:\n    def __init__(self, f): self.f = f\n    def n(self): return len(self.f)\npd.set_option('display.precision', 1)\nprint(f.mine.n(), f)",
    ),
    Program("pickle of a frame", _FRAME + "import pickle\nprint(pickle.loads(pickle.dumps(f)).equals(f))"),
    Program(
        "a frame in a process pool",
        "import pandas as pd\nfrom concurrent.futures import ProcessPoolExecutor\ndef f(n): return pd.Series(range(n)).sum()\nif __name__ == '__main__':\n    with ProcessPoolExecutor(2) as p: print(list(p.map(f, [3, 4])))",
    ),
    Program(
        "a frame in a spawned process",
        "import pandas as pd, multiprocessing as mp\ndef f(n): return int(pd.Series(range(n)).sum())\nif __name__ == '__main__':\n    with mp.get_context('spawn').Pool(1) as p: print(p.map(f, [3]))",
    ),
    Program(
        "a frame in a forked child",
        _FRAME
        + "import os\npid = os.fork()\nprint(pid == 0, f.v.sum(), flush=True) if pid == 0 or os.waitpid(pid, 0) else 0",
    ),
    Program(
        "sql over a frame",
        "import duckdb, pandas as pd\nf = pd.DataFrame({'a': [1, 2, 3]})\nprint(duckdb.sql('select sum(a) s from f').fetchall(), duckdb.query('select 1 as x').df())",
    ),
    Program("sql that fails", "import duckdb\nduckdb.sql('select nope from nowhere')"),
    Program(
        "a duckdb file",
        "import duckdb\nc = duckdb.connect('d.db')\nc.execute('create table t as select range a from range(10)')\nprint(c.execute('select sum(a) from t').fetchone())\nc.close()\nprint(duckdb.connect('d.db').sql('select count(*) from t'))",
    ),
    Program(
        "a duckdb connection left open",
        "import duckdb\nc = duckdb.connect()\nc.execute('create table t(a int)')\nprint(c.execute('select count(*) from t').fetchone())",
    ),
    Program(
        "duckdb threads and settings",
        "import duckdb\nprint(duckdb.sql(\"select current_setting('threads')\").fetchone(), duckdb.default_connection is None, duckdb.paramstyle)",
    ),
    Program(
        "duckdb functions in python",
        "import duckdb\nc = duckdb.connect()\nc.create_function('twice', lambda x: x * 2, ['BIGINT'], 'BIGINT')\nprint(c.sql('select twice(4)').fetchone())",
    ),
    Program(
        "a parquet round trip",
        _FRAME
        + "f.to_parquet('o.parquet')\nprint(pd.read_parquet('o.parquet').equals(f))\nimport duckdb\nprint(duckdb.sql(\"select count(*) from 'o.parquet'\").fetchone())",
        artifacts=("o.parquet",),
    ),
    Program(
        "arrow tables",
        "import pyarrow as pa, pyarrow.compute as pc\nt = pa.table({'a': [1, None, 3]})\nprint(t, pc.sum(t['a']), pa.cpu_count(), pa.default_memory_pool().backend_name)",
    ),
    Program("an arrow error", "import pyarrow as pa\npa.array([1, 'x'])"),
    Program(
        "a plot",
        "import matplotlib\nmatplotlib.use('Agg')\nimport matplotlib.pyplot as plt\nplt.plot([1, 3, 2])\nplt.savefig('p.png', metadata={'Software': None})\nprint(matplotlib.get_backend(), plt.get_fignums())",
        artifacts=("p.png",),
    ),
    Program(
        "a plot of a frame",
        _FRAME
        + "f.plot(y='v').figure.savefig('p.png', metadata={'Software': None})\nimport os\nprint(os.path.getsize('p.png') > 1000)",
        artifacts=("p.png",),
    ),
)
PROGRAMS = (*_LIBRARY, *_DATA)
