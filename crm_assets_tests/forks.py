"""``crm-assets`` in a process of its own that need not import anything: forked off a server that has done so.

A command sees what one typed in a shell sees: its own environment, working folder, arguments and output, a session of
its own, and its exit code and signals are those of the installed program, which :mod:`crm_assets.commands.fast_exit`
ends. Of its parent it has nothing but imported modules. Importing them takes longer than most commands.
"""

from __future__ import annotations

import atexit
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from crm_assets import cli
from crm_assets_tests.reliability.killed_runs import context

_FOR_SHELLS = frozenset("|&;<>$`#*?~\n")


def typed(
    command: str, *, folder: Path, environment: Mapping[str, str], timeout: float = 240
) -> subprocess.CompletedProcess[str]:
    """Run a command line as a shell would, ``crm-assets`` without its imports."""
    if command.startswith("crm-assets ") and _FOR_SHELLS.isdisjoint(command):
        return crm_assets(shlex.split(command)[1:], folder=folder, environment=environment, timeout=timeout)
    return subprocess.run(
        command,
        shell=True,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def crm_assets(
    arguments: Sequence[str], *, folder: Path, environment: Mapping[str, str], timeout: float = 240
) -> subprocess.CompletedProcess[str]:
    """Run ``crm-assets``.

    Args:
        arguments: What to type after ``crm-assets``.
        folder: Where.
        environment: All variables it has.
        timeout: Seconds after which it is killed with all of its session.

    Raises:
        subprocess.TimeoutExpired: It took longer.
    """
    command = ["crm-assets", *arguments]
    with tempfile.TemporaryDirectory() as told:
        out, err = Path(told, "out"), Path(told, "err")
        process = context.Process(target=_become, args=(command, str(folder), dict(environment), str(out), str(err)))
        process.start()
        process.join(timeout)
        if process.exitcode is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.join()
            raise subprocess.TimeoutExpired(command, timeout, out.read_text(), err.read_text())
        return subprocess.CompletedProcess(command, process.exitcode, out.read_text(), err.read_text())


def _become(command: list[str], folder: str, environment: dict[str, str], out: str, err: str) -> None:
    os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    for number, path, mode in ((0, os.devnull, os.O_RDONLY), (1, out, os.O_WRONLY), (2, err, os.O_WRONLY)):
        os.dup2(os.open(path, mode | os.O_CREAT | os.O_APPEND), number)
    sys.argv = command
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        cli.run()
    except BaseException as error:
        if not isinstance(error, SystemExit):
            sys.excepthook(type(error), error, error.__traceback__)
    finally:
        atexit._run_exitfuncs()  # processes of multiprocessing end without it
