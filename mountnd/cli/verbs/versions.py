"""`mountnd versions SOURCE`: the snapshots of a data set."""

from __future__ import annotations

from typing import Any

import click

from ...config.resolve import ConfigInputs, resolve_dataset
from ...errors import MountError, StoreError
from ...report.figures import size
from .. import tables
from ..flags import TableCommand, complete_word, json_option, with_options
from ..remedies import next_step
from ..streams import show, show_json, waiting

# Of snapshots whose size has to be added up, which is a request each, so many are: the newest.
_ADDED_UP = 20


@click.command(cls=TableCommand)
@click.argument("source", metavar="SOURCE", shell_complete=complete_word)
@json_option("The data set and its snapshots, the oldest first.")
@with_options("versions")
def versions(inputs: ConfigInputs, source: str, as_json: bool) -> None:
    """List the snapshots of a data set: tags, dates, sizes, the newest last.

    \b
      mountnd versions openneuro/ds000001
      mountnd openneuro/ds000001@1.0.2 DIR

    SOURCE is a data set of a preset that has snapshots (OpenNeuro), or the DOI
    of one. A tag behind @ mounts that snapshot, @latest the newest.
    """
    config = resolve_dataset(source, inputs).config
    assert config.snapshot is not None
    timeout = inputs.mount_options()["timeout"].value
    dataset, service = config.snapshot.dataset, config.snapshots_url
    if service is None:
        raise MountError(f"{source}: whom to ask for snapshots is not known: name the service by --snapshots-url")
    try:
        with waiting(f"Asking {service}"):
            rows = _asked(service, dataset, timeout)
    except StoreError as e:
        if step := next_step(e, config):
            raise type(e)(f"{e}. Next: {step}", code=e.code) from e
        raise
    if as_json:
        show_json({"dataset": dataset, "service": service, "snapshots": rows}, indent=2)
        return
    if not rows:
        show(f"{dataset} has no snapshots yet")
        return
    tables.show(
        ["Tag", "Date", "Size"],
        [[row["tag"], row["created"][:10], "?" if row["size"] is None else size(row["size"])] for row in rows],
        right={2},
        whole={0, 1},
    )
    show("")
    mounted = f"{config.preset or source.rstrip('/').rpartition('/')[0]}/{dataset}@{rows[-1]['tag']}"
    tables.details([("To mount one", f"mountnd {mounted} DIR")])


def _asked(service_url: str, dataset: str, timeout: float) -> list[dict[str, Any]]:
    """The snapshots, as `--json` has them."""
    from ...snapshots.service import Service
    from ...stores.base import Deadline
    from ...workers import Workers

    service, workers = Service(service_url, silence=timeout), Workers(4, "versions")
    try:
        tags = service.tags(dataset, Deadline(timeout))
        unknown = [one.tag for one in tags[-_ADDED_UP:] if one.size is None]
        tasks = {tag: workers.submit(service.size, dataset, tag, Deadline(timeout)) for tag in unknown}
        sizes = {tag: task.future.result() for tag, task in tasks.items()}
        return [{**one._asdict(), "size": sizes.get(one.tag, one.size)} for one in tags]
    finally:
        workers.close()
        service.close()
