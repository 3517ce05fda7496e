"""What clusters run, on this host: a real Slurm, real containers. Heavy, so a target of their own: `make cluster`.

- `slurm.py`: munged, slurmctld and slurmd on ports of their own
- `containers.py`: podman with a storage of its own, and a base image by debootstrap

Each test carries the marker `cluster`; without `-m cluster` it is skipped (`tests/conftest.py`).
"""
