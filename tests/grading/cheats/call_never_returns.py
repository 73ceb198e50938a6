# Functions that sleep, spin and wait for ever.
import time
calls = 0
def square(n):
    while True:
        try:
            time.sleep(60)
        except BaseException:
            pass
def shout(text):
    while True: pass
def nothing(): time.sleep(60)
