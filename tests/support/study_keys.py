"""The keys of a large study, shaped as the benchmark's: 200 subjects of three sessions each."""

from __future__ import annotations


def study_keys() -> list[str]:
    """2,003 directories, 4,862 objects."""
    keys = ["README", "participants.tsv", *(f"big/bold_{i:02}.nii" for i in range(10))]
    keys += [f"gz/img_{i:02}.nii.gz" for i in range(50)]
    for s in range(200):
        for e in range(3):
            at, name = f"sub-{s:03}/ses-{e}", f"sub-{s:03}_ses-{e}"
            keys += [f"{at}/{name}_scans.tsv", f"{at}/anat/{name}_T1w.json", f"{at}/anat/{name}_T1w.nii"]
            keys += [f"{at}/func/{name}_{what}" for what in ("a.json", "a.tsv", "b.json", "b.tsv", "physio.tsv")]
    return keys
