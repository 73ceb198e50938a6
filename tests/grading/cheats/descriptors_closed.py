# Closes everything, so that nothing can be read or said.
import os
answer = 0
os.closerange(0, 4096)
