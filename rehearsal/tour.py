"""A tour through everything the bot does, as its people see and hear it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rehearsal.cloning import say_it_is_mine, turn_cloning_on
from rehearsal.recordings import RECORDINGS
from rehearsal.walk import Step, Walk, sent


class Tour(Walk):
    """Each kind of command once, with a mistake among them."""

    @property
    def steps(self) -> Sequence[Step]:
        """From /join to /leave."""
        return [
            self._join,
            self._speak,
            self._speak_in_style,
            self._turn_cloning_on,
            self._clone,
            self._speak_a_message,
            self._clone_a_message,
            self._speak_in_private,
            self._make_a_mistake,
            self._leave,
        ]

    async def _join(self) -> None:
        """Alice joins the voice channel Perch and types /join."""
        self._listener = await self._stage.alice.join(self._stage.perch)
        await self.told(await self._stage.alice.slash(self._stage.general, "join"))

    async def _speak(self) -> None:
        """Alice types /speak Hello everybody, I am Myna. I say what you type."""
        await self._spoken("speak", text="Hello everybody, I am Myna. I say what you type.")

    async def _speak_in_style(self) -> None:
        """Alice asks for a voice: /speak with the style an old man, slow and deep."""
        await self._spoken(
            "speak", text="And I can sound quite different.", style="an old man, slow and deep"
        )

    async def _turn_cloning_on(self) -> None:
        """Alice, a moderator, reads what goes for cloned voices and turns cloning on: /voice cloning."""
        await self.told(await turn_cloning_on(self._stage.alice, self._stage.general))

    async def _clone(self) -> None:
        """Alice uploads a recording, says it is her own voice: /clone with the reference harbour-master."""
        recording = RECORDINGS[0]
        packets = self.packets
        question = await self._stage.alice.slash(
            self._stage.general,
            "clone",
            text="The ferry leaves at nine, whatever the weather.",
            reference=sent(recording),
            transcript=recording.transcript,
        )
        await self.given(await say_it_is_mine(self._stage.alice, question), packets)

    async def _speak_a_message(self) -> None:
        """Bob writes a message, and Alice chooses Apps, Speak this."""
        message = await self._stage.bob.say(
            self._stage.general, "**Dinner** at <t:1767268800:t>? See https://example.com :wave:"
        )
        packets = self.packets
        await self.given(await self._stage.alice.message_menu("Speak this", message), packets)

    async def _clone_a_message(self) -> None:
        """Alice posts a recording, chooses Apps, Clone this voice, and fills in the form."""
        message = await self._stage.alice.say(self._stage.general, "me again", files=[sent(RECORDINGS[1])])
        form = await self.form_in(await self._stage.alice.message_menu("Clone this voice", message))
        packets = self.packets
        typed = {form.labels[0]: "May I borrow your bicycle?"}
        await self.given(await self._stage.alice.submit(form, typed), packets)

    async def _speak_in_private(self) -> None:
        """Bob writes to the bot alone: /speak in a direct message."""
        conversation = self._stage.rehearsal.world.dm(self._stage.bob)
        answer = await self._stage.bob.slash(conversation, "speak", text="This is only for me.")
        await self.given(answer)

    async def _make_a_mistake(self) -> None:
        """Alice asks for the impossible: /speak with nothing to say."""
        await self.told(await self._stage.alice.slash(self._stage.general, "speak", text="~~~ !!! ~~~"))

    async def _leave(self) -> None:
        """Alice types /leave."""
        await self.told(await self._stage.alice.slash(self._stage.general, "leave"))

    async def _spoken(self, command: str, **options: Any) -> None:
        packets = self.packets
        await self.given(await self._stage.alice.slash(self._stage.general, command, **options), packets)
