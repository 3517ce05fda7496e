"""What a newcomer types in the first hour, one module a subject, each with `ROWS`; `test_first_hour.py` runs them."""
