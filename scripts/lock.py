"""Write the lock files: every package with its hashes, for Python 3.10 to 3.14, without the name of any host."""

import subprocess
import sys
from pathlib import Path

_NEWEST = "dagster-dlt>=0.29.2\ndagster>=1.13.2\ndagster-webserver>=1.13.2\n"


def main() -> None:
    """Compile ``requirements.lock`` and, with the newest Dagster in place of the pinned one, its sibling."""
    compile_lock(["pyproject.toml", "--extra", "dev", "--extra", "embedded-elt"], "requirements.lock", "")
    folder = Path("build/newest")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "newest.in").write_text(_NEWEST, encoding="utf-8")
    sources = ["pyproject.toml", str(folder / "newest.in"), "--extra", "dev"]
    compile_lock(sources, "requirements-newest.lock", "--upgrade")


def compile_lock(sources: list[str], output: str, option: str) -> None:
    """Compile one lock file with uv."""
    command = [sys.executable, "-m", "uv", "pip", "compile", "--universal", "--python-version", "3.10", "--quiet"]
    command += ["--generate-hashes", "--no-header", "--no-emit-index-url", "--no-emit-find-links", "--no-annotate"]
    subprocess.run([*command, *filter(None, [option]), *sources, "--output-file", output], check=True)


if __name__ == "__main__":
    main()
