"""Messages between server, pid 1 and guest."""

import json
import os
import socket
import threading

from hypothesis import given
from hypothesis import strategies as st

from holdfast.guest.frames import Channel, join_files, json_text, split_files

HEADERS = st.dictionaries(st.text(max_size=20), st.one_of(st.integers(-(2**53), 2**53), st.text(max_size=50)))


def a_pair() -> tuple[Channel, Channel]:
    left, right = socket.socketpair()
    return Channel(left), Channel(right)


@given(HEADERS, st.binary(max_size=5000))
def test_a_message_arrives_as_it_was_sent(header: dict[str, object], payload: bytes) -> None:
    left, right = a_pair()
    left.send(header, payload)
    frame = right.receive()
    assert frame is not None
    assert (frame.header, frame.payload, frame.fds) == (header, payload, [])
    left.close()
    right.close()


def test_a_message_larger_than_the_socket_buffer_arrives_whole_with_its_descriptors() -> None:
    left, right = a_pair()
    read_end, write_end = os.pipe()
    payload = os.urandom(3 << 20)
    sender = threading.Thread(target=left.send, args=({"op": "exec"}, payload, (write_end,)))
    sender.start()
    frame = right.receive()
    sender.join()
    assert frame is not None
    assert frame.payload == payload
    os.write(frame.fds[0], b"through")
    assert os.read(read_end, 100) == b"through"
    for fd in (read_end, write_end, frame.fds[0]):
        os.close(fd)
    left.close()
    right.close()


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=15,
)


@given(JSON_VALUES)
def test_what_goes_towards_the_server_is_json(value: object) -> None:
    assert json.loads(json_text(value)) == value


def test_the_end_of_the_peer_is_no_message() -> None:
    left, right = a_pair()
    left.close()
    assert right.receive() is None
    right.close()


@given(st.dictionaries(st.text(min_size=1, max_size=20), st.binary(max_size=200), max_size=10))
def test_files_survive_being_joined_and_split(files: dict[str, bytes]) -> None:
    assert split_files(*join_files(files)) == files
