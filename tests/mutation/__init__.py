"""Small changes to the policy modules, one at a time: do their unit tests notice?

    make mutants                                              all modules that pyproject.toml names in [tool.mutation]
    python -m tests.mutation mountnd/blocks/disk/eviction.py  one of them

mutations       the changes: a module's syntax tree -> every mutant of it
runner          runs the tests once for each mutant, in a forked process that imports the mutant instead of the module
__main__        configuration, report of the survivors

No file is changed: the mutant exists in the memory of its process only. Why our own: mutmut (3.8) must trace all tests
first, changes no number but by +1, nothing in a decorated function, and makes some 1,600 mutants of these modules,
half of them strings and arguments: hours on two cores. cosmic-ray starts a Python for each mutant and edits the file
in place.
"""
