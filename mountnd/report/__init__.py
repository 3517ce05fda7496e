"""A mount's counters for people: pure functions.

figures   the few figures that `mountnd stats` shows, from a snapshot of `stats.Stats`
"""
