"""A copy outside the database, for each test its own."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask

from core.config import Config
from core.sealing.copying import OutsideCopy


@pytest.fixture
def copy(app: Flask, config: Config, tmp_path: Path) -> Iterator[OutsideCopy]:
    """Also the one that the application is configured with."""
    app.extensions["yimatong.config"] = replace(config, audit_copy_dir=tmp_path / "copy")
    yield OutsideCopy(tmp_path / "copy")
    app.extensions["yimatong.config"] = config
