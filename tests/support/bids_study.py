"""A small BIDS study with what real ones have: sessions, inherited sidecars, tables, field maps, derivatives.

Laid out by the BIDS specification, version 1.9.0 (bids-specification.readthedocs.io): validators find no error in it.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

SESSIONS = {"01": ("baseline", "followup"), "02": ("baseline", "followup"), "03": ("baseline",)}
TASKS = ("nback", "rest")
VOLUMES = 8
TR = 2.0


def write(root: Path, nibabel: Any) -> None:
    """Make the study at `root`, which must not be there."""
    root.mkdir()
    about(root)
    inherited(root)
    for subject, sessions in SESSIONS.items():
        for session in sessions:
            recorded(root, f"sub-{subject}", f"ses-{session}", nibabel)
        rows = [(f"ses-{session}", 30 + i) for i, session in enumerate(sessions)]
        table(root / f"sub-{subject}/sub-{subject}_sessions.tsv", ("session_id", "age"), rows)
    # Nearer sidecars win: one subject's scanner was slower, and one session's slower still.
    sidecar(root / "sub-02/sub-02_task-rest_bold.json", {"RepetitionTime": TR + 0.5, "EchoTime": 0.035})
    where = root / "sub-02/ses-followup"
    sidecar(where / "sub-02_ses-followup_task-rest_bold.json", {"EchoTime": 0.04, "ScannerNote": "après-midi"})
    derived(root / "derivatives/fmriprep", nibabel)


def about(root: Path) -> None:
    """What stands at the top: descriptions, participants, and files that are none of BIDS's business."""
    description = {
        "Name": "study",
        "BIDSVersion": "1.9.0",
        "DatasetType": "raw",
        "License": "CC0",
        "Authors": ["A. Person", "Ö. Person"],
        "Acknowledgements": "nobody",
        "HowToAcknowledge": "by name",
        "Funding": ["none"],
        "EthicsApprovals": ["none needed"],
        "ReferencesAndLinks": ["none"],
    }
    sidecar(root / "dataset_description.json", description)
    (root / "README").write_text("A study made for tests: its voxels are numbers drawn from nowhere.\n" * 5)
    (root / "CHANGES").write_text("1.0.0 2024-01-01\n  - first release\n")
    (root / ".bidsignore").write_text("extra\n*_note.txt\n")
    for name in ("extra/whatever.bin", "sub-01/sub-01_note.txt", "code/run.py", "sourcedata/raw.zip"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"# nothing\n")
    rows = [(f"sub-{subject}", 30 + i, "FMF"[i]) for i, subject in enumerate(SESSIONS)]
    table(root / "participants.tsv", ("participant_id", "age", "sex"), rows)
    ages = {"Description": "age at the first session", "Units": "year"}
    sexes = {"Description": "as reported", "Levels": {"F": "female", "M": "male"}}
    sidecar(root / "participants.json", {"age": ages, "sex": sexes})


def inherited(root: Path) -> None:
    """Sidecars at the top, which hold for every file of their kind below."""
    scanner = {"Manufacturer": "Nobody", "ManufacturersModelName": "None 3T", "MagneticFieldStrength": 3}
    for task in TASKS:
        timing = {"RepetitionTime": TR, "EchoTime": 0.03, "SliceTiming": [0.0, 0.5, 1.0, 1.5, 1.75]}
        told = {"TaskName": task, "PhaseEncodingDirection": "j-", "FlipAngle": 77, **timing, **scanner}
        sidecar(root / f"task-{task}_bold.json", told)
    sidecar(root / "T1w.json", {"EchoTime": 0.003, "FlipAngle": 8, **scanner})
    sidecar(root / "dwi.json", {"EchoTime": 0.08, "PhaseEncodingDirection": "j", "TotalReadoutTime": 0.05, **scanner})
    (root / "dwi.bval").write_text(" ".join(["0", *["1000"] * (VOLUMES - 1)]) + "\n")
    (root / "dwi.bvec").write_text("".join(" ".join(["0", *[x] * (VOLUMES - 1)]) + "\n" for x in "100"))
    levels = {"target": "same as two before", "other": "anything else"}
    sidecar(root / "task-nback_events.json", {"trial_type": {"Description": "what was shown", "Levels": levels}})


def recorded(root: Path, subject: str, session: str, nibabel: Any) -> None:
    """One session: its images, their own sidecars, what happened in it."""
    where, stem = root / subject / session, f"{subject}_{session}"
    image(where / f"anat/{stem}_T1w.nii.gz", nibabel, 0)
    sidecar(where / f"anat/{stem}_T1w.json", {"RepetitionTime": 2.3, "AcquisitionTime": "10:00:00"})
    image(where / f"dwi/{stem}_dwi.nii.gz", nibabel, VOLUMES)
    scans = [f"anat/{stem}_T1w.nii.gz", f"dwi/{stem}_dwi.nii.gz"]
    for task in TASKS:
        for run in ("1", "2") if task == "nback" else ("1",):
            name = f"func/{stem}_task-{task}_run-{run}"
            image(where / f"{name}_bold.nii.gz", nibabel, VOLUMES)
            sidecar(where / f"{name}_bold.json", {"AcquisitionTime": f"10:1{run}:00", "DelayTime": 0.0})
            scans.append(f"{name}_bold.nii.gz")
    for run in "12":
        trials = [(2.0 * i, 1.0, ("target", "other")[i % 2]) for i in range(7)]
        events = where / f"func/{stem}_task-nback_run-{run}_events.tsv"
        table(events, ("onset", "duration", "trial_type"), trials)
    beats = "".join(f"{i / 10:.1f}\t{i % 5}\n" for i in range(200)).encode()
    physio = where / f"func/{stem}_task-rest_run-1_physio"
    physio.with_suffix(".tsv.gz").write_bytes(gzip.compress(beats, mtime=0))
    columns = ["cardiac", "respiratory"]
    sidecar(physio.with_suffix(".json"), {"SamplingFrequency": 100.0, "StartTime": 0.0, "Columns": columns})
    for part in ("magnitude1", "magnitude2", "phasediff"):
        image(where / f"fmap/{stem}_{part}.nii.gz", nibabel, 0)
    # Paths as data sets have them; pybids 0.22 does not know the specification's newer bids: URIs.
    meant = [f"{session}/{scan}" for scan in scans if scan.startswith("func/")]
    echoes = {"EchoTime1": 0.005, "EchoTime2": 0.0075}
    sidecar(where / f"fmap/{stem}_phasediff.json", {**echoes, "IntendedFor": meant})
    table(where / f"{stem}_scans.tsv", ("filename", "acq_time"), [(scan, "2020-01-02T10:00:00") for scan in scans])


def derived(root: Path, nibabel: Any) -> None:
    """What a pipeline made of it, as a data set in the data set."""
    made = {"Name": "people, preprocessed", "BIDSVersion": "1.9.0", "DatasetType": "derivative"}
    sidecar(root / "dataset_description.json", {**made, "GeneratedBy": [{"Name": "fMRIPrep", "Version": "24.0.0"}]})
    (root / "README").write_text("Made from the study around it.\n" * 10)
    for subject, sessions in SESSIONS.items():
        for session in sessions:
            name = f"sub-{subject}/ses-{session}/func/sub-{subject}_ses-{session}_task-rest_run-1"
            space = f"{name}_space-MNI152NLin2009cAsym"
            image(root / f"{space}_desc-preproc_bold.nii.gz", nibabel, VOLUMES)
            told = {"RepetitionTime": TR, "TaskName": "rest", "SkullStripped": False}
            sidecar(root / f"{space}_desc-preproc_bold.json", told)
            rows = [(0.1 * i, 0.2 * i) for i in range(VOLUMES)]
            table(root / f"{name}_desc-confounds_timeseries.tsv", ("trans_x", "trans_y"), rows)


def sidecar(path: Path, content: Mapping[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", "utf-8")


def table(path: Path, columns: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    path.write_text("".join("\t".join(map(str, row)) + "\n" for row in [columns, *rows]))


def image(path: Path, nibabel: Any, volumes: int) -> None:
    """An image of few voxels, of `volumes` volumes `TR` seconds apart (0: one, without time)."""
    import numpy as np

    shape = (9, 8, 5) + ((volumes,) if volumes else ())
    data = np.random.default_rng(len(path.name)).integers(0, 4000, shape).astype(np.int16)
    made = nibabel.Nifti1Image(data, np.diag([3.0, 3.0, 3.5, 1.0]))
    made.header.set_xyzt_units("mm", "sec")
    if volumes:
        made.header["pixdim"][4] = TR + 0.5 if "sub-02" in path.name and "task-rest" in path.name else TR
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(made, path)
