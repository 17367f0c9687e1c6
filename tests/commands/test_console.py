import io

import pytest

from overparam.commands.console import Console


class ClosedPipe(io.StringIO):
    def write(self, text):
        raise BrokenPipeError


def test_a_closed_pipe_is_told_to_the_caller():
    with pytest.raises(BrokenPipeError):
        Console(file=ClosedPipe()).print("anything")
