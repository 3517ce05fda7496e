"""mountnd shows cloud datasets as a local, read-only directory tree."""

__version__ = "0.1.0"

__all__ = ["__version__"]
