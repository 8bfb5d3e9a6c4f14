"""Every error a user can meet.

    SrpoError
    ├── ConfigError   a setting is unknown, missing or out of range
    ├── DataError     a file or a row cannot be read or does not fit its schema
    ├── ModelError    a model cannot be loaded, or cannot do what is asked of it
    └── JudgeError    a judge cannot be set up (a judgement that fails is a verdict, not an error)

A message says what is wrong, where, what was found and what to do.  The command line prints it on one
line and exits with status 2.
"""


class SrpoError(Exception):
    """Base of all errors raised on purpose by this package."""


class ConfigError(SrpoError):
    """A setting is unknown, missing or out of range."""


class DataError(SrpoError):
    """A file or a row cannot be read or does not fit its schema."""


class ModelError(SrpoError):
    """A model cannot be loaded, or cannot do what is asked of it."""


class JudgeError(SrpoError):
    """A judge cannot be set up."""
