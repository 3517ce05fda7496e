"""Fuzzers of all that parses foreign bytes: whatever comes, only documented errors, in bounded time and memory.

    python -m tests.fuzz [TARGET...] [--seconds N]     `make fuzz`: each in a child process, with coverage (atheris)
    tests/fuzz/test_smoke.py                           a moment each in `make test`: seeds, regressions, mutations

| file | holds |
|---|---|
| `target.py` | what a target is; cutting an input into parts |
| `from_servers.py`, `answers.py` | listings, headers, pages of links, whole HTTP answers |
| `from_disk.py`, `from_people.py` | chunk files, segments, notes, records; config, -o, signed links, mountinfo |
| `from_programs.py` | the control socket, both ends |
| `targets.py` | all of them, by name |
| `mutate.py` | mutations without atheris, for the smoke test |
| `child.py`, `__main__.py` | one target under libFuzzer; all of them, one after the other |
| `regressions/TARGET/` | inputs that once broke a target, one small file each |

Seeds are made by code, from our own writers where there are some, so that they stay seeds when a format changes.
"""
