"""What a person types into a slash command, held against what the bot has registered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rehearsal.channels import Channel
from rehearsal.errors import RehearsalError
from rehearsal.files import SentFile, StoredFile
from rehearsal.guild_record import Role
from rehearsal.payloads import channel_payload, role_payload
from rehearsal.rules.commands import (
    ATTACHMENT,
    BOOLEAN,
    CHANNEL,
    INTEGER,
    MENTIONABLE,
    NUMBER,
    ROLE,
    STRING,
    SUB_COMMAND,
    SUB_COMMAND_GROUP,
    USER,
)
from rehearsal.users import User
from rehearsal.wire import Json

Value = str | int | float | bool | SentFile | User | Channel | Role


def account_of(value: object) -> object:
    """Return the account behind whoever acts as a person; everything else as it is."""
    account = getattr(value, "user", None)
    return account if isinstance(account, User) else value


@dataclass
class Resolver:
    """Gathers what options refer to. ``upload`` stores a file; the payloads describe the rest."""

    upload: Callable[[SentFile], StoredFile]
    attachment_payload: Callable[[StoredFile], Json]
    member_payload: Callable[[User], Json | None]
    resolved: dict[str, Json] = field(default_factory=dict)

    def reference(self, kind: int, value: object, label: str) -> str:
        """Return the id that stands for ``value``. Raises `RehearsalError` for a value of another kind."""
        if kind == ATTACHMENT and isinstance(value, SentFile):
            stored = self.upload(value)
            return self._add("attachments", stored.id, self.attachment_payload(stored))
        if kind in (USER, MENTIONABLE) and isinstance(value, User):
            member = self.member_payload(value)
            if member is not None:
                self._add("members", value.id, member)
            return self._add("users", value.id, value.payload())
        if kind in (ROLE, MENTIONABLE) and isinstance(value, Role):
            return self._add("roles", value.id, role_payload(value))
        if kind == CHANNEL and isinstance(value, Channel):
            return self._add("channels", value.id, channel_payload(value) | {"permissions": "0"})
        raise RehearsalError(f"{label}: {value!r} is not of the kind this option takes")

    def _add(self, group: str, key: int, payload: Json) -> str:
        self.resolved.setdefault(group, {})[str(key)] = payload
        return str(key)


def filled_in(
    command: Json,
    words: list[str],
    values: Mapping[str, object],
    resolver: Resolver,
    focused: str | None = None,
) -> list[Json]:
    """Return the options of the interaction. Raises `RehearsalError` where Discord would not send it.

    ``words`` are the sub-commands. With ``focused``, for autocomplete, nothing has to be complete.
    """
    options: list[Json] = command.get("options") or []
    if words:
        sub = _named(options, words[0])
        if sub is None or sub["type"] not in (SUB_COMMAND, SUB_COMMAND_GROUP):
            raise RehearsalError(f"there is no sub-command {words[0]!r}")
        inner = filled_in(sub, words[1:], values, resolver, focused)
        return [{"name": sub["name"], "type": sub["type"], "options": inner}]
    if any(option["type"] in (SUB_COMMAND, SUB_COMMAND_GROUP) for option in options):
        raise RehearsalError(f"{command['name']} needs one of {[option['name'] for option in options]}")
    strange = set(values) - {option["name"] for option in options}
    if strange:
        known = [option["name"] for option in options]
        raise RehearsalError(f"there is no option {sorted(strange)}, only {known}")
    missing = [o["name"] for o in options if o.get("required") and o["name"] not in values]
    if missing and focused is None:
        raise RehearsalError(f"{missing[0]}: This option is required. Specify a value.")
    present = [option for option in options if option["name"] in values]
    return [_entry(option, values[option["name"]], resolver, focused) for option in present]


def _entry(option: Json, value: object, resolver: Resolver, focused: str | None) -> Json:
    entry: Json = {"name": option["name"], "type": option["type"]}
    if option["name"] == focused:
        return entry | {"value": value, "focused": True}
    return entry | {"value": _checked(option, value, resolver)}


def _named(options: list[Json], name: str) -> Json | None:
    return next((option for option in options if option["name"] == name), None)


def _checked(option: Json, value: object, resolver: Resolver) -> Any:
    kind, name = option["type"], option["name"]
    if kind == STRING:
        return _text(option, value)
    if kind == BOOLEAN:
        if not isinstance(value, bool):
            raise RehearsalError(f"{name}: choose True or False")
        return value
    if kind in (INTEGER, NUMBER):
        return _number(option, value)
    return resolver.reference(kind, value, name)


def _text(option: Json, value: object) -> str:
    name = option["name"]
    if not isinstance(value, str):
        raise RehearsalError(f"{name}: a text is needed, not {value!r}")
    if option.get("choices"):
        return str(_choice(option, value))
    if not value:
        raise RehearsalError(f"{name}: This option is required. Specify a value.")
    lowest, highest = option.get("min_length") or 0, option.get("max_length") or 6_000
    if len(value) < lowest:
        raise RehearsalError(f"{name}: Must be {lowest} or more in length.")
    if len(value) > highest:
        raise RehearsalError(f"{name}: Must be {highest} or fewer in length.")
    return value


def _number(option: Json, value: object) -> int | float:
    name = option["name"]
    number: int | float
    if option.get("choices"):
        number = _choice(option, value)
    elif isinstance(value, bool) or not isinstance(value, (int, float)):
        raise RehearsalError(f"{name}: Input a valid number.")
    else:
        number = value
    if option["type"] == INTEGER and not isinstance(number, int):
        raise RehearsalError(f"{name}: Input a valid integer.")
    lowest, highest = option.get("min_value"), option.get("max_value")
    if lowest is not None and number < lowest:
        raise RehearsalError(f"{name}: Enter a number greater than or equal to {lowest}.")
    if highest is not None and number > highest:
        raise RehearsalError(f"{name}: Enter a number less than or equal to {highest}.")
    return number


def _choice(option: Json, value: object) -> Any:
    for choice in option["choices"]:
        if value in (choice["name"], choice["value"]):
            return choice["value"]
    names = [choice["name"] for choice in option["choices"]]
    raise RehearsalError(f"{option['name']}: Input a valid choice: {names}")
