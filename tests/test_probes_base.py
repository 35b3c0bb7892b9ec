"""A question ends in one of three answers, and what is our own fault is never blamed on the host."""

from __future__ import annotations

import errno
import os

import pytest

from orchestrator.checks.model import PARAMETERS
from orchestrator.probes.base import Deadline, Question, connect, unanswered
from orchestrator.workers.probing import own_probes

LAB = Question("127.0.0.1", 1, timeout_s=0.5)


@pytest.mark.parametrize("number", [errno.ECONNREFUSED, errno.ECONNRESET, errno.EHOSTUNREACH, errno.EPIPE])
def test_a_host_that_refuses_fails(number: int) -> None:
    assert unanswered(LAB, OSError(number, os.strerror(number))).outcome == "FAIL"


@pytest.mark.parametrize(
    "number", [errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EADDRINUSE, errno.EMFILE, errno.EACCES]
)
def test_a_question_that_could_not_leave_this_machine_is_unknown(number: int) -> None:
    answer = unanswered(LAB, OSError(number, os.strerror(number)))
    assert answer.outcome == "UNKNOWN"
    assert "from here" in answer.sentence


def test_silence_is_a_failure_that_names_the_time_waited() -> None:
    answer = unanswered(LAB, TimeoutError())
    assert (answer.outcome, answer.facts) == ("FAIL", {"error": "timeout"})
    assert "within 0.5 s" in answer.sentence


def test_a_question_from_an_address_that_is_not_ours_cannot_be_put() -> None:
    with pytest.raises(OSError, match="assign requested address"):
        connect(Question("127.0.0.1", 1, source="192.0.2.7"), Deadline(1))


def test_time_that_is_over_is_a_timeout() -> None:
    with pytest.raises(TimeoutError):
        Deadline(0).left_s()


def test_every_parameter_content_may_give_is_one_its_probe_explains() -> None:
    probes = own_probes()
    assert PARAMETERS.keys() == probes.keys()
    for name, known in PARAMETERS.items():
        assert all(f"`{each}`" in (type(probes[name]).__doc__ or "") for each in known)
