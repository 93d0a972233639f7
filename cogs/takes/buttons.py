"""The buttons under every take. They carry the id of the take, so they work after a restart too."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Final

import discord

from bot.answer import Acknowledgement
from bot.giving.order import Order
from bot.speech_bot import SpeechBot
from cogs.lasting import Lasting, row_of
from cogs.takes import acts, forms
from cogs.takes.press import Press

Act = Callable[[Press], Awaitable[None]]

_ACTS: Final[Mapping[str, Act]] = MappingProxyType(
    {
        "again": acts.again,
        "play": acts.play,
        "voice": acts.as_voice_message,
        "save": forms.save,
        "sound": forms.to_soundboard,
        "delete": acts.delete,
        "report": acts.report,
    }
)
_ACKNOWLEDGEMENTS: Final = {
    "again": Acknowledgement.PUBLIC,
    "save": Acknowledgement.IMMEDIATE,
    "sound": Acknowledgement.IMMEDIATE,
    "delete": Acknowledgement.UPDATE,
}
"""All others are for the presser alone."""

_LABELS: Final = {
    "again": "Again",
    "play": "Play in my channel",
    "voice": "As voice message",
    "save": "Save voice",
    "sound": "To soundboard",
    "delete": "Delete",
    "report": "Report",
}
_STYLES: Final = {
    "again": discord.ButtonStyle.primary,
    "delete": discord.ButtonStyle.danger,
    "report": discord.ButtonStyle.danger,
}


class TakeButton(
    Lasting,
    discord.ui.DynamicItem[discord.ui.Button[discord.ui.View]],
    template=rf"take:(?P<act>{'|'.join(_ACTS)}):(?P<take>[A-Za-z0-9_-]{{22}})",
):
    """One of the buttons under a take. What the presser may do is looked up at the press."""

    def __init__(self, act: str, take: str) -> None:
        super().__init__(
            discord.ui.Button(
                label=_LABELS[act],
                style=_STYLES.get(act, discord.ButtonStyle.secondary),
                custom_id=f"take:{act}:{take}",
            )
        )
        self._act = act
        self._take_id = take

    @property
    def acknowledgement(self) -> Acknowledgement:
        """How a press is acknowledged: by what it does."""
        return _ACKNOWLEDGEMENTS.get(self._act, Acknowledgement.EPHEMERAL)

    async def pressed(self, interaction: discord.Interaction, bot: SpeechBot) -> None:
        """Do it."""
        with Press.once(interaction, bot, self._act, self._take_id) as press:
            await _ACTS[self._act](press)


def buttons_under(take_id: str, order: Order, in_server: bool) -> discord.ui.View:
    """Return the buttons under a take: those that can do anything where it stands."""
    shown = ["again"]
    if in_server:
        shown += ["play", "voice"]
    if order.may_be_saved:
        shown.append("save")
    if in_server:
        shown.append("sound")
    shown.append("delete")
    if in_server and order.cloned:
        shown.append("report")
    return row_of(*(TakeButton(act, take_id) for act in shown))
