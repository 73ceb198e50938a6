"""Rules that answer simple questions without a language model: counts, sums, averages, medians, extremes, ranks.

A question is cut into pieces (`chunks`) by the words everybody uses (`words`) and those of the dataset (`vocabulary`),
read (`reading`, `filtering`) and made into a plan (`planning`). Every word has to have its part, or it is not answered.
"""

from holdfast.agents.simple.findings import Choice as Choice
from holdfast.agents.simple.findings import NotSure as NotSure
from holdfast.agents.simple.findings import Unclear as Unclear
from holdfast.agents.simple.planning import Planned as Planned
from holdfast.agents.simple.planning import plan_question as plan_question
