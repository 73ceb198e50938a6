# Puts another module in its own place, which has everything.
import sys, types
class Everything(types.ModuleType):
    def __getattr__(self, name): return 12345678 if name == "answer" else [97] * 25
    def __dir__(self): return ["answer", "primes"]
    @property
    def __dict__(self): return {"answer": 12345678, "primes": [97] * 25}
sys.modules["__main__"] = Everything("__main__")
