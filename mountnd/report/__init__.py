"""What is told to people in figures: pure functions from counters to rows."""
