"""What may be sent as a message, and what not."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import aiohttp
import pytest

from rehearsal.cdn import SentFile
from rehearsal.errors import DiscordAPIError
from rehearsal.permissions import Permission
from rehearsal.rules.messages import check_message, check_not_empty, check_voice_message
from rehearsal.wire import MEBIBYTE
from tests.rehearsal.conftest import Ask
from tests.scenes import Stage

BUTTON = {"type": 2, "style": 1, "label": "Again", "custom_id": "again"}
WAVEFORM = base64.b64encode(bytes(range(100))).decode()


def row(*components: dict[str, Any]) -> dict[str, Any]:
    return {"type": 1, "components": list(components)}


def v2(*components: dict[str, Any]) -> dict[str, Any]:
    return {"flags": 1 << 15, "components": list(components)}


def select(options: int) -> dict[str, Any]:
    labels = [{"label": str(n), "value": str(n)} for n in range(options)]
    return {"type": 3, "custom_id": "s", "options": labels}


TEXT = {"type": 10, "content": "t" * 4000}
ACCEPTED: dict[str, dict[str, Any]] = {
    "2000 characters": {"content": "x" * 2000},
    "ten embeds": {"embeds": [{"description": "d"}] * 10},
    "five rows": {"components": [row(BUTTON | {"custom_id": str(n)}) for n in range(5)], "content": "x"},
    "25 options": {"components": [row(select(25))]},
    "the longest custom id": {"components": [row(BUTTON | {"custom_id": "c" * 100})]},
    "mentions of nobody": {"content": "x", "allowed_mentions": {"parse": []}},
    "components only": v2(TEXT),
    "silence": {"content": "x", "flags": 1 << 12},
}
REFUSED: dict[str, tuple[dict[str, Any], int]] = {
    "2001 characters": ({"content": "x" * 2001}, 50035),
    "nothing": ({}, 50006),
    "an empty text": ({"content": ""}, 50006),
    "white space": ({"content": " \n "}, 50006),
    "eleven embeds": ({"embeds": [{"description": "d"}] * 11}, 50035),
    "a long title": ({"embeds": [{"title": "t" * 257}]}, 50035),
    "6001 characters of embeds": (
        {"embeds": [{"description": "d" * 3001}, {"description": "d" * 3000}]},
        50035,
    ),
    "26 fields": ({"embeds": [{"fields": [{"name": "n", "value": "v"}] * 26}]}, 50035),
    "a field of nothing": ({"embeds": [{"fields": [{"name": "n", "value": ""}]}]}, 50035),
    "six rows": ({"components": [row(BUTTON | {"custom_id": str(n)}) for n in range(6)]}, 50035),
    "six buttons": ({"components": [row(*(BUTTON | {"custom_id": str(n)} for n in range(6)))]}, 50035),
    "an empty row": ({"components": [row()]}, 50035),
    "a bare button": ({"components": [BUTTON]}, 50035),
    "26 options in a menu": ({"components": [row(select(26))]}, 50035),
    "a button beside a menu": ({"components": [row(select(1), BUTTON)]}, 50035),
    "a long custom id": ({"components": [row(BUTTON | {"custom_id": "c" * 101})]}, 50035),
    "no custom id": ({"components": [row({"type": 2, "style": 1, "label": "x"})]}, 50035),
    "a long label": ({"components": [row(BUTTON | {"label": "l" * 81})]}, 50035),
    "one custom id twice": ({"components": [row(BUTTON), row(BUTTON)]}, 50035),
    "a text display without the flag": ({"components": [TEXT]}, 50035),
    "content beside components only": (v2(TEXT) | {"content": "x"}, 50035),
    "too much text": (v2(TEXT, {"type": 10, "content": "t"}), 50035),
    "41 components": (v2(*({"type": 10, "content": "t"} for _ in range(41))), 50035),
    "a message that is ephemeral by itself": ({"content": "x", "flags": 1 << 6}, 50035),
    "a long nonce": ({"content": "x", "nonce": "n" * 26}, 50035),
    "contradicting mentions": (
        {"content": "x", "allowed_mentions": {"parse": ["users"], "users": ["1"]}},
        50035,
    ),
    "an unknown kind of mention": ({"content": "x", "allowed_mentions": {"parse": ["all"]}}, 50035),
    "a voice message without a file": ({"flags": 1 << 13}, 50160),
}


FLAGS = 1 << 2 | 1 << 12 | 1 << 13 | 1 << 15


def check(payload: dict[str, Any], *files: SentFile) -> None:
    check_message(payload, allowed_flags=FLAGS)
    check_voice_message(payload, files)
    check_not_empty(payload, files)


@pytest.mark.parametrize("name", ACCEPTED)
def test_discord_accepts(name: str) -> None:
    payload = ACCEPTED[name]

    check(payload)  # would raise


@pytest.mark.parametrize("name", REFUSED)
def test_discord_refuses(name: str) -> None:
    payload, code = REFUSED[name]

    with pytest.raises(DiscordAPIError) as refused:
        check(payload)

    assert (refused.value.status, refused.value.code) == (400, code)


async def test_a_refused_message_is_not_in_the_channel_and_an_accepted_one_is(scene: Stage, ask: Ask) -> None:
    path = f"/channels/{scene.general.id}/messages"

    refused = await ask("POST", path, {"content": "x" * 2001})
    accepted = await ask("POST", path, {"content": "x" * 2000})

    assert refused[1]["errors"]["content"]["_errors"][0]["code"] == "BASE_TYPE_MAX_LENGTH"
    assert [message.id for message in scene.general.history] == [int(accepted[1]["id"])]


async def test_a_reply_needs_something_to_reply_to(scene: Stage, ask: Ask) -> None:
    message = await scene.alice.say(scene.general, "hello")
    path = f"/channels/{scene.general.id}/messages"

    reply = {"content": "x", "message_reference": {"message_id": str(message.id)}}
    nothing: dict[str, Any] = {"content": "x", "message_reference": {"message_id": "1"}}

    assert (await ask("POST", path, reply))[0] == 200
    assert (await ask("POST", path, nothing))[1]["code"] == 50035
    nothing["message_reference"] |= {"fail_if_not_exists": False}
    assert (await ask("POST", path, nothing))[0] == 200


def form(
    payload: dict[str, Any], *files: tuple[str, bytes], part_type: str = "application/octet-stream"
) -> aiohttp.FormData:
    data = aiohttp.FormData(quote_fields=False)
    data.add_field("payload_json", json.dumps(payload))
    for index, (name, content) in enumerate(files):
        data.add_field(f"files[{index}]", io.BytesIO(content), filename=name, content_type=part_type)
    return data


def voice(name: str = "voice-message.ogg", **fields: Any) -> dict[str, Any]:
    about = {"id": 0, "filename": name, "duration_secs": 1.5, "waveform": WAVEFORM} | fields
    return {"flags": 1 << 13, "attachments": [about]}


async def test_a_voice_message_is_one_recording_with_its_waveform(scene: Stage, ask: Ask) -> None:
    data = form(voice(), ("voice-message.ogg", b"OggS"), part_type="audio/ogg")

    status, body = await ask("POST", f"/channels/{scene.general.id}/messages", data=data)

    assert status == 200 and scene.general.history[0].voice_message
    (attachment,) = body["attachments"]
    assert (attachment["duration_secs"], attachment["waveform"]) == (1.5, WAVEFORM)
    assert attachment["content_type"] == "audio/ogg"
    path = f"/channels/{scene.general.id}/messages/{body['id']}"
    assert (await ask("PATCH", path, {"content": "edited"}))[1]["code"] == 50162


async def test_a_voice_message_whose_part_does_not_say_that_it_is_ogg_is_refused(
    scene: Stage, ask: Ask
) -> None:
    for part_type in ("application/octet-stream", "audio/wav", "audio/mpeg"):
        data = form(voice(), ("voice-message.ogg", b"OggS"), part_type=part_type)

        status, body = await ask("POST", f"/channels/{scene.general.id}/messages", data=data)

        assert (status, body["code"], scene.general.history) == (400, 50160, [])


async def test_a_voice_message_does_not_need_attach_files(scene: Stage, ask: Ask) -> None:
    scene.guild.deny_bot(Permission.ATTACH_FILES)
    data = form(voice(), ("voice-message.ogg", b"OggS"), part_type="audio/ogg")

    assert (await ask("POST", f"/channels/{scene.general.id}/messages", data=data))[0] == 200


async def test_a_voice_message_needs_its_permission(scene: Stage, ask: Ask) -> None:
    scene.guild.deny_bot(Permission.SEND_VOICE_MESSAGES)
    data = form(voice(), ("voice-message.ogg", b"OggS"), part_type="audio/ogg")

    status, body = await ask("POST", f"/channels/{scene.general.id}/messages", data=data)

    assert (status, body["code"], scene.general.history) == (403, 50173, [])


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (voice() | {"content": "words"}, 50159),
        (voice("picture.png"), 50160),
        (voice(duration_secs=None), 50161),
        (voice(waveform=None), 50161),
        (voice(waveform="not base64!"), 50161),
        (voice(waveform=base64.b64encode(bytes(257)).decode()), 50161),
    ],
)
def test_what_is_no_voice_message_is_not_sent_as_one(payload: dict[str, Any], code: int) -> None:
    about = payload["attachments"][0]
    seconds, waveform = about["duration_secs"], about["waveform"]
    file = SentFile(about["filename"], b"OggS", seconds=seconds, waveform=waveform, part_type="audio/ogg")

    with pytest.raises(DiscordAPIError) as refused:
        check(payload, file)

    assert (refused.value.status, refused.value.code) == (400, code)


async def test_a_channel_takes_files_up_to_the_limit_of_its_guild(scene: Stage, ask: Ask) -> None:
    path = f"/channels/{scene.general.id}/messages"

    fits = await ask("POST", path, data=form({}, ("a.wav", bytes(10 * MEBIBYTE))))
    large = await ask("POST", path, data=form({}, ("a.wav", bytes(10 * MEBIBYTE + 1))))
    scene.guild.premium_tier = 2
    boosted = await ask("POST", path, data=form({}, ("a.wav", bytes(10 * MEBIBYTE + 1))))

    assert fits[0] == boosted[0] == 200
    assert (large[0], large[1]["code"]) == (413, 40005)


async def test_no_request_carries_more_than_25_mib_whatever_one_file_may_have(scene: Stage, ask: Ask) -> None:
    scene.guild.premium_tier = 3
    path = f"/channels/{scene.general.id}/messages"
    half = bytes(13 * MEBIBYTE)

    whole = await ask("POST", path, data=form({}, ("a.wav", bytes(26 * MEBIBYTE))))
    halves = await ask("POST", path, data=form({}, ("a.wav", half), ("b.wav", half)))
    one = await ask("POST", path, data=form({}, ("a.wav", half)))

    assert [(status, body.get("code")) for status, body in (whole, halves, one)] == [
        (413, 40005),
        (413, 40005),
        (200, None),
    ]


async def test_the_same_nonce_is_the_same_message_only_when_enforced(scene: Stage, ask: Ask) -> None:
    path = f"/channels/{scene.general.id}/messages"
    body = {"content": "once", "nonce": "n1"}

    ids = [(await ask("POST", path, body | {"enforce_nonce": True}))[1]["id"] for _ in range(2)]
    other = (await ask("POST", path, body))[1]["id"]

    assert ids[0] == ids[1] != other


async def test_mentions_ping_as_allowed(scene: Stage, ask: Ask) -> None:
    path = f"/channels/{scene.general.id}/messages"
    content = f"{scene.alice.mention} @everyone"

    await ask("POST", path, {"content": content})
    await ask("POST", path, {"content": content, "allowed_mentions": {"parse": []}})
    await ask("POST", path, {"content": content, "allowed_mentions": {"users": [str(scene.alice.id)]}})

    pings = [(message.pinged, message.pings_everyone) for message in scene.general.history]
    assert pings == [({scene.alice.id}, True), (set(), False), ({scene.alice.id}, False)]


async def test_a_reply_needs_read_message_history_even_to_what_may_be_gone(scene: Stage, ask: Ask) -> None:
    message = await scene.alice.say(scene.general, "hello")
    scene.guild.deny_bot(Permission.READ_MESSAGE_HISTORY)
    path = f"/channels/{scene.general.id}/messages"

    for given in ({}, {"fail_if_not_exists": False}):
        reply = {"content": "x", "message_reference": {"message_id": str(message.id)} | given}
        status, body = await ask("POST", path, reply)
        assert (status, body["code"]) == (403, 160002)
    assert (await ask("POST", path, {"content": "x"}))[0] == 200


async def test_nobody_pings_everyone_without_the_permission(scene: Stage, ask: Ask) -> None:
    scene.guild.deny_bot(Permission.MENTION_EVERYONE)

    await ask("POST", f"/channels/{scene.general.id}/messages", {"content": "@everyone"})

    assert not scene.general.history[0].pings_everyone


async def test_a_reply_pings_whom_it_answers_unless_told_not_to(scene: Stage, ask: Ask) -> None:
    message = await scene.alice.say(scene.general, "hello")
    path = f"/channels/{scene.general.id}/messages"
    reply = {"content": "x", "message_reference": {"message_id": str(message.id)}}

    await ask("POST", path, reply)
    await ask("POST", path, reply | {"allowed_mentions": {"parse": []}})

    assert [m.pinged for m in scene.general.history[1:]] == [{scene.alice.id}, set()]


async def test_a_body_of_the_wrong_shape_is_refused(scene: Stage, ask: Ask) -> None:
    status, body = await ask("POST", f"/channels/{scene.general.id}/messages", {"embeds": 5})

    assert (status, body["code"]) == (400, 50035)


async def test_a_body_that_is_no_json_is_refused(scene: Stage, ask: Ask) -> None:
    headers = {"Authorization": f"Bot {scene.rehearsal.token}", "Content-Type": "application/json"}

    status, body = await ask("POST", f"/channels/{scene.general.id}/messages", data=b"{", headers=headers)

    assert (status, body["code"]) == (400, 50109)
