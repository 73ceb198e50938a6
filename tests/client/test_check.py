"""What `check()` says of every way a program can end."""

import pytest

from holdfast.errors import ExecutionError, OutcomeError, ResourceExhaustedError, TimeoutError
from holdfast.types import Status
from tests.client.test_exchange import RESULT

RAISED = {
    Status.SUCCEEDED: None,
    Status.FAILED: ExecutionError,
    Status.SIGNALED: ExecutionError,
    Status.CANCELLED: ExecutionError,
    Status.COMPILE_FAILED: ExecutionError,
    Status.TIMED_OUT: TimeoutError,
    Status.OUT_OF_MEMORY: ResourceExhaustedError,
    Status.DISK_LIMIT: ResourceExhaustedError,
    Status.OUTPUT_LIMIT: ResourceExhaustedError,
}


@pytest.mark.parametrize("status", Status)
def test_check_raises_what_the_status_means_and_returns_a_success(status: Status) -> None:
    result = RESULT.model_copy(update={"status": status})
    kind = RAISED[status]
    if kind is None:
        assert result.check() is result
        return
    with pytest.raises(OutcomeError) as raised:
        result.check()
    assert type(raised.value) is kind


def test_the_errors_carry_what_is_known() -> None:
    def raised(status: Status) -> OutcomeError:
        with pytest.raises(OutcomeError) as found:
            RESULT.model_copy(update={"status": status}).check()
        return found.value

    failed = raised(Status.FAILED)
    assert isinstance(failed, ExecutionError)
    assert (failed.exit_code, failed.stdout, failed.stderr) == (RESULT.exit_code, RESULT.stdout, RESULT.stderr)
    late = raised(Status.TIMED_OUT)
    assert isinstance(late, TimeoutError)
    assert (late.duration, late.stdout) == (RESULT.execution_time, RESULT.stdout)
    resources = [raised(status) for status in (Status.OUT_OF_MEMORY, Status.DISK_LIMIT, Status.OUTPUT_LIMIT)]
    assert [getattr(each, "resource_type", None) for each in resources] == ["memory", "disk", "output"]
