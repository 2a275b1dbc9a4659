"""``make docs``: writes docs/errors.md from the code. Needs no installation: nothing is connected to."""

import sys
from pathlib import Path

from app import create_app
from core.config import read_config
from deploy.installation import make_secrets

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Write the page.

    :return: the exit code.
    """
    nowhere = {
        "YIMATONG_PROFILE": "demo",
        "DATABASE_URL": "postgresql://nobody@127.0.0.1/none",
        "REDIS_URL": "redis://127.0.0.1/0",
        "BASE_URL": "http://127.0.0.1:8000",
        "STORAGE_DIR": str(ROOT / "var" / "none"),
    }
    app = create_app(read_config(make_secrets() | nowhere))
    page = app.test_cli_runner().invoke(args=["docs", "errors"], catch_exceptions=False).stdout
    path = ROOT / "docs" / "errors.md"
    path.parent.mkdir(exist_ok=True)
    path.write_text(page)
    print(f"written: {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
