"""The compiled filter, as bytes. What it stops is shown by the attacks."""

import struct

from holdfast.engines.host import seccomp


def test_the_filter_is_whole_instructions_within_the_kernels_bound() -> None:
    program = seccomp.compile_filter(shared_user=False)
    assert len(program) % 8 == 0
    assert len(program) // 8 < 4096


def test_the_filter_starts_with_the_refusal_of_calls_nobody_has_reviewed() -> None:
    program = seccomp.compile_filter(shared_user=False)
    codes = [struct.unpack_from("=HBBI", program, offset) for offset in range(0, 32, 8)]
    assert codes[2] == (0x25, 0, 1, seccomp.LAST_REVIEWED_CALL)
    assert codes[3][3] == 0x00050000 | 38


def test_limits_of_pid_1_are_protected_when_it_shares_the_guests_user() -> None:
    alone, shared = (seccomp.compile_filter(shared_user=flag) for flag in (False, True))
    assert shared != alone


def test_no_call_is_refused_twice_in_different_ways() -> None:
    assert len(set(seccomp.REFUSED)) == len(seccomp.REFUSED)
    assert not set(seccomp.REFUSED) & set(seccomp.ABSENT)
