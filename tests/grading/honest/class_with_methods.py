# A class, an object of it, and calls of its methods.
# - {type: variable_exists, variable: account}
# - {type: variable_type, variable: Account, expectedType: type}
# - {type: variable_value, variable: balance, expected: 70}
# - {type: function_call, function: account.deposit, args: [30], expected: 100}
# - {type: function_call, function: account.describe, expected: "Ada has 70"}
class Account:
    def __init__(self, owner, balance=0):
        self.owner, self.balance = owner, balance
    def deposit(self, amount):
        self.balance += amount
        return self.balance
    def describe(self):
        print(self.owner, "has", self.balance)
account = Account("Ada", 100)
account.deposit(-30)
balance = account.balance
