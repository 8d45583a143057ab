import random

from longwatch.formats.media import Sample
from longwatch.ingest.frozen import FrozenPicture

SECOND = 1_000_000
STILL = random.Random(1).randbytes(20_000)


def sample(at_s: float, data: bytes, *, sync: bool = True) -> Sample:
    return Sample(0, int(at_s * 90000), 0, sync, data, int(at_s * SECOND))


def test_the_same_sync_sample_with_nothing_between() -> None:
    watch = FrozenPicture(15)
    seen = [watch.see(sample(t, STILL)) for t in range(0, 20, 2)]
    assert seen == [False] * 8 + [True] * 2  # four of them, and 15 s


def test_pictures_that_say_no_change_between_them() -> None:
    watch = FrozenPicture(15)
    for t in range(0, 20, 2):
        frozen = watch.see(sample(t, STILL))
        frozen = watch.see(sample(t + 1, b"skip" * 5, sync=False))
    assert frozen


def test_a_looped_file_is_not_frozen() -> None:
    watch = FrozenPicture(15)
    for t in range(0, 60, 2):
        assert not watch.see(sample(t, STILL))
        assert not watch.see(sample(t + 1, STILL[:3000], sync=False))


def test_a_single_bit_of_noise_is_a_picture_that_lives() -> None:
    watch = FrozenPicture(15)
    for t in range(0, 60, 2):
        noisy = bytearray(STILL)
        noisy[5000 + t] ^= 1  # neither in the middle nor at the end: only the whole hash sees it
        assert not watch.see(sample(t, bytes(noisy)))


def test_many_at_once_are_not_for_ever() -> None:
    watch = FrozenPicture(15)
    assert not any(watch.see(sample(t / 25, STILL)) for t in range(25 * 14))


def test_it_ends_with_another_sync_sample() -> None:
    watch = FrozenPicture(15)
    assert any(watch.see(sample(t, STILL)) for t in range(0, 20, 2))
    assert not watch.see(sample(22, STILL[::-1]))


def test_it_ends_with_a_picture_that_changes_something() -> None:
    watch = FrozenPicture(15)
    assert any(watch.see(sample(t, STILL)) for t in range(0, 20, 2))
    assert watch.see(sample(20, b"skip", sync=False))
    assert not watch.see(sample(20, STILL[:5000], sync=False))


def test_it_outlives_a_session() -> None:
    watch = FrozenPicture(15)
    for t in range(0, 20, 2):
        watch.see(sample(t, STILL))
    again = FrozenPicture(15, watch.mark)
    assert again.see(sample(100, STILL))
    assert not again.see(sample(102, STILL[::-1]))
