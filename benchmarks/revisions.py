"""Measure this checkout beside an earlier revision of it, in turns; nothing is stored.

Both run in the interpreter that runs this script, with the packages installed there.

    python benchmarks/revisions.py v0.9 --only rows_10k,rows_500k --repeat 5
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from catalog import CONTENDERS, FOLDER, OURS
from report import table
from run import measured
from scenarios import SCENARIOS
from server import page_server


def main() -> int:
    """Print a table for each scenario; return 0 only if every run loaded exactly what the server holds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("revision", help="what to compare with: a tag, branch or commit")
    parser.add_argument("--only", default="rows_10k,rows_500k", help="scenarios, separated by commas")
    parser.add_argument("--repeat", type=int, default=5, help="runs of each (default 5)")
    parser.add_argument("--timeout", type=float, default=900, help="seconds until one run is killed (default 900)")
    options = parser.parse_args()
    faults = 0
    with tempfile.TemporaryDirectory(prefix="bench-") as earlier, page_server() as server:
        _check_out(options.revision, Path(earlier))
        for name, title, folder in (
            (OURS.name, "this checkout", str(FOLDER.parent)),
            ("earlier", options.revision, earlier),
        ):
            script = ("revision.py", folder, *OURS.script[1:])
            CONTENDERS[name] = replace(OURS, name=name, title=title, script=script)
        for scenario in options.only.split(","):
            compared = replace(SCENARIOS[scenario], contenders=(OURS.name, "earlier"), repeat=options.repeat)
            result = measured(compared, server, options.timeout)
            print(table(result), flush=True)
            faults += sum(len(run["faults"]) for runs in result["runs"].values() for run in runs)
    return 1 if faults else 0


def _check_out(revision: str, folder: Path) -> None:
    archive = subprocess.run(
        ["git", "archive", revision, "crm_assets"], cwd=FOLDER.parent, check=True, stdout=subprocess.PIPE
    )
    subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)


if __name__ == "__main__":
    sys.exit(main())
