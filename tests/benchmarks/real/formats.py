"""The bucket's files in formats with a library of their own: DICOM, NWB, HDF5, Zarr.

dicom/  144 slices of 132 KB, two a directory, with names of no order and without a suffix, as exports have them
nwb/    12 recordings of 0.3 to 1 MB, with electrodes, units, trials, behaviour
arrays/ recording.h5 (one dataset in 516 chunks, 197 MB); flat.zarr (version 2, 128 chunks of 256 KiB in one
        directory), nested.zarr (version 3, 256 chunks in directories of their own)
"""

from __future__ import annotations

import hashlib
import random
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

WHEN = datetime(2020, 1, 2, 10, 0, tzinfo=UTC)
PATIENTS, STUDIES, SERIES, SLICES = 8, 3, 3, 2
RECORDINGS = 12


def name(*parts: object) -> str:
    """Eight hexadecimal digits that follow no order of `parts`."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:8].upper()


def dicom_tree(root: Path) -> None:
    for patient in range(PATIENTS):
        for study in range(STUDIES):
            for series in range(SERIES):
                numbers = (patient, study, series)
                where = root / name(patient) / name(patient, study) / name(*numbers)
                where.mkdir(parents=True)
                for number in range(SLICES):
                    slice_(*numbers, number).save_as(where / name(*numbers, number), enforce_file_format=True)


def slice_(patient: int, study: int, series: int, number: int) -> Any:
    """One MR slice of 256 x 256, whose header a converter understands."""
    import numpy as np
    import pydicom
    from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

    def uid(*parts: int) -> str:
        return str(generate_uid(entropy_srcs=[repr(parts)]))

    d = pydicom.Dataset()
    d.file_meta = pydicom.dataset.FileMetaDataset()
    d.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    d.SOPClassUID = d.file_meta.MediaStorageSOPClassUID = MRImageStorage
    d.SOPInstanceUID = d.file_meta.MediaStorageSOPInstanceUID = uid(patient, study, series, number)
    d.StudyInstanceUID, d.SeriesInstanceUID = uid(patient, study), uid(patient, study, series)
    d.FrameOfReferenceUID = uid(patient, study, 99)
    d.PatientName, d.PatientID = f"Nobody^{patient}", f"P{patient:03d}"
    d.StudyDate = d.SeriesDate = d.AcquisitionDate = "20200102"
    d.StudyTime = d.AcquisitionTime = f"1{study}0{series}00"
    d.Modality, d.Manufacturer, d.MagneticFieldStrength = "MR", "Nobody", 3
    d.ImageType = ["ORIGINAL", "PRIMARY", "M"]
    d.StudyID, d.SeriesNumber, d.InstanceNumber = str(study + 1), series + 1, number + 1
    d.SeriesDescription = d.ProtocolName = f"t{series + 1}_tse"
    d.RepetitionTime, d.EchoTime, d.FlipAngle, d.SliceThickness = 2000, 30, 77, 3
    d.ImageOrientationPatient, d.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [-128, -128, 3 * number]
    d.PixelSpacing, d.Rows, d.Columns = [1, 1], 256, 256
    d.SamplesPerPixel, d.PhotometricInterpretation, d.PixelRepresentation = 1, "MONOCHROME2", 0
    d.BitsAllocated, d.BitsStored, d.HighBit = 16, 12, 11
    rng = np.random.default_rng([patient, study, series, number])
    d.PixelData = rng.integers(0, 1 << 12, 256 * 256, dtype=np.uint16).tobytes()
    return d


def nwb_files(root: Path) -> None:
    """Recordings: the ids within, which pynwb draws by chance, are drawn from seeded numbers."""
    from pynwb import NWBHDF5IO

    drawn = random.Random(11)

    def next_id() -> uuid.UUID:
        return uuid.UUID(int=drawn.getrandbits(128), version=4)

    with mock.patch("hdmf.container.uuid4", next_id):
        for number in range(RECORDINGS):
            animal = f"sub-{number % 6 + 1:02d}"
            path = root / animal / f"{animal}_ses-{20200101 + number}_ecephys.nwb"
            path.parent.mkdir(parents=True, exist_ok=True)
            with NWBHDF5IO(path, "w") as io:
                io.write(recording(number))


def recording(number: int) -> Any:
    import numpy as np
    from pynwb import NWBFile, TimeSeries
    from pynwb.behavior import Position, SpatialSeries
    from pynwb.ecephys import ElectricalSeries
    from pynwb.file import Subject

    rng = np.random.default_rng(number)
    file = NWBFile("a recording", f"rec{number:03d}", WHEN, file_create_date=WHEN, experimenter=["Nobody, A"])
    file.subject = Subject(subject_id=f"mouse{number % 6}", species="Mus musculus", sex="F", age="P90D")
    device = file.create_device("probe")
    for shank in range(4):
        group = file.create_electrode_group(f"shank{shank}", "a shank", "CA1", device)
        for _ in range(8):
            file.add_electrode(group=group, location="CA1", group_name=group.name)
    everything = file.create_electrode_table_region(list(range(32)), "all electrodes")
    signal = rng.integers(-500, 500, (800 * (1 + 7 * number % RECORDINGS), 32), dtype=np.int16)
    file.add_acquisition(ElectricalSeries(name="ecephys", data=signal, electrodes=everything, rate=1250.0))
    for i in range(6):
        file.add_acquisition(TimeSeries(name=f"sensor{i}", data=rng.random(200), unit="V", rate=10.0))
    module = file.create_processing_module("behavior", "where the animal was")
    place = SpatialSeries(name="position", data=rng.random((300, 2)), reference_frame="the corner", rate=10.0)
    module.add(Position(spatial_series=place))
    file.add_trial_column("choice", "left or right")
    for i in range(40):
        file.add_trial(start_time=2.0 * i, stop_time=2.0 * i + 1, choice=("left", "right")[i % 2])
    for _ in range(20):
        file.add_unit(spike_times=np.sort(rng.random(100)) * 60)
    return file


def arrays(root: Path) -> None:
    import h5py
    import numpy as np
    import zarr

    root.mkdir(parents=True)
    slab = np.random.default_rng(3).integers(-500, 500, (4096, 384), dtype=np.int16)
    with h5py.File(root / "recording.h5", "w") as file:
        group = file.create_group("acquisition/probe")
        group.attrs["rate"] = 30_000.0
        data = group.create_dataset("data", (64 * 4096, 384), np.int16, chunks=(3072, 64))
        for i in range(64):
            data[4096 * i : 4096 * (i + 1)] = slab ^ np.int16(i)
        group.create_dataset("channel", data=np.arange(384))
    rng = np.random.default_rng(4)
    for title, version, shape in (("flat", 2, (128, 512, 512)), ("nested", 3, (256, 512, 512))):
        cube = rng.integers(0, 256, shape, dtype=np.uint8)
        made = zarr.create_array(
            root / f"{title}.zarr",
            shape=shape,
            chunks=(4, 256, 256),
            dtype=cube.dtype,
            zarr_format=version,  # type: ignore[arg-type]
            compressors=None,
        )
        made[:] = cube
