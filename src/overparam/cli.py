"""The command line: its commands, and how it ends.

Exit codes, the first that applies: 130 interrupted, 2 the user's mistake, 3 a part failed,
1 what was asked to count as failure (``--strict``, ``--fail-on``), 0.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError

from overparam.commands.audit import audit
from overparam.commands.cite import cite
from overparam.commands.predict import predict
from overparam.commands.reproduce import reproduce
from overparam.version import __version__

INTERRUPTED, MISTAKE, PART_FAILED = 130, 2, 3

app = App(
    name="overparam",
    help="I train models with more parameters than data. "
    "Will they generalise, why, and what would help?",
    version=__version__,
    help_format="plaintext",
    result_action="return_value",
    suppress_keyboard_interrupt=False,
)
app.command(audit)
app.command(predict)
app.command(reproduce)
app.command(cite)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit code."""
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # spinning threads starve a busy machine
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str]) -> int:
    """Run the command line and return its exit code; a mistake is one line on stderr."""
    debug = bool(os.environ.get("OVERPARAM_DEBUG"))
    try:
        code = app(list(arguments), exit_on_error=False, print_error=False)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return _say("interrupted; what is done is kept, the same command goes on", INTERRUPTED)
    except BrokenPipeError:  # the reader left, as in "overparam reproduce | head"
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except CycloptsError as error:
        return _say(str(error), MISTAKE)
    except (ValueError, TypeError, OSError, ImportError) as error:
        if debug:
            raise
        return _say(str(error) or type(error).__name__, MISTAKE)
    except Exception as error:
        if debug:
            raise
        text = f"{type(error).__name__}: {error} (OVERPARAM_DEBUG=1 shows where)"
        return _say(text, PART_FAILED)
    return code if isinstance(code, int) else 0


def _say(text: str, code: int) -> int:
    print(f"overparam: {' '.join(text.split())}", file=sys.stderr)
    return code
