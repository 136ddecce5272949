"""The errors that genrec raises on purpose: one line that says what was found, what is allowed, what to do."""


class GenRecError(Exception):
    """The input or the environment is at fault; the message is for the user and fits one paragraph."""


class OutputExistsError(GenRecError):
    """The output is already there and `force` was not given."""

    def __init__(self, path: object) -> None:
        super().__init__(f"{path} already exists; choose another output or replace it with --force")


class TerminatedError(Exception):
    """SIGTERM ended the work in good order; the message says what is kept."""
