"""Acting: what a person does in Discord's app becomes an interaction for the bot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rehearsal.answers import Answer
from rehearsal.backstage import Backstage
from rehearsal.cdn import SentFile, StoredFile
from rehearsal.errors import RehearsalError
from rehearsal.interactions import AUTOCOMPLETE, COMMAND, Interaction
from rehearsal.payloads import channel_payload, member_payload, partial_guild_payload
from rehearsal.permissions import BOT_DM, PRIVATE_CHANNEL, Permission
from rehearsal.records import Channel, ChannelKind, GuildRecord, Message, User
from rehearsal.rules.commands import CHAT_INPUT, USER_MENU
from rehearsal.screen import Resolver, account_of, filled_in
from rehearsal.wire import MEBIBYTE, NITRO_UPLOAD_LIMIT, UPLOAD_LIMITS, Json

IN_GUILD, IN_BOT_DM, IN_PRIVATE_CHANNEL = 0, 1, 2
GUILD_INSTALL, USER_INSTALL = 0, 1
"""Interaction contexts and integration types (Discord's documentation)."""


@dataclass(frozen=True)
class Place:
    """A channel in the eyes of one person. ``owners`` says by which installation the app is there."""

    user: User
    channel: Channel
    guild: GuildRecord | None
    context: int
    owners: dict[int, int]
    permissions: int
    app_permissions: int
    upload_limit: int

    @property
    def remote(self) -> bool:
        """Return whether the bot itself is not there, only the person's own installation."""
        return GUILD_INSTALL not in self.owners

    @property
    def only_ephemeral(self) -> bool:
        """Return whether what the app answers may only be seen by the person who asked."""
        return self.guild is not None and self.remote and not self.permissions & Permission.USE_EXTERNAL_APPS

    def offers(self, command: Json) -> bool:
        """Return whether Discord's app lists ``command`` here."""
        installs = command.get("integration_types") or [GUILD_INSTALL]
        contexts = command.get("contexts")
        if not any(install in self.owners for install in installs):
            return False
        if contexts is not None and self.context not in contexts:
            return False
        needed = command.get("default_member_permissions")
        if self.guild is None or needed is None:
            return True
        return (self.permissions & int(needed) == int(needed) and int(needed) != 0) or self._is_administrator

    @property
    def _is_administrator(self) -> bool:
        return bool(self.permissions & Permission.ADMINISTRATOR)

    def owners_for(self, installs: list[int]) -> Json:
        """Return `authorizing_integration_owners` of a command with these installation types."""
        return {str(kind): str(owner) for kind, owner in self.owners.items() if kind in installs}

    def payload(self) -> Json:
        """Return what an interaction says about its place and its person."""
        channel = channel_payload(self.channel) | {"permissions": str(int(self.permissions))}
        payload: Json = {
            "channel_id": str(self.channel.id),
            "channel": channel,
            "context": self.context,
            "app_permissions": str(int(self.app_permissions)),
            "attachment_size_limit": self.upload_limit,
            "entitlements": [],
            "locale": "en-US",
        }
        if self.guild is None:
            return payload | {"user": self.user.payload()}
        member = member_payload(self.guild.members[self.user.id], permissions=self.permissions)
        return payload | {
            "guild_id": str(self.guild.id),
            "guild": partial_guild_payload(self.guild),
            "guild_locale": self.guild.locale,
            "member": member,
        }


def place_of(
    backstage: Backstage, user: User, channel: Channel, *, has_installed_app: bool, nitro: bool
) -> Place:
    """Return ``channel`` in the eyes of ``user``. Raises `RehearsalError` when they cannot see it."""
    guild = backstage.directory.guild_of(channel)
    owners = {USER_INSTALL: user.id} if has_installed_app else {}
    own_limit = NITRO_UPLOAD_LIMIT if nitro else UPLOAD_LIMITS[0]
    if guild is None:
        if user not in channel.recipients:
            raise RehearsalError(f"{user.name} is not part of {channel.name}")
        with_bot = channel.kind is ChannelKind.DM and backstage.bot in channel.recipients
        if with_bot:
            owners = {GUILD_INSTALL: 0} | owners  # an app in its own DM is owned by guild 0
        context = IN_BOT_DM if with_bot else IN_PRIVATE_CHANNEL
        app = BOT_DM if with_bot else PRIVATE_CHANNEL
        return Place(user, channel, None, context, owners, 0, int(app), own_limit)
    permissions = guild.permissions_of(user.id, channel)
    if not permissions & Permission.VIEW_CHANNEL:
        raise RehearsalError(f"{user.name} cannot see {channel.name}")
    if backstage.bot.id in guild.members:
        owners = {GUILD_INSTALL: guild.id} | owners
        app_permissions = guild.permissions_of(backstage.bot.id, channel)
    else:
        app_permissions = permissions & int(BOT_DM)
    limit = max(own_limit, guild.upload_limit)
    return Place(user, channel, guild, IN_GUILD, owners, permissions, app_permissions, limit)


class Actor:
    """One person at the app."""

    def __init__(self, backstage: Backstage, user: User, *, has_installed_app: bool, nitro: bool) -> None:
        self._backstage = backstage
        self._user = user
        self._has_installed_app = has_installed_app
        self._nitro = nitro

    def place(self, channel: Channel) -> Place:
        """Return ``channel`` in this person's eyes. Raises `RehearsalError` when they cannot see it."""
        return place_of(
            self._backstage,
            self._user,
            channel,
            has_installed_app=self._has_installed_app,
            nitro=self._nitro,
        )

    # -- commands ---------------------------------------------------------------------------------

    def offered(self, channel: Channel, kind: int) -> list[str]:
        """Return the names of the commands of one type that are listed in ``channel``."""
        place = self.place(channel)
        commands = self._backstage.commands.listed()
        if place.guild is not None:
            commands = commands + self._backstage.commands.listed(place.guild.id)
        return sorted({c["name"] for c in commands if c["type"] == kind and self._is_offered(place, c)})

    def use_slash(
        self,
        channel: Channel,
        name: str,
        values: Mapping[str, object],
        kind: int,
        focused: str | None = None,
    ) -> Answer:
        """Send a slash command, or ask for autocompletion of ``focused``."""
        place = self.place(channel)
        first, *words = name.split()
        command = self._command(place, CHAT_INPUT, first)
        resolver = self.resolver(place)
        wanted = {key: account_of(value) for key, value in values.items() if value is not None}
        options = filled_in(command, words, wanted, resolver, focused)
        if focused is not None and not _is_completable(command, words, focused):
            raise RehearsalError(f"{focused} is not completed by the bot")
        data = _command_data(command) | {"options": options}
        if resolver.resolved and kind != AUTOCOMPLETE:
            data["resolved"] = resolver.resolved
        return self.use_place(place, kind, data, command=command)

    def use_menu(
        self, channel: Channel, kind: int, name: str, target_id: int, resolved: Mapping[str, Json]
    ) -> Answer:
        """Use a context menu command on a message or a person."""
        place = self.place(channel)
        command = self._command(place, kind, name)
        groups = {group: {str(target_id): payload} for group, payload in resolved.items()}
        data = _command_data(command) | {"target_id": str(target_id), "resolved": groups}
        return self.use_place(place, COMMAND, data, command=command)

    def use_user_menu(self, channel: Channel, name: str, user: User) -> Answer:
        """Use a context menu command on ``user``, as the member they are where there are members."""
        resolved: dict[str, Json] = {"users": user.payload()}
        member = self.resolver(self.place(channel)).member_payload(user)
        if member is not None:
            resolved["members"] = member
        return self.use_menu(channel, USER_MENU, name, user.id, resolved)

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

    def resolver(self, place: Place) -> Resolver:
        """Return what turns files, people, roles and channels at ``place`` into references."""

        def member(user: User) -> Json | None:
            if place.guild is None or user.id not in place.guild.members:
                return None
            permissions = place.guild.permissions_of(user.id, place.channel)
            return member_payload(place.guild.members[user.id], permissions=permissions, user=False)

        return Resolver(
            upload=lambda file: self.upload(file, place.upload_limit),
            attachment_payload=self._backstage.cdn.payload,
            member_payload=member,
        )

    # -- files ------------------------------------------------------------------------------------

    def check_sizes(self, files: Iterable[SentFile], limit: int) -> None:
        """Raise `RehearsalError` with the app's sentence when a file is too large."""
        if any(len(file.data) > limit for file in files):
            raise RehearsalError(f"Your files are too powerful. Max file size: {limit // MEBIBYTE} MB.")

    def upload(self, file: SentFile, limit: int) -> StoredFile:
        """Store a file that belongs to an interaction."""
        self.check_sizes([file], limit)
        return self._backstage.cdn.store(file, folder=self._backstage.bot.id, ephemeral=True)

    # -- messages ---------------------------------------------------------------------------------

    def visible(self, shown: Message | Answer) -> Message:
        """Return the message. Raises `RehearsalError` when this person does not see it."""
        message = shown.message if isinstance(shown, Answer) else shown
        if message is None or message.deleted:
            raise RehearsalError("there is no message")
        if message.ephemeral and message.seen_by != self._user.id:
            raise RehearsalError("only the person who asked sees this message")
        self.place_of_message(message)
        return message

    def place_of_message(self, message: Message) -> Place:
        """Return where ``message`` is, in this person's eyes."""
        return self.place(self._backstage.directory.channels[message.channel_id])

    def use_message(self, message: Message, kind: int, data: Json) -> Answer:
        """Use a component of ``message``."""
        return self.use_place(self.place_of_message(message), kind, data, source=message)

    # -- the interaction --------------------------------------------------------------------------

    def use_place(
        self,
        place: Place,
        kind: int,
        data: Json,
        *,
        command: Json | None = None,
        source: Message | None = None,
    ) -> Answer:
        """Send an interaction from ``place`` and return its answer."""
        interaction = Interaction(
            id=self._backstage.snowflakes.new(),
            kind=kind,
            user_id=self._user.id,
            channel=place.channel,
            answer=Answer(self._backstage.cdn),
            upload_limit=place.upload_limit,
            name=command["name"] if command else "",
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
