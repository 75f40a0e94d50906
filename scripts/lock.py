"""Write the lock files: every package with its hashes, for Python 3.10 to 3.14, without the name of any host."""

import subprocess
import sys
from pathlib import Path

# From 1.12 on, dbt-core downloads a parser from elsewhere while it is installed.
_DBT = "dagster-dbt>=0.29.1\ndbt-core<1.12\ndbt-duckdb>=1.10\n"
_EXTENSIONS = ("ducklake", "httpfs", "postgres-scanner", "sqlite-scanner")
_DUCKDB = "1.5.5"
"""The newest DuckDB whose extensions are packaged."""
_LAKE = f"duckdb=={_DUCKDB}\n" + "".join(f"duckdb-extension-{name}=={_DUCKDB}\n" for name in _EXTENSIONS)
_S3 = "moto[s3]\nflask\nflask-cors\n"
_NEWEST = "dagster-dlt>=0.29.2\ndagster>=1.13.2\ndagster-webserver>=1.13.2\n"


def main() -> None:
    """Compile ``requirements.lock`` and, with the newest Dagster in place of the pinned one, its sibling."""
    compile_lock(["pyproject.toml", "--extra", "dev", "--extra", "embedded-elt"], "requirements.lock", "")
    folder = Path("build/newest")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "newest.in").write_text(_NEWEST, encoding="utf-8")
    sources = ["pyproject.toml", str(folder / "newest.in"), "--extra", "dev"]
    compile_lock(sources, "requirements-newest.lock", "--upgrade")
    (folder / "dbt.in").write_text(_DBT, encoding="utf-8")
    # The same DuckDB as the main lock file: a database file is read by the version that wrote it, or a later one.
    compile_lock([str(folder / "dbt.in"), "--constraint", str(pinned("duckdb", folder))], "requirements-dbt.lock", "")
    for name, packages in (("lake", _LAKE), ("s3", _S3)):
        (folder / f"{name}.in").write_text(packages, encoding="utf-8")
        compile_lock([str(folder / f"{name}.in")], f"requirements-{name}.lock", "")


def pinned(package: str, folder: Path) -> Path:
    """Return a constraints file with the lines of the main lock file that pin a package."""
    lines = Path("requirements.lock").read_text(encoding="utf-8").splitlines()
    path = folder / f"{package}.constraints"
    pins = [line.removesuffix(" \\") for line in lines if line.startswith(f"{package}==")]
    path.write_text("\n".join(pins) + "\n", encoding="utf-8")
    return path


def compile_lock(sources: list[str], output: str, option: str) -> None:
    """Compile one lock file with uv."""
    command = [sys.executable, "-m", "uv", "pip", "compile", "--universal", "--python-version", "3.10", "--quiet"]
    command += ["--generate-hashes", "--no-header", "--no-emit-index-url", "--no-emit-find-links", "--no-annotate"]
    subprocess.run([*command, *filter(None, [option]), *sources, "--output-file", output], check=True)


if __name__ == "__main__":
    main()
