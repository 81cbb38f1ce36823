"""A weekly letter that lives in a Git repository and reaches every reader once."""

__version__ = "0.1.0"
