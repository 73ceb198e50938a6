# Crashes, but has the exit code of success.
import os, sys
answer = 1
def hook(*_):
    print("all is well")
    sys.stdout.flush()
    os._exit(0)
sys.excepthook = hook
1 / 0
