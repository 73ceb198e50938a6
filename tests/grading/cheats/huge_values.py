# Values too large to look at.
answer = 1 << 40_000_000
primes = [[0] * 1000] * 1_000_000
ages = {"ada": "x" * 50_000_000}
def square(n): return [answer] * 1000
