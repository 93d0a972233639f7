"""Tours: a server's first hour, everything in short, and all that concerns saved voices."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Sequence
from typing import Any, Final

from bot.audio.edit import ANNOUNCEMENT_SECONDS
from bot.audio.formats import MAX_CLIP_BYTES, MAX_CLIP_SECONDS
from bot.interaction import INVITED, invitation
from rehearsal.answers import Answer
from rehearsal.likeness import halves, pitch_of, semitones
from rehearsal.people import Person
from rehearsal.recordings import RECORDINGS
from rehearsal.records import Message
from rehearsal.stage import ANSWER_SECONDS, StepFailedError, TourStage, pcm_of_wav
from rehearsal.walk import (
    ACCEPT,
    MY_OWN,
    DeliveredSpeech,
    Step,
    Walk,
    check,
    indented,
    say_it_is_mine,
    sent,
    turn_cloning_on,
)

_DEEP, _HIGH = RECORDINGS[0], RECORDINGS[1]
_HEAR, _CHOOSE, _TURN_ON = "Hear it", "Choose the server's voice", "Turn cloning on"
"""The buttons under the welcome."""

_FIRST_SENTENCE: Final = "The ferry leaves at nine."
_LIMIT: Final = 5
"""Seconds a day, fewer than have been used by then."""


class FirstHour(Walk):
    """A server's first hour: nobody knows more than what the bot says.

    It takes place in The Harbour, a server that the bot is not in yet, which Carol manages.
    """

    def __init__(self, stage: TourStage) -> None:
        super().__init__(stage)
        stage.move_to("The Harbour")
        self._alice, self._bob, self._carol = stage.alice, stage.bob, stage.carol
        self._welcome: Message | None = None

    @property
    def steps(self) -> Sequence[Step]:
        """From the invitation to a limit that holds."""
        return [
            self._invite,
            self._hear_it,
            self._ask_without_rights,
            self._choose_voice,
            self._say_first_sentence,
            self._turn_cloning_on,
            self._save_voice,
            self._set_limit,
            self._reach_limit,
        ]

    async def _invite(self) -> None:
        """Carol opens the link that `make check` prints, for The Harbour. The bot introduces itself there."""
        link = invitation(self._stage.rehearsal.application_id)
        print(f"   link: {link}")
        self._stage.guild.add_bot(INVITED.value)
        self._welcome = await self._stage.general.until_message(lambda message: _HEAR in message.buttons)
        print(f"   the bot writes: {indented(self._welcome.content)}")
        check(self._welcome.buttons == [_HEAR, _CHOOSE, _TURN_ON], "the welcome lacks a button")
        check("/help" in self._welcome.content, "the welcome does not say where there is more")

    async def _hear_it(self) -> None:
        """Alice sits in Perch, and presses the first button."""
        self._listener = await self._alice.join(self._stage.perch)
        packets = self.packets
        await self.delivered(await self.press(self._alice, self._greeting(), _HEAR), packets)

    async def _ask_without_rights(self) -> None:
        """Bob, a member, presses what is for moderators."""
        for button in (_CHOOSE, _TURN_ON):
            words = await self.told(await self.press(self._bob, self._greeting(), button))
            check(words.startswith("Only moderators"), "Bob may decide for the server")

    async def _choose_voice(self) -> None:
        """Carol presses the second button, hears a voice that is there from the start, and chooses it."""
        picker = await self.press(self._carol, self._greeting(), _CHOOSE)
        await self.told(picker)
        await self._carol.select(picker, "Pick a voice", "Wizard")
        await picker.until(lambda shown: "Choose Wizard" in shown.buttons, timeout=ANSWER_SECONDS)
        print(f"   Carol picks Wizard: {indented(picker.content)}")
        sample = await self._stage.file_of(await self.press(self._carol, picker, "▶ Play"))
        print(f"   file:   {await self._stage.save(sample.name, sample.data)}")
        words = await self.press_and_read(self._carol, picker, "Choose Wizard")
        check("**Wizard** now speaks here for everyone" in words, "it was not chosen")

    async def _say_first_sentence(self) -> None:
        """Alice types /speak and a sentence. It is heard in the voice that Carol has chosen."""
        packets = self.packets
        said = await self.type(self._alice, "speak", text=_FIRST_SENTENCE)
        delivered = await self.delivered(said, packets)
        check("Wizard" in delivered.answer.content, "it was another voice")

    async def _turn_cloning_on(self) -> None:
        """Carol presses the third button, reads what goes for cloned voices, and accepts."""
        policy = await self.press(self._carol, self._greeting(), _TURN_ON)
        await self.told_to_choose(policy, ACCEPT)
        words = await self.press_and_read(self._carol, policy, ACCEPT)
        check(words.startswith("Cloning is on."), "cloning was not turned on")

    async def _save_voice(self) -> None:
        """Alice types /help, presses Save my voice, and says that it is her own. Then she speaks with it."""
        help_page = await self.type(self._alice, "help")
        await self.told(help_page)
        form = await self.form_in(await self.press(self._alice, help_page, "Save my voice"))
        typed = {form.labels[0]: "Anchor", form.labels[1]: sent(_DEEP), form.labels[2]: _DEEP.transcript}
        question = await self._alice.submit(form, typed)
        await self.told_to_choose(question, MY_OWN)
        words = await self.press_and_read(self._alice, question, MY_OWN)
        check("Saved as **Anchor**" in words, "it was not saved")
        packets = self.packets
        said = await self.type(self._alice, "speak", text="All aboard, please.", voice="Anchor")
        delivered = await self.delivered(said, packets)
        check("Anchor" in delivered.answer.content, "it was another voice")

    async def _set_limit(self) -> None:
        """Carol types /help, which names /myna setup. She sees what is set here, and sets a daily limit."""
        words = await self.told(await self.type(self._carol, "help"))
        check("/myna setup" in words, "a moderator is not told where things are set")
        page = await self.type(self._carol, "myna setup")
        words = await self.told_to_choose(page, "Set limits")
        check("Server's voice: **Wizard**" in words and "Cloning: on" in words, "it shows something else")
        words = await self.press_and_read(self._carol, page, "Set limits")
        check("/myna limits" in words, "it does not say how the seconds are set")
        limits = await self.type(self._carol, "myna limits", seconds=_LIMIT)
        check(f"Each member: {_LIMIT} seconds" in await self.told(limits), "the limit was not set")

    async def _reach_limit(self) -> None:
        """Alice has had more than that today: new words wait for tomorrow, and what is kept costs nothing."""
        words = await self.told(await self.type(self._alice, "speak", text="And the last one at midnight."))
        check(words.startswith(f"You've reached today's limit of {_LIMIT} seconds"), "it does not hold")
        packets = self.packets
        kept = await self.type(self._alice, "speak", text=_FIRST_SENTENCE)
        await self.delivered(kept, packets)
        words = await self.told(await self.type(self._alice, "usage"))
        check("It starts again" in words, "it does not say when it goes on")

    def _greeting(self) -> Message:
        if self._welcome is None:
            raise StepFailedError("nobody was welcomed")
        return self._welcome


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
        """Alice, a moderator, reads what goes for cloned voices and turns cloning on: /myna cloning."""
        await self.told(await turn_cloning_on(self._stage.alice, self._stage.general))

    async def _clone(self) -> None:
        """Alice uploads a recording, says it is her own voice: /clone with the reference harbour-master."""
        recording = RECORDINGS[0]
        packets = self.packets
        question = await self._stage.alice.slash(
            self._stage.general,
            "clone",
            text="The ferry leaves at nine, whatever the weather.",
            recording=sent(recording),
            transcript=recording.transcript,
        )
        await self.delivered(await say_it_is_mine(self._stage.alice, question), packets)

    async def _speak_a_message(self) -> None:
        """Bob writes a message, and Alice chooses Apps, Speak this."""
        message = await self._stage.bob.say(
            self._stage.general, "**Dinner** at <t:1767268800:t>? See https://example.com :wave:"
        )
        packets = self.packets
        await self.delivered(await self._stage.alice.message_menu("Speak this", message), packets)

    async def _clone_a_message(self) -> None:
        """Alice posts a recording, chooses Apps, Clone this voice, and fills in the form."""
        message = await self._stage.alice.say(self._stage.general, "me again", files=[sent(RECORDINGS[1])])
        form = await self.form_in(await self._stage.alice.message_menu("Clone this voice", message))
        packets = self.packets
        typed = {form.labels[0]: "May I borrow your bicycle?"}
        await self.delivered(await self._stage.alice.submit(form, typed), packets)

    async def _speak_in_private(self) -> None:
        """Bob writes to the bot alone: /speak in a direct message."""
        conversation = self._stage.rehearsal.world.dm(self._stage.bob)
        answer = await self._stage.bob.slash(conversation, "speak", text="This is only for me.")
        await self.delivered(answer)

    async def _make_a_mistake(self) -> None:
        """Alice asks for the impossible: /speak with nothing to say."""
        await self.told(await self._stage.alice.slash(self._stage.general, "speak", text="~~~ !!! ~~~"))

    async def _leave(self) -> None:
        """Alice types /leave."""
        await self.told(await self._stage.alice.slash(self._stage.general, "leave"))

    async def _spoken(self, command: str, **options: Any) -> None:
        packets = self.packets
        await self.delivered(await self._stage.alice.slash(self._stage.general, command, **options), packets)


SAME_VOICE: Final = 3.0
"""Semitones at most between two generations of one voice; the recordings here are octaves apart."""

TO_FILE: Final = "here, as a file"
"""A choice of /speak for what need not be heard; hearing takes as long as it lasts."""

SILENT_SECONDS: Final = 1.0
"""So soon after it is answered a voice that was taken back is not heard any more."""

_HEARD_PACKETS: Final = 75
"""A second and a half: so much of a voice is heard before it is taken back."""

_LONG: Final = (
    "The tide comes in, and brings us shells and bottles. The tide goes out, and takes the castles with it. "
    "Nobody has ever seen where it goes to."
)


class VoicesTour(Walk):
    """All that concerns voices: default, saved, shared, designed and revoked ones, and what they say."""

    def __init__(self, stage: TourStage) -> None:
        super().__init__(stage)
        self._alice, self._bob, self._carol = stage.alice, stage.bob, stage.carol
        self._dialogue: DeliveredSpeech | None = None
        stage.guild.take_role(stage.moderators, stage.alice)

    @property
    def steps(self) -> Sequence[Step]:
        """From the first generation of a server to the last trace of a member."""
        return [
            self._speak_at_once,
            self._turn_cloning_on,
            self._save,
            self._use,
            self._share,
            self._consent,
            self._talk,
            self._send_voice_message,
            self._put_on_soundboard,
            self._design,
            self._look_into_it,
            self._revoke,
            self._delete,
            self._leave_nothing,
        ]

    async def _speak_at_once(self) -> None:
        """A new server has starter voices: one speaks for Bob and Alice, who have chosen none."""
        self._listener = await self._alice.join(self._stage.perch)
        await self._bob.join(self._stage.perch)
        first = await self.speak(self._bob, text="Good evening, everybody.")
        self.check_credit(first, "Warm", self._bob)
        second = await self.speak(self._alice, text="The kettle is on the stove.", output=TO_FILE)
        self.check_credit(second, "Warm", self._alice)
        self.check_same_voice("the second take", pitch_in(second), pitch_in(first))

    async def _turn_cloning_on(self) -> None:
        """Cloning is off at first. Alice is told whom to ask, and Carol, a moderator, accepts the policy."""
        words = await self.told(await self._save_deep())
        check("A moderator can" in words, "a member was not told that cloning is off")
        policy = await self.type(self._carol, "myna cloning", state="on")
        await self.told_to_choose(policy, ACCEPT)
        words = await self.press_and_read(self._carol, policy, ACCEPT)
        check(words.startswith("Cloning is on."), "cloning was not turned on")

    async def _save(self) -> None:
        """Alice saves her own voice, and says so with a button. Nobody else gets to see it."""
        question = await self._save_deep()
        await self.told_to_choose(question, MY_OWN)
        words = await self.press_and_read(self._alice, question, MY_OWN)
        check("Saved as **Harbour**" in words, "it was not saved")
        check("Harbour" in await self.proposed(self._alice), "it is not proposed to Alice")
        check("Harbour" not in await self.proposed(self._bob), "it is proposed to Bob")

    async def _use(self) -> None:
        """Alice speaks with it: first by name, then because she has chosen it."""
        by_name = await self.speak(self._alice, voice="Harbour", text="Mind the wet stairs.")
        self.check_credit(by_name, "Harbour", self._alice)
        self.check_same_voice("Harbour", pitch_in(by_name), await self.recorded_pitch(self._alice, "Harbour"))
        await self.told(await self.type(self._alice, "voice choose", name="Harbour"))
        chosen = await self.speak(self._alice, text="All aboard, please.", output=TO_FILE)
        self.check_credit(chosen, "Harbour", self._alice)
        check(not self.recordings_of("Harbour"), "its recording was posted where members read")

    async def _share(self) -> None:
        """Bob may not speak with Harbour, until Alice shares it with him."""
        words = await self.told(await self.type(self._bob, "speak", text="Me too.", voice="Harbour"))
        check(words.startswith("There's no voice with that name here."), "Bob may speak with it")
        shared = {"name": "Harbour", "share_with": "some members: name them", "member": self._bob}
        words = await self.told(await self.type(self._alice, "voice share", **shared))
        check("@Bob" in words, "it was not shared")
        delivered = await self.speak(self._bob, voice="Harbour", text="Now I sound like Alice.")
        self.check_credit(delivered, "Harbour", self._bob)

    async def _consent(self) -> None:
        """Alice would like Bob's voice. Only Bob can agree, with a button that says what he agrees to."""
        asked = await self.type(
            self._alice, "voice save", name="Bobby", recording=sent(_HIGH), speaker=self._bob
        )
        await self.told(asked)
        question = await self._stage.general.until_message(lambda message: "I agree" in message.buttons)
        print(f"   asked: {indented(self._stage.readable(question.content))}")
        check(question.pinged == {self._bob.id}, "not Bob alone was pinged")
        words = await self.press_and_read(self._alice, question, "I agree")
        check("Only the member whose voice this is" in words, "Alice could agree for Bob")
        words = await self.press_and_read(self._bob, question, "I agree")
        check(words.startswith("@Bob agreed to **Bobby**"), "Bob could not agree")
        delivered = await self.speak(self._alice, voice="Bobby", text="Can we keep them, please?")
        self.check_same_voice("Bobby", pitch_in(delivered), await self.recorded_pitch(self._alice, "Bobby"))

    async def _talk(self) -> None:
        """Alice writes a dialogue: one sound, in which each line has its own voice."""
        text = "Harbour: Where have you been all day? / Bobby: I was behind the shed, of course."
        delivered = self._dialogue = await self.speak(self._alice, text=text)
        self.check_credit(delivered, "Harbour and Bobby", self._alice)
        low, high = (pitch_of(half) for half in halves(pcm_of_wav(delivered.file.data)))
        print(f"   pitch:  {low:.0f} Hz in the first half, {high:.0f} Hz in the second")
        self.check_same_voice("the first half", low, await self.recorded_pitch(self._alice, "Harbour"))
        self.check_same_voice("the second half", high, await self.recorded_pitch(self._alice, "Bobby"))

    async def _send_voice_message(self) -> None:
        """Bob presses More… under the dialogue, and has it sent as a voice message."""
        dialogue = self._delivered_dialogue()
        words = await self.told(await self.choose(self._bob, dialogue.answer, "Send as voice message"))
        check(words == "Sent.", "it was not sent")
        message = await self._stage.general.until_message(lambda one: one.voice_message)
        (file,) = self._stage.rehearsal.files_of(message)
        points = base64.b64decode(file.waveform or "")
        path = await self._stage.save(file.name, file.data)
        print(f"   voice message: {file.seconds or 0:.1f} s, a waveform of {len(points)} points, {path}")
        check(file.data.startswith(b"OggS"), "it is no Ogg file")
        check(1 < len(points) <= 256 and len(set(points)) > 2, "it has no waveform")
        made = ANNOUNCEMENT_SECONDS + len(pcm_of_wav(dialogue.file.data)) / 96_000
        check(abs((file.seconds or 0) - made) < 0.1, f"it lasts {file.seconds} s, tones and all {made:.1f} s")

    async def _put_on_soundboard(self) -> None:
        """Carol, who may, puts the beginning of something longer on the soundboard; Bob may not."""
        delivered = await self.speak(self._carol, text=_LONG, output=TO_FILE)
        check(
            "Add to soundboard" not in await self.offered(self._bob, delivered.answer), "Bob may add sounds"
        )
        form = await self.form_in(await self.choose(self._carol, delivered.answer, "Add to soundboard"))
        await self.told(await self._carol.submit(form, {"Name": "The tide"}))
        sounds = list(self._stage.guild.sounds.values())
        check([sound.name for sound in sounds] == ["The tide"], "it is not on the soundboard")
        path = await self._stage.save("soundboard.mp3", sounds[0].data)
        print(f"   sound: {sounds[0].seconds:.2f} s, {len(sounds[0].data):,} bytes, {path}")
        check(1.0 < sounds[0].seconds <= MAX_CLIP_SECONDS, "it has the wrong length")
        check(len(sounds[0].data) <= MAX_CLIP_BYTES, "it is too large")

    async def _design(self) -> None:
        """Bob designs a voice, takes the second of three, and chooses Apps, Speak this in a voice."""
        design = await self.type(
            self._bob, "voice design", name="Sorcerer", description="an old man, slow and deep"
        )
        await self.told_to_choose(design, "Take 3")
        generations = [file.data for file in design.files]
        check(len(generations) == 3, f"there are {len(generations)} generations")
        words = await self.press_and_read(self._bob, design, "Take 2")
        check("Saved as **Sorcerer**" in words, "it was not saved")
        check(await self.recording(self._bob, "Sorcerer") == generations[1], "another take was saved")
        await self._stage.save("wizard.wav", generations[1])
        message = await self._carol.say(self._stage.general, "You shall not pass.")
        menu = await self._bob.message_menu("Speak this in a voice", message)
        words = await self.told(menu)
        check(words == "Which voice should say this?", "it does not ask for a voice")
        packets = self.packets
        delivered = await self.delivered(await self._bob.select(menu, "Choose a voice", "Sorcerer"), packets)
        self.check_credit(delivered, "Sorcerer", self._bob)
        self.check_same_voice("Sorcerer", pitch_in(delivered), pitch_of(pcm_of_wav(generations[1])))

    async def _look_into_it(self) -> None:
        """Carol looks who used Harbour, freezes it, and thaws it; what was said is not recorded."""
        audit = await self.type(self._carol, "myna audit", name="Harbour")
        words = await self.told_to_choose(audit, "Freeze")
        check("@Bob" in words and "@Alice" in words, "it does not say who used it")
        check("sound like" not in words, "it says what was said")
        words = await self.press_and_read(self._carol, audit, "Freeze")
        check("frozen" in words, "it was not frozen")
        words = await self.told(await self.type(self._bob, "speak", text="Hello?", voice="Harbour"))
        check("frozen" in words, "a frozen voice speaks")
        words = await self.press_and_read(self._carol, audit, "Unfreeze")
        check("in use" in words, "it was not thawed")

    async def _revoke(self) -> None:
        """While Bobby speaks for Alice, Bob takes his voice back: it falls silent, and is gone."""
        earlier, packets = self._delivered_dialogue(), self.packets
        said = await self.type(self._alice, "speak", text=_LONG, voice="Bobby", output="my voice channel")
        await self.listener.wait_for_packets(packets + _HEARD_PACKETS, timeout=ANSWER_SECONDS)
        await self._take_back(packets)
        words = await self.told(said)
        check("withdrawn" in words, "Alice was not told why it broke off")
        check("Bobby" not in await self.proposed(self._alice), "it is still proposed")
        words = await self.told(await self.type(self._alice, "speak", text="Hello?", voice="Bobby"))
        check(words.startswith("There's no voice with that name here."), "it can still be used")
        words = await self.told(await self.choose(self._bob, earlier.answer, "Play in my channel"))
        check("deleted or withdrawn" in words, "a take of it can still be played")

    async def _take_back(self, packets: int) -> None:
        """Let Bob take his voice back while it is heard, from the ``packets``-th packet on."""
        typed = await self.type(self._bob, "privacy revoke", voice="Bobby")
        await typed.until(lambda shown: "Take it back" in shown.buttons, timeout=ANSWER_SECONDS)
        await self._bob.press(typed, "Take it back")
        await typed.until(lambda shown: "Taken back." in shown.content, timeout=ANSWER_SECONDS)
        answered = time.monotonic()
        words = await self.told(typed)
        check("**Bobby**" in words, "it does not say what is gone")
        silence = 2 * SILENT_SECONDS
        await self.listener.wait_for_silence(seconds=silence, timeout=ANSWER_SECONDS, after=packets)
        speech = self.listener.speech(after=packets)
        late = speech[-1].arrival - answered
        print(f"   heard:  {len(speech) * 0.02:.1f} s of it; silent {max(late, 0.0):.2f} s after the answer")
        check(len(speech) > _HEARD_PACKETS // 2, "it was hardly heard before it was taken back")
        check(late <= SILENT_SECONDS, f"it was heard for {late:.1f} s after it was taken back")

    async def _delete(self) -> None:
        """Alice deletes Harbour: the voice and its recording."""
        question = await self.type(self._alice, "voice delete", name="Harbour")
        await self.told_to_choose(question, "Delete it")
        words = await self.press_and_read(self._alice, question, "Delete it")
        check("are deleted" in words, "it was not deleted")
        check("Harbour" not in await self.proposed(self._bob), "it is still proposed to Bob")

    async def _leave_nothing(self) -> None:
        """Bob looks at what is kept about him, has it all deleted, and is never to be cloned again."""
        check("Sorcerer" in await self.kept_about(self._bob), "the export has not all of his voices")
        question = await self.type(self._bob, "privacy delete")
        await self.told_to_choose(question, "Delete everything")
        words = await self.press_and_read(self._bob, question, "Delete everything")
        check(words.startswith("Deleted: 1 voice"), "his voices were not deleted")
        check(await self.kept_about(self._bob) == [], "there are still voices of his")
        await self.told(await self.type(self._bob, "privacy never-clone-me", state="on"))
        asked = await self.type(
            self._alice, "voice save", name="Bobby", recording=sent(_HIGH), speaker=self._bob
        )
        words = await self.told(asked)
        check(words == "That member doesn't want to be cloned.", "Bob can still be asked")

    async def _save_deep(self) -> Answer:
        recording = {"recording": sent(_DEEP), "transcript": _DEEP.transcript}
        return await self.type(self._alice, "voice save", name="Harbour", **recording)

    def _delivered_dialogue(self) -> DeliveredSpeech:
        if self._dialogue is None:
            raise StepFailedError("there is no dialogue")
        return self._dialogue

    async def speak(self, person: Person, **options: object) -> DeliveredSpeech:
        """Let somebody type /speak, and return what they get, heard unless it is for a file only."""
        packets = None if options.get("output") == TO_FILE else self.packets
        return await self.delivered(await self.type(person, "speak", **options), packets)

    async def proposed(self, person: Person) -> list[str]:
        """Return the voices that /speak proposes to somebody."""
        found = await person.autocomplete(self._stage.general, "speak", "voice", "", text="Hello")
        names = sorted(name for name, _ in found)
        print(f"   /speak proposes to {person.name}: {', '.join(names)}")
        return names

    async def recording(self, person: Person, name: str) -> bytes:
        """Return the recording of a voice as /voice list gives it."""
        info = await person.slash(self._stage.general, "voice list", name=name)
        return (await self._stage.file_of(info)).data

    async def recorded_pitch(self, person: Person, name: str) -> float:
        """Return the pitch of a voice's recording in Hz."""
        return pitch_of(pcm_of_wav(await self.recording(person, name)))

    async def kept_about(self, person: Person) -> list[str]:
        """Return the names of somebody's voices in what /privacy export gives them."""
        answer = await self.type(person, "privacy export")
        file = await self._stage.file_of(answer)
        print(f"   file:   {await self._stage.save(file.name, file.data)}")
        return [voice["name"] for voice in json.loads(file.data)["voices"]]

    def recordings_of(self, name: str) -> list[Message]:
        """Return the messages in #general in which the bot has put the recording of a voice."""
        begins = f"The recording of the voice {name}"
        return [message for message in self._stage.general.history if message.content.startswith(begins)]

    def check_credit(self, delivered: DeliveredSpeech, voice: str, asker: Person) -> None:
        """Raise `StepFailedError` unless both the answer and the file say whose voice it is, and for whom."""
        words = f"{voice} · requested by {asker.mention}"
        tag = f"{voice}, for {asker.name}"
        check(words in delivered.answer.content, f"the answer does not say: {words}")
        check(tag.encode() in delivered.file.data, f"the file does not say: {tag}")

    def check_same_voice(self, what: str, pitch: float, wanted: float) -> None:
        """Raise `StepFailedError` unless ``what`` has the pitch that is ``wanted``, both in Hz."""
        apart = semitones(pitch, wanted)
        check(apart <= SAME_VOICE, f"{what} is at {pitch:.0f} Hz, and the voice at {wanted:.0f} Hz")


def pitch_in(delivered: DeliveredSpeech) -> float:
    """Return the pitch of a delivered speech in Hz."""
    return pitch_of(pcm_of_wav(delivered.file.data))
