"""Rows R...: real programs at their ordinary work, through a mount and on a local copy of the same files.

`data.py` and `formats.py` make the bucket `real`, `jobs.py` names the programs, `programs.py` holds the small ones that
use a Python library, `results.py` compares what they print and write, `kinds.py` judges a run and `report.py` tells of
it, `trace.py` and `recorder.py` record what a program asks of a mount.
"""
