# Empties or replaces its own namespace, built-ins and module table.
import sys
keep = globals()
answer = 0
keep["__builtins__"] = {}
sys.modules.clear()
keep.clear()
