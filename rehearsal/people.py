"""People who use Discord: they talk, join voice channels, and use the bot's commands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rehearsal.acting import Actor
from rehearsal.answers import Answer, AnswerState
from rehearsal.backstage import Backstage
from rehearsal.cdn import SentFile
from rehearsal.errors import RehearsalError
from rehearsal.interactions import AUTOCOMPLETE, COMMAND, COMPONENT, MODAL_SUBMIT
from rehearsal.permissions import Permission
from rehearsal.records import Channel, Message, User
from rehearsal.rules.commands import CHAT_INPUT, MESSAGE_MENU
from rehearsal.rules.components import BUTTON, ROW, STRING_SELECT, TEXT_INPUT
from rehearsal.screen import ShownModal, check_genuine, choose, fill_in, find_component, find_select
from rehearsal.voice.listener import Listener
from rehearsal.wire import VOICE_MESSAGE


class Person:
    """One person. What Discord's app would not let them do raises `RehearsalError`."""

    def __init__(self, backstage: Backstage, user: User, *, has_installed_app: bool, nitro: bool) -> None:
        self.user = user
        self._backstage = backstage
        self._actor = Actor(backstage, user, has_installed_app=has_installed_app, nitro=nitro)

    @property
    def id(self) -> int:
        """Return the id of the account."""
        return self.user.id

    @property
    def name(self) -> str:
        """Return the name others see."""
        return self.user.name

    @property
    def mention(self) -> str:
        """Return what pings this person."""
        return f"<@{self.user.id}>"

    # -- voice ------------------------------------------------------------------------------------

    async def join(self, channel: Channel) -> Listener:
        """Join a voice channel and return their ears there, once the bot has heard of it."""
        guild = self._backstage.directory.guild_of(channel)
        if guild is None:
            raise RehearsalError(f"{channel.name} is not a voice channel of a guild")
        listener = await self._backstage.voice_desk.person_joins(guild, channel, self.id)
        await self._backstage.main_socket.caught_up()
        return listener

    async def leave(self) -> None:
        """Leave every voice channel, and return once the bot has heard of it."""
        for guild in self._backstage.directory.guilds.values():
            await self._backstage.voice_desk.person_leaves(guild, self.id)
        await self._backstage.main_socket.caught_up()

    # -- writing ----------------------------------------------------------------------------------

    async def say(
        self,
        channel: Channel,
        text: str = "",
        files: Sequence[SentFile] = (),
        *,
        reply_to: Message | None = None,
        as_voice_message: bool = False,
    ) -> Message:
        """Write a message; ``as_voice_message`` sends its one file as a recording made in the app."""
        place = self._actor.place(channel)
        if place.guild is not None and not place.permissions & Permission.SEND_MESSAGES:
            raise RehearsalError(f"{self.name} cannot write in {channel.name}")
        if len(text) > 2_000:
            raise RehearsalError("Your message is too long! Please keep it to 2000 characters.")
        self._actor.check_sizes(files, place.upload_limit)
        body: dict[str, object] = {"content": text}
        if reply_to is not None:
            body["message_reference"] = {"message_id": str(reply_to.id), "channel_id": str(channel.id)}
        flags = VOICE_MESSAGE if as_voice_message else 0
        return self._backstage.publisher.publish(channel, self.user, body, files, flags=flags)

    def delete(self, message: Message | Answer) -> None:
        """Delete one of their own messages or, with Manage Messages, anybody's."""
        shown = self._actor.visible(message)
        place = self._actor.place_of_message(shown)
        if shown.author != self.user and not place.permissions & Permission.MANAGE_MESSAGES:
            raise RehearsalError("only your own messages can be deleted")
        if shown.ephemeral:
            raise RehearsalError("a message that only you see can be dismissed, not deleted")
        self._backstage.publisher.delete(shown)

    def refuse_dms(self) -> None:
        """No longer let the bot write to them."""
        self._backstage.directory.refuses_dms.add(self.id)

    def accept_dms(self) -> None:
        """Let the bot write to them again."""
        self._backstage.directory.refuses_dms.discard(self.id)

    def dms(self) -> list[Message]:
        """Return what is to be read in their conversation with the bot, oldest first."""
        return self._backstage.directory.dm(self.user, self._backstage.snowflakes.new).history

    # -- commands ---------------------------------------------------------------------------------

    async def slash(self, channel: Channel, command: str, /, **options: object) -> Answer:
        """Use a slash command (``"speak"``, or ``"voices list"``) and return the growing answer."""
        return self._actor.use_slash(channel, command, options, COMMAND)

    async def autocomplete(
        self, channel: Channel, command: str, focused: str, typed: str, /, **options: object
    ) -> list[tuple[str, str | int | float]]:
        """Type into an option and return the proposed (name, value) pairs."""
        answer = self._actor.use_slash(channel, command, options | {focused: typed}, AUTOCOMPLETE, focused)
        await answer.until(lambda a: a.state is not AnswerState.WAITING)
        if answer.choices is None:
            raise RehearsalError("Loading options failed")
        return answer.choices

    async def message_menu(self, name: str, message: Message) -> Answer:
        """Use Apps → ``name`` on a message."""
        channel = self._backstage.directory.channels[message.channel_id]
        payload = self._backstage.publisher.payload(message)
        return self._actor.use_menu(channel, MESSAGE_MENU, name, message.id, {"messages": payload})

    async def user_menu(self, name: str, channel: Channel, person: Person | User) -> Answer:
        """Use Apps → ``name`` on a person or a bot, seen in ``channel``."""
        return self._actor.use_user_menu(channel, name, person if isinstance(person, User) else person.user)

    def offered(self, channel: Channel, kind: int = CHAT_INPUT) -> list[str]:
        """Return the names of the commands of one type, slash commands if not said, that are listed here."""
        return self._actor.offered(channel, kind)

    # -- components -------------------------------------------------------------------------------

    async def press(self, message: Message | Answer, which: str) -> Answer:
        """Press a button, named by its label or custom id."""
        shown = self._actor.visible(message)
        button = find_component(shown, which)
        data = {"custom_id": button["custom_id"], "component_type": button["type"]}
        return self._actor.use_message(shown, COMPONENT, data)

    async def select(self, message: Message | Answer, which: str, *chosen: object) -> Answer:
        """Choose in a select menu, named by its placeholder or custom id.

        ``chosen`` are labels or values; in other menus people, roles (`Role`) or channels.
        """
        shown = self._actor.visible(message)
        menu = find_select(shown, which)
        resolver = self._actor.resolver(self._actor.place_of_message(shown))
        values = choose(menu, chosen, resolver)
        data: dict[str, object] = {"custom_id": menu["custom_id"], "component_type": menu["type"]}
        data["values"] = values
        if resolver.resolved:
            data["resolved"] = resolver.resolved
        return self._actor.use_message(shown, COMPONENT, data)

    async def submit(self, modal: ShownModal | Answer, values: Mapping[str, object]) -> Answer:
        """Fill in a modal, by label or custom id, and submit it."""
        shown = modal.modal if isinstance(modal, Answer) else modal
        if shown is None or shown.user_id != self.id:
            raise RehearsalError("no modal is open")
        place = self._actor.place(shown.channel)
        resolver = self._actor.resolver(place)
        components = fill_in(shown, values, resolver)
        data: dict[str, object] = {"custom_id": shown.data["custom_id"], "components": components}
        if resolver.resolved:
            data["resolved"] = resolver.resolved
        return self._actor.use_place(place, MODAL_SUBMIT, data, source=shown.source)

    async def forge(
        self,
        message: Message | Answer,
        custom_id: str,
        *,
        values: Sequence[str] | None = None,
        component_type: int | None = None,
    ) -> Answer:
        """Use a component past the app, as a modified client does; ``values`` makes it a string select.

        Raises `RehearsalError` with Discord's COMPONENT_VALIDATION_FAILED for what is not on the message,
        unless `Rehearsal.validates_components` is False.
        """
        shown = self._actor.visible(message)
        kind = component_type or (BUTTON if values is None else STRING_SELECT)
        if self._backstage.interactions.validates_components:
            check_genuine(shown, custom_id, kind, values)
        data: dict[str, object] = {"custom_id": custom_id, "component_type": kind}
        if values is not None:
            data["values"] = list(values)
        return self._actor.use_message(shown, COMPONENT, data)

    async def forge_submit(self, modal: ShownModal, custom_id: str, texts: Mapping[str, str]) -> Answer:
        """Submit a form that was never shown: ``texts`` by custom id, in place of ``modal``.

        Raises `RehearsalError` unless `Rehearsal.validates_components` is False.
        """
        if self._backstage.interactions.validates_components and custom_id != modal.data["custom_id"]:
            raise RehearsalError("COMPONENT_VALIDATION_FAILED: no such modal was opened")
        rows = [
            {"type": ROW, "components": [{"type": TEXT_INPUT, "custom_id": key, "value": text}]}
            for key, text in texts.items()
        ]
        data: dict[str, object] = {"custom_id": custom_id, "components": rows}
        place = self._actor.place(modal.channel)
        return self._actor.use_place(place, MODAL_SUBMIT, data, source=modal.source)
