"""What Discord accepts as the body of a message, and as an upload."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Sequence
from typing import Final

from rehearsal.cdn import SentFile, content_type_of
from rehearsal.errors import DiscordAPIError, FormErrors, Path
from rehearsal.rules.components import check_components
from rehearsal.wire import COMPONENTS_V2, MEBIBYTE, VOICE_MESSAGE, Json

MAX_REQUEST: Final = 25 * MEBIBYTE
MAX_FILES: Final = 10
VOICE_MESSAGE_TYPE: Final = "audio/ogg"


def check_sizes(sizes: Iterable[int], *, limit: int) -> None:
    """Raise 413 / 40005 when one file is over ``limit`` bytes, or all together over the request's limit.

    No boost and no Nitro raises the latter.
    """
    sizes = list(sizes)
    if any(size > limit for size in sizes) or sum(sizes) > MAX_REQUEST:
        raise DiscordAPIError(413, 40005, "Request entity too large")
    if len(sizes) > MAX_FILES:
        raise DiscordAPIError(400, 30015, "Maximum number of attachments in a message reached (10)")


MAX_CONTENT = 2_000
_EMBED_LIMITS = (("title", 256), ("description", 4_096))


def check_message(payload: Json, *, allowed_flags: int, flags: int | None = None) -> None:
    """Raise the `DiscordAPIError` with which Discord refuses this body, if it does.

    ``flags`` are those of the message that is edited; a new message has only its own.
    """
    errors = FormErrors()
    given = payload.get("flags") or 0
    if given & ~allowed_flags:
        errors.add(("flags",), "MESSAGE_FLAGS_INVALID", f"Flags {given & ~allowed_flags} cannot be set here.")
    v2 = bool((given | (flags or 0)) & COMPONENTS_V2)
    content = payload.get("content")
    if content is not None and not isinstance(content, str):
        errors.add(("content",), "STRING_TYPE_CONVERT", "Could not interpret value as string.")
    elif content and len(content) > MAX_CONTENT:
        errors.add(("content",), "BASE_TYPE_MAX_LENGTH", f"Must be {MAX_CONTENT} or fewer in length.")
    if v2 and (content or payload.get("embeds") or payload.get("poll") or payload.get("sticker_ids")):
        message = (
            "The 'content', 'embeds', 'poll' and 'sticker_ids' fields cannot be used with IS_COMPONENTS_V2"
        )
        errors.add(("content",), "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2", message)
    nonce = payload.get("nonce")
    if nonce is not None and len(str(nonce)) > 25:
        errors.add(("nonce",), "NONCE_TYPE_TOO_LONG", "Must be 25 or fewer in length.")
    _check_embeds(payload.get("embeds") or [], errors)
    _check_mentions(payload.get("allowed_mentions"), errors)
    check_components(payload.get("components") or [], errors, v2=v2)
    errors.raise_if_any()


def _check_embeds(embeds: Sequence[Json], errors: FormErrors) -> None:
    errors.at_most(("embeds",), embeds, 10)
    total = 0
    for index, embed in enumerate(embeds):
        texts: list[tuple[Path, str | None, int]] = [
            (("embeds", index, key), embed.get(key), most) for key, most in _EMBED_LIMITS
        ]
        footer, author = embed.get("footer") or {}, embed.get("author") or {}
        texts.append((("embeds", index, "footer", "text"), footer.get("text"), 2_048))
        texts.append((("embeds", index, "author", "name"), author.get("name"), 256))
        fields = embed.get("fields") or []
        errors.at_most(("embeds", index, "fields"), fields, 25)
        for number, field in enumerate(fields):
            here = ("embeds", index, "fields", number)
            for key, most in (("name", 256), ("value", 1_024)):
                if not field.get(key):
                    errors.required((*here, key))
                texts.append(((*here, key), field.get(key), most))
        for path, text, most in texts:
            total += len(text or "")
            errors.at_most(path, text, most)
    if total > 6_000:
        errors.add(("embeds",), "MAX_EMBED_SIZE_EXCEEDED", "Embed size exceeds maximum size of 6000")


def _check_mentions(mentions: Json | None, errors: FormErrors) -> None:
    if mentions is None:
        return
    parse = mentions.get("parse") or []
    for kind in ("users", "roles"):
        if kind in parse and mentions.get(kind):
            message = f'parse:["{kind}"] and {kind}: [ids...] are mutually exclusive.'
            errors.add(("allowed_mentions",), "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE", message)
        errors.at_most(("allowed_mentions", kind), mentions.get(kind), 100)
    if not set(parse) <= {"users", "roles", "everyone"}:
        errors.add(
            ("allowed_mentions", "parse"), "BASE_TYPE_CHOICES", "Value must be one of the mention types."
        )


def check_not_empty(payload: Json, files: Sequence[SentFile]) -> None:
    """Raise 50006 for a new message with nothing in it."""
    parts = ("content", "embeds", "components", "sticker_ids", "poll")
    parts_given = [payload.get(part) for part in parts]
    if not files and not any(part.strip() if isinstance(part, str) else part for part in parts_given):
        raise DiscordAPIError(400, 50006, "Cannot send an empty message")


def check_voice_message(payload: Json, files: Sequence[SentFile]) -> None:
    """Raise 50159-50162 unless a message with the voice flag is one audio file and nothing else.

    The part of the request that carries it says that it is Ogg.
    """
    if not (payload.get("flags") or 0) & VOICE_MESSAGE:
        return
    if payload.get("content") or payload.get("embeds") or payload.get("components"):
        raise DiscordAPIError(400, 50159, "Voice messages do not support additional content")
    if len(files) != 1:
        raise DiscordAPIError(400, 50160, "Voice messages must have a single audio attachment")
    (file,) = files
    if not content_type_of(file.name).startswith("audio/") or file.part_type != VOICE_MESSAGE_TYPE:
        raise DiscordAPIError(400, 50160, "Voice messages must have a single audio attachment")
    if file.seconds is None or not 0 < file.seconds <= 20 * 60 or not _is_waveform(file.waveform):
        raise DiscordAPIError(400, 50161, "Voice messages must have supporting metadata")


def _is_waveform(waveform: str | None) -> bool:
    if not waveform:
        return False
    try:
        samples = base64.b64decode(waveform, validate=True)
    except (binascii.Error, ValueError):
        return False
    return 0 < len(samples) <= 256
