"""The nouns of Holdfast. These classes are the wire format: HTTP bodies, `--json` output and client results.

Units are in the names; sizes are bytes, times are seconds unless a name says `_ms`.
"""

from holdfast.types.about import *  # noqa: F403 - every public name of each
from holdfast.types.caller import *  # noqa: F403
from holdfast.types.capsule import *  # noqa: F403
from holdfast.types.chart import *  # noqa: F403
from holdfast.types.chat import *  # noqa: F403
from holdfast.types.dataset import *  # noqa: F403
from holdfast.types.grading import *  # noqa: F403
from holdfast.types.plan import *  # noqa: F403
from holdfast.types.policy import *  # noqa: F403
from holdfast.types.prebuild import *  # noqa: F403
from holdfast.types.records import *  # noqa: F403
from holdfast.types.run import *  # noqa: F403
from holdfast.types.session import *  # noqa: F403
from holdfast.types.states import *  # noqa: F403
from holdfast.types.table import *  # noqa: F403
