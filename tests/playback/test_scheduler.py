"""The clock of playing: bounds that hold on any machine, however slow it is."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from bot.playback.scheduler import CATCH_UP_SECONDS, FRAME_SECONDS, FrameScheduler
from tests.playback.speaking import DEADLINE

ROUNDING = 0.001


class Beat:
    """Notes when it was called; leaves, raises or dawdles at the calls it was told."""

    def __init__(
        self,
        *,
        calls: int = 10,
        raises: Exception | None = None,
        dawdles: float = 0.0,
        stubborn: bool = False,
    ) -> None:
        self.times: list[float] = []
        self.failed: list[Exception] = []
        self.over = threading.Event()
        self._calls = calls
        self._raises = raises
        self._dawdles = dawdles
        self._stubborn = stubborn

    def tick(self) -> bool:
        self.times.append(time.perf_counter())
        if len(self.times) == 3:
            time.sleep(self._dawdles)
            if self._raises is not None:
                raise self._raises
        if len(self.times) < self._calls:
            return True
        self.over.set()
        return False

    def fail(self, error: Exception) -> None:
        self.failed.append(error)
        self.over.set()
        if self._stubborn:
            raise LookupError("nor does this work")

    def wait(self) -> list[float]:
        assert self.over.wait(DEADLINE)
        return self.times


@pytest.fixture
def scheduler() -> Iterator[FrameScheduler]:
    scheduler = FrameScheduler(idle_seconds=0.05)
    yield scheduler
    scheduler.close()
    assert not scheduler.is_running()


def is_never_early(times: list[float], frame_seconds: float = FRAME_SECONDS) -> bool:
    """Return whether no call came before its time, but for what may be made up for.

    The first one is on no grid: it comes at once.
    """
    return all(
        at >= times[1] + number * frame_seconds - CATCH_UP_SECONDS - ROUNDING
        for number, at in enumerate(times[1:])
    )


def test_the_scheduler_calls_every_20_ms_and_does_not_drift(scheduler: FrameScheduler) -> None:
    beat = Beat(calls=50)

    scheduler.add(beat)
    times = beat.wait()
    scheduler.close()

    assert is_never_early(times)
    late = scheduler.skipped_seconds + max(scheduler.lateness.recent())
    assert times[-1] <= times[1] + 48 * FRAME_SECONDS + late + ROUNDING


def test_with_frames_of_another_length_it_calls_as_often_as_that() -> None:
    slow = FrameScheduler(idle_seconds=0.05, frame_seconds=4 * FRAME_SECONDS)
    beat = Beat(calls=10)

    slow.add(beat)
    times = beat.wait()
    slow.close()

    assert is_never_early(times, 4 * FRAME_SECONDS)
    late = slow.skipped_seconds + max(slow.lateness.recent())
    assert times[-1] <= times[1] + 8 * 4 * FRAME_SECONDS + late + ROUNDING


def test_what_comes_while_others_play_is_called_as_regularly(scheduler: FrameScheduler) -> None:
    beats = [Beat(calls=20) for _ in range(60)]

    for beat in beats:
        scheduler.add(beat)

    for beat in beats:
        assert is_never_early(beat.wait())
        assert len(beat.times) == 20


def test_added_twice_it_is_called_once_each_time(scheduler: FrameScheduler) -> None:
    beat = Beat(calls=20)

    scheduler.add(beat)
    scheduler.add(beat)

    assert is_never_early(beat.wait())


def test_lost_time_is_skipped_and_not_made_up_for_in_a_burst(scheduler: FrameScheduler) -> None:
    held_up, other = Beat(calls=30, dawdles=0.4), Beat(calls=30)

    scheduler.add(other)
    scheduler.add(held_up)
    times = other.wait()
    held_up.wait()

    assert is_never_early(times)
    assert is_never_early(held_up.times[2:])
    assert times[-1] - times[1] >= 28 * FRAME_SECONDS + 0.4 - CATCH_UP_SECONDS - ROUNDING
    assert scheduler.skipped_seconds >= 0.4 - ROUNDING


def test_a_source_that_raises_fails_alone(scheduler: FrameScheduler) -> None:
    error = ZeroDivisionError()
    bad, good = Beat(raises=error), Beat(calls=20)

    scheduler.add(bad)
    scheduler.add(good)

    assert len(good.wait()) == 20
    assert bad.failed == [error]
    assert len(bad.times) == 3
    assert good.failed == []


def test_a_source_that_raises_also_at_its_end_fails_alone(
    scheduler: FrameScheduler, caplog: pytest.LogCaptureFixture
) -> None:
    bad, good = Beat(raises=ZeroDivisionError(), stubborn=True), Beat(calls=20)

    scheduler.add(bad)
    scheduler.add(good)

    assert len(good.wait()) == 20
    assert "could not be told" in caplog.text


def test_a_source_that_has_left_can_come_again(scheduler: FrameScheduler) -> None:
    beat = Beat(calls=3)
    scheduler.add(beat)
    beat.wait()
    beat.over.clear()

    scheduler.add(beat)
    beat.wait()

    assert len(beat.times) == 4


def test_the_thread_starts_when_it_is_needed_and_ends_when_it_is_not(scheduler: FrameScheduler) -> None:
    assert not scheduler.is_running()

    for _ in range(2):
        beat = Beat()
        scheduler.add(beat)
        assert scheduler.is_running()
        beat.wait()
        thread = next(found for found in threading.enumerate() if found.name == "frame-scheduler")
        thread.join(DEADLINE)
        assert not scheduler.is_running()


def test_closed_it_lets_everything_fail_and_can_be_used_again(scheduler: FrameScheduler) -> None:
    endless = Beat(calls=1_000_000)
    scheduler.add(endless)

    scheduler.close(DEADLINE)

    assert [type(error) for error in endless.failed] == [RuntimeError]
    assert not scheduler.is_running()
    again = Beat()
    scheduler.add(again)
    assert len(again.wait()) == 10


def test_any_thread_may_add(scheduler: FrameScheduler) -> None:
    beats = [Beat(calls=5) for _ in range(40)]
    threads = [threading.Thread(target=scheduler.add, args=(beat,)) for beat in beats]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)

    assert all(len(beat.wait()) == 5 for beat in beats)


def test_the_lateness_is_kept_for_a_while_only(scheduler: FrameScheduler) -> None:
    for number in range(5000):
        scheduler.lateness.note(number)

    recent = scheduler.lateness.recent()
    scheduler.lateness.clear()

    assert sorted(recent) == list(range(5000 - len(recent), 5000))
    assert len(recent) == 4096
    assert scheduler.lateness.recent() == []
