from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mountnd.errors import Changed, Forbidden, NotFound, ServerFault, StoreError, Throttled, TimedOut, Unreachable
from mountnd.stores.base import Deadline
from mountnd.stores.memory import Call, MemoryStore
from mountnd.stores.offline import Offline
from mountnd.stores.retry import BASE_S, CAP_S, THROTTLED_BASE_S, Retrying, delay


class Time:
    """A clock that only sleeping and answering move."""

    def __init__(self, jitter: float = 1.0) -> None:
        self.now, self.slept, self.jitter = 100.0, [], jitter
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def retrying(self, store: MemoryStore, **how: float) -> Retrying:
        return Retrying(store, sleep=self.sleep, random=lambda: self.jitter, **how)  # type: ignore[arg-type]

    def deadline(self, seconds: float) -> Deadline:
        return Deadline(seconds, self.clock)


def failing(*errors: StoreError) -> MemoryStore:
    """Raises these one by one, then answers."""
    store = MemoryStore({"k": b"0123456789"})
    left = list(errors)

    def fault(call: Call) -> None:
        if left:
            raise left.pop(0)

    store.fault = fault
    return store


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True), st.booleans())
def test_a_delay_is_between_nothing_and_the_cap(failures: int, jitter: float, throttled: bool) -> None:
    assert 0 <= delay(failures, jitter, throttled=throttled) <= CAP_S


def test_delays_grow_to_the_cap() -> None:
    assert [delay(n, 1.0) for n in range(1, 10)] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 8.0, 8.0]
    assert [delay(n, 0.5, throttled=True) for n in range(1, 6)] == [0.5, 1.0, 2.0, 4.0, 4.0]


@pytest.mark.parametrize("error", [Throttled("x"), ServerFault("x"), Unreachable("x"), TimedOut("x")])
def test_a_transient_error_is_asked_again(error: StoreError) -> None:
    time, store = Time(), failing(error, error, error)
    assert time.retrying(store).head("k", deadline=time.deadline(60)).size == 10
    assert store.count("head") == 4
    base = THROTTLED_BASE_S if isinstance(error, Throttled) else BASE_S
    assert time.slept == [base, 2 * base, 4 * base]


@pytest.mark.parametrize("error", [NotFound("x"), Forbidden("x"), Changed("x"), StoreError("x")])
def test_any_other_error_is_final(error: StoreError) -> None:
    time, store = Time(), failing(error)
    with pytest.raises(type(error)):
        time.retrying(store).head("k", deadline=time.deadline(60))
    assert (store.count(), time.slept) == (1, [])


@settings(deadline=None)
@given(st.floats(0.01, 100), st.floats(0.05, 1, exclude_max=True))
def test_it_never_sleeps_past_the_deadline_and_raises_the_last_error(seconds: float, jitter: float) -> None:
    time = Time(jitter)
    store = failing(*[Unreachable(str(n)) for n in range(1000)])
    with pytest.raises(Unreachable) as caught:
        time.retrying(store).head("k", deadline=time.deadline(seconds))
    assert str(caught.value) == str(store.count() - 1)
    assert sum(time.slept) < seconds + 1e-9  # a sum of floats
    assert time.now <= 100 + seconds + 1e-9


def test_a_deadline_that_is_over_asks_nothing() -> None:
    time, store = Time(), failing()
    with pytest.raises(TimedOut):
        time.retrying(store).head("k", deadline=time.deadline(0))
    assert store.calls == []


def test_one_attempt_gets_its_share_and_no_more() -> None:
    time, store, seen = Time(), MemoryStore({"k": b"1"}), []

    def head(key: str, *, deadline: Deadline) -> object:
        seen.append(deadline.left())
        time.now += deadline.left()
        raise TimedOut("slow")

    store.head = head  # type: ignore[method-assign, assignment]
    with pytest.raises(TimedOut):
        time.retrying(store, attempt_seconds=20.0).head("k", deadline=time.deadline(50))
    assert seen == pytest.approx([20, 20, 50 - 20 - 0.1 - 20 - 0.2])


@pytest.mark.parametrize(("seconds", "error"), [(30.5, Unreachable), (45.0, TimedOut)])
def test_what_an_attempt_that_is_cut_short_says_hides_nothing(seconds: float, error: type[StoreError]) -> None:
    """Half a second before the end another attempt begins: that it is not answered by then tells nothing."""
    time, store = Time(), MemoryStore({"k": b"1"})

    def head(key: str, *, deadline: Deadline) -> object:
        if time.now == 100.0:
            time.now += 30.0 - BASE_S
            raise Unreachable("refused")
        time.now += deadline.left()
        raise TimedOut("no answer in time")

    store.head = head  # type: ignore[method-assign, assignment]
    with pytest.raises(error):
        time.retrying(store).head("k", deadline=time.deadline(seconds))


def test_every_call_goes_through() -> None:
    error = Unreachable("x")
    time, store = Time(), failing(error)
    patient = time.retrying(store)
    (stat,) = patient.list_page("", deadline=time.deadline(60)).objects
    view = memoryview(bytearray(4))
    store.fault = None
    patient.read(stat.id, 2, [view], deadline=time.deadline(60))
    assert bytes(view) == b"2345"
    assert store.calls == [Call("list", ""), Call("list", ""), Call("read", "k", 2, 6)]
    assert (patient.source, patient.root, patient.url, patient.flat, patient.pins) == (
        store.source, store.root, store.url, True, True,
    )  # fmt: skip
    patient.close()


def test_what_the_store_says_of_itself_comes_through() -> None:
    class Told(MemoryStore):
        notice, region = "reading unsigned", "eu-west-1"

    bare = Told({"k": b"1"})
    for store in (Retrying(bare), Offline(bare)):
        assert (store.source, store.root, store.url, store.flat, store.pins) == (bare.source, "", bare.url, True, True)
        assert (store.notice, store.region) == ("reading unsigned", "eu-west-1")


def test_one_attempt_a_call_is_to_be_had() -> None:
    store = failing(Unreachable("x"), Unreachable("y"))
    once = Retrying(Retrying(store)).once
    assert once is store.once is store
    with pytest.raises(Unreachable):
        once.head("k", deadline=Deadline(60))
    assert store.count() == 1
    offline = Offline(store)
    with pytest.raises(Unreachable):
        offline.once.head("k", deadline=Deadline(60))
    assert store.count() == 1


def test_each_repetition_is_noticed() -> None:
    time, store, seen = Time(), failing(Unreachable("a"), Throttled("b")), []
    patient = Retrying(
        store,
        sleep=time.sleep,
        random=lambda: 1.0,
        on_retry=lambda error, pause: seen.append((str(error), pause)),
    )
    patient.head("k", deadline=time.deadline(60))
    assert seen == [("a", 0.1), ("b", 2.0)]
