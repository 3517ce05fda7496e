"""A picture of a run: for each workload the peers' seconds, cold, the fastest on top; long bars are cut.

The rows R... are left out: their seconds are mostly the programs'.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from .peers import OURS
from .report import Record, medians

# Bars end here, in multiples of the fastest, so that one hopeless peer does not flatten the others.
CLIP = 8


def draw(records: Iterable[Record], out: Path, title: str) -> None:
    """Write the picture to `out` (.png or .svg by its name); nothing without a row to show."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    shown_rows = (item for item in medians(records).items() if not item[0][0].startswith("R"))
    cold = {(w, p): r for (w, p, phase), r in shown_rows if phase == "cold" and "wall" in r}
    workloads = list(dict.fromkeys(w for w, _ in cold))
    if not workloads:
        return
    peers = sorted(dict.fromkeys(p for _, p in cold), key=lambda p: p != OURS)
    colours = dict(zip(peers, ["#d62728", *plt.get_cmap("tab20c").colors], strict=False))
    columns = 4
    rows = -(-len(workloads) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(4.2 * columns, 0.6 + 2.6 * rows), squeeze=False)
    for axis, workload in zip(axes.flat, workloads, strict=False):
        shown = sorted(
            ((r["wall"], p, bool(r.get("late"))) for (w, p), r in cold.items() if w == workload), reverse=True
        )
        names = [peer for _, peer, _ in shown]
        axis.barh(names, [wall for wall, _, _ in shown], color=[colours[peer] for peer in names])
        edge = max(CLIP * shown[-1][0], 1.2 * max((wall for wall, peer, _ in shown if peer == OURS), default=0))
        edge = min(edge, 1.2 * shown[0][0])
        for y, (wall, _, late) in enumerate(shown):
            text = f" {'>' if late else ''}{wall:.2g}"
            axis.text(min(wall, edge), y, text, va="center", ha="right" if wall > 0.85 * edge else "left", fontsize=7)
        axis.set_xlim(0, edge)
        axis.set_title(workload, fontsize=9)
        axis.tick_params(labelsize=7)
    for axis in axes.flat[len(workloads) :]:
        axis.set_visible(False)
    figure.suptitle(f"{title}: seconds, cold, median; less is better", fontsize=11)
    figure.tight_layout()
    figure.savefig(out, dpi=120)
    plt.close(figure)
