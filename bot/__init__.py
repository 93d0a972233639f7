"""Myna: a Discord bot that says things, in any voice."""

import os
import sys
from pathlib import Path

__version__ = "0.1.0"

if sys.version_info < (3, 11):  # noqa: UP036 - before anything that an older Python cannot even read
    sys.exit(
        "Myna needs Python 3.11 or newer; this is {}.{}. If you have a newer one, type for example: "
        "make run PYTHON=python3.12".format(*sys.version_info[:2])
    )


def typed(what: str) -> str:
    """Return the line that runs ``what``, for example "bot check", with this very Python."""
    return _line(Path(sys.executable or "python"), what)


def without_packages(missing: ModuleNotFoundError, what: str) -> str:
    """Return what to type where ``what``, for example "bot check", lacks a package that is installed.

    Raises ``missing`` again where it is a module of ours: that is a fault, and nothing to install.
    """
    package = (missing.name or "").partition(".")[0]
    home = Path(__file__).absolute().parent.parent
    if (home / package).is_dir():
        raise missing
    environment = home / ".venv"
    python = environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if Path(sys.prefix) == environment:
        cure = f"Type: {typed('pip')} install --require-hashes -r requirements.txt"
    elif python.exists():
        cure = f"They are in .venv. Type: {_line(python, what)}"
    else:
        cure = "Type: make run"
    return f"This Python ({sys.executable}) lacks the packages that Myna needs, such as {package}. {cure}"


def _line(python: Path, what: str) -> str:
    here = Path.cwd()
    shown = python.relative_to(here) if python.is_relative_to(here) else python
    return f"{shown} -m {what}"
