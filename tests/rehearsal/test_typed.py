from __future__ import annotations

import pytest

from rehearsal.errors import RehearsalError
from rehearsal.prompt import completions, read_command

COMMANDS = {
    "clone": {
        "options": [
            {"name": "text", "type": 3, "required": True},
            {"name": "recording", "type": 11},
            {
                "name": "quality",
                "type": 4,
                "choices": [{"name": "quick", "value": 4}, {"name": "careful", "value": 20}],
            },
            {"name": "rate", "type": 10},
            {"name": "loud", "type": 5},
        ]
    },
    "leave": {},
}


def test_words_before_the_first_option_belong_to_the_first_one():
    command = read_command("/clone Hello there: you", COMMANDS)

    assert command.options == {"text": "Hello there: you"}


def test_options_are_read_by_name_in_any_order():
    command = read_command("/clone rate: 1.5 loud: yes text: Good morning, all", COMMANDS)

    assert command.options == {"rate": 1.5, "loud": True, "text": "Good morning, all"}


@pytest.mark.parametrize("typed", ["careful", "Careful", "care", "20"])
def test_a_choice_is_given_by_its_name_its_beginning_or_its_value(typed):
    assert read_command(f"/clone Hi quality: {typed}", COMMANDS).options["quality"] == 20


def test_a_file_is_read_from_its_path(tmp_path):
    path = tmp_path / "a voice.wav"
    path.write_bytes(b"RIFF")

    command = read_command(f"/clone Hi recording: '{path}'", COMMANDS)

    assert command.options["recording"].name == "a voice.wav"
    assert command.options["recording"].data == b"RIFF"


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("/fly", "There is no command /fly"),
        ("/clone Hi recording: nowhere.wav", "cannot be read"),
        ("/clone Hi quality: many", "quick, careful"),
        ("/clone Hi rate: fast", "a number"),
    ],
)
def test_what_cannot_be_read_ends_in_a_sentence(line, word):
    with pytest.raises(RehearsalError, match=word):
        read_command(line, COMMANDS)


def test_a_command_without_options_takes_none():
    assert read_command("/leave now", COMMANDS).options == {}


GROUPS = {
    **COMMANDS,
    "voice": {
        "options": [
            {"name": "list", "type": 1, "options": [{"name": "name", "type": 3}]},
            {"name": "save", "type": 1, "options": []},
        ]
    },
}


def test_a_command_of_a_group_is_read_with_its_options():
    command = read_command("/voice list name: Old man", GROUPS)

    assert (command.name, command.options) == ("voice list", {"name": "Old man"})


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("/voice", "/voice needs one more word. There are: /voice list, /voice save"),
        ("/voice fly", "There is no command /voice fly. There are: /voice list, /voice save"),
    ],
)
def test_a_group_without_its_command_says_which_there_are(line, sentence):
    with pytest.raises(RehearsalError) as refused:
        read_command(line, GROUPS)

    assert str(refused.value) == sentence


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("/", ["/clone ", "/leave ", "/voice "]),
        ("/vo", ["/voice "]),
        ("/voice ", ["list ", "save "]),
        ("/voice s", ["save "]),
        ("/voice list n", ["name: "]),
        ("/clone Hi there q", ["quality: "]),
        ("/clone Hi quality: ca", ["careful "]),
        ("/clone Hi quality: quick rate: 1 ", ["text: ", "recording: ", "loud: "]),
        ("/voice fly n", []),
        ("/fly n", []),
    ],
)
def test_tab_completes_commands_options_and_choices(typed, completed):
    assert completions(typed, GROUPS) == completed
