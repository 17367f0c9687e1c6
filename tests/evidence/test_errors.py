import pytest

from overparam.evidence.errors import UserError


def test_code_that_expects_a_value_error_also_catches_a_users_mistake():
    with pytest.raises(ValueError, match="ridge must be"):
        raise UserError("ridge must be a number >= 0; got -1.")
