"""What may be registered as a command, and what not."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.errors import DiscordAPIError
from rehearsal.rules.commands import check_commands
from tests.rehearsal.conftest import Ask
from tests.scenes import Stage


def command(**fields: Any) -> dict[str, Any]:
    return {"name": "speak", "description": "Say something", "type": 1} | fields


def option(**fields: Any) -> dict[str, Any]:
    return {"name": "text", "description": "What to say", "type": 3} | fields


ACCEPTED = {
    "plain": command(),
    "accents": command(name="größe"),
    "a hyphen": command(name="say-it"),
    "the longest name": command(name="a" * 32),
    "the longest description": command(description="d" * 100),
    "25 options": command(options=[option(name=f"o{n}") for n in range(25)]),
    "required first": command(options=[option(name="a", required=True), option(name="b")]),
    "choices": command(options=[option(choices=[{"name": "A", "value": "a"}])]),
    "bounds": command(options=[option(type=4, min_value=1, max_value=3)]),
    "lengths": command(options=[option(min_length=0, max_length=6000)]),
    "a group": command(options=[{"name": "use", "description": "Use", "type": 1, "options": [option()]}]),
    "a menu": {"name": "Speak this", "type": 3},
    "types of files": command(options=[option(type=11, file_types=["audio"])]),
    "contexts": command(contexts=[0, 1, 2], integration_types=[0, 1]),
    "localizations": command(name_localizations={"de": "sag"}, description_localizations={"de": "Sag was"}),
}

REFUSED = {
    "upper case": (command(name="Speak"), "name"),
    "a space": (command(name="say it"), "name"),
    "no name": (command(name=""), "name"),
    "a long name": (command(name="a" * 33), "name"),
    "no description": (command(description=""), "description"),
    "a long description": (command(description="d" * 101), "description"),
    "26 options": (command(options=[option(name=f"o{n}") for n in range(26)]), "options"),
    "required last": (command(options=[option(name="a"), option(name="b", required=True)]), "options.1"),
    "two of a name": (command(options=[option(), option()]), "options.1"),
    "types of files for a text": (
        command(options=[option(file_types=["audio"])]),
        "options.0.file_types",
    ),
    "a type of files that is none": (
        command(options=[option(type=11, file_types=[""])]),
        "options.0.file_types",
    ),
    "an unknown type": (command(options=[option(type=12)]), "options.0.type"),
    "26 choices": (
        command(options=[option(choices=[{"name": str(n), "value": str(n)} for n in range(26)])]),
        "options.0.choices",
    ),
    "a long choice": (
        command(options=[option(choices=[{"name": "n", "value": "v" * 101}])]),
        "options.0.choices.0.value",
    ),
    "choices and autocomplete": (
        command(options=[option(autocomplete=True, choices=[{"name": "A", "value": "a"}])]),
        "options.0.autocomplete",
    ),
    "a length of numbers": (command(options=[option(type=4, max_length=3)]), "options.0.max_length"),
    "bounds of a text": (command(options=[option(min_value=1)]), "options.0.min_value"),
    "too long a length": (command(options=[option(max_length=6001)]), "options.0.max_length"),
    "a menu with a description": ({"name": "Menu", "type": 3, "description": "d"}, ""),
    "a long menu": ({"name": "m" * 33, "type": 3}, "name"),
    "an unknown context": (command(contexts=[3]), "contexts"),
    "a bad localization": (command(name_localizations={"de": "Sag Was"}), "name_localizations.de"),
    "too deep": (
        command(
            options=[
                {
                    "name": "a",
                    "description": "d",
                    "type": 2,
                    "options": [{"name": "b", "description": "d", "type": 2, "options": []}],
                }
            ]
        ),
        "options.0.options.0.type",
    ),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_discord_accepts(name: str) -> None:
    payloads = [ACCEPTED[name]]

    check_commands(payloads, in_guild=False)  # would raise


@pytest.mark.parametrize("name", REFUSED)
def test_discord_refuses(name: str) -> None:
    payload, where = REFUSED[name]

    with pytest.raises(DiscordAPIError) as refused:
        check_commands([payload], in_guild=False)

    assert (refused.value.status, refused.value.code) == (400, 50035)
    node: Any = (refused.value.errors or {})["0"]
    for key in where.split(".") if where else ():
        node = node[key]
    assert node["_errors"][0]["message"]


async def test_a_refused_command_is_not_registered_and_an_accepted_one_is(scene: Stage, ask: Ask) -> None:
    path = f"/applications/{scene.rehearsal.application_id}/commands"

    refused = await ask("PUT", path, [command(name="Speak")])
    accepted = await ask("PUT", path, [command()])

    assert refused[0] == 400 and refused[1]["message"] == "Invalid Form Body"
    error = refused[1]["errors"]["0"]["name"]["_errors"][0]
    assert error["code"] == "APPLICATION_COMMAND_INVALID_NAME"
    assert accepted[0] == 200 and (await ask("GET", path))[1] == accepted[1]
    assert scene.alice.offered(scene.general) == ["speak"]


def test_contexts_are_not_for_a_guilds_commands() -> None:
    with pytest.raises(DiscordAPIError):
        check_commands([command(contexts=[0])], in_guild=True)


def test_a_command_may_have_8000_characters_and_not_one_more() -> None:
    def of_size(chars: int) -> dict[str, Any]:
        used = len("speak") + len("d")
        options: list[dict[str, Any]] = []
        while used < chars:
            description = "d" * min(100, chars - used - 2)
            options.append(option(name=f"{len(options):02d}", description=description, choices=[]))
            used += 2 + len(description)
            choices: list[dict[str, str]] = options[-1]["choices"]
            while len(choices) < 25 and chars - used >= 200 + 103:
                name = f"{len(choices):03d}".ljust(100, "n")
                choices.append({"name": name, "value": "v" * 100})
                used += 200
        return command(description="d", options=options)

    check_commands([of_size(8000)], in_guild=False)
    with pytest.raises(DiscordAPIError, match="maximum size"):
        check_commands([of_size(8001)], in_guild=False)


def test_a_hundred_commands_and_fifteen_menus_fit() -> None:
    commands = [command(name=f"c{number}") for number in range(101)]
    menus = [{"name": f"m{number}", "type": 3} for number in range(16)]

    check_commands(commands[:100] + menus[:15], in_guild=False)
    for too_many in (commands, menus):
        with pytest.raises(DiscordAPIError, match="30032"):
            check_commands(too_many, in_guild=False)


@pytest.mark.parametrize("installs", [(0,), (1,), (0, 1)])
async def test_a_command_that_does_not_say_is_where_the_application_is(
    scene: Stage, ask: Ask, installs: tuple[int, ...]
) -> None:
    scene.rehearsal.commands.installs = installs
    path = f"/applications/{scene.rehearsal.application_id}/commands"

    _status, registered = await ask("PUT", path, [command()])
    refused = await ask("PUT", path, [command(integration_types=[0, 1])])

    assert registered[0]["integration_types"] == list(installs)
    assert refused[0] == (200 if installs == (0, 1) else 400)


async def test_a_command_keeps_its_id_when_it_is_registered_again(scene: Stage, ask: Ask) -> None:
    path = f"/applications/{scene.rehearsal.application_id}/commands"
    (before,) = (await ask("PUT", path, [command()]))[1]

    (after,) = (await ask("PUT", path, [command(description="Another")]))[1]

    assert after["id"] == before["id"] and after["version"] != before["version"]


async def test_a_guilds_commands_are_its_own(scene: Stage, ask: Ask) -> None:
    base = f"/applications/{scene.rehearsal.application_id}"
    stranger = scene.rehearsal.world.add_guild("Elsewhere", with_bot=False)

    status, _ = await ask("PUT", f"{base}/guilds/{scene.guild.id}/commands", [command(name="here")])
    elsewhere = await ask("PUT", f"{base}/guilds/{stranger.id}/commands", [command()])

    assert status == 200 and scene.alice.offered(scene.general) == ["here"]
    assert elsewhere[1]["code"] == 50001


async def test_two_commands_of_one_name_are_refused(scene: Stage, ask: Ask) -> None:
    path = f"/applications/{scene.rehearsal.application_id}/commands"

    status, body = await ask("PUT", path, [command(), command()])

    assert status == 400
    assert body["errors"]["1"]["name"]["_errors"][0]["code"] == "APPLICATION_COMMANDS_DUPLICATE_NAME"
