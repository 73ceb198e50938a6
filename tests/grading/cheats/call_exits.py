# Functions that end the process with success.
import os, sys
def square(n):
    print(n)
    sys.stdout.flush()
    os._exit(0)
def shout(text): sys.exit(0)
def nothing(): os._exit(0)
