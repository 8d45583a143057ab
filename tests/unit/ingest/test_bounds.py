from longwatch.ingest.bounds import Allowance


def test_a_burst_and_then_so_many_a_second() -> None:
    allowance = Allowance(30, 0.2)
    assert all(allowance.take(1, 1_000_000) for _ in range(30))
    assert not allowance.take(1, 1_000_000)
    assert not allowance.take(1, 5_000_000)
    assert allowance.take(1, 6_000_000)
    assert not allowance.take(1, 6_000_000)


def test_what_is_not_used_adds_up_to_the_burst_and_no_further() -> None:
    allowance = Allowance(10, 2)
    assert allowance.take(10, 0)
    assert not allowance.take(11, 3_600_000_000)
    assert allowance.take(10, 3_600_000_000)


def test_more_than_is_left_takes_nothing() -> None:
    allowance = Allowance(10, 1)
    assert not allowance.take(11, 0)
    assert allowance.take(10, 0)


def test_time_that_goes_back_earns_nothing() -> None:
    allowance = Allowance(1, 1)
    assert allowance.take(1, 10_000_000)
    assert not allowance.take(1, 0)


def test_one_on_credit_is_earned_before_the_next() -> None:
    allowance = Allowance(2, 0.2)
    assert [allowance.take_one_s(0) for _ in range(5)] == [0, 0, 5, 5, 5]
    assert allowance.take_one_s(5_000_000) == 5
    assert allowance.take_one_s(60_000_000) == 0
