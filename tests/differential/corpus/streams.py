"""Standard input, output, encodings, and ends of pipes."""

from tests.differential.program import Program

_INPUT = (
    Program("input with a prompt", "x = input('name? ')\nprint('hello', x)", stdin=b"world\n"),
    Program("input at the end", "input()", stdin=b""),
    Program(
        "input until the end",
        "n = 0\ntry:\n    while True:\n        input(); n += 1\nexcept EOFError:\n    print(n)",
        stdin=b"a\nb\nc",
    ),
    Program("input without a newline", "print(repr(input()))", stdin=b"end"),
    Program("input with carriage returns", "print(repr(input()), repr(input()))", stdin=b"a\r\nb\rc\n"),
    Program("stdin is iterated", "import sys\nfor line in sys.stdin: print(repr(line))", stdin="a\nä\n".encode()),
    Program("stdin is read as bytes", "import sys\nprint(sys.stdin.buffer.read())", stdin=bytes(range(256))),
    Program("stdin is not UTF-8", "import sys\nprint(ascii(sys.stdin.read()))", stdin=b"\xff\xfea"),
    Program("stdin is not read", "print('x')", stdin=b"x" * 200_000),
    Program("stdin is closed", "import sys\nsys.stdin.close()\ninput()", stdin=b"x\n"),
    Program("stdin is read by descriptor", "import os\nprint(os.read(0, 3), input())", stdin=b"abcdef\n"),
    Program(
        "stdin is read by fileinput",
        "import fileinput\nfor l in fileinput.input(): print(fileinput.lineno(), l)",
        stdin=b"a\nb\n",
    ),
    Program("stdin is peeked", "import sys\nprint(sys.stdin.buffer.peek(2)[:2], sys.stdin.readline())", stdin=b"xyz\n"),
    Program(
        "stdin is selected", "import select, sys\nprint(bool(select.select([sys.stdin], [], [], 1)[0]))", stdin=b"x"
    ),
    Program(
        "a terminal is absent",
        "import sys, os\nprint([s.isatty() for s in (sys.stdin, sys.stdout, sys.stderr)])\ntry: os.get_terminal_size()\nexcept OSError as e: print(e)\nimport shutil\nprint(shutil.get_terminal_size())",
    ),
    Program(
        "a password is asked for",
        "import getpass, warnings\nwarnings.simplefilter('ignore')\nprint(getpass.getpass())",
        stdin=b"secret\n",
    ),
)

_SHOWN = "import sys\nfor s in (sys.stdin, sys.stdout, sys.stderr):\n    print("
_OUTPUT = (
    Program(
        "the encodings of the streams",
        _SHOWN + "s.encoding, s.errors, s.line_buffering, s.write_through, s.newlines, s.name, s.mode)",
    ),
    Program(
        "the layers of the streams",
        _SHOWN
        + "type(s).__name__, type(s.buffer).__name__, type(s.buffer.raw).__name__, s.fileno(), s.buffer.raw.closefd, s.seekable())",
    ),
    Program("the representation of the streams", _SHOWN + "s, s.buffer, s.buffer.raw)"),
    Program(
        "the double-underscored streams",
        "import sys\nprint(sys.stdin is sys.__stdin__, sys.stdout is sys.__stdout__, sys.stderr is sys.__stderr__)",
    ),
    Program("emoji", "print('🎉 ä 漢字')"),
    Program("a lone surrogate", "print('\\ud800')"),
    Program(
        "a surrogate escape",
        "import sys\nprint(ascii(b'\\xff'.decode('utf-8', 'surrogateescape')))\nsys.stdout.buffer.write(b'\\xff\\n')",
    ),
    Program("a surrogate on stderr", "import sys\nprint('\\ud800', file=sys.stderr)"),
    Program(
        "file names with odd bytes",
        "import os\nopen(b'\\xff', 'w').close()\nprint(ascii(os.listdir()), os.fsencode(os.listdir()[0]) in (b'\\xff', b'main.py'))",
    ),
    Program(
        "preferred encodings",
        "import locale, sys, os\nprint(locale.getpreferredencoding(False), sys.getfilesystemencoding(), open('main.py').encoding, locale.getlocale(), os.fsencode('ä'))",
    ),
    Program(
        "reconfigured stdout",
        "import sys\nsys.stdout.reconfigure(encoding='ascii', errors='backslashreplace')\nprint('ä')",
    ),
    Program(
        "stdout replaced by a wrapper",
        "import sys, io\nsys.stdout = io.TextIOWrapper(sys.stdout.buffer, encoding='utf-16')\nprint('x')",
    ),
    Program("stdout detached", "import sys\nb = sys.stdout.detach()\nb.write(b'x')"),
    Program(
        "stdout replaced by an object",
        "import sys\nclass W:\n    def write(self, s): sys.__stdout__.write(s.upper())\n    def flush(self): sys.__stdout__.write('[flush]')\nsys.stdout = W()\nprint('x')",
    ),
    Program(
        "stdout replaced by one that fails",
        "import sys\nclass W:\n    def write(self, s): pass\n    def flush(self): raise ValueError('flush')\nsys.stdout = W()\nprint('x')",
    ),
    Program(
        "stdout redirected",
        "import contextlib, io\nwith contextlib.redirect_stdout(io.StringIO()) as s: print('x')\nprint(repr(s.getvalue()))",
    ),
    Program("stdout is None", "import sys\nprint('x')\nsys.stdout = None\nprint('y')"),
    Program("stdout closed", "import sys\nprint('x')\nsys.stdout.close()"),
    Program("stdout closed and written to", "import sys\nsys.stdout.close()\nprint('x')"),
    Program("stdout closed by its descriptor", "import os\nprint('x')\nos.close(1)"),
    Program("stdout closed by its descriptor after a flush", "import os\nprint('x', flush=True)\nos.close(1)"),
    Program("stderr closed by its descriptor", "import os, sys\nprint('x', file=sys.stderr)\nos.close(2)\n1 / 0"),
    Program("all streams closed", "import os\nos.closerange(0, 3)"),
    Program("stdout is full", "import os, sys\nos.dup2(os.open('/dev/full', os.O_WRONLY), 1)\nprint('x')"),
    Program(
        "stdout is full and sys.exit",
        "import os, sys\nos.dup2(os.open('/dev/full', os.O_WRONLY), 1)\nprint('x')\nsys.exit(3)",
    ),
    Program(
        "stderr is full", "import os, sys\nos.dup2(os.open('/dev/full', os.O_WRONLY), 2)\nprint('x', file=sys.stderr)"
    ),
    Program(
        "a broken pipe", "import os\nr, w = os.pipe()\nos.dup2(w, 1); os.close(w); os.close(r)\nprint('x' * 100_000)"
    ),
    Program(
        "a broken pipe at exit", "import os\nr, w = os.pipe()\nos.dup2(w, 1); os.close(w); os.close(r)\nprint('x')"
    ),
    Program(
        "a broken pipe that is expected",
        "import os, sys\nr, w = os.pipe()\nos.dup2(w, 1); os.close(w); os.close(r)\ntry:\n    print('x', flush=True)\nexcept BrokenPipeError:\n    sys.stderr.close()",
    ),
    Program(
        "a broken pipe with the default action",
        "import os, signal\nsignal.signal(signal.SIGPIPE, signal.SIG_DFL)\nr, w = os.pipe()\nos.dup2(w, 1); os.close(w); os.close(r)\nprint('x', flush=True)",
    ),
    Program(
        "print and os.write mixed",
        "import os\nprint('first')\nos.write(1, b'second\\n')\nprint('third', flush=True)\nos.write(1, b'fourth\\n')",
    ),
    Program(
        "stdout and stderr mixed",
        "import sys\nfor n in range(5):\n    print('o', n)\n    print('e', n, file=sys.stderr)",
    ),
    Program(
        "unbuffered output", "import sys\nsys.stdout.reconfigure(line_buffering=True)\nprint('a', end='')\nprint('b')"
    ),
    Program("a mebibyte of output", "print('x' * (1 << 20))"),
    Program("many lines of output", "for n in range(50_000): print(n)"),
    Program("a mebibyte on stderr without a newline", "import sys\nsys.stderr.write('y' * (1 << 20))"),
    Program("binary output", "import sys\nsys.stdout.buffer.write(bytes(range(256)) * 10)"),
    Program("output that ends without a newline", "import sys\nsys.stdout.write('no newline')"),
    Program("output through dup", "import os\nf = os.fdopen(os.dup(1), 'w')\nf.write('dup\\n')\nprint('std')"),
    Program("output to /dev/stdout", "print('a', flush=True)\nopen('/dev/stdout', 'w').write('b\\n')\nprint('c')"),
    Program(
        "stdout sent to a file",
        "import os\nos.dup2(os.open('log', os.O_WRONLY | os.O_CREAT), 1)\nprint('in the file')",
        artifacts=("log",),
    ),
    Program(
        "files in and out",
        "import os\nos.makedirs('out/deep')\nopen('out/deep/a.txt', 'w').write(open('in.txt').read().upper())\nprint(sorted(os.listdir()))",
        {"in.txt": "given"},
        artifacts=("out/**/*.txt",),
    ),
    Program(
        "pprint, textwrap and locale formatting",
        "import pprint, textwrap\npprint.pprint({n: 'x' * n for n in range(30)})\nprint(textwrap.fill('a b ' * 50), f'{1234567.891:,.2f} {1234567:n}')",
    ),
    Program("repr of sets of numbers", "print({3, 1, 2}, frozenset(range(5)), {1.5: 'a'})"),
)

PROGRAMS = (*_INPUT, *_OUTPUT)
