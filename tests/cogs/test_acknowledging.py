"""Everything a member can use is acknowledged before anything that waits: the database, or Discord."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import product
from typing import Any

import discord
import pytest
from discord import AppCommandOptionType, app_commands

from bot.command_tree import acknowledged
from bot.delivery.reply import Acknowledgement
from bot.library.consent_rules import Standing
from bot.library.voice import Scope
from bot.text.discord_markup import Names
from rehearsal.answers import Answer, AnswerState
from rehearsal.cdn import SentFile
from rehearsal.errors import RehearsalError
from rehearsal.people import Person
from rehearsal.permissions import Permission
from rehearsal.records import Message
from rehearsal.rest.call import Misbehaviour
from rehearsal.rules.components import BUTTON
from rehearsal.wire import INTENT_MESSAGE_CONTENT
from tests.cogs.generations import generated, generation_id_of, may_add_sounds, menu_of, opened
from tests.cogs.in_voice import speaking
from tests.cogs.saved_voices import WAV, cloned, designed
from tests.scenes import DEADLINE, Scene, file_of, refusal_of, until, words_of

Use = Callable[[], Awaitable[Answer]]
"""Uses one command, menu, button, select or form."""

Filled = dict[str, object]
"""What is typed into a form, or uploaded, by the labels of its fields."""

RECORDING = SentFile("voice.wav", WAV)
VOICE = discord.ChannelType.voice


@pytest.fixture
def privileged_intents() -> int:
    return INTENT_MESSAGE_CONTENT  # so that every option is there


CONNECTIONS = 4
"""With which the bot reads and writes its file."""


# -- what there is ------------------------------------------------------------------------------------


def slash_commands(scene: Scene) -> Iterator[tuple[str, Use]]:
    """Every slash command, with the options it needs, and with each that it does not need."""
    for command in scene.bot.tree.walk_commands():
        if isinstance(command, app_commands.Group):
            continue
        needed = {one.display_name: sample(scene, one) for one in command.parameters if one.required}
        more = [{one.display_name: sample(scene, one)} for one in command.parameters if not one.required]
        for options in ({}, *more):
            name = f"/{command.qualified_name} {' '.join(needed | options)}"
            yield name, use_slash(scene, scene.alice, command.qualified_name, needed | options)


def use_slash(scene: Scene, person: Person, name: str, options: dict[str, Any]) -> Use:
    return lambda: person.slash(scene.general, name, **options)


def sample(scene: Scene, option: app_commands.Parameter) -> object:
    """Return something that can be given for an option. Raises `KeyError` for a type nobody has used yet."""
    if option.choices:
        return option.choices[0].name
    return {
        AppCommandOptionType.string: "Robin",
        AppCommandOptionType.integer: option.min_value,
        AppCommandOptionType.boolean: True,
        AppCommandOptionType.channel: scene.perch if VOICE in option.channel_types else scene.general,
        AppCommandOptionType.number: option.min_value,
        AppCommandOptionType.attachment: RECORDING,
        AppCommandOptionType.user: scene.bob,
        AppCommandOptionType.role: next(iter(scene.guild.roles.values())),
    }[option.type]


def message_menus(scene: Scene) -> Iterator[tuple[str, Use]]:
    """Every menu of messages, on one's own message and on somebody else's."""
    for menu in scene.bot.tree.get_commands(type=discord.AppCommandType.message):
        for author in (scene.alice, scene.bob):
            message = scene.general.history[-1] if author is scene.alice else scene.general.history[-2]
            yield f"{menu.name}, on a message of {author.name}", use_menu(scene, menu.name, message)


def use_menu(scene: Scene, name: str, message: Message) -> Use:
    return lambda: scene.alice.message_menu(name, message)


def lasting_items(scene: Scene) -> Iterator[discord.ui.DynamicItem[Any]]:
    """Every button and menu that outlives a restart, in each of its kinds, by the groups of its template."""
    for template, item in scene.bot._connection._view_store._dynamic_items.items():
        groups = dict(re.findall(r"\(\?P<(\w+)>([^()]*)\)", template.pattern))
        kinds = [[filling(kind) for kind in body.split("|")] for body in groups.values()]
        for values in product(*kinds):
            yield item(**dict(zip(groups, values, strict=True)))


def filling(pattern: str) -> str:
    """Return something that fits into a part of a custom id."""
    return next(one for one in (pattern, "1", "A" * 22, "clone:1") if re.fullmatch(pattern, one))


async def shown(scene: Scene, *views: discord.ui.View) -> list[Message]:
    """Return messages of the bot's own with these buttons and menus."""
    channel = scene.bot.get_channel(scene.general.id)
    assert isinstance(channel, discord.TextChannel)
    for number, view in enumerate(views):
        await channel.send(f"Buttons {number}", view=view)
    return list(scene.general.history[-len(views) :])


def view_of(item: discord.ui.Item[Any]) -> discord.ui.View:
    view = discord.ui.View(timeout=None)
    view.add_item(item)
    return view


def presses(person: Person, message: Message) -> Iterator[tuple[str, Use]]:
    """Every button and menu under a message."""
    for row in message.components:
        for component in row["components"]:
            custom_id, options = component["custom_id"], component.get("options")
            values = [options[0]["value"]] if options else None if component["type"] == BUTTON else []
            yield custom_id, use_component(person, message, custom_id, component["type"], values)


def use_component(
    person: Person, message: Message, custom_id: str, kind: int, values: list[str] | None
) -> Use:
    return lambda: person.forge(message, custom_id, values=values, component_type=kind)


async def filled_in_forms(
    scene: Scene, generation: Answer
) -> dict[str, list[tuple[Answer, dict[str, object]]]]:
    """Every form, opened in each way, and what is to be typed into it."""

    async def menu(name: str) -> Answer:
        answer = await scene.alice.message_menu(name, scene.general.history[-1])
        return await answer.until(lambda seen: seen.modal is not None, timeout=DEADLINE)

    edit = await scene.alice.slash(scene.general, "voice edit", name="Robin")
    await edit.until(lambda seen: seen.modal is not None, timeout=DEADLINE)
    help_answer = await scene.alice.slash(scene.general, "help")
    await help_answer.until(lambda seen: bool(seen.buttons), timeout=DEADLINE)
    return {
        "CloneForm": [(await menu("Clone this voice"), {"What should it say?": "Hello"})],
        "EditForm": [(edit, {"Transcript": "Hello"})],
        "NameForm": [
            (await opened(scene.alice, generation, "Save voice"), {"Name": "Jack"}),
            (await opened(scene.alice, generation, "Add to soundboard"), {"Name": "Jack"}),
        ],
        "SaveForm": [
            (await menu("Save this voice"), {"Name": "Jack"}),
            (
                await opened(scene.alice, help_answer, "Save my voice"),
                {"Name": "Jack", "A recording of your own voice": RECORDING},
            ),
        ],
        "SayForm": [
            (await opened(scene.alice, help_answer, "Say something"), {"What should I say?": "Hello"})
        ],
    }


def use_form(person: Person, form: Answer, typed: Filled) -> Use:
    return lambda: person.submit(form, typed)


def kinds_of(base: type[Any]) -> set[str]:
    """Return the names of what the cogs derive from ``base``, without what they derive further from."""
    kinds: set[str] = set()
    for kind in base.__subclasses__():
        below = kinds_of(kind)
        of_a_former_bot = getattr(sys.modules.get(kind.__module__), kind.__name__, None) is not kind
        kinds |= below
        if not below and not of_a_former_bot and kind.__module__.startswith("cogs."):
            kinds.add(kind.__name__)
    return kinds


# -- what is slow -------------------------------------------------------------------------------------


@asynccontextmanager
async def nothing_returns(scene: Scene) -> AsyncIterator[None]:
    """Let no call of the database or of Discord return inside, but the first responses to interactions."""
    async with AsyncExitStack() as held:
        for _ in range(CONNECTIONS):
            await held.enter_async_context(scene.bot.library.database.reading())
        with scene.rehearsal.holding_back():
            yield


async def is_acknowledged(answer: Answer) -> bool:
    try:
        await answer.until(lambda seen: seen.acknowledged_after is not None, timeout=DEADLINE)
    except TimeoutError:
        return False
    return True


async def test_a_guest_s_voice_message_that_the_database_holds_up_ends_in_a_sentence(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    guest = scene.rehearsal.world.add_person("Gus", has_installed_app=True)
    private = scene.rehearsal.world.add_private_chat(guest, scene.bob)
    answer = await guest.slash(private, "speak", text="Hello")
    await file_of(answer)
    monkeypatch.setattr(scene.bot.extensions["cogs.generation_buttons"], "_RESPONSE_SECONDS", 0.1)

    menu = await menu_of(guest, answer)

    async with nothing_returns(scene):
        pressed = await guest.select(menu, "Choose what to do", "Send as voice message")
        await has_ended(pressed)

    assert pressed.content == "That took too long for a voice message here. Try again."


async def has_ended(answer: Answer) -> None:
    await answer.until(
        lambda seen: (
            seen.state not in (AnswerState.WAITING, AnswerState.THINKING) and not seen.content.endswith(" …")
        ),
        timeout=2 * DEADLINE,
    )
    assert answer.failure is None, answer.failure


@pytest.fixture
async def busy(scene: Scene) -> Scene:
    """Return the scene with everything in it that can be used, and no clock that could end first."""
    scene.guild.add_role("Moderators", Permission.MANAGE_GUILD, scene.alice)
    may_add_sounds(scene, scene.alice)
    await designed(scene, scene.alice, "Robin")
    await cloned(scene, scene.bob, "Wren")
    scene.rehearsal.interactions.acknowledge_seconds = 10 * DEADLINE
    return scene


@pytest.mark.slow
async def test_whatever_a_member_uses_it_is_acknowledged_before_the_database_or_discord_return(busy: Scene):
    scene = busy
    question = await scene.alice.slash(scene.general, "clone", text="Hello", recording=RECORDING)
    assert "Is this your own voice?" in await words_of(question)
    generation = await generated(scene)
    await scene.alice.join(scene.perch)
    await speaking(scene, scene.alice)
    persistent = [view for view in scene.bot.persistent_views if isinstance(view, discord.ui.View)]
    assert {type(view).__name__ for view in persistent} == kinds_of(discord.ui.View)
    messages = await shown(scene, *persistent, *(view_of(item) for item in lasting_items(scene)))
    for author in (scene.bob, scene.alice):
        await author.say(scene.general, "My voice", files=[RECORDING])
    forms = await filled_in_forms(scene, generation)
    menu = await scene.alice.message_menu("Speak this in a voice", scene.general.history[-1])
    assert await words_of(menu) == "Which voice should say this?"
    assert set(forms) == kinds_of(discord.ui.Modal)

    # the forms first: of one member's many, the oldest give way to those that the other uses open
    uses = [
        (kind, use_form(scene.alice, form, typed)) for kind, ways in forms.items() for form, typed in ways
    ]
    uses += [*message_menus(scene), *slash_commands(scene)]
    for message in (*messages, generation.message, question.message, menu.message):
        assert message is not None
        uses += presses(scene.alice, message)

    async with nothing_returns(scene):
        answers = {name: await use() for name, use in uses}
        in_time = await asyncio.gather(*map(is_acknowledged, answers.values()))

    assert [name for name, is_in_time in zip(answers, in_time, strict=True) if not is_in_time] == []
    await asyncio.gather(*map(has_ended, answers.values()))


async def test_turning_cloning_on_by_a_press_is_acknowledged_before_it_is_written_down(scene: Scene):
    scene.guild.add_role("Moderators", Permission.MANAGE_GUILD, scene.alice)
    options: dict[str, dict[str, Any]] = {
        "clone": {"text": "Hello", "recording": RECORDING},
        "voice save": {"name": "Me", "recording": RECORDING},
        "myna cloning": {"state": "on"},
    }
    asked = [await scene.alice.slash(scene.general, name, **filled) for name, filled in options.items()]
    for answer in asked:
        assert "Cloning is off in this server" in await words_of(answer)

    async with nothing_returns(scene):
        pressed = [await scene.alice.press(answer, "Accept, and turn cloning on") for answer in asked]
        in_time = await asyncio.gather(*map(is_acknowledged, pressed))

    assert in_time == [True, True, True]


async def test_a_new_command_is_acknowledged_for_its_asker_alone_before_its_own_checks(scene: Scene):
    gate = asyncio.Event()

    async def slow(_interaction: discord.Interaction) -> bool:
        return await gate.wait()

    @app_commands.command()
    @app_commands.check(slow)
    async def brand_new(interaction: discord.Interaction) -> None:
        """Do something."""

    scene.bot.tree.add_command(brand_new)
    await scene.bot.tree.sync()

    answer = await scene.alice.slash(scene.general, "brand_new")

    assert await is_acknowledged(answer)
    assert answer.ephemeral
    gate.set()


@pytest.mark.slow
async def test_every_list_that_is_proposed_comes_while_nothing_returns(busy: Scene):
    scene = busy
    async with nothing_returns(scene):
        for command in scene.bot.tree.walk_commands():
            for option in command.parameters if isinstance(command, app_commands.Command) else ():
                if option.autocomplete:
                    name = command.qualified_name
                    await scene.alice.autocomplete(scene.general, name, option.display_name, "r")


async def test_a_list_that_takes_too_long_is_empty(scene: Scene):
    gate = asyncio.Event()

    @acknowledged(Acknowledgement.IMMEDIATE)
    @app_commands.command()
    async def slow(interaction: discord.Interaction, word: str) -> None:
        """Do something."""

    @slow.autocomplete("word")
    async def words(_interaction: discord.Interaction, _typed: str) -> list[app_commands.Choice[str]]:
        await gate.wait()
        return [app_commands.Choice(name="late", value="late")]

    scene.bot.tree.add_command(slow)
    await scene.bot.tree.sync()

    assert await scene.alice.autocomplete(scene.general, "slow", "word", "la") == []
    gate.set()


@pytest.mark.slow
@pytest.mark.parametrize("times", [2, 4])
async def test_an_acknowledgement_is_tried_for_as_long_as_discord_waits(scene: Scene, times: int) -> None:
    scene.rehearsal.interactions.acknowledge_seconds = DEADLINE
    cut = Misbehaviour("POST", "/callback", cuts=True, times=times)
    scene.rehearsal.misbehave(cut)

    answer = await scene.speak(output="here")

    await file_of(answer)
    assert cut.times == 0


@pytest.mark.slow
async def test_of_a_flood_of_autocompletions_some_are_worked_on_and_the_others_cost_nothing(scene: Scene):
    scene.make_moderator(scene.alice)
    started, gate = 0, asyncio.Event()

    @acknowledged(Acknowledgement.IMMEDIATE)
    @app_commands.command()
    async def slow(interaction: discord.Interaction, word: str) -> None:
        """Do something."""

    @slow.autocomplete("word")
    async def words(_interaction: discord.Interaction, _typed: str) -> list[app_commands.Choice[str]]:
        nonlocal started
        started += 1
        await gate.wait()
        return [app_commands.Choice(name="late", value="late")]

    async def proposed() -> list[tuple[str, Any]] | None:
        try:
            return await scene.bob.autocomplete(scene.general, "slow", "word", "la")
        except (RehearsalError, TimeoutError):
            return None

    scene.bot.tree.add_command(slow)
    await scene.bot.tree.sync()
    typing = [asyncio.create_task(proposed()) for _ in range(120)]
    await until(lambda: started == 50)
    await scene.rehearsal.caught_up()
    answer = await scene.alice.slash(scene.general, "myna volume")

    assert await words_of(answer) == "Volume here: 100%."
    assert started == 50
    gate.set()
    found = await asyncio.gather(*typing)
    assert len([one for one in found if one is not None]) == 50
    assert await proposed() == [("late", "late")]


@pytest.mark.parametrize("carried_out", [False, True])
async def test_an_acknowledgement_whose_connection_breaks_is_given_once_again(
    scene: Scene, carried_out: bool
):
    scene.rehearsal.misbehave(Misbehaviour("POST", "/callback", cuts=True, carried_out=carried_out))

    await file_of(await scene.speak())


async def test_a_form_and_a_sentence_whose_connection_breaks_are_given_once_again(scene: Scene):
    scene.make_moderator(scene.alice)
    message = await scene.alice.say(scene.general, "My voice", files=[RECORDING])
    scene.rehearsal.misbehave(Misbehaviour("POST", "/callback", cuts=True))
    form = await scene.alice.message_menu("Clone this voice", message)
    await form.until(lambda seen: seen.modal is not None, timeout=DEADLINE)

    scene.rehearsal.misbehave(Misbehaviour("POST", "/callback", cuts=True))
    volume = await scene.alice.slash(scene.general, "myna volume")

    assert await words_of(volume) == "Volume here: 100%."


def callbacks(scene: Scene) -> list[str]:
    return [one.path for one in scene.rehearsal.requests if one.path.endswith("/callback")]


async def test_a_command_that_can_no_longer_be_answered_makes_no_speech(scene: Scene):
    scene.rehearsal.misbehave(Misbehaviour("POST", "/callback", cuts=True, times=5))

    await scene.speak()
    await until(lambda: len(callbacks(scene)) == 5)
    await file_of(await scene.speak("And this is made."))

    assert [request["text"] for request in scene.asked] == ["And this is made."]


async def test_a_refusal_after_everybody_saw_the_bot_thinking_is_for_the_asker_alone(scene: Scene):
    answer = await scene.speak(voice="Nobody")

    assert "There's no voice with that name here." in await words_of(answer)
    assert answer.ephemeral
    assert [shown.state for shown in answer.history] == [
        AnswerState.THINKING,
        AnswerState.DELETED,
        AnswerState.REPLIED,
    ]


async def test_an_error_that_cannot_be_told_in_private_tells_others_nothing(scene: Scene):
    scene.rehearsal.misbehave(Misbehaviour("POST", "/webhooks/", 403, times=100))

    await scene.speak(voice="Nobody")
    told = await scene.general.until_message(lambda seen: bool(seen.content), timeout=DEADLINE)

    assert told.content == "That didn't work, and I couldn't tell you why in private. Try again in a minute."


async def test_a_press_that_is_refused_leaves_the_message_with_the_button_as_it_was(scene: Scene):
    generation = await generated(scene)
    words, buttons = generation.content, generation.buttons

    await scene.bot.library.generations.forget(generation_id_of(generation))

    pressed = await scene.bob.press(generation, "More…")

    assert (await refusal_of(pressed)).startswith("This button has expired.")
    assert (generation.content, generation.buttons) == (words, buttons)


async def test_the_speakers_of_a_dialogue_are_looked_up_together(scene: Scene):
    names = {(await designed(scene, scene.alice, name)).name for name in ("Robin", "Wren", "Rook")}
    begun: set[str] = set()
    all_begun = asyncio.Event()

    class Access:
        async def permission_error_of(self, found: Standing) -> str | None:
            begun.add(found.voice.name)
            if begun == names:
                all_begun.set()
            await all_begun.wait()
            return None

    async with asyncio.timeout(DEADLINE):
        request = await scene.bot.resolver.resolve_request(
            Scope(scene.guild.id, scene.alice.id),
            "Robin: One\nWren: Two\nRook: Three",
            Names(members={}, roles={}, channels={}, now=discord.utils.utcnow()),
            access=Access(),
        )

    assert [line.voice.name for line in request.request.lines if line.voice] == ["Robin", "Wren", "Rook"]
