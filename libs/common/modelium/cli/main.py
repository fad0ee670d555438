"""The `modelium` command's entry: quick ways first, and one place for errors and exit codes."""

import sys

from modelium.common.errors import ExitCode, ModeliumError


def main() -> None:
    """Run the command line; ends with one of `ExitCode`."""
    if len(sys.argv) == 3 and sys.argv[1] == "health" and not sys.argv[2].startswith("-"):
        sys.exit(_health(sys.argv[2]))
    from modelium.cli.commands import app
    from modelium.cli.waiting import Stopped

    try:
        app()
    except ModeliumError as wrong:
        from modelium.cli.console import say

        say(f"\n{wrong}", "red")
        sys.exit(wrong.exit_code)
    except Stopped as signal:
        sys.exit(128 + signal.number)
    except BrokenPipeError:
        # Whoever read our output (head, less) has had enough.
        sys.stderr.close()
        sys.exit(ExitCode.FAILURE)


def _health(service: str) -> ExitCode:
    """Asked every few seconds in every container: without the imports of the other commands."""
    from modelium.cli.health import is_ready

    try:
        return ExitCode.OK if is_ready(service) else ExitCode.FAILURE
    except ModeliumError as wrong:
        print(wrong, file=sys.stderr)
        return ExitCode.FAILURE


if __name__ == "__main__":
    main()
