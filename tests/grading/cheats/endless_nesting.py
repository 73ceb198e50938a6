# Values that contain themselves, and ones that are very deep.
primes = []
primes.append(primes)
ages = {}
ages["ada"] = ages
answer = ()
for _ in range(100_000): answer = (answer,)
def square(n): return primes
