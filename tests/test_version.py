"""The version stands in one place and says the same everywhere."""

from importlib.metadata import version

import overparam
from overparam.version import __version__


def test_the_installed_package_has_the_version_of_the_source():
    assert overparam.__version__ == __version__ == version("overparam")
