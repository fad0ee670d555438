"""What goes wrong here; each text is one line for people."""


class CannotLoad(Exception):
    """There is no model to ask."""


class NoAnswer(Exception):
    """This question has no answer."""


def first_line(error: BaseException) -> str:
    """What an error of a library says, on one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
