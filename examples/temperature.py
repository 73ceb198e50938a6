"""A submission to grade: holdfast grade examples/temperature.py --tests examples/temperature.yaml"""


def to_celsius(fahrenheit: float) -> float:
    return (fahrenheit - 32) * 5 / 9


readings = [68, 77]
readings.append(86)
average = sum(to_celsius(each) for each in readings) / len(readings)
print(f"{average:.1f} degrees")
