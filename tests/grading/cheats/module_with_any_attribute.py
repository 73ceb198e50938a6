# A module whose attributes are made on demand.
import sys
def __getattr__(name): return 12345678
class Lazy(type(sys)):
    def __getattribute__(self, name): return 12345678 if name == "answer" else super().__getattribute__(name)
sys.modules[__name__].__class__ = Lazy
__all__ = ["answer", "primes", "ages"]
