"""`python -m tts_gateway models`: list, fetch, verify and find the models on this machine."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from tts_gateway.models.fetching import fetch_files
from tts_gateway.models.store import DEFAULT_FOLDER, Installed, Model, ModelStore, StoreError


def models_command(arguments: Sequence[str]) -> int:
    """Do what the arguments say, and return the exit status: 2 with one line if it cannot be done."""
    wishes = _parser().parse_args(arguments)
    store = ModelStore(wishes.models)
    try:
        match wishes.act:
            case "list":
                for model in store.models.values():
                    _say(_line_of(store, model))
            case "where":
                _say(str(store.folder))
            case "verify":
                return _verify(store, wishes.name)
            case _:
                _fetch(store, wishes)
    except StoreError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except OSError as error:
        sys.stderr.write(f"{store.folder}: {error.strerror or error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("Stopped. What was fetched is kept; the same command goes on from there.\n")
        return 130
    return 0


def _line_of(store: ModelStore, model: Model) -> str:
    try:
        state = "here" if store.installed(model.name) else f"{model.bytes / 1e6:,.0f} MB to fetch"
    except StoreError as error:
        state = str(error)
    return f"{model.name:20}{model.kind:8}{model.language:4}{state}"


def _verify(store: ModelStore, name: str | None) -> int:
    names = [name] if name else [model for model in store.models if (store.folder / model).is_dir()]
    status = 0
    for one in names:
        try:
            store.verify(one)
            _say(f"{one}: whole")
        except StoreError as error:
            _say(f"{one}: {error}")
            status = 2
    if not names:
        _say(f"There is no model in {store.folder}.")
    return status


def _fetch(store: ModelStore, wishes: argparse.Namespace) -> None:
    model = store.named(wishes.name)
    try:
        found = store.installed(model.name)
    except StoreError:  # damaged: that is what a fetch mends
        found = None
    if found is not None:
        _say(f"{model.name} is already in {found.folder}")
        return
    _say(model.credit)
    _say(f"Licence: {model.licence}")
    if model.terms:
        _say(f"Terms: {model.terms}")
        _check_accepted(model, accepted=wishes.accept_terms)
    done = asyncio.run(fetched(store, model, source=wishes.source))
    _say(f"{model.name} is in {done.folder} ({done.revision})")


async def fetched(store: ModelStore, model: Model, *, source: str | None = None) -> Installed:
    """Return the model once it is in the store; ``source`` is a mirror of it. Raises StoreError."""
    if model.package is not None and source is None:
        await asyncio.to_thread(store.fill_from_package, model)
        return await asyncio.to_thread(store.finish, model, model.revision or "")
    store.check_space(model.bytes)
    revision = await fetch_files(store, model, source=source, say=_say)
    return await asyncio.to_thread(store.finish, model, revision)


def _check_accepted(model: Model, *, accepted: bool) -> None:
    if accepted:
        return
    if sys.stdin.isatty() and input("Do you accept them? [y/N] ").strip().lower() in ("y", "yes"):
        return
    raise StoreError(
        f"nothing was fetched; if you accept the terms, type: "
        f"python -m tts_gateway models fetch {model.name} --accept-terms"
    )


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tts_gateway models", description="The voice models on this machine."
    )
    where = argparse.ArgumentParser(add_help=False)
    where.add_argument(
        "--models", type=Path, default=DEFAULT_FOLDER, metavar="DIR", help="the folder they are in"
    )
    acts = parser.add_subparsers(dest="act", required=True)
    acts.add_parser("list", parents=[where], help="which there are, and which are here")
    acts.add_parser("where", parents=[where], help="the folder they are in; it may be copied elsewhere")
    verify = acts.add_parser("verify", parents=[where], help="read every byte, without the network")
    verify.add_argument("name", nargs="?")
    fetch = acts.add_parser("fetch", parents=[where], help="get one; a fetch that broke off goes on")
    fetch.add_argument("name")
    fetch.add_argument("--source", metavar="URL", help="a mirror: an address below which its files are")
    fetch.add_argument("--accept-terms", action="store_true", help="accept the terms that it has")
    return parser
