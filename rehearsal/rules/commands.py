"""What Discord accepts as application commands (its documentation, Application Commands)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import regex

from rehearsal.errors import DiscordAPIError, FormErrors, Path
from rehearsal.wire import Json

CHAT_INPUT, USER_MENU, MESSAGE_MENU = 1, 2, 3
SUB_COMMAND, SUB_COMMAND_GROUP = 1, 2
STRING, INTEGER, BOOLEAN, USER, CHANNEL, ROLE, MENTIONABLE, NUMBER, ATTACHMENT = range(3, 12)
MAX_COMMANDS: Final = {CHAT_INPUT: 100, USER_MENU: 15, MESSAGE_MENU: 15}
MAX_CHARS: Final = 8_000
_NAME = regex.compile(r"[-_'\p{L}\p{N}\p{sc=Deva}\p{sc=Thai}]{1,32}")
_NUMERIC = (INTEGER, NUMBER)
_CHOOSABLE = (STRING, INTEGER, NUMBER)


def check_commands(payloads: Sequence[Json], *, in_guild: bool, installs: Sequence[int] = (0, 1)) -> None:
    """Raise the `DiscordAPIError` with which Discord refuses this bulk overwrite, if it does.

    ``installs`` are the integration types of the application.
    """
    errors = FormErrors()
    for index, payload in enumerate(payloads):
        _check_command(payload, errors, (index,), in_guild=in_guild)
        if set(payload.get("integration_types") or ()) - set(installs):
            errors.add(
                (index, "integration_types"),
                "APPLICATION_COMMANDS_INVALID_INTEGRATION_TYPE",
                "The application is not configured for this integration type.",
            )
    names = Counter((payload.get("type", CHAT_INPUT), payload.get("name")) for payload in payloads)
    for index, payload in enumerate(payloads):
        if names[payload.get("type", CHAT_INPUT), payload.get("name")] > 1:
            errors.add(
                (index, "name"),
                "APPLICATION_COMMANDS_DUPLICATE_NAME",
                "Application command names must be unique",
            )
    errors.raise_if_any()
    for kind, most in MAX_COMMANDS.items():
        if sum(payload.get("type", CHAT_INPUT) == kind for payload in payloads) > most:
            raise DiscordAPIError(400, 30032, f"Maximum number of application commands reached ({most}).")


def _check_command(payload: Json, errors: FormErrors, path: Path, *, in_guild: bool) -> None:
    kind = payload.get("type", CHAT_INPUT)
    if kind not in MAX_COMMANDS:
        errors.add((*path, "type"), "BASE_TYPE_CHOICES", "Value must be one of {1, 2, 3}.")
        return
    if kind == CHAT_INPUT:
        _check_names(payload, errors, path)
        _check_options(payload.get("options") or [], errors, (*path, "options"), depth=0)
        if _chars(payload) > MAX_CHARS:
            errors.add(path, "APPLICATION_COMMAND_TOO_LARGE", f"Command exceeds maximum size ({MAX_CHARS})")
    else:
        errors.length((*path, "name"), payload.get("name"), 1, 32)
        if payload.get("description") or payload.get("options"):
            errors.add(
                path,
                "APPLICATION_COMMANDS_CONTEXT_MENU",
                "Context menu commands cannot have description or options",
            )
    _check_places(payload, errors, path, in_guild=in_guild)


def _check_places(payload: Json, errors: FormErrors, path: Path, *, in_guild: bool) -> None:
    for key, allowed in (("contexts", {0, 1, 2}), ("integration_types", {0, 1})):
        values = payload.get(key)
        if values is None:
            continue
        if in_guild and key == "contexts":
            errors.add((*path, key), "APPLICATION_COMMAND_GUILD_CONTEXTS", "Global commands only")
        elif not values or not set(values) <= allowed or len(set(values)) != len(values):
            errors.add((*path, key), "BASE_TYPE_CHOICES", f"Value must be one of {sorted(allowed)}.")
    permissions = payload.get("default_member_permissions")
    if permissions is not None and not str(permissions).isdigit():
        errors.add((*path, "default_member_permissions"), "BIGINT_COERCE", "Value is not a number.")


def _check_names(payload: Json, errors: FormErrors, path: Path) -> None:
    names = {"name": payload.get("name")} | _localized(payload, "name")
    for key, name in names.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name) or name != name.lower():
            message = "Command name is invalid"
            errors.add((*path, *key.split(".")), "APPLICATION_COMMAND_INVALID_NAME", message)
    descriptions = {"description": payload.get("description")} | _localized(payload, "description")
    for key, description in descriptions.items():
        errors.length((*path, *key.split(".")), description, 1, 100)


def _localized(payload: Json, field: str) -> dict[str, Any]:
    words = payload.get(f"{field}_localizations") or {}
    return {f"{field}_localizations.{locale}": text for locale, text in words.items()}


def _check_options(options: Sequence[Json], errors: FormErrors, path: Path, *, depth: int) -> None:
    errors.at_most(path, options, 25)
    kinds = {option.get("type") in (SUB_COMMAND, SUB_COMMAND_GROUP) for option in options}
    if len(kinds) > 1:
        errors.add(path, "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", "Options and sub-commands")
    optional_seen = False
    names: set[object] = set()
    for index, option in enumerate(options):
        here = (*path, index)
        _check_names(option, errors, here)
        if option.get("name") in names:
            errors.add(
                here, "APPLICATION_COMMAND_OPTIONS_NAME_ALREADY_EXISTS", "The option name already exists."
            )
        names.add(option.get("name"))
        if option.get("required") and optional_seen:
            message = "Required options must be placed before non-required options"
            errors.add(here, "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", message)
        optional_seen = optional_seen or not option.get("required")
        _check_option(option, errors, here, depth=depth)


def _check_option(option: Json, errors: FormErrors, path: Path, *, depth: int) -> None:
    kind = option.get("type")
    if kind not in range(SUB_COMMAND, ATTACHMENT + 1):
        errors.add((*path, "type"), "BASE_TYPE_CHOICES", "Value must be one of the option types.")
        return
    if kind in (SUB_COMMAND, SUB_COMMAND_GROUP):
        if depth > (0 if kind == SUB_COMMAND_GROUP else 1):
            errors.add((*path, "type"), "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", "Nested too deeply")
        _check_options(option.get("options") or [], errors, (*path, "options"), depth=depth + 1)
        return
    _check_choices(option, errors, path)
    _check_bounds(option, errors, path)
    file_types = option.get("file_types")
    if file_types is not None and kind != ATTACHMENT:
        errors.add((*path, "file_types"), "BASE_TYPE_BAD_TYPE", "Only attachments have file types.")
    elif file_types is not None and not all(isinstance(one, str) and one for one in file_types):
        errors.add((*path, "file_types"), "BASE_TYPE_CHOICES", "Value must be a list of file types.")


def _check_choices(option: Json, errors: FormErrors, path: Path) -> None:
    choices = option.get("choices") or []
    kind = option["type"]
    if (choices or option.get("autocomplete")) and kind not in _CHOOSABLE:
        errors.add((*path, "choices"), "BASE_TYPE_BAD_TYPE", "This option type cannot have choices.")
    if choices and option.get("autocomplete"):
        message = "Choices and autocomplete cannot be used together"
        errors.add((*path, "autocomplete"), "APPLICATION_COMMAND_AUTOCOMPLETE_CHOICES", message)
    errors.at_most((*path, "choices"), choices, 25)
    for index, choice in enumerate(choices):
        here = (*path, "choices", index)
        errors.length((*here, "name"), choice.get("name"), 1, 100)
        value = choice.get("value")
        if kind == STRING:
            errors.length((*here, "value"), value, 1, 100)
        elif not isinstance(value, (int, float)) or (kind == INTEGER and not isinstance(value, int)):
            errors.add((*here, "value"), "NUMBER_TYPE_COERCE", f'Value "{value}" is not a number.')
    if len({choice.get("name") for choice in choices}) < len(choices):
        message = "The choice name already exists."
        errors.add((*path, "choices"), "APPLICATION_COMMAND_OPTIONS_CHOICE_NAME_ALREADY_EXISTS", message)


def _check_bounds(option: Json, errors: FormErrors, path: Path) -> None:
    kind = option["type"]
    for key in ("min_value", "max_value"):
        value = option.get(key)
        if value is None:
            continue
        if kind not in _NUMERIC:
            errors.add((*path, key), "BASE_TYPE_BAD_TYPE", "Only numbers have these bounds.")
        elif kind == INTEGER and not isinstance(value, int):
            errors.add((*path, key), "NUMBER_TYPE_COERCE", f'Value "{value}" is not int.')
    for key, lowest in (("min_length", 0), ("max_length", 1)):
        length = option.get(key)
        if length is None:
            continue
        if kind != STRING:
            errors.add((*path, key), "BASE_TYPE_BAD_TYPE", "Only text options have a length.")
        elif not lowest <= length <= 6_000:
            errors.add((*path, key), "NUMBER_TYPE_MAX", f"Value must be between {lowest} and 6000.")


def _chars(payload: Json) -> int:
    """Return what counts against the limit: names, descriptions and values, all the way down."""
    total = max((len(str(payload.get("name", ""))), *map(len, _localized(payload, "name").values())))
    total += max(
        (len(payload.get("description") or ""), *map(len, _localized(payload, "description").values()))
    )
    total += sum(_chars(option) for option in payload.get("options") or [])
    for choice in payload.get("choices") or []:
        value = choice.get("value")
        total += len(str(choice.get("name", ""))) + (len(value) if isinstance(value, str) else 0)
    return total
