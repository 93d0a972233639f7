"""A tour through everything the bot does, as its people see and hear it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from rehearsal.answers import Answer
from rehearsal.cloning import say_it_is_mine, turn_cloning_on
from rehearsal.errors import RehearsalError
from rehearsal.files import SentFile
from rehearsal.recordings import RECORDINGS, Recording
from rehearsal.stage import ANSWER_SECONDS, Stage, StepFailedError, alike
from rehearsal.voice.listener import Listener

ALIKE: Final = 0.95
"""What was heard and what lies under the answer correlate at least so, Opus and all."""


class Tour:
    """Walks through the steps and prints what happens."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._listener: Listener | None = None

    async def run(self) -> bool:
        """Return whether every step went as it should; each is printed as it happens."""
        steps: list[Callable[[], Awaitable[None]]] = [
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
        print("A rehearsal: a Discord of our own on this machine. No account, no key; nothing leaves it.\n")
        failed = 0
        for number, step in enumerate(steps, start=1):
            print(f"{number}. {step.__doc__}")
            try:
                await step()
            except (RehearsalError, StepFailedError, TimeoutError) as error:
                failed += 1
                print(f"   FAILED: {error}")
        print(f"\nThe sounds are in {self._stage.output}/.")
        if failed:
            print(f"{failed} of {len(steps)} steps failed.")
        return not failed

    async def _join(self) -> None:
        """Alice joins the voice channel Perch and types /join."""
        self._listener = await self._stage.alice.join(self._stage.perch)
        await self._told(await self._stage.alice.slash(self._stage.general, "join"))

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
        await self._told(await turn_cloning_on(self._stage.alice, self._stage.general))

    async def _clone(self) -> None:
        """Alice uploads a recording, says it is her own voice: /clone with the reference harbour-master."""
        recording = RECORDINGS[0]
        packets = self._packets()
        question = await self._stage.alice.slash(
            self._stage.general,
            "clone",
            text="The ferry leaves at nine, whatever the weather.",
            reference=_sent(recording),
            transcript=recording.transcript,
        )
        await self._given(await say_it_is_mine(self._stage.alice, question), packets)

    async def _speak_a_message(self) -> None:
        """Bob writes a message, and Alice chooses Apps, Speak this."""
        message = await self._stage.bob.say(
            self._stage.general, "**Dinner** at <t:1767268800:t>? See https://example.com :wave:"
        )
        packets = self._packets()
        await self._given(await self._stage.alice.message_menu("Speak this", message), packets)

    async def _clone_a_message(self) -> None:
        """Alice posts a recording, chooses Apps, Clone this voice, and fills in the form."""
        message = await self._stage.alice.say(self._stage.general, "me again", files=[_sent(RECORDINGS[1])])
        form = await self._stage.alice.message_menu("Clone this voice", message)
        await form.until(lambda answer: answer.modal is not None, timeout=ANSWER_SECONDS)
        if form.modal is None:
            raise StepFailedError(form.content)
        print(f"   form: {form.modal.title}: {', '.join(form.modal.labels)}")
        packets = self._packets()
        typed = {form.modal.labels[0]: "May I borrow your bicycle?"}
        await self._given(await self._stage.alice.submit(form.modal, typed), packets)

    async def _speak_in_private(self) -> None:
        """Bob writes to the bot alone: /speak in a direct message."""
        conversation = self._stage.rehearsal.world.dm(self._stage.bob)
        answer = await self._stage.bob.slash(conversation, "speak", text="This is only for me.")
        await self._given(answer, None)

    async def _make_a_mistake(self) -> None:
        """Alice asks for the impossible: /speak with nothing to say."""
        await self._told(await self._stage.alice.slash(self._stage.general, "speak", text="~~~ !!! ~~~"))

    async def _leave(self) -> None:
        """Alice types /leave."""
        await self._told(await self._stage.alice.slash(self._stage.general, "leave"))

    async def _spoken(self, command: str, **options: Any) -> None:
        packets = self._packets()
        await self._given(await self._stage.alice.slash(self._stage.general, command, **options), packets)

    async def _told(self, answer: Answer) -> None:
        await answer.settled(timeout=ANSWER_SECONDS)
        if answer.failure:
            raise StepFailedError(answer.failure)
        print(f"   answered after {_ms(answer)}: {self._stage.readable(answer.content)}")

    async def _given(self, answer: Answer, packets: int | None) -> None:
        """Print the file under the answer and, from the ``packets``-th packet on, what was heard."""
        file = await self._stage.file_of(answer)
        path = await self._stage.save(file.name, file.data)
        print(f"   acknowledged after {_ms(answer)}, done after {answer.history[-1].after:.1f} s")
        print(f"   answer: {self._stage.readable(answer.content)}")
        print(f"   file:   {path}")
        if packets is None or self._listener is None:
            return
        heard = await self._stage.hear(self._listener, after=packets)
        heard_path = await self._stage.save_heard(f"heard-{file.name}", heard)
        match = alike(file.data, heard)
        if heard.undecryptable or not match.complete or match.correlation < ALIKE:
            raise StepFailedError(
                f"what was heard is not what was made: {heard.undecryptable} frames could not be decrypted, "
                f"correlation {match.correlation:.3f}, {'complete' if match.complete else 'incomplete'}"
            )
        print(f"   heard:  {heard_path}")
        print(
            f"           {heard.seconds:.1f} s, {heard.frames} frames, all of them end-to-end encrypted; "
            f"correlation with the file {match.correlation:.3f}"
        )

    def _packets(self) -> int:
        return len(self._listener.packets) if self._listener else 0


def _sent(recording: Recording) -> SentFile:
    return SentFile(recording.path.name, recording.path.read_bytes())


def _ms(answer: Answer) -> str:
    return f"{(answer.acknowledged_after or 0) * 1000:.0f} ms"
