"""Programs in processes of their own that need not import anything: forked off a server that has done so.

A command sees what one typed in a shell sees: its own environment, working folder, arguments and output, a session of
its own, and its exit code and signals are those of the installed program, which :mod:`crm_assets.commands.fast_exit`
ends. Of its parent it has nothing but imported modules. Importing them takes longer than most commands.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import re
import runpy
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from importlib.metadata import entry_points
from itertools import takewhile
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

from crm_assets_tests.reliability.killed_runs import context

_WARM = ("crm-assets", "dagster", "dg")
_ASSIGNMENT = re.compile(r"\w+=")
_FOR_SHELLS = frozenset("|&;<>$`#*?~\n")


def typed(
    command: str, *, folder: Path, environment: Mapping[str, str], timeout: float = 240
) -> subprocess.CompletedProcess[str]:
    """Run a command line as a shell would, ``crm-assets`` and Dagster's programs without their imports."""
    words = shlex.split(command) if _FOR_SHELLS.isdisjoint(command) else []
    variables = dict(word.split("=", 1) for word in takewhile(_ASSIGNMENT.match, words))
    typed_words = words[len(variables) :]
    if typed_words and typed_words[0] in _WARM:
        return program(typed_words, folder=folder, environment={**environment, **variables}, timeout=timeout)
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
    """Run ``crm-assets`` with these arguments; the others and exceptions are those of ``program``."""
    return program(["crm-assets", *arguments], folder=folder, environment=environment, timeout=timeout)


def program(
    command: Sequence[str], *, folder: Path, environment: Mapping[str, str], timeout: float = 240
) -> subprocess.CompletedProcess[str]:
    """Run a program that the environment's packages install.

    Args:
        command: Its name and arguments.
        folder: Where.
        environment: All variables it has.
        timeout: Seconds after which it is killed with all of its session.

    Raises:
        subprocess.TimeoutExpired: It took longer.
    """
    return _forked(command, partial(_run_program, command[0]), folder, environment, timeout)


@contextmanager
def running(command: Sequence[str], *, environment: Mapping[str, str], told: Path) -> Iterator[Any]:
    """Run a program that the environment's packages install, in this folder and until the block ends.

    It gets SIGTERM then; what is left of its session after it, or after ten seconds, is killed.

    Args:
        command: Its name and arguments.
        environment: All variables it has.
        told: File for what it prints.

    Yields:
        Its process, of :mod:`multiprocessing`.
    """
    process = _process(command, partial(_run_program, command[0]), Path.cwd(), environment, told, told)
    process.start()
    try:
        yield process
    finally:
        process.terminate()
        process.join(10)
        with suppress(ProcessLookupError):  # where nothing of its session is left
            os.killpg(process.pid, signal.SIGKILL)
        process.join()


def python_module(
    module: str, arguments: Sequence[str], *, folder: Path, environment: Mapping[str, str], timeout: float = 240
) -> subprocess.CompletedProcess[str]:
    """Run ``python -m module``; the arguments and exceptions are those of ``program``."""
    return _forked([module, *arguments], partial(_run_module, module), folder, environment, timeout)


def _forked(
    command: Sequence[str], run: Callable[[], object], folder: Path, environment: Mapping[str, str], timeout: float
) -> subprocess.CompletedProcess[str]:
    with tempfile.TemporaryDirectory() as told:
        out, err = Path(told, "out"), Path(told, "err")
        process = _process(command, run, folder, environment, out, err)
        process.start()
        process.join(timeout)
        if process.exitcode is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.join()
            raise subprocess.TimeoutExpired(command, timeout, out.read_text(), err.read_text())
        return subprocess.CompletedProcess(command, process.exitcode, out.read_text(), err.read_text())


def _process(
    command: Sequence[str],
    run: Callable[[], object],
    folder: Path,
    environment: Mapping[str, str],
    out: Path,
    err: Path,
) -> Any:
    return context.Process(target=_become, args=(command, run, str(folder), dict(environment), out, err))


def _run_program(name: str) -> None:
    (entry,) = entry_points(group="console_scripts", name=name)
    sys.exit(entry.load()())


def _run_module(module: str) -> None:
    sys.path.insert(0, str(Path.cwd()))
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _become(
    command: Sequence[str], run: Callable[[], object], folder: str, environment: dict[str, str], out: Path, err: Path
) -> None:
    os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    for number, path, mode in ((0, os.devnull, os.O_RDONLY), (1, out, os.O_WRONLY), (2, err, os.O_WRONLY)):
        os.dup2(os.open(path, mode | os.O_CREAT | os.O_APPEND), number)
    sys.argv = [*command]
    sys.path[:0] = [path for path in environment.get("PYTHONPATH", "").split(os.pathsep) if path]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _spawn_warm(command, out, err)
    try:
        run()
    except SystemExit:
        raise
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
        raise SystemExit(1) from None
    finally:
        atexit._run_exitfuncs()  # processes of multiprocessing end without it


def _spawn_warm(command: Sequence[str], out: Path, err: Path) -> None:
    """Let what this program spawns, as Dagster's code server does its runs, be forked off the same server.

    From Python 3.14 on, that serves nobody but the process that has started it.
    """
    if sys.version_info >= (3, 14):
        return
    known = multiprocessing.get_context

    class Warm(type(context)):  # type: ignore[misc]
        def Process(self, target: Callable[..., object], args: Sequence[object]) -> Any:  # noqa: N802
            return _process(command, partial(target, *args), Path.cwd(), os.environ, out, err)

    forkserver._forkserver.ensure_running = lambda: None  # type: ignore[attr-defined]
    multiprocessing.get_context = lambda method=None: Warm() if method == "spawn" else known(method)  # type: ignore[assignment,misc]
