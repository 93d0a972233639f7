"""Everything behind the scene, in one bundle for those who act in it."""

from __future__ import annotations

from dataclasses import dataclass

from rehearsal.cdn import Cdn
from rehearsal.events import Events
from rehearsal.interactions import Commands, Interactions
from rehearsal.main_socket import MainSocket
from rehearsal.publishing import Publisher
from rehearsal.records import Directory, User
from rehearsal.voice.server import VoiceServer
from rehearsal.voice_states import VoiceDesk
from rehearsal.wire import Snowflakes


@dataclass(frozen=True)
class Backstage:
    """The parts of this Discord."""

    bot: User
    snowflakes: Snowflakes
    directory: Directory
    events: Events
    cdn: Cdn
    commands: Commands
    interactions: Interactions
    publisher: Publisher
    voice: VoiceServer
    voice_desk: VoiceDesk
    main_socket: MainSocket

    @classmethod
    def build(cls, token: str) -> Backstage:
        """Return the parts, connected to each other."""
        snowflakes = Snowflakes()
        bot = User(snowflakes.old(), "Myna", bot=True)
        directory, events, voice = Directory(bot), Events(), VoiceServer()
        cdn = Cdn(snowflakes)
        voice_desk = VoiceDesk(voice, directory, events)
        main_socket = MainSocket(token, directory, events)
        main_socket.voice_asked = voice_desk.bot_asks
        main_socket.session_over = voice_desk.session_over
        return cls(
            bot=bot,
            snowflakes=snowflakes,
            directory=directory,
            events=events,
            cdn=cdn,
            commands=Commands(bot.id, snowflakes),
            interactions=Interactions(),
            publisher=Publisher(directory, cdn, events, snowflakes),
            voice=voice,
            voice_desk=voice_desk,
            main_socket=main_socket,
        )
