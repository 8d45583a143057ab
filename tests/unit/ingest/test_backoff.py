from longwatch.ingest.backoff import Backoff
from longwatch.ingest.outcome import Outcome
from longwatch.model.sessions import Fault


def waits(fault: Fault, times: int, chance: float = 0.0) -> list[float]:
    backoff = Backoff(lambda: chance)
    return [round(backoff.after(Outcome(fault, "x")), 2) for _ in range(times)]


def test_a_port_that_does_not_answer_is_tried_at_least_every_two_and_a_half_seconds() -> None:
    assert waits(Fault.UNREACHABLE, 6) == [0.3, 1.0, 2.0, 2.4, 2.4, 2.4]
    assert waits(Fault.DISCONNECTED, 5) == [0.3, 1.0, 2.0, 2.4, 2.4]


def test_a_refused_login_once_more_then_a_minute_doubling_to_a_quarter_of_an_hour() -> None:
    assert waits(Fault.LOGIN_REFUSED, 8, chance=0.9) == [1, 60, 120, 240, 480, 900, 900, 900]


def test_a_camera_that_answers_wrongly_is_given_some_time() -> None:
    assert waits(Fault.PROTOCOL_ERROR, 7) == [0.5, 1, 2, 4, 8, 8, 8]


def test_jitter_only_shortens_what_is_promised_and_only_lengthens_what_the_camera_asks() -> None:
    assert waits(Fault.UNREACHABLE, 4, chance=0.999)[-1] == 1.8
    backoff = Backoff(lambda: 0.999)
    assert 65 <= backoff.after(Outcome(Fault.REFUSED, "stale", retry_after_s=65)) <= 66


def test_another_fault_begins_anew() -> None:
    backoff = Backoff(lambda: 0.0)
    for _ in range(5):
        backoff.after(Outcome(Fault.LOGIN_REFUSED, "x"))
    assert backoff.after(Outcome(Fault.UNREACHABLE, "x")) == 0.3
    assert backoff.after(Outcome(Fault.LOGIN_REFUSED, "x")) == 1.0
    assert backoff.failures == 7


def test_a_session_that_worked_begins_anew() -> None:
    backoff = Backoff(lambda: 0.0)
    for _ in range(5):
        backoff.after(Outcome(Fault.UNREACHABLE, "x"))
    assert backoff.after(Outcome(Fault.DISCONNECTED, "x", streamed=True)) == 0.3
    assert backoff.failures == 1


def test_time_spent_connecting_counts() -> None:
    backoff = Backoff(lambda: 0.0)
    for _ in range(5):
        backoff.after(Outcome(Fault.UNREACHABLE, "x"))
    assert backoff.after(Outcome(Fault.UNREACHABLE, "x"), spent_s=2.2) == 0.3
    assert backoff.after(Outcome(Fault.UNREACHABLE, "x"), spent_s=0.4) == 2.0
    assert backoff.after(Outcome(Fault.TIMED_OUT, "x"), spent_s=10) == 0.5
