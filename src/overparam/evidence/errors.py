"""The one exception that means: the user can mend this."""


class UserError(ValueError):
    """A mistake that the user can mend; its text is one line."""
