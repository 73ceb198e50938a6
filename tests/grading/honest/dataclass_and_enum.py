# Dataclasses and enumerations; their plain parts are compared.
# - {type: variable_value, variable: area, expected: 12}
# - {type: function_call, function: area_of, args: [2, 5], expected: 10}
# - {type: variable_value, variable: names, expected: [RED, BLUE]}
from dataclasses import dataclass
from enum import Enum
@dataclass
class Box:
    width: int
    height: int
    @property
    def area(self): return self.width * self.height
class Colour(Enum):
    RED = 1
    BLUE = 2
area = Box(3, 4).area
names = [colour.name for colour in Colour]
def area_of(width, height): return Box(width, height).area
