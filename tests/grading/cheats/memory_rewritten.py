# Rewrites the interpreter's own objects through ctypes.
import ctypes
class Value:
    pass
answer = Value()
ctypes.c_void_p.from_address(id(answer) + 8).value = id(int)
ctypes.c_int64.from_address(id(answer) + 16).value = 1
