"""Other processes: fork, exec, subprocess, multiprocessing."""

from tests.differential.program import Program

_SQUARES = """\
import multiprocessing as mp, sys
def square(n):
    return n * n
if __name__ == '__main__':
    mp.set_start_method('%s')
    with mp.Pool(2) as pool:
        print(pool.map(square, range(5)))
"""
_PROCESS = """\
import multiprocessing as mp, sys
def work(q, n):
    print('child', __name__, mp.current_process().name, flush=True)
    q.put(n + 1)
    sys.exit(n)
if __name__ == '__main__':
    context = mp.get_context('%s')
    q = context.Queue()
    p = context.Process(target=work, args=(q, 3))
    p.start()
    print(q.get())
    p.join()
    print(p.exitcode)
"""
_FAILING = """\
import multiprocessing as mp, atexit
def work():
    atexit.register(print, 'child atexit', flush=True)
    raise ValueError('in child')
if __name__ == '__main__':
    p = mp.get_context('%s').Process(target=work, name='worker')
    p.start()
    p.join()
    print(p.exitcode)
"""
_FUTURES = """\
import concurrent.futures as cf
def square(n):
    if n == 3:
        raise ValueError(n)
    return n * n
if __name__ == '__main__':
    with cf.%s(2) as pool:
        print(list(pool.map(square, range(3))))
        print(repr(pool.submit(square, 3).exception()))
"""
_METHODS = ("fork", "spawn", "forkserver")
_CHILD = "import os, sys\nprint('before', flush=True)\npid = os.fork()\nif pid == 0:\n    %s\nelse:\n    print('parent', os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n%s"

_MULTIPROCESSING = (
    *(Program(f"a pool by {method}", _SQUARES % method) for method in _METHODS),
    *(Program(f"a process and a queue by {method}", _PROCESS % method) for method in _METHODS),
    *(Program(f"a process that fails by {method}", _FAILING % method) for method in _METHODS),
    *(Program(f"futures in a {kind}", _FUTURES % kind) for kind in ("ThreadPoolExecutor", "ProcessPoolExecutor")),
    Program(
        "spawn without the main guard",
        "import multiprocessing as mp\nmp.set_start_method('spawn')\np = mp.Process(target=print)\np.start()\np.join()\nprint(p.exitcode)",
    ),
    Program(
        "a pipe between processes",
        "import multiprocessing as mp\na, b = mp.Pipe()\ndef f(): b.send([1, 'x'])\np = mp.Process(target=f); p.start(); print(a.recv()); p.join()",
    ),
    Program(
        "shared memory",
        "from multiprocessing import shared_memory\ns = shared_memory.SharedMemory(create=True, size=10)\ns.buf[:3] = b'abc'\nprint(bytes(shared_memory.SharedMemory(s.name).buf[:3]))\ns.close(); s.unlink()",
    ),
    Program(
        "values, arrays and locks",
        "import multiprocessing as mp\nv, a = mp.Value('i', 1), mp.Array('d', [1, 2])\ndef f():\n    with v.get_lock(): v.value += 1\n    a[0] = 9\np = mp.Process(target=f); p.start(); p.join(); print(v.value, list(a))",
    ),
    Program(
        "a manager",
        "import multiprocessing as mp\nif __name__ == '__main__':\n    with mp.Manager() as m:\n        d = m.dict(a=1)\n        d['b'] = 2\n        print(dict(d))",
    ),
    Program(
        "a process that is terminated",
        "import multiprocessing as mp, time\np = mp.Process(target=time.sleep, args=(60,)); p.start(); p.terminate(); p.join(); print(p.exitcode)",
    ),
    Program(
        "a daemon process at exit",
        "import multiprocessing as mp, time\np = mp.Process(target=time.sleep, args=(60,), daemon=True); p.start(); print('end')",
    ),
    Program(
        "a process that outlives main",
        "import multiprocessing as mp, time\ndef f():\n    time.sleep(0.1)\n    print('late', flush=True)\nmp.Process(target=f).start()\nprint('end', flush=True)",
    ),
    Program(
        "the random numbers of children differ",
        "import os, random\nr, w = os.pipe()\nif os.fork() == 0:\n    os.write(w, repr(random.random()).encode()); os._exit(0)\nos.wait()\nprint(os.read(r, 99).decode() != repr(random.random()))",
    ),
)

_FORK = (
    *(
        Program(f"a forked child that {name}", _CHILD % (deed, after))
        for name, deed, after in (
            ("falls off the end", "print('child')", "print('both', pid == 0)"),
            ("exits with 3", "sys.exit(3)", ""),
            ("leaves with os._exit", "print('lost'); os._exit(4)", ""),
            ("raises", "raise ValueError('child')", ""),
            ("is killed", "os.kill(os.getpid(), 9)", ""),
            ("executes another program", "os.execvp('echo', ['echo', 'executed'])", ""),
            ("fails to execute", "os.execvp('no-such-program', ['x'])", ""),
            (
                "forks again",
                "pid = os.fork(); print('grandchild' if pid == 0 else 'child', flush=True); pid and os.waitpid(pid, 0)",
                "",
            ),
            ("closes stdout", "os.close(1)", "print('x')"),
            ("exits with a word", "sys.exit('word')", ""),
        )
    ),
    Program("fork with output in the buffer", "import os\nprint('twice')\npid = os.fork()\nif pid: os.waitpid(pid, 0)"),
    Program(
        "fork with exit callbacks",
        "import os, atexit\natexit.register(lambda: print('exit', pid == 0))\npid = os.fork()\nif pid: os.waitpid(pid, 0)",
    ),
    Program(
        "fork hooks",
        "import os\nos.register_at_fork(before=lambda: print('before', flush=True), after_in_parent=lambda: print('parent', flush=True), after_in_child=lambda: os.write(1, b''))\npid = os.fork()\nif pid == 0: os._exit(0)\nos.waitpid(pid, 0)",
    ),
    Program("a child that nobody waits for", "import os\nif os.fork() == 0: os._exit(0)\nprint('end')"),
    Program(
        "a parent that ends first",
        "import os, time\nif os.fork() == 0:\n    time.sleep(0.05)\n    print('late', flush=True)\nelse: print('parent', flush=True)",
    ),
    Program(
        "forkpty",
        "import os, pty\ntry:\n    pid, fd = pty.fork()\n    if pid == 0:\n        os._exit(5)\n    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\nexcept OSError as e: print(e.strerror)",
    ),
    Program(
        "posix_spawn",
        "import os\nprint(os.waitstatus_to_exitcode(os.waitpid(os.posix_spawn('/bin/sh', ['sh', '-c', 'echo spawned; exit 3'], os.environ), 0)[1]))",
    ),
    Program("wait without children", "import os\ntry:\n    os.wait()\nexcept ChildProcessError as e: print(e)"),
)

_OTHERS = (
    Program(
        "exec of itself with an argument",
        "import os, sys\nprint(sys.argv, flush=True)\nif len(sys.argv) == 1: os.execv(sys.executable, ['python', 'main.py', 'again'])",
    ),
    Program("exec without a flush", "import os\nprint('lost')\nos.execvp('echo', ['echo', 'x'])"),
    Program(
        "exec with another environment", "import os\nos.execvpe('env', ['env'], {'PATH': os.environ['PATH'], 'A': '1'})"
    ),
    Program(
        "the environment of a child",
        "import subprocess\nprint(subprocess.run(['env'], capture_output=True, text=True).stdout)",
    ),
    Program(
        "the environment of a child after a change",
        "import os, subprocess\nos.environ['NEW'] = 'ä'\ndel os.environ['HOME']\nos.putenv('PUT', '1')\nprint(sorted(subprocess.run(['env'], capture_output=True).stdout.split(b'\\n')))",
    ),
    Program(
        "the signals of a child",
        "import subprocess\nprint(subprocess.run(['grep', 'Sig[BIC]', '/proc/self/status'], capture_output=True, text=True).stdout)",
    ),
    Program(
        "the descriptors of a child",
        "import subprocess\nprint(subprocess.run(['ls', '/proc/self/fd'], capture_output=True, text=True, close_fds=False).stdout)",
    ),
    Program(
        "the limits of a child",
        "import subprocess\nprint(subprocess.run(['sh', '-c', 'ulimit -a; umask'], capture_output=True, text=True).stdout)",
    ),
    Program(
        "subprocess.run with a failure",
        "import subprocess\nsubprocess.run(['sh', '-c', 'echo e >&2; exit 3'], check=True)",
    ),
    Program(
        "subprocess with input and a shell",
        "import subprocess\nprint(subprocess.run('cat; echo $0', shell=True, input='in', capture_output=True, text=True))",
    ),
    Program(
        "subprocess that inherits the streams",
        "import subprocess\nprint('a', flush=True)\nsubprocess.run(['sh', '-c', 'echo b; cat; echo c >&2'])",
        stdin=b"from stdin\n",
    ),
    Program("subprocess not found", "import subprocess\nsubprocess.run(['no-such-program'])"),
    Program(
        "subprocess with a timeout",
        "import subprocess\ntry:\n    subprocess.run(['sleep', '9'], timeout=0.05)\nexcept subprocess.TimeoutExpired as e: print(e)",
    ),
    Program(
        "subprocess with preexec_fn",
        "import subprocess, os\nprint(subprocess.run(['sh', '-c', 'umask'], preexec_fn=lambda: os.umask(0o77), capture_output=True))",
    ),
    Program("a Popen that nobody waits for", "import subprocess\np = subprocess.Popen(['true'])\nprint('end')"),
    Program(
        "SIGPIPE kills a child",
        "import subprocess\nprint(subprocess.run('yes | head -1; true', shell=True, capture_output=True))",
    ),
    Program("os.system and os.popen", "import os\nprint(os.system('echo s; exit 3'), os.popen('echo p').read())"),
    Program(
        "a child by the same interpreter",
        "import subprocess, sys\nprint(subprocess.run([sys.executable, 'child.py', 'x'], capture_output=True, text=True))",
        {"child.py": "import sys\nprint(sys.argv, sys.path, sys.flags, sorted(sys.modules), sys.executable)"},
    ),
    Program(
        "python found on the path",
        "import shutil, subprocess, sys\nprint(shutil.which('python'), sys.executable, subprocess.run(['python', '-c', 'import sys; print(sys.prefix)'], capture_output=True, text=True).stdout)",
    ),
    Program(
        "uvloop-like child watchers in asyncio",
        "import asyncio\nasync def main():\n    p = await asyncio.create_subprocess_exec('echo', 'x', stdout=-1)\n    print(await p.communicate(), p.returncode)\nasyncio.run(main())",
    ),
)

PROGRAMS = (*_MULTIPROCESSING, *_FORK, *_OTHERS)
