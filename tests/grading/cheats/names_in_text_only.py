# Mentions the names, as a grader that reads the source would like.
# - {type: variable_exists, variable: answer}
# - {type: variable_exists, variable: primes}
# answer = 12345678
# primes = [2, 3, 97]
"""
answer = 12345678
"""
def unused(answer=12345678, primes=[97]):
    answer = 12345678
    return answer, primes
class Scope:
    answer = 12345678
answers: int
unused(answer=1)
