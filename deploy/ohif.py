"""``make ohif``: fetches the viewer that doctors work with, once; afterwards nothing of it needs a network.

It is `@ohif/app` (MIT), as its makers built it. What is fetched is exactly the version below, proven by its digest. It
was built to stand at the root of a site and to run scripts inside its page; here it stands below an address of its own,
and its page runs none: app-config.js, which the platform writes, says what they said.
"""

import base64
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import requests

VERSION = "3.13.2"
INTEGRITY = "WZdxmpmG7rqFgW9ZJLcbgr3XCtLi1KDNPoMaeY5PPe6j4G4fjEjjkycZM6C6Zk2F87BKxFfpq+jd5xXZB9E8EA=="
PLACE = Path(__file__).resolve().parent.parent / "var" / "ohif" / VERSION
ADDRESS = "/ohif/"
_BUILT = "package/dist/"
_INLINE = r'<script>.*?</script>|<script[^>]*init-service-worker[^>]*></script>|<link rel="manifest"[^>]*>'
_TIMEOUT_SECONDS = 60


def main() -> int:
    """Fetch and unpack it, unless this version lies there already.

    :return: the exit code.
    """
    if not PLACE.is_dir():
        registry = _find_registry()
        print(f"Fetching @ohif/app {VERSION} (50 MB) ...")
        answer = requests.get(f"{registry}/@ohif/app/-/app-{VERSION}.tgz", timeout=_TIMEOUT_SECONDS)
        answer.raise_for_status()
        unpack(answer.content, PLACE)
    print(f"@ohif/app {VERSION} lies in {PLACE}")
    return 0


def _find_registry() -> str:
    """Where npm, or whoever sets NPM_CONFIG_REGISTRY in its place, takes packages from.

    :raises SystemExit: neither says.
    """
    told = os.environ.get("NPM_CONFIG_REGISTRY")
    npm = shutil.which("npm")
    if told is None and npm is not None:
        told = subprocess.run([npm, "config", "get", "registry"], check=True, capture_output=True, text=True).stdout
    if told is None:
        raise SystemExit(
            "npm is not installed: set NPM_CONFIG_REGISTRY to the address of the npm registry, and try again"
        )
    return told.strip().rstrip("/")


def unpack(archive: bytes, place: Path) -> None:
    """Put the built viewer in its place, whole or not at all.

    :raises SystemExit: it is not the archive that was checked for this version.
    """
    if base64.b64encode(hashlib.sha512(archive).digest()).decode() != INTEGRITY:
        raise SystemExit("what the registry sent is not @ohif/app as it was checked: nothing was unpacked")
    fresh = place.with_suffix(".new")
    shutil.rmtree(fresh, ignore_errors=True)
    with tarfile.open(fileobj=io.BytesIO(archive)) as packed:
        for member in packed:
            if member.isfile() and member.name.startswith(_BUILT):
                member.name = member.name.removeprefix(_BUILT)
                packed.extract(member, fresh, filter="data")
    _move_below(fresh)
    fresh.rename(place)


def _move_below(folder: Path) -> None:
    """Give everything that names the root of the site our address instead."""
    page = folder / "index.html"
    text = re.sub(_INLINE, "", page.read_text(), flags=re.DOTALL).replace('rel="preload" as="script" ', "")
    page.write_text(re.sub(r'(src|href|content)="/', rf'\1="{ADDRESS}', text))
    for script in folder.glob("*.js"):
        _replace(script, '__webpack_require__.p = "/"', f'__webpack_require__.p = "{ADDRESS}"')
    for sheet in folder.glob("*.css"):
        _replace(sheet, "url(/", f"url({ADDRESS}")


def _replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    if old in text:
        path.write_text(text.replace(old, new))


if __name__ == "__main__":
    sys.exit(main())
