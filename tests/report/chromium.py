"""Pages opened in Debian's headless Chromium, without a network."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

INSTALL = "chromium is missing: apt-get install chromium"


def opened(page: str, folder: Path, *options: str) -> tuple[dict[str, Any], str]:
    """What the page wrote on its <html> element, and its content after the scripts have run."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip(INSTALL)
    file = folder / "page.html"
    file.write_text(page, "utf-8")
    command = [
        program,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={folder}/c",
    ]
    command += [*options, "--dump-dom", "--virtual-time-budget=5000", file.as_uri()]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    root = re.search(r"<html[^>]*>", ran.stdout)
    assert root, ran.stderr
    told = dict(re.findall(r'data-(\w+)="([^"]*)"', root[0]))
    told["errors"] = json.loads(html.unescape(told["errors"]))
    return told, ran.stdout
