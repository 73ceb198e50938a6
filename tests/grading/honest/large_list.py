# A list with many items.
# - {type: list_length, variable: primes, expected: 9592}
# - {type: list_contains, variable: primes, expected: 99991}
# - {type: variable_type, variable: sieve, expectedType: list}
limit = 100_000
sieve = [True] * (limit + 1)
sieve[0] = sieve[1] = False
for number in range(2, int(limit**0.5) + 1):
    if sieve[number]:
        sieve[number * number :: number] = [False] * len(range(number * number, limit + 1, number))
primes = [number for number, prime in enumerate(sieve) if prime]
