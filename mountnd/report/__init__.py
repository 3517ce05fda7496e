"""What a mount tells, for people: pure functions.

figures       the few figures that `mountnd stats` shows, from a snapshot of `stats.Stats`
explanation   the facts of `mountnd explain` in words
"""
