# Scalars and arrays that compare element by element.
import numpy
answer = numpy.int64(12345678)
primes = numpy.array([2, 3, 97] + [5] * 22)
ages = numpy.bool_(True)
def square(n): return numpy.int64(n * n)
