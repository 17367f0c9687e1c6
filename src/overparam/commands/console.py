"""The console of the commands: rich's, but a reader that leaves is not a failure."""

from __future__ import annotations

import rich.console


class Console(rich.console.Console):
    """Standard output; a closed pipe raises `BrokenPipeError`, where rich would exit with 1."""

    def on_broken_pipe(self) -> None:
        """Let the error that is being handled go on to the command line."""
        raise
