"""Fuzzing: a target per parser and one for the archive reader. `make fuzz`, or ``python -m tests.fuzz --help``."""
