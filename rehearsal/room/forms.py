"""What is typed on the page, as the values that commands and forms take."""

from __future__ import annotations

from typing import Any

from rehearsal.channels import Channel
from rehearsal.errors import RehearsalError
from rehearsal.guild_record import GuildRecord
from rehearsal.modals import ShownModal
from rehearsal.people import Person
from rehearsal.pressing import REFERENCES
from rehearsal.room.room import Room
from rehearsal.rules.commands import (
    ATTACHMENT,
    CHANNEL,
    CHAT_INPUT,
    MENTIONABLE,
    ROLE,
    SUB_COMMAND,
    SUB_COMMAND_GROUP,
    USER,
)
from rehearsal.rules.modals import modal_fields
from rehearsal.server import Rehearsal
from rehearsal.wire import Json


def commands_for(rehearsal: Rehearsal, person: Person, channel: Channel) -> list[Json]:
    """Return every slash command ``person`` is offered in ``channel``, one entry for each sub-command."""
    found: list[Json] = []
    for name in person.offered(channel):
        command = rehearsal.commands.find(CHAT_INPUT, name, channel.guild_id)
        if command is not None:
            found += _leaves(command, command["name"])
    return found


def _leaves(command: Json, name: str) -> list[Json]:
    options: list[Json] = command.get("options") or []
    groups = [option for option in options if option["type"] in (SUB_COMMAND, SUB_COMMAND_GROUP)]
    if groups:
        return [leaf for group in groups for leaf in _leaves(group, f"{name} {group['name']}")]
    return [{"name": name, "description": command.get("description") or "", "options": options}]


def option_values(room: Room, channel: Channel, wish: Json, *, lenient: bool = False) -> dict[str, Any]:
    """Return the options of a command as `Person.slash` takes them. Raises `RehearsalError`.

    ``lenient`` leaves out what is not here any more, as autocomplete may.
    """
    options = _options_of(room, channel, str(wish.get("command")))
    values: dict[str, Any] = {}
    for name, given in (wish.get("options") or {}).items():
        kind = options.get(str(name), {}).get("type")
        try:
            values[str(name)] = _value(room, channel, kind, given)
        except RehearsalError:
            if not lenient:
                raise
    return values


def submitted(room: Room, modal: ShownModal, wish: Json) -> dict[str, object]:
    """Return the fields of a form as `Person.submit` takes them. Raises `RehearsalError`."""
    fields = {field["custom_id"]: field for field in modal_fields(modal.data)}
    values: dict[str, object] = {}
    for name, given in (wish.get("values") or {}).items():
        if isinstance(given, dict):
            values[str(name)] = [room.uploads.get(key) for key in given.get("files") or []]
        elif isinstance(given, list):
            values[str(name)] = chosen(room, modal.channel, fields.get(name, {}), given)
        else:
            values[str(name)] = given if isinstance(given, bool) else str(given)
    return values


def chosen(room: Room, channel: Channel, menu: Json, values: list[Any]) -> list[Any]:
    """Return what ``values`` of a select menu stand for, as `Person.select` takes it.

    Raises `RehearsalError` for whom and what is not here any more.
    """
    kind = REFERENCES.get(menu.get("type", 0))
    return [_value(room, channel, kind, str(value)) for value in values]


def _options_of(room: Room, channel: Channel, command: str) -> dict[str, Json]:
    name, *words = command.split()
    found = room.rehearsal.commands.find(CHAT_INPUT, name, channel.guild_id)
    options: list[Json] = (found or {}).get("options") or []
    for word in words:
        options = next((o.get("options") or [] for o in options if o["name"] == word), [])
    return {option["name"]: option for option in options}


def _value(room: Room, channel: Channel, kind: int | None, given: Any) -> Any:
    if kind == ATTACHMENT:
        return room.uploads.get(given)
    if kind not in (USER, CHANNEL, ROLE, MENTIONABLE):
        return given
    directory = room.rehearsal.parts.directory
    number = int(given) if str(given).isdigit() else 0
    guild: GuildRecord | None = directory.guild_of(channel)
    roles = guild.roles if guild else {}
    found = {
        USER: directory.users.get(number),
        CHANNEL: directory.channels.get(number),
        ROLE: roles.get(number),
        MENTIONABLE: directory.users.get(number) or roles.get(number),
    }[kind]
    if found is None:
        raise RehearsalError("That is not here any more. Choose again.")
    return found
