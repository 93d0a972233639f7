"""One tab of a browser: its websocket, who it acts as, and what it has been told already."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any, Final

from aiohttp import WSMsgType, web

from rehearsal.errors import RehearsalError
from rehearsal.events import Outbox
from rehearsal.people import Person
from rehearsal.room.acts import Acts
from rehearsal.room.attempts import Attempt
from rehearsal.room.room import Room
from rehearsal.room.scene import is_seen_by, shown, version_of
from rehearsal.room.trace import TraceEntry
from rehearsal.wire import Json

log = logging.getLogger(__name__)

_MOST_WAITING: Final = 250
"""Five seconds of sound; a tab that is further behind misses some."""


class Tab:
    """Watches the room for one browser tab. It ends with `run`."""

    def __init__(self, room: Room, acts: Acts, socket: web.WebSocketResponse, person: Person) -> None:
        self.person = person
        self._room = room
        self._acts = acts
        self._socket = socket
        self._outbox = Outbox(socket)
        self._listening = False
        self._told: dict[str, Any] = {}
        self._versions: dict[int, tuple[object, ...]] = {}
        self._acting: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Serve the tab until it closes."""
        self._room.enter(self)
        self._introduce()
        try:
            async for message in self._socket:
                if message.type is WSMsgType.TEXT:
                    self._receive(message.data)
        finally:
            self._room.go(self)
            for task in self._acting:
                task.cancel()
            await self._outbox.aclose()

    # -- what it is told --------------------------------------------------------------------------

    def look(self) -> None:
        """Send the scene, the switches and the messages, as far as they have changed."""
        room, person = self._room, self.person
        self._tell("scene", room.scene_for(person))
        self._tell("switches", [switch.payload() for switch in room.switches.values()])
        hearing = room.hearing_of(person)
        self._tell("call", hearing.report(room.others_in_call(hearing)) if hearing else None)
        scopes = [None, *(guild.id for guild in room.setting.guilds)]
        listed = [command for scope in scopes for command in room.rehearsal.commands.listed(scope)]
        self._tell("commands", [command["version"] for command in listed])
        self._tell_messages()

    def _tell_messages(self) -> None:
        news: list[Json] = []
        here: set[int] = set()
        for channel in self._room.setting.channels(self.person):
            for message in channel.messages.values():
                if not is_seen_by(message, self.person):
                    continue
                here.add(message.id)
                version = version_of(message)
                if self._versions.get(message.id) != version:
                    self._versions[message.id] = version
                    news.append(shown(self._room.rehearsal, message))
        gone = [str(number) for number in self._versions if number not in here]
        for number in gone:
            del self._versions[int(number)]
        if news or gone:
            self._send({"type": "messages", "new": news, "gone": gone})

    def _tell(self, what: str, value: object) -> None:
        if what not in self._told or self._told[what] != value:
            self._told[what] = value
            self._send({"type": what, what: value})

    def hear(self, sound: bytes) -> None:
        """Send sound, if this tab listens and is not too far behind."""
        if self._listening and len(self._outbox) < _MOST_WAITING:
            self._outbox.put(sound)

    def attempt(self, attempt: Attempt) -> None:
        """Send how something this person asked is getting on."""
        if attempt.person is self.person:
            self._send({"type": "attempt", "attempt": attempt.payload()})

    def entry(self, entry: TraceEntry) -> None:
        """Send what has passed between Discord and the bot."""
        self._send({"type": "entry", "entry": entry.line()})

    def _introduce(self) -> None:
        room = self._room
        self._told, self._versions = {}, {}
        self._send(
            {
                "type": "hello",
                "person": str(self.person.id),
                "entries": [entry.line() for entry in room.trace.entries],
                "attempts": [attempt.payload() for attempt in room.attempts.of(self.person)],
            }
        )
        self.look()

    # -- what it asks -----------------------------------------------------------------------------

    def _receive(self, text: str) -> None:
        try:
            wish = json.loads(text)
        except ValueError:
            return
        if isinstance(wish, dict):
            task = asyncio.create_task(self._act(wish), name=f"act-{wish.get('do')}")
            self._acting.add(task)
            task.add_done_callback(self._acting.discard)

    async def _act(self, wish: Json) -> None:
        reply: Json = {"type": "reply", "to": wish.get("id")}
        try:
            reply["value"] = await self._carry_out(wish)
        except RehearsalError as error:
            reply["error"] = str(error)
        except TimeoutError:
            reply["error"] = "The bot does not answer."
        except Exception:
            log.exception("the act %r failed", wish.get("do"))
            reply["error"] = "That went wrong here, in the rehearsal; the terminal says how."
        self._send(reply)

    async def _carry_out(self, wish: Json) -> object:
        match wish.get("do"):
            case "be":
                self._room.act_as(self, self._room.person(wish.get("person")))
                self._introduce()
                return None
            case "listen":
                self._listening = bool(wish.get("on"))
                return None
            case "encryption":
                hearing = self._room.hearing_of(self.person)
                return hearing.report(self._room.others_in_call(hearing)) if hearing else None
        return await self._acts.carry_out(self.person, wish)

    def _send(self, message: Json) -> None:
        self._outbox.put(json.dumps(message))
