"""Acts that a tab can ask for, by name: each is carried out as the tab's person."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from rehearsal.cdn import SentFile
from rehearsal.errors import RehearsalError
from rehearsal.people import Person
from rehearsal.permissions import Permission
from rehearsal.recordings import RECORDINGS
from rehearsal.records import Channel, GuildRecord, Message
from rehearsal.room.room import Room
from rehearsal.room.scene import is_seen_by
from rehearsal.rules.commands import (
    ATTACHMENT,
    CHANNEL,
    CHAT_INPUT,
    MENTIONABLE,
    MESSAGE_MENU,
    ROLE,
    SUB_COMMAND,
    SUB_COMMAND_GROUP,
    USER,
    USER_MENU,
)
from rehearsal.rules.components import modal_fields
from rehearsal.screen import REFERENCES, ShownModal, find_select
from rehearsal.server import Rehearsal
from rehearsal.voice.sound_file import NoSoundError, voice_message
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
    directory = room.rehearsal.directory
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


Act = Callable[[Person, Json], Awaitable[object]]


class Acts:
    """Carries out what people do on the page. What the app would not let them do is a `RehearsalError`."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._acts: dict[str, Act] = {
            "commands": self._commands,
            "say": self._say,
            "voice message": self._voice_message,
            "delete": self._delete,
            "slash": self._slash,
            "complete": self._complete,
            "menu": self._menu,
            "person menu": self._person_menu,
            "press": self._press,
            "select": self._select,
            "submit": self._submit,
            "close modal": self._close_modal,
            "join": self._join,
            "leave": self._leave,
            "switch": self._switch,
            "trace": self._trace,
        }

    async def carry_out(self, person: Person, wish: Json) -> object:
        """Do what ``wish`` says under "do" and return what the page gets for it. Raises `RehearsalError`."""
        act = self._acts.get(str(wish.get("do")))
        if act is None:
            raise RehearsalError("The page asks for something this room does not know. Reload it.")
        return await act(person, wish)

    # -- what is where ----------------------------------------------------------------------------

    def _channel(self, person: Person, wish: Json) -> Channel:
        for channel in self._room.setting.channels(person):
            if str(channel.id) == wish.get("channel"):
                return channel
        raise RehearsalError("That channel is gone, or you cannot see it.")

    def _message(self, person: Person, wish: Json) -> Message:
        for channel in self._room.setting.channels(person):
            for message in channel.messages.values():
                if str(message.id) == wish.get("message") and is_seen_by(message, person):
                    return message
        raise RehearsalError("That message is gone.")

    async def _commands(self, person: Person, wish: Json) -> object:
        channel = self._channel(person, wish)
        return {
            "slash": commands_for(self._room.rehearsal, person, channel),
            "menus": person.offered(channel, MESSAGE_MENU),
            "person_menus": person.offered(channel, USER_MENU),
        }

    # -- messages ---------------------------------------------------------------------------------

    async def _say(self, person: Person, wish: Json) -> object:
        channel = self._channel(person, wish)
        files = [self._room.uploads.get(key) for key in wish.get("files") or []]
        text = str(wish.get("text") or "").strip()
        if not text and not files:
            raise RehearsalError("Cannot send an empty message")
        self._check_may_attach(person, channel, files)
        reply_to = self._message(person, {"message": wish["reply_to"]}) if wish.get("reply_to") else None
        message = await person.say(channel, text, files, reply_to=reply_to)
        return {"message": str(message.id)}

    def _check_may_attach(self, person: Person, channel: Channel, files: list[SentFile]) -> None:
        guild = self._room.rehearsal.directory.guild_of(channel)
        allowed = guild is None or guild.permissions_of(person.id, channel) & Permission.ATTACH_FILES
        if files and not allowed:
            raise RehearsalError("You do not have permission to attach files here.")

    async def _voice_message(self, person: Person, wish: Json) -> object:
        channel = self._channel(person, wish)
        try:
            made = await asyncio.to_thread(voice_message, await self._recorded(wish))
        except NoSoundError as error:
            raise RehearsalError(f"That recording cannot be used: {error}.") from error
        file = SentFile("voice-message.ogg", made.data, "audio/ogg", made.seconds, made.waveform)
        message = await person.say(channel, "", [file], as_voice_message=True)
        return {"message": str(message.id)}

    async def _recorded(self, wish: Json) -> bytes:
        for recording in RECORDINGS:
            if recording.name == wish.get("recording"):
                return await asyncio.to_thread(recording.path.read_bytes)
        return self._room.uploads.get(wish.get("file")).data

    async def _delete(self, person: Person, wish: Json) -> object:
        message = self._message(person, wish)
        if message.ephemeral:  # "Dismiss message": it is gone from this person's app, and nobody is told
            message.mark_deleted()
        else:
            person.delete(message)
        return None

    # -- commands and components ------------------------------------------------------------------

    async def _slash(self, person: Person, wish: Json) -> object:
        channel = self._channel(person, wish)
        name, values = str(wish.get("command")), option_values(self._room, channel, wish)
        answer = await person.slash(channel, name, **values)
        return {"attempt": self._room.attempts.add(person, channel, f"/{name}", answer).number}

    async def _complete(self, person: Person, wish: Json) -> object:
        channel = self._channel(person, wish)
        values = option_values(self._room, channel, wish, lenient=True)
        focused, typed = str(wish.get("focused")), str(wish.get("typed") or "")
        values.pop(focused, None)
        try:
            found = await person.autocomplete(channel, str(wish.get("command")), focused, typed, **values)
        except TimeoutError:
            raise RehearsalError("Loading options failed") from None
        return [{"name": name, "value": value} for name, value in found]

    async def _menu(self, person: Person, wish: Json) -> object:
        message, name = self._message(person, wish), str(wish.get("name"))
        answer = await person.message_menu(name, message)
        channel = self._channel(person, {"channel": str(message.channel_id)})
        return {"attempt": self._room.attempts.add(person, channel, f"Apps › {name}", answer).number}

    async def _person_menu(self, person: Person, wish: Json) -> object:
        channel, name = self._channel(person, wish), str(wish.get("name"))
        number = str(wish.get("person"))
        user = self._room.rehearsal.directory.users.get(int(number) if number.isdigit() else 0)
        if user is None:
            raise RehearsalError("There is nobody of that name here.")
        answer = await person.user_menu(name, channel, user)
        return {"attempt": self._room.attempts.add(person, channel, f"Apps › {name}", answer).number}

    async def _press(self, person: Person, wish: Json) -> object:
        message, label = self._message(person, wish), str(wish.get("label") or "a button")
        answer = await person.press(message, str(wish.get("custom_id")))
        return self._pressed(person, message, f"pressed {label}", answer)

    async def _select(self, person: Person, wish: Json) -> object:
        message = self._message(person, wish)
        channel = self._channel(person, {"channel": str(message.channel_id)})
        menu = find_select(message, str(wish.get("custom_id")))
        values = chosen(self._room, channel, menu, wish.get("values") or [])
        answer = await person.select(message, menu["custom_id"], *values)
        return self._pressed(person, message, "chose from a menu", answer)

    def _pressed(self, person: Person, message: Message, what: str, answer: Any) -> object:
        channel = self._channel(person, {"channel": str(message.channel_id)})
        return {"attempt": self._room.attempts.add(person, channel, what, answer, message).number}

    async def _submit(self, person: Person, wish: Json) -> object:
        attempt = self._room.attempts.with_open_modal(person, int(wish.get("attempt") or 0))
        if attempt is None or attempt.answer.modal is None:
            raise RehearsalError("That form is closed.")
        modal = attempt.answer.modal
        answer = await person.submit(modal, submitted(self._room, modal, wish))
        self._close(attempt.number, person)
        what = f"sent “{modal.title}”"
        return {"attempt": self._room.attempts.add(person, attempt.channel, what, answer).number}

    async def _close_modal(self, person: Person, wish: Json) -> object:
        self._close(int(wish.get("attempt") or 0), person)
        return None

    def _close(self, number: int, person: Person) -> None:
        attempt = self._room.attempts.with_open_modal(person, number)
        if attempt is not None:
            attempt.modal_closed = True
            attempt.answer.changes.notify()

    # -- voice and the rest -----------------------------------------------------------------------

    async def _join(self, person: Person, wish: Json) -> object:
        channel = self._channel(person, wish)
        await self._room.join(person, channel)
        return None

    async def _leave(self, person: Person, _wish: Json) -> object:
        await self._room.leave(person)
        return None

    async def _switch(self, person: Person, wish: Json) -> object:
        switch = self._room.switches.get(str(wish.get("name")))
        if switch is None:
            raise RehearsalError("There is no such switch.")
        reason = switch.why_not()
        if reason is not None:
            raise RehearsalError(reason)
        told = await switch.turn(wish.get("value"))
        self._room.trace.note(told, person.name)
        self._room.changed()
        return {"told": told}

    async def _trace(self, _person: Person, wish: Json) -> object:
        return {"payload": self._room.trace.payload(int(wish.get("number") or 0))}
