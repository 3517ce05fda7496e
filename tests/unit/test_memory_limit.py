"""Whose limit on memory holds, read from the files of control groups of either version; and the shares."""

from __future__ import annotations

from pathlib import Path

import pytest

from mountnd import memory_limit
from mountnd.memory_limit import MIB, Limit, fits, shares

V2 = "29 22 0:26 {root} {at} rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
V1 = "32 31 0:29 {root} {at} rw,relatime shared:9 - cgroup cgroup rw,memory\n"
OTHERS = (
    "22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n"
    "31 22 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n"
    "33 31 0:30 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
)


class Machine:
    """A file system with /proc/self and control groups; `write` makes a file of it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, path: str, text: str) -> None:
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def proc(self, groups: str, mountinfo: str) -> None:
        self.write("/proc/self/cgroup", groups)
        self.write("/proc/self/mountinfo", OTHERS + mountinfo)

    def limits(self) -> dict[int, str]:
        return {one.bytes // MIB: one.origin for one in memory_limit.cgroup_limits(self.root)}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def v2(machine: Machine, path: str, root: str = "/", at: str = "/sys/fs/cgroup") -> None:
    machine.proc(f"0::{path}\n", V2.format(root=root, at=at))


class TestVersion2:
    def test_memory_max_of_the_own_group(self, machine: Machine) -> None:
        v2(machine, "/batch/job_7")
        machine.write("/sys/fs/cgroup/batch/job_7/memory.max", f"{300 * MIB}\n")
        assert machine.limits() == {300: "the memory limit of control group /sys/fs/cgroup/batch/job_7"}

    @pytest.mark.parametrize("group", ["/batch", "/batch/job_7", "/batch/job_7/step_0"])
    @pytest.mark.parametrize("file", ["memory.max", "memory.high"])
    def test_of_all_groups_around_it(self, machine: Machine, group: str, file: str) -> None:
        v2(machine, "/batch/job_7/step_0")
        for each in ("/batch", "/batch/job_7", "/batch/job_7/step_0"):
            machine.write(f"/sys/fs/cgroup{each}/memory.max", "max\n")
            machine.write(f"/sys/fs/cgroup{each}/memory.high", "max\n")
        machine.write(f"/sys/fs/cgroup{group}/{file}", f"{256 * MIB}\n")
        assert list(machine.limits()) == [256]
        assert memory_limit.limit(machine.root).bytes == 256 * MIB

    def test_the_smallest_counts(self, machine: Machine) -> None:
        v2(machine, "/a/b")
        machine.write("/sys/fs/cgroup/a/memory.max", f"{200 * MIB}")
        machine.write("/sys/fs/cgroup/a/b/memory.max", f"{900 * MIB}")
        machine.write("/sys/fs/cgroup/a/b/memory.high", f"{800 * MIB}")
        assert memory_limit.limit(machine.root) == Limit(200 * MIB, machine.limits()[200])
        assert machine.limits()[200].endswith("/sys/fs/cgroup/a")

    def test_max_is_no_limit(self, machine: Machine) -> None:
        v2(machine, "/")
        machine.write("/sys/fs/cgroup/memory.max", "max\n")
        assert machine.limits() == {}
        assert memory_limit.limit(machine.root).machine

    def test_in_a_namespace_the_mounted_group_is_the_own(self, machine: Machine) -> None:
        v2(machine, "/")
        machine.write("/sys/fs/cgroup/memory.max", f"{128 * MIB}")
        assert list(machine.limits()) == [128]

    def test_a_container_that_shows_its_own_group_only(self, machine: Machine) -> None:
        v2(machine, "/docker/4f00", root="/docker/4f00")
        machine.write("/sys/fs/cgroup/memory.max", f"{128 * MIB}")
        assert list(machine.limits()) == [128]

    @pytest.mark.parametrize("path", ["/../../elsewhere", "/gone/by/now"])
    def test_a_group_that_cannot_be_seen(self, machine: Machine, path: str) -> None:
        """After a move out of the namespace, for instance: the nearest that is shown counts."""
        v2(machine, path)
        machine.write("/sys/fs/cgroup/memory.max", f"{128 * MIB}")
        assert list(machine.limits()) == [128]

    def test_odd_names(self, machine: Machine) -> None:
        machine.proc("0::/user@1000.service/a b:c\n", V2.format(root="/", at="/mnt/c\\040g"))
        machine.write("/mnt/c g/user@1000.service/a b:c/memory.max", f"{64 * MIB}")
        assert list(machine.limits()) == [64]


class TestVersion1:
    def v1(self, machine: Machine, path: str, root: str = "/") -> None:
        groups = f"9:name=systemd:/\n4:hugetlb,memory:{path}\n3:cpu,cpuacct:/else\n0::/\n"
        machine.proc(groups, V1.format(root=root, at="/sys/fs/cgroup/memory"))

    def test_limit_in_bytes_of_all_groups(self, machine: Machine) -> None:
        self.v1(machine, "/slurm/job_7")
        machine.write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n")
        machine.write("/sys/fs/cgroup/memory/slurm/memory.limit_in_bytes", f"{400 * MIB}\n")
        machine.write("/sys/fs/cgroup/memory/slurm/job_7/memory.limit_in_bytes", f"{500 * MIB}\n")
        assert sorted(machine.limits()) == [400, 500]

    def test_a_limit_around_what_a_container_shows(self, machine: Machine) -> None:
        self.v1(machine, "/docker/4f00", root="/docker/4f00")
        machine.write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n")
        machine.write(
            "/sys/fs/cgroup/memory/memory.stat",
            f"cache 1\nhierarchical_memory_limit {350 * MIB}\nhierarchical_memsw_limit 9223372036854771712\n",
        )
        assert list(machine.limits()) == [350]

    def test_beside_version_2_without_its_memory_controller(self, machine: Machine) -> None:
        machine.proc(
            "4:memory:/job\n0::/init.scope\n",
            V1.format(root="/", at="/sys/fs/cgroup/memory") + V2.format(root="/", at="/sys/fs/cgroup/unified"),
        )
        machine.write("/sys/fs/cgroup/memory/job/memory.limit_in_bytes", f"{400 * MIB}\n")
        machine.write("/sys/fs/cgroup/unified/init.scope/cgroup.procs", "1\n")
        assert list(machine.limits()) == [400]


@pytest.mark.parametrize("text", ["", "lots\n", "-1\n", "9" * 5000, "\0", "²"])
def test_what_no_kernel_writes_is_no_limit(machine: Machine, text: str) -> None:
    v2(machine, "/job")
    machine.write("/sys/fs/cgroup/job/memory.max", text)
    assert machine.limits() == {}


@pytest.mark.parametrize(
    "mountinfo", ["", "nonsense\n", "29 22 0:26 / - cgroup2\n", V2.format(root="/", at="/nowhere")]
)
def test_without_a_hierarchy_the_machine_counts(machine: Machine, mountinfo: str) -> None:
    machine.proc("0::/job\n", mountinfo)
    assert memory_limit.limit(machine.root).machine


def test_without_proc_the_machine_counts(machine: Machine) -> None:
    assert memory_limit.limit(machine.root).machine
    assert 64 * MIB < memory_limit.limit(machine.root).bytes < 1 << 50


def group(megabytes: int) -> Limit:
    return Limit(megabytes * MIB, "the memory limit of control group /g")


@pytest.mark.parametrize("megabytes", [16, 64, 100, 200, 256, 300, 450, 700, 1024])
def test_all_parts_together_stay_below_the_limit(megabytes: int) -> None:
    limit, sources = group(megabytes), 5
    part = shares(limit, sources=sources)
    assert part.blocks >= memory_limit.LEAST_BLOCKS and part.names >= memory_limit.LEAST_NAMES
    if megabytes >= 150:
        assert memory_limit.FIXED + part.blocks + sources * part.names < limit.bytes
    assert part.blocks % MIB == 0
    assert fits(limit, part.blocks), "the default is not warned of"


def test_enough_memory_changes_nothing() -> None:
    assert shares(group(4096)) == (512 * MIB, 128 * MIB)
    assert shares(Limit(2048 * MIB, "this machine's memory", machine=True)).blocks == 512 * MIB


def test_of_a_small_machine_others_want_something_too() -> None:
    assert shares(Limit(1024 * MIB, "this machine's memory", machine=True)).blocks == 256 * MIB


def test_what_is_chosen_for_blocks_stays_and_names_get_less() -> None:
    assert shares(group(1024), blocks=850 * MIB) == (850 * MIB, 54 * MIB)
    assert shares(group(256), blocks=512 * MIB) == (512 * MIB, memory_limit.LEAST_NAMES)


@pytest.mark.parametrize(("megabytes", "blocks", "fit"), [(256, 512, False), (256, 64, True), (256, 130, False),
                                                         (1024, 512, True), (1024, 1024, False)])  # fmt: skip
def test_what_fits(megabytes: int, blocks: int, fit: bool) -> None:
    assert fits(group(megabytes), blocks * MIB) is fit
