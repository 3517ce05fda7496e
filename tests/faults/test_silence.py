"""A server that is silent, or gone: every wait ends, a signal ends it sooner, and the rest of the tree goes on."""

from __future__ import annotations

import contextlib
import errno
import itertools
import signal
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support import tree
from tests.support.children import TIMED_READ, child, run_program, run_python, seconds_to_end
from tests.support.doors import Door, Fresh, KernelDoor, errno_from, read
from tests.support.proxy import Proxy
from tests.support.tree import BIG, BIG_SIZE, KIB, MIB
from tests.support.waiting import holds_within

from .conftest import BOUND_S, PASSED_BY, RECOVERY_S, SLACK_S, VICTIM_SIZE, VICTIMS, Victim

ENDED = {errno.EIO, errno.ETIMEDOUT}
SOURCE = tree.content(BIG, BIG_SIZE)
# A signal ends a waiting reader within a second; process start and a busy machine come on top.
SIGNAL_S = 1.0 + SLACK_S


def timed(call: Callable[..., object], *args: object) -> tuple[int, float]:
    """The errno of a call that waits, and the seconds it took."""
    start = time.monotonic()
    number = errno_from(call, *args)
    return number, time.monotonic() - start


class TestTimeouts:
    def test_a_held_read_times_out(self, victim: Victim) -> None:
        victim.proxy.rule("hold", path=victim.path)
        handle = victim.door.open(victim.key)
        number, seconds = timed(victim.door.pread, handle, 4 * KIB, 0)
        assert number in ENDED
        assert seconds <= BOUND_S + SLACK_S
        victim.door.close(handle)

    @pytest.mark.kernel
    @pytest.mark.parametrize("size", [1, 128 * KIB, VICTIM_SIZE])
    def test_a_program_waits_no_longer_than_one_read(self, kernel_victim: Victim, size: int) -> None:
        """The kernel asks again page by page what failed; together that must not take longer."""
        assert isinstance(kernel_victim.door, KernelDoor)
        kernel_victim.proxy.rule("hold", path=kernel_victim.path)
        place = kernel_victim.door.path(kernel_victim.key)
        what, number, seconds = run_python(TIMED_READ, place, "0", str(size)).split()
        assert what == "read"
        assert int(number) in ENDED
        assert float(seconds) <= BOUND_S + SLACK_S

    @pytest.mark.kernel
    def test_a_held_page_of_a_mapped_file_is_sigbus(self, kernel_victim: Victim) -> None:
        """A page that never comes is SIGBUS: the program ends, and in time."""
        assert isinstance(kernel_victim.door, KernelDoor)
        kernel_victim.proxy.rule("hold", path=kernel_victim.path)
        code = "import mmap,os,sys; mmap.mmap(os.open(sys.argv[1], os.O_RDONLY), 0, prot=mmap.PROT_READ)[100]"
        with child([sys.executable, "-c", code, kernel_victim.door.path(kernel_victim.key)]) as process:
            seconds_to_end(process, BOUND_S + SLACK_S)
            assert process.returncode == -signal.SIGBUS

    def test_a_held_read_in_the_middle_of_a_file_times_out(self, victim: Victim) -> None:
        door = victim.door
        handle = door.open(victim.key)
        assert door.pread(handle, 4 * KIB, 0) == victim.content[: 4 * KIB]
        victim.proxy.rule("hold", path=victim.path)
        number, seconds = timed(door.pread, handle, 4 * KIB, 500 * KIB)
        assert number in ENDED
        assert seconds <= BOUND_S + SLACK_S
        assert door.pread(handle, 4 * KIB, 0) == victim.content[: 4 * KIB], "what was there stays"
        door.close(handle)

    def test_a_held_listing_times_out(self, bare: Door, proxy: Proxy) -> None:
        proxy.rule("hold", lists=True)
        number, seconds = timed(bare.listdir, "sub-02")
        assert number in ENDED
        assert seconds <= BOUND_S + SLACK_S

    def test_a_held_look_up_times_out(self, bare: Door, proxy: Proxy) -> None:
        proxy.rule("hold")
        number, seconds = timed(bare.stat, "sub-02/anat/sub-02_T1w.json")
        assert number in ENDED
        assert seconds <= BOUND_S + SLACK_S

    def test_reading_from_a_server_that_is_down_fails_in_time(self, door: Door, proxy: Proxy) -> None:
        proxy.down()
        number, seconds = timed(read, door, BIG)
        assert number in ENDED
        assert seconds <= BOUND_S + SLACK_S

    def test_listing_a_server_that_is_down_fails_in_time(self, bare: Door, proxy: Proxy) -> None:
        proxy.down()
        for call, path in ((bare.listdir, "sub-02"), (bare.stat, "sub-02/anat")):
            number, seconds = timed(call, path)
            assert number in ENDED
            assert seconds <= BOUND_S + SLACK_S


class TestOthersAreNotAffected:
    def test_cached_names_and_bytes_need_no_server(self, door: Door, proxy: Proxy) -> None:
        path = "sub-01/anat/sub-01_T1w.json"
        expected = read(door, path)
        proxy.down()
        assert door.listdir("sub-01/anat")
        assert door.stat(path).size == len(expected)
        assert read(door, path) == expected

    def test_a_held_object_blocks_no_other(self, victim: Victim) -> None:
        victim.proxy.rule("hold", path=victim.path)
        handle = victim.door.open(victim.key)
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(errno_from, victim.door.pread, handle, 4 * KIB, 0)
            victim.proxy.await_request(lambda r: r.path == victim.path)
            assert len(victim.door.listdir()) == len(VICTIMS) + len(PASSED_BY)
            assert read(victim.door, VICTIMS[-2], 0, 1000) == tree.content(VICTIMS[-2], 1000)
            assert not waiting.done(), "it waited all the while"
            victim.proxy.behave()
            waiting.result(30)
        victim.door.close(handle)

    def test_a_held_directory_blocks_no_other(self, bare: Door, proxy: Proxy) -> None:
        """Held is every listing below `sub-02`, and any that would tell of it beside the root's own."""
        proxy.rule("hold", lists=True, query="prefix=sub-02|^(?!.*delimiter).*prefix=(&|$)")
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(errno_from, bare.listdir, "sub-02")
            proxy.await_request(lambda r: r.is_list and r.query["prefix"].startswith("sub-02"))
            assert bare.listdir("derivatives/fmriprep")
            assert len(read(bare, "derivatives/fmriprep/sub-01/figures/report.html")) == 10_000
            assert not waiting.done(), "it waited all the while"
            proxy.behave()
            assert waiting.result(30) == 0

    @pytest.mark.kernel
    def test_forty_waiting_readers_do_not_block_ls(
        self, fresh_kernel: Fresh, proxy: Proxy, dataset: tree.Bucket
    ) -> None:
        """More than the ten threads that libfuse has when left alone."""
        mount = fresh_kernel(proxy.url, f"s3://{dataset.name}", timeout=50)
        assert isinstance(mount, KernelDoor)
        mount.listdir("sizes")
        proxy.rule("hold", method="GET", lists=False)
        names = [name for name in sorted(tree.FILES) if name.startswith("sizes/")]
        with contextlib.ExitStack() as stack:
            readers = [
                stack.enter_context(child(["cat", mount.path(n)])) for n in itertools.islice(itertools.cycle(names), 40)
            ]
            proxy.await_request(lambda _: sum(r.open for r in proxy.requests()) >= len(names) // 2)
            run_program(["ls", "-lR", mount.path("derivatives")], seconds=20)
            run_program(["ls", "-l", mount.path("sub-01/anat")], seconds=20)
            assert all(reader.poll() is None for reader in readers), "they waited all the while"
            proxy.behave()
            for reader in readers:
                assert reader.stdout is not None
                reader.stdout.close()
                seconds_to_end(reader, 30)

    def test_reads_recover_when_the_server_is_back(self, door: Door, proxy: Proxy) -> None:
        """The same mount and the same open file, without a new mount."""
        handle = door.open(BIG)
        assert door.pread(handle, 4 * KIB, 0) == SOURCE[: 4 * KIB]
        proxy.down()
        assert errno_from(door.pread, handle, 4 * KIB, 2 * MIB) in ENDED
        proxy.up()
        assert holds_within(lambda: errno_from(door.pread, handle, 4 * KIB, 2 * MIB) == 0, RECOVERY_S)
        assert door.pread(handle, 4 * KIB, 2 * MIB) == SOURCE[2 * MIB : 2 * MIB + 4 * KIB]
        door.close(handle)
        assert read(door, BIG) == SOURCE

    def test_listings_recover_when_the_server_is_back(self, bare: Door, proxy: Proxy) -> None:
        proxy.down()
        assert errno_from(bare.listdir, "sub-02") in ENDED
        proxy.up()
        assert holds_within(lambda: errno_from(bare.listdir, "sub-02") == 0, RECOVERY_S)
        assert bare.listdir("sub-02") == {b"anat"}

    def test_a_late_answer_is_waited_for(self, victim: Victim) -> None:
        victim.proxy.rule("hold", path=victim.path)
        handle = victim.door.open(victim.key)
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(victim.door.pread, handle, 4 * KIB, 0)
            victim.proxy.await_request(lambda r: r.path == victim.path)
            victim.proxy.behave()
            assert waiting.result(30) == victim.content[: 4 * KIB]
        victim.door.close(handle)


@pytest.mark.kernel
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda n: n.name)
class TestSignals:
    """Long time-outs, so that it is the signal that ends the wait."""

    @pytest.fixture
    def patient(self, fresh_kernel: Fresh, proxy: Proxy, dataset: tree.Bucket) -> Iterator[KernelDoor]:
        door = fresh_kernel(proxy.url, f"s3://{dataset.name}", timeout=50)
        assert isinstance(door, KernelDoor)
        proxy.clear()
        yield door
        proxy.behave()

    def ended(self, argv: list[str | bytes], proxy: Proxy, number: signal.Signals, held: Callable[[], object]) -> None:
        with child(argv) as process:
            held()
            process.send_signal(number)
            seconds_to_end(process, SIGNAL_S)
            assert process.returncode == -number

    def test_a_signal_ends_a_read(
        self, patient: KernelDoor, proxy: Proxy, dataset: tree.Bucket, number: signal.Signals
    ) -> None:
        proxy.rule("hold", path=dataset.path(BIG))
        here = lambda: proxy.await_request(lambda r: r.path == dataset.path(BIG))  # noqa: E731
        self.ended(["cat", patient.path(BIG)], proxy, number, here)

    def test_a_signal_ends_a_small_read(
        self, patient: KernelDoor, proxy: Proxy, dataset: tree.Bucket, number: signal.Signals
    ) -> None:
        proxy.rule("hold", path=dataset.path(BIG))
        here = lambda: proxy.await_request(lambda r: r.path == dataset.path(BIG))  # noqa: E731
        self.ended(["head", "-c", "348", patient.path(BIG)], proxy, number, here)

    def test_a_signal_ends_a_listing(self, patient: KernelDoor, proxy: Proxy, number: signal.Signals) -> None:
        proxy.rule("hold", lists=True)
        self.ended(["ls", patient.path("sub-02")], proxy, number, lambda: proxy.await_request(lambda r: r.is_list))

    def test_a_signal_ends_a_look_up(self, patient: KernelDoor, proxy: Proxy, number: signal.Signals) -> None:
        proxy.rule("hold")
        argv: list[str | bytes] = ["stat", patient.path("sub-02/anat/missing")]
        self.ended(argv, proxy, number, lambda: proxy.await_request(lambda r: True))

    def test_the_mount_works_after_the_signal(
        self, patient: KernelDoor, proxy: Proxy, dataset: tree.Bucket, number: signal.Signals
    ) -> None:
        proxy.rule("hold", path=dataset.path(BIG))
        here = lambda: proxy.await_request(lambda r: r.path == dataset.path(BIG))  # noqa: E731
        self.ended(["cat", patient.path(BIG)], proxy, number, here)
        proxy.behave()
        assert read(patient, BIG) == SOURCE


@pytest.mark.kernel
def test_unmounting_does_not_wait_for_a_silent_server(fresh_kernel: Fresh, proxy: Proxy, dataset: tree.Bucket) -> None:
    """SIGTERM while a read waits: the daemon ends, the reader gets an error."""
    mount = fresh_kernel(proxy.url, f"s3://{dataset.name}")
    assert isinstance(mount, KernelDoor)
    mount.listdir("big")
    proxy.rule("hold", path=dataset.path(BIG))
    with child(["cat", mount.path(BIG)]) as reader:
        proxy.await_request(lambda r: r.path == dataset.path(BIG))
        mount.mount.process.terminate()
        mount.mount.process.wait(BOUND_S + 5 + SLACK_S)
        seconds_to_end(reader, BOUND_S)
        assert reader.returncode != 0
