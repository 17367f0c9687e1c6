"""What `import overparam` promises: light, lazy, complete."""

import importlib
import importlib.util
import json
import subprocess
import sys

import pytest

import overparam

ROOMS = (
    "auditing",
    "data",
    "diagnostics",
    "evidence",
    "kernels",
    "nets",
    "report",
    "search",
    "studies",
    "theory",
    "training",
)


def test_importing_loads_nothing_heavy_and_changes_nothing():
    code = (
        "import os, sys, json; before = dict(os.environ); import overparam; "
        "loaded = {'torch', 'sklearn', 'skrub', 'pandas', 'altair'} & set(sys.modules); "
        "print(json.dumps([sorted(loaded), before == dict(os.environ)]))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(shown.stdout) == [[], True]


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_is_reached_from_the_package(room):
    assert getattr(overparam, room) is importlib.import_module(f"overparam.{room}")
    assert room in dir(overparam)


@pytest.mark.parametrize("room", ROOMS)
def test_what_a_room_exports_exists(room):
    module = importlib.import_module(f"overparam.{room}")
    for name in getattr(module, "__all__", ()):
        assert getattr(module, name) is not None


def test_the_audit_is_at_the_top():
    from overparam.auditing.outcome import Audit
    from overparam.auditing.running import audit
    from overparam.auditing.saved_model import load_model

    assert overparam.audit is audit
    assert overparam.Audit is Audit
    assert overparam.load_model is load_model


def test_a_name_that_does_not_exist_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'overparam' has no attribute 'auditt'"):
        overparam.auditt  # noqa: B018


def test_torchvision_is_absent():
    """Its available builds do not match torch and break torchmetrics on import."""
    assert importlib.util.find_spec("torchvision") is None
