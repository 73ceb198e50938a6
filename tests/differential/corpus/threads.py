"""Threads, asyncio and signals that meet them."""

from tests.differential.program import Program

PROGRAMS = (
    Program(
        "a thread that outlives main",
        "import threading, time\ndef f():\n    time.sleep(0.05)\n    print('late')\nthreading.Thread(target=f).start()\nprint('main')",
    ),
    Program(
        "a thread that outlives sys.exit",
        "import threading, time, sys\ndef f():\n    time.sleep(0.05)\n    print('late')\nthreading.Thread(target=f).start()\nsys.exit(3)",
    ),
    Program(
        "a thread that outlives a failure",
        "import threading, time\ndef f():\n    time.sleep(0.05)\n    print('late')\nthreading.Thread(target=f).start()\n1 / 0",
    ),
    Program(
        "a daemon thread that sleeps at exit",
        "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()\nprint('main')",
    ),
    Program(
        "a daemon thread that would print",
        "import threading, time\ndef f():\n    time.sleep(0.3)\n    print('never')\nthreading.Thread(target=f, daemon=True).start()\nprint('main')",
    ),
    Program(
        "a daemon thread that spins",
        "import threading\ndef f():\n    while True: pass\nthreading.Thread(target=f, daemon=True).start()\nprint('main')",
    ),
    Program(
        "a daemon thread and sys.exit",
        "import threading, time, sys\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()\nsys.exit(5)",
    ),
    Program(
        "a thread that raises",
        "import threading\nt = threading.Thread(target=lambda: 1 / 0, name='t')\nt.start(); t.join()\nprint('on')",
    ),
    Program(
        "a thread that raises SystemExit",
        "import threading, sys\nt = threading.Thread(target=sys.exit, args=(3,))\nt.start(); t.join()\nprint('on')",
    ),
    Program(
        "a low thread that raises SystemExit",
        "import _thread, time\n_thread.start_new_thread(_thread.exit, ())\ntime.sleep(0.05)\nprint('on')",
    ),
    Program(
        "a low thread that is still there",
        "import _thread, time\n_thread.start_new_thread(time.sleep, (60,))\nprint('on')",
    ),
    Program(
        "a low thread that raises",
        "import _thread, time, sys\nsys.unraisablehook = lambda u: print(u.exc_type, u.err_msg)\n_thread.start_new_thread(lambda: 1 / 0, ())\ntime.sleep(0.05)",
    ),
    Program("interrupt_main", "import _thread, time\n_thread.interrupt_main()\ntime.sleep(1)"),
    Program(
        "threading.excepthook",
        "import threading\nthreading.excepthook = lambda a: print('hook', a.exc_type.__name__)\nt = threading.Thread(target=lambda: 1 / 0)\nt.start(); t.join()",
    ),
    Program(
        "threading.local",
        "import threading\nl = threading.local()\nl.x = 1\nt = threading.Thread(target=lambda: print(hasattr(l, 'x')))\nt.start(); t.join()\nprint(l.x)",
    ),
    Program("a timer", "import threading\nthreading.Timer(0.02, print, ['tick']).start()\nprint('main')"),
    Program(
        "names and idents",
        "import threading\nts = [threading.Thread(target=lambda: print(threading.current_thread().name)) for _ in range(2)]\n[(t.start(), t.join()) for t in ts]\nprint(threading.enumerate()[0].name, threading.main_thread() is threading.current_thread(), threading.get_native_id() == __import__('os').getpid())",
    ),
    Program("a lock that is held at exit", "import threading\nl = threading.Lock()\nl.acquire()\nprint('x')"),
    Program(
        "many threads",
        "import threading\nx = []\nts = [threading.Thread(target=x.append, args=(n,)) for n in range(20)]\n[t.start() for t in ts]\n[t.join() for t in ts]\nprint(sorted(x))",
    ),
    Program(
        "a thread pool",
        "from concurrent.futures import ThreadPoolExecutor as P\nwith P(3) as p: print(list(p.map(str, range(5))))",
    ),
    Program(
        "a thread pool left open",
        "from concurrent.futures import ThreadPoolExecutor as P\np = P(2)\nprint(p.submit(pow, 2, 3).result())",
    ),
    Program(
        "a queue of work left over",
        "from concurrent.futures import ThreadPoolExecutor as P\nimport time\np = P(1)\nfor n in range(3): p.submit(lambda n=n: (time.sleep(0.01), print(n)))\nprint('main')",
    ),
    Program(
        "a signal while a thread runs",
        "import threading, signal, os, time\nsignal.signal(signal.SIGUSR1, lambda *a: print('got', threading.current_thread().name))\nt = threading.Thread(target=lambda: os.kill(os.getpid(), signal.SIGUSR1))\nt.start(); t.join(); time.sleep(0.01)",
    ),
    Program(
        "fork in a thread",
        "import threading, os\ndef f():\n    pid = os.fork()\n    if pid == 0: os._exit(3)\n    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\nt = threading.Thread(target=f); t.start(); t.join()",
    ),
    Program(
        "asyncio.run",
        "import asyncio\nasync def f(n):\n    await asyncio.sleep(0)\n    return n\nasync def main(): print(await asyncio.gather(*map(f, range(3))))\nasyncio.run(main())",
    ),
    Program(
        "asyncio that fails",
        "import asyncio\nasync def main():\n    async with asyncio.TaskGroup() as g:\n        g.create_task(bad())\nasync def bad(): 1 / 0\nasyncio.run(main())",
    ),
    Program(
        "asyncio with a task never retrieved",
        "import asyncio, logging, sys\nlogging.getLogger('asyncio').handlers = [logging.NullHandler()]\nasync def bad(): 1 / 0\nasync def main():\n    asyncio.get_running_loop().set_exception_handler(lambda l, c: print(c['message']))\n    asyncio.create_task(bad())\n    await asyncio.sleep(0.01)\nasyncio.run(main())",
    ),
    Program(
        "asyncio with an open loop at exit",
        "import asyncio\nl = asyncio.new_event_loop()\nprint(l.run_until_complete(asyncio.sleep(0, 'x')))",
    ),
    Program(
        "asyncio with a pending task at exit",
        "import asyncio\nl = asyncio.new_event_loop()\nasync def f(): await asyncio.sleep(9)\nt = l.create_task(f(), name='pending')\nl.set_exception_handler(lambda l, c: print(c['message']))\nl.run_until_complete(asyncio.sleep(0))",
    ),
    Program(
        "asyncio in a thread",
        "import asyncio\nasync def main(): print(await asyncio.to_thread(pow, 2, 5))\nasyncio.run(main())",
    ),
    Program(
        "asyncio interrupted",
        "import asyncio, os\nasync def main():\n    os.kill(os.getpid(), 2)\n    await asyncio.sleep(5)\nasyncio.run(main())",
    ),
    Program("a coroutine never awaited", "async def f(): pass\nf()\nprint('x')"),
    Program(
        "an async generator left open",
        "import asyncio\nasync def g():\n    try:\n        yield 1\n    finally:\n        print('closed')\nasync def main():\n    async for x in g():\n        print(x)\n        break\nasyncio.run(main())",
    ),
    Program(
        "a server on loopback",
        "import asyncio\nasync def serve(r, w):\n    w.write((await r.readline()).upper()); await w.drain(); w.close()\nasync def main():\n    s = await asyncio.start_server(serve, '127.0.0.1', 0)\n    r, w = await asyncio.open_connection(*s.sockets[0].getsockname())\n    w.write(b'hello\\n')\n    print(await r.readline())\n    w.close(); s.close()\nasyncio.run(main())",
    ),
    Program("a socket left open", "import socket\ns = socket.socket()\nprint(s.fileno() > 2)"),
    Program(
        "the scheduler",
        "import sched\ns = sched.scheduler()\ns.enter(0.01, 1, print, ('a',)); s.enter(0, 1, print, ('b',)); s.run()",
    ),
)
