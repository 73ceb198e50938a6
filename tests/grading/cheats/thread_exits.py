# Leaves from a thread and from a signal handler while the main program waits.
import os, threading, time
answer = 1
threading.Thread(target=lambda: (time.sleep(0.02), os._exit(0))).start()
time.sleep(10)
