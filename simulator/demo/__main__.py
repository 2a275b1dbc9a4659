"""Plays the story against the platform at BASE_URL. Exit code 0: every step went as it must, the refusals included."""

import json
import os
import sys
from pathlib import Path

import requests

from simulator.control import Control, ControlRefused
from simulator.demo.stage import NotAsExpected, Stage
from simulator.demo.story import Story


def main() -> int:
    """Play it once."""
    credentials_file = Path(os.environ.get("CREDENTIALS_FILE") or "var/demo/credentials.json")
    try:
        credentials = json.loads(credentials_file.read_text())
    except FileNotFoundError:
        print(f"{credentials_file} 不存在，请先运行 make run · is missing: start `make run` first", file=sys.stderr)
        return 2
    stage = Stage(os.environ.get("BASE_URL") or credentials["base_url"])
    outside = credentials["simulator"]
    try:
        Story(stage, Control(outside["base_url"], outside["token"]), credentials).play()
    except (NotAsExpected, ControlRefused, requests.RequestException) as error:
        print(f"\n失败 · FAILED: {error}", file=sys.stderr)
        return 1
    print("\n全部如预期。· Everything as expected.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
