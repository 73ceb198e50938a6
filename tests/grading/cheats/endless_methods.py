# Values whose methods never end.
class Endless:
    def __repr__(self):
        while True: pass
    __str__ = __len__ = __iter__ = __hash__ = __bool__ = __reduce__ = __sizeof__ = __repr__
    def __eq__(self, other):
        while True: pass
    def __getattr__(self, name):
        while True: pass
answer = primes = ages = Endless()
def square(n): return Endless()
