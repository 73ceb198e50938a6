// A submission to start from, with one mistake in it.

export const SUBMISSION = `def celsius(fahrenheit):
    return (fahrenheit - 32) * 5 / 9

def average(values):
    return sum(values) / len(values)

readings = [19.5, 21.0, 24.5]
print(f"{average(readings):.1f} degrees")
`;

export const TESTS = [
  { type: "output", description: "prints the average", expected: "21.7 degrees" },
  {
    type: "function_call",
    description: "water boils at 100",
    function: "celsius",
    args: [212],
    expected: 100,
    points: 2,
  },
  { type: "variable_type", description: "the readings are a list", variable: "readings", expectedType: "list" },
  { type: "list_length", description: "there are four readings", variable: "readings", expected: 4 },
];
