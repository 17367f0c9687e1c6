"""The error that a user can mend."""

from __future__ import annotations


class UserError(ValueError):
    """A mistake that the user can mend.

    The text is one line in the grammar "ARGUMENT must be ACCEPTED; got VALUE. The way out."
    The command line prints it after ``overparam:`` and exits with 2.
    """
