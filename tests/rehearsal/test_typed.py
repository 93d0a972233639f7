from __future__ import annotations

import pytest

from rehearsal.errors import RehearsalError
from rehearsal.prompt import read_command

COMMANDS = {
    "clone": {
        "options": [
            {"name": "text", "type": 3, "required": True},
            {"name": "reference", "type": 11},
            {
                "name": "steps",
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
    assert read_command(f"/clone Hi steps: {typed}", COMMANDS).options["steps"] == 20


def test_a_file_is_read_from_its_path(tmp_path):
    path = tmp_path / "a voice.wav"
    path.write_bytes(b"RIFF")

    command = read_command(f"/clone Hi reference: '{path}'", COMMANDS)

    assert command.options["reference"].name == "a voice.wav"
    assert command.options["reference"].data == b"RIFF"


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("/fly", "There is no command /fly"),
        ("/clone Hi reference: nowhere.wav", "cannot be read"),
        ("/clone Hi steps: many", "quick, careful"),
        ("/clone Hi rate: fast", "a number"),
    ],
)
def test_what_cannot_be_read_ends_in_a_sentence(line, word):
    with pytest.raises(RehearsalError, match=word):
        read_command(line, COMMANDS)


def test_a_command_without_options_takes_none():
    assert read_command("/leave now", COMMANDS).options == {}
