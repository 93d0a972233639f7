"""The MLS messages of the voice server, against davey's own group."""

from __future__ import annotations

import struct

import davey
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rehearsal.voice.dave import ExternalSender, commit_epoch, split_commit, vector

CHANNEL = 1234567890123
APPEND = davey.ProposalsOperationType.append


class Group:
    """A voice server's signature, and a first member with a group of one."""

    def __init__(self) -> None:
        self.sender = ExternalSender()
        self.first = self.member(11)

    def member(self, user_id: int) -> davey.DaveSession:
        member = davey.DaveSession(1, user_id, CHANNEL)
        member.set_external_sender(self.sender.package)
        return member

    def add(self, epoch: int, newcomer: davey.DaveSession) -> bytes:
        return vector(self.sender.propose_add(CHANNEL, epoch, newcomer.get_serialized_key_package()))


def commit_of(member: davey.DaveSession, proposals: bytes) -> davey.CommitWelcome:
    answer = member.process_proposals(APPEND, proposals)
    assert answer is not None
    return answer


def test_davey_accepts_a_signed_proposal_to_add() -> None:
    group = Group()
    second = group.member(22)

    answer = commit_of(group.first, group.add(0, second))
    group.first.process_commit(answer.commit)
    second.process_welcome(answer.welcome or b"")

    assert group.first.ready
    assert second.ready
    assert second.get_user_ids() == ["11", "22"]


def test_davey_accepts_a_signed_proposal_to_remove() -> None:
    group = Group()
    second = group.member(22)
    answer = commit_of(group.first, group.add(0, second))
    group.first.process_commit(answer.commit)

    answer = commit_of(group.first, vector(group.sender.propose_remove(CHANNEL, 1, 1)))
    group.first.process_commit(answer.commit)

    assert group.first.get_user_ids() == ["11"]


def test_davey_refuses_a_proposal_of_another_voice_server() -> None:
    group = Group()
    stranger = ExternalSender()
    newcomer = group.member(22)

    with pytest.raises(ValueError, match="proposal"):
        group.first.process_proposals(
            APPEND, vector(stranger.propose_add(CHANNEL, 0, newcomer.get_serialized_key_package()))
        )


def test_a_commit_and_its_welcome_are_told_apart() -> None:
    group = Group()
    answer = commit_of(group.first, group.add(0, group.member(22)))
    assert answer.welcome

    parts = split_commit(answer.commit + answer.welcome)

    assert parts == (answer.commit, answer.welcome)
    assert commit_epoch(answer.commit) == 0


def test_a_commit_with_an_update_path_is_told_apart_too() -> None:
    group = Group()
    second = group.member(22)
    answer = commit_of(group.first, group.add(0, second))
    group.first.process_commit(answer.commit)

    removal = commit_of(group.first, vector(group.sender.propose_remove(CHANNEL, 1, 1)))

    assert split_commit(removal.commit + b"welcome") == (removal.commit, b"welcome")
    assert commit_epoch(removal.commit) == 1


def test_a_commit_that_is_cut_short_is_refused_wherever_it_ends() -> None:
    group = Group()
    commit = commit_of(group.first, group.add(0, group.member(22))).commit

    for size in range(len(commit)):
        with pytest.raises(ValueError, match=r"."):
            split_commit(commit[:size])


@given(st.binary(max_size=200))
def test_garbage_is_no_commit(data: bytes) -> None:
    assert commit_epoch(b"\0" + data) == -1


@pytest.mark.parametrize(
    ("size", "length_bytes"),
    [
        (0, b"\x00"),
        (63, b"\x3f"),
        (64, b"\x40\x40"),
        (16383, b"\x7f\xff"),
        (16384, struct.pack(">I", 0x80004000)),
    ],
)
def test_a_vector_begins_with_its_shortest_length(size: int, length_bytes: bytes) -> None:
    assert vector(bytes(size)) == length_bytes + bytes(size)
