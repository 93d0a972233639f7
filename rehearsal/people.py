"""People who use Discord: they talk, join voice channels, and use the bot's commands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rehearsal.answers import Answer, AnswerState
from rehearsal.backstage import Backstage
from rehearsal.cdn import SentFile, StoredFile
from rehearsal.errors import RehearsalError
from rehearsal.interactions import AUTOCOMPLETE, COMMAND, COMPONENT, MODAL_SUBMIT, Interaction
from rehearsal.payloads import member_payload
from rehearsal.permissions import Permission
from rehearsal.places import Place, place_of
from rehearsal.records import Channel, Message, User
from rehearsal.rules.commands import CHAT_INPUT, MESSAGE_MENU, USER_MENU
from rehearsal.rules.components import BUTTON, ROW, STRING_SELECT, TEXT_INPUT
from rehearsal.screen import (
    Resolver,
    ShownModal,
    account_of,
    check_genuine,
    choose,
    fill_in,
    filled_in,
    find_component,
    find_select,
)
from rehearsal.voice.listener import Listener
from rehearsal.wire import MEBIBYTE, SUPPRESS_NOTIFICATIONS, VOICE_MESSAGE, Json


class Person:
    """One person. What Discord's app would not let them do raises `RehearsalError`."""

    def __init__(self, backstage: Backstage, user: User, *, has_installed_app: bool, nitro: bool) -> None:
        self.user = user
        self._backstage = backstage
        self._has_installed_app = has_installed_app
        self._nitro = nitro

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
        silently: bool = False,
        stickers: Sequence[str] = (),
        poll: Sequence[str] = (),
    ) -> Message:
        """Write a message; ``as_voice_message`` sends its one file as a recording made in the app.

        ``silently`` notifies nobody (@silent). ``poll`` is a question and its answers.
        """
        place = self._place(channel)
        self._check_may_write(place, files=bool(files), as_voice_message=as_voice_message)
        if as_voice_message and (text or len(files) != 1):
            raise RehearsalError("a voice message is one recording, and nothing else")
        if len(text) > 2_000:
            raise RehearsalError("Your message is too long! Please keep it to 2000 characters.")
        self._check_sizes(files, place.upload_limit)
        body: dict[str, object] = {"content": text, "stickers": list(stickers), "poll": list(poll)}
        if reply_to is not None:
            body["message_reference"] = {"message_id": str(reply_to.id), "channel_id": str(channel.id)}
        flags = (VOICE_MESSAGE if as_voice_message else 0) | (SUPPRESS_NOTIFICATIONS if silently else 0)
        return self._backstage.publisher.publish(channel, self.user, body, files, flags=flags)

    def forward(self, message: Message | Answer, channel: Channel) -> Message:
        """Forward a message that they see into ``channel``."""
        shown = self._visible(message)
        self._check_may_write(self._place(channel))
        reference = {"type": 1, "message_id": str(shown.id), "channel_id": str(shown.channel_id)}
        if shown.guild_id is not None:
            reference["guild_id"] = str(shown.guild_id)
        return self._backstage.publisher.publish(channel, self.user, {"message_reference": reference})

    def edit(self, message: Message, text: str) -> None:
        """Let one of their own messages say something else."""
        if message.author != self.user:
            raise RehearsalError("only your own messages can be edited")
        self._backstage.publisher.edit(message, {"content": text})

    def delete(self, message: Message | Answer) -> None:
        """Delete one of their own messages or, with Manage Messages, anybody's."""
        shown = self._visible(message)
        place = self._place_of_message(shown)
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
        return self._use_slash(channel, command, options, COMMAND)

    async def autocomplete(
        self, channel: Channel, command: str, focused: str, typed: str, /, **options: object
    ) -> list[tuple[str, str | int | float]]:
        """Type into an option and return the proposed (name, value) pairs."""
        answer = self._use_slash(channel, command, options | {focused: typed}, AUTOCOMPLETE, focused)
        await answer.until(lambda a: a.state is not AnswerState.WAITING)
        if answer.choices is None:
            raise RehearsalError("Loading options failed")
        return answer.choices

    async def message_menu(self, name: str, message: Message) -> Answer:
        """Use Apps → ``name`` on a message."""
        channel = self._backstage.directory.channels[message.channel_id]
        payload = self._backstage.publisher.payload(message)
        return self._use_menu(channel, MESSAGE_MENU, name, message.id, {"messages": payload})

    async def user_menu(self, name: str, channel: Channel, person: Person | User) -> Answer:
        """Use Apps → ``name`` on a person or a bot, seen in ``channel``."""
        user = person if isinstance(person, User) else person.user
        resolved: dict[str, Json] = {"users": user.payload()}
        member = self._resolver(self._place(channel)).member_payload(user)
        if member is not None:
            resolved["members"] = member
        return self._use_menu(channel, USER_MENU, name, user.id, resolved)

    def offered(self, channel: Channel, kind: int = CHAT_INPUT) -> list[str]:
        """Return the names of the commands of one type, slash commands if not said, that are listed here."""
        place = self._place(channel)
        commands = self._backstage.commands.listed()
        if place.guild is not None:
            commands = commands + self._backstage.commands.listed(place.guild.id)
        return sorted({c["name"] for c in commands if c["type"] == kind and self._is_offered(place, c)})

    # -- components -------------------------------------------------------------------------------

    async def press(self, message: Message | Answer, which: str) -> Answer:
        """Press a button, named by its label or custom id."""
        shown = self._visible(message)
        button = find_component(shown, which)
        data = {"custom_id": button["custom_id"], "component_type": button["type"]}
        return self._use_message(shown, COMPONENT, data)

    async def select(self, message: Message | Answer, which: str, *chosen: object) -> Answer:
        """Choose in a select menu, named by its placeholder or custom id.

        ``chosen`` are labels or values; in other menus people, roles (`Role`) or channels.
        """
        shown = self._visible(message)
        menu = find_select(shown, which)
        resolver = self._resolver(self._place_of_message(shown))
        values = choose(menu, chosen, resolver)
        data: dict[str, object] = {"custom_id": menu["custom_id"], "component_type": menu["type"]}
        data["values"] = values
        if resolver.resolved:
            data["resolved"] = resolver.resolved
        return self._use_message(shown, COMPONENT, data)

    async def submit(self, modal: ShownModal | Answer, values: Mapping[str, object]) -> Answer:
        """Fill in a modal, by label or custom id, and submit it."""
        shown = modal.modal if isinstance(modal, Answer) else modal
        if shown is None or shown.user_id != self.id:
            raise RehearsalError("no modal is open")
        place = self._place(shown.channel)
        resolver = self._resolver(place)
        components = fill_in(shown, values, resolver)
        data: dict[str, object] = {"custom_id": shown.data["custom_id"], "components": components}
        if resolver.resolved:
            data["resolved"] = resolver.resolved
        return self._use_place(place, MODAL_SUBMIT, data, source=shown.source)

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
        unless `Interactions.validates_components` is False.
        """
        shown = self._visible(message)
        kind = component_type or (BUTTON if values is None else STRING_SELECT)
        if self._backstage.interactions.validates_components:
            check_genuine(shown, custom_id, kind, values)
        data: dict[str, object] = {"custom_id": custom_id, "component_type": kind}
        if values is not None:
            data["values"] = list(values)
        return self._use_message(shown, COMPONENT, data)

    async def forge_submit(self, modal: ShownModal, custom_id: str, texts: Mapping[str, str]) -> Answer:
        """Submit a form that was never shown: ``texts`` by custom id, in place of ``modal``.

        Raises `RehearsalError` unless `Interactions.validates_components` is False.
        """
        if self._backstage.interactions.validates_components and custom_id != modal.data["custom_id"]:
            raise RehearsalError("COMPONENT_VALIDATION_FAILED: no such modal was opened")
        rows = [
            {"type": ROW, "components": [{"type": TEXT_INPUT, "custom_id": key, "value": text}]}
            for key, text in texts.items()
        ]
        data: dict[str, object] = {"custom_id": custom_id, "components": rows}
        place = self._place(modal.channel)
        return self._use_place(place, MODAL_SUBMIT, data, source=modal.source)

    # -- what the app does for them --------------------------------------------------------------

    def _place(self, channel: Channel) -> Place:
        """Return ``channel`` in this person's eyes. Raises `RehearsalError` when they cannot see it."""
        app, nitro = self._has_installed_app, self._nitro
        return place_of(self._backstage, self.user, channel, has_installed_app=app, nitro=nitro)

    def _use_slash(
        self,
        channel: Channel,
        name: str,
        values: Mapping[str, object],
        kind: int,
        focused: str | None = None,
    ) -> Answer:
        """Send a slash command, or ask for autocompletion of ``focused``."""
        place = self._place(channel)
        first, *words = name.split()
        command = self._command(place, CHAT_INPUT, first)
        resolver = self._resolver(place)
        wanted = {key: account_of(value) for key, value in values.items() if value is not None}
        options = filled_in(command, words, wanted, resolver, focused)
        if focused is not None and not _is_completable(command, words, focused):
            raise RehearsalError(f"{focused} is not completed by the bot")
        data = _command_data(command) | {"options": options}
        if resolver.resolved and kind != AUTOCOMPLETE:
            data["resolved"] = resolver.resolved
        return self._use_place(place, kind, data, command=command, name=name)

    def _use_menu(
        self, channel: Channel, kind: int, name: str, target_id: int, resolved: Mapping[str, Json]
    ) -> Answer:
        """Use a context menu command on a message or a person."""
        place = self._place(channel)
        command = self._command(place, kind, name)
        groups = {group: {str(target_id): payload} for group, payload in resolved.items()}
        data = _command_data(command) | {"target_id": str(target_id), "resolved": groups}
        return self._use_place(place, COMMAND, data, command=command)

    def _command(self, place: Place, kind: int, name: str) -> Json:
        guild_id = place.guild.id if place.guild else None
        command = self._backstage.commands.find(kind, name, guild_id)
        if command is None or not self._is_offered(place, command):
            offered = self.offered(place.channel, kind)
            raise RehearsalError(f"there is no command {name!r} in {place.channel.name}, only {offered}")
        return command

    def _is_offered(self, place: Place, command: Json) -> bool:
        allowed = place.guild is None or place.permissions & Permission.USE_APPLICATION_COMMANDS
        return bool(allowed) and place.offers(command)

    def _resolver(self, place: Place) -> Resolver:
        """Return what turns files, people, roles and channels at ``place`` into references."""

        def member(user: User) -> Json | None:
            if place.guild is None or user.id not in place.guild.members:
                return None
            permissions = place.guild.permissions_of(user.id, place.channel)
            return member_payload(place.guild.members[user.id], permissions=permissions, user=False)

        return Resolver(
            upload=lambda file: self._upload(file, place.upload_limit),
            attachment_payload=self._backstage.cdn.payload,
            member_payload=member,
        )

    def _check_may_write(self, place: Place, *, files: bool = False, as_voice_message: bool = False) -> None:
        """Raise `RehearsalError` unless this person may write that at ``place``."""
        needed = [place.channel.send_permission]
        if files:
            needed.append(Permission.SEND_VOICE_MESSAGES if as_voice_message else Permission.ATTACH_FILES)
        if place.guild is not None and any(not place.permissions & one for one in needed):
            raise RehearsalError(f"{self.name} cannot write that in {place.channel.name}")

    def _check_sizes(self, files: Iterable[SentFile], limit: int) -> None:
        """Raise `RehearsalError` with the app's sentence when a file is too large."""
        if any(len(file.data) > limit for file in files):
            raise RehearsalError(f"Your files are too powerful. Max file size: {limit // MEBIBYTE} MB.")

    def _upload(self, file: SentFile, limit: int) -> StoredFile:
        """Store a file that belongs to an interaction."""
        self._check_sizes([file], limit)
        return self._backstage.cdn.store(file, folder=self._backstage.bot.id, ephemeral=True)

    def _visible(self, shown: Message | Answer) -> Message:
        """Return the message. Raises `RehearsalError` when this person does not see it."""
        message = shown.message if isinstance(shown, Answer) else shown
        if message is None or message.deleted:
            raise RehearsalError("there is no message")
        if message.ephemeral and message.seen_by != self.user.id:
            raise RehearsalError("only the person who asked sees this message")
        self._place_of_message(message)
        return message

    def _place_of_message(self, message: Message) -> Place:
        """Return where ``message`` is, in this person's eyes."""
        return self._place(self._backstage.directory.channels[message.channel_id])

    def _use_message(self, message: Message, kind: int, data: Json) -> Answer:
        """Use a component of ``message``."""
        return self._use_place(self._place_of_message(message), kind, data, source=message)

    def _use_place(
        self,
        place: Place,
        kind: int,
        data: Json,
        *,
        command: Json | None = None,
        name: str = "",
        source: Message | None = None,
    ) -> Answer:
        """Send an interaction from ``place`` and return its answer; ``name`` is a command's in full."""
        interaction = Interaction(
            id=self._backstage.snowflakes.new(),
            kind=kind,
            user_id=self.user.id,
            channel=place.channel,
            answer=Answer(self._backstage.cdn),
            upload_limit=place.upload_limit,
            name=name or (command["name"] if command else ""),
            remote=place.remote,
            only_ephemeral=place.only_ephemeral,
            source=source,
        )
        self._backstage.interactions.open(interaction)
        installs = (command or {}).get("integration_types") or [0, 1]
        self._send(place, interaction, data, installs)
        return interaction.answer

    def _send(self, place: Place, interaction: Interaction, data: Json, installs: list[int]) -> None:
        payload = place.payload() | {
            "id": str(interaction.id),
            "application_id": str(self._backstage.bot.id),
            "type": interaction.kind,
            "token": interaction.token,
            "version": 1,
            "data": data,
            "authorizing_integration_owners": place.owners_for(installs),
        }
        if interaction.source is not None:
            payload["message"] = self._backstage.publisher.payload(interaction.source)
        guild_id = place.guild.id if place.guild else None
        self._backstage.events.send("INTERACTION_CREATE", payload, guild_id=guild_id)


def _command_data(command: Json) -> Json:
    data: Json = {"id": command["id"], "name": command["name"], "type": command["type"]}
    if "guild_id" in command:
        data["guild_id"] = command["guild_id"]
    return data


def _is_completable(command: Json, words: list[str], focused: str) -> bool:
    options: list[Json] = command.get("options") or []
    for word in words:
        options = next(o.get("options") or [] for o in options if o["name"] == word)
    return any(option["name"] == focused and option.get("autocomplete") for option in options)
