"""Interactions over REST: the first answer, and the webhook behind its token."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from rehearsal.backstage import Backstage
from rehearsal.cdn import SentFile
from rehearsal.errors import DiscordAPIError, FormErrors, form_error, unknown
from rehearsal.interactions import (
    AUTOCOMPLETE,
    CHOICES,
    COMPONENT,
    DEFER,
    DEFER_UPDATE,
    MAX_REMOTE_FOLLOWUPS,
    MODAL,
    MODAL_SUBMIT,
    REPLY,
    UPDATE,
    Interaction,
)
from rehearsal.permissions import Permission
from rehearsal.publishing import reply_flags
from rehearsal.records import Message
from rehearsal.rest.call import RESTCall, RESTReply, Route
from rehearsal.rules.components import check_modal
from rehearsal.rules.messages import check_message, check_not_empty, check_sizes, check_voice_message
from rehearsal.screen import ShownModal
from rehearsal.wire import (
    COMPONENTS_V2,
    EPHEMERAL,
    LOADING,
    SUPPRESS_EMBEDS,
    SUPPRESS_NOTIFICATIONS,
    VOICE_MESSAGE,
    Json,
)

_EDIT_FLAGS = SUPPRESS_EMBEDS | COMPONENTS_V2


def edit_checked(
    backstage: Backstage, message: Message, payload: Json, call: RESTCall, *, limit: int
) -> None:
    """Check and carry out an edit. Raises `DiscordAPIError`."""
    files = call.uploads(payload)
    check_message(payload, allowed_flags=_EDIT_FLAGS, flags=message.flags)
    check_sizes((len(file.data) for file in files), limit=limit)
    backstage.publisher.edit(message, payload, files)


REPLY_FLAGS = EPHEMERAL | SUPPRESS_EMBEDS | SUPPRESS_NOTIFICATIONS | VOICE_MESSAGE | COMPONENTS_V2


async def callback(backstage: Backstage, call: RESTCall) -> RESTReply:
    """POST /interactions/{id}/{token}/callback."""
    interaction = backstage.interactions.for_callback(call.number("interaction_id"), call.ids["token"])
    kind = int(call.body.get("type") or 0)
    if not _fits(interaction, kind):
        message = f"Callback type {kind} is invalid for this interaction"
        raise form_error(("type",), "INTERACTION_CALLBACK_TYPE", message)
    await _HANDLERS[kind](backstage, interaction, call.body.get("data") or {}, call)
    backstage.interactions.acknowledged(interaction, kind)
    if call.query.get("with_response") not in ("1", "true"):
        return RESTReply(status=204)
    return RESTReply(_with_response(backstage, interaction))


def _fits(interaction: Interaction, kind: int) -> bool:
    if kind not in _HANDLERS:
        return False
    if interaction.kind == AUTOCOMPLETE or kind == CHOICES:
        return interaction.kind == AUTOCOMPLETE and kind == CHOICES
    if kind in (DEFER_UPDATE, UPDATE):
        return interaction.source is not None and interaction.kind in (COMPONENT, MODAL_SUBMIT)
    return not (kind == MODAL and interaction.kind == MODAL_SUBMIT)


def _with_response(backstage: Backstage, interaction: Interaction) -> Json:
    about: Json = {"id": str(interaction.id), "type": interaction.kind}
    answer: Json = {"interaction": about}
    message = interaction.original
    if message is not None and interaction.callback == DEFER_UPDATE:
        answer["resource"] = {"type": interaction.callback}
    elif message is not None:
        about |= {
            "response_message_id": str(message.id),
            "response_message_loading": message.thinking,
            "response_message_ephemeral": message.ephemeral,
        }
        answer["resource"] = {"type": interaction.callback}
        if interaction.callback in (REPLY, UPDATE):  # a deferral has no message to show yet
            answer["resource"]["message"] = backstage.publisher.payload(message)
    return answer


def _publish(
    backstage: Backstage,
    interaction: Interaction,
    body: Json,
    files: Sequence[SentFile],
    asked: int,
    *,
    extra: int = 0,
) -> Message:
    """Write a message in answer to an interaction; ``asked`` are the flags that the bot asks for."""
    ephemeral = interaction.only_ephemeral or bool(asked & EPHEMERAL)
    return backstage.publisher.publish(
        interaction.channel,
        backstage.bot,
        body,
        files,
        flags=reply_flags(asked, ephemeral=ephemeral) | extra,
        seen_by=interaction.user_id if ephemeral else None,
        interaction=metadata(backstage, interaction),
    )


def check_may_send_voice_message(permissions: int) -> None:
    """Raise 50173 unless these permissions let somebody send a voice message; they need no other."""
    if not permissions & Permission.SEND_VOICE_MESSAGES:
        raise DiscordAPIError(403, 50173, "You cannot send voice messages in this channel.")


async def _reply(backstage: Backstage, interaction: Interaction, data: Json, call: RESTCall) -> None:
    files = call.uploads(data)
    check_message(data, allowed_flags=REPLY_FLAGS)
    check_voice_message(data, files)
    guild = backstage.directory.guild_of(interaction.channel)
    if guild is not None and (data.get("flags") or 0) & VOICE_MESSAGE:
        speaker_id = interaction.user_id if interaction.remote else backstage.bot.id
        check_may_send_voice_message(guild.permissions_of(speaker_id, interaction.channel))
    check_not_empty(data, files)
    check_sizes((len(file.data) for file in files), limit=interaction.upload_limit)
    interaction.original = _publish(backstage, interaction, data, files, data.get("flags") or 0)
    interaction.answer.show(interaction.original)


async def _defer(backstage: Backstage, interaction: Interaction, data: Json, call: RESTCall) -> None:
    check_message({"flags": data.get("flags")}, allowed_flags=EPHEMERAL)
    interaction.original = _publish(backstage, interaction, {}, (), data.get("flags") or 0, extra=LOADING)
    interaction.answer.show(interaction.original)


async def _defer_update(backstage: Backstage, interaction: Interaction, data: Json, call: RESTCall) -> None:
    interaction.original = _source(interaction)
    interaction.answer.show(interaction.original)


async def _update(backstage: Backstage, interaction: Interaction, data: Json, call: RESTCall) -> None:
    source = _source(interaction)
    edit_checked(backstage, source, data, call, limit=interaction.upload_limit)
    interaction.original = source
    interaction.answer.show(source)


def _source(interaction: Interaction) -> Message:
    """Return the message whose component was used. Raises 10008 when it is gone."""
    if interaction.source is None or interaction.source.deleted:
        raise unknown("Message", 10008)
    return interaction.source


async def _choices(backstage: Backstage, interaction: Interaction, data: Json, call: RESTCall) -> None:
    errors = FormErrors()
    choices = data.get("choices") or []
    errors.at_most(("data", "choices"), choices, 25)
    for index, choice in enumerate(choices):
        errors.length(("data", "choices", index, "name"), choice.get("name"), 1, 100)
        if isinstance(choice.get("value"), str):
            errors.length(("data", "choices", index, "value"), choice["value"], 1, 100)
    errors.raise_if_any()
    interaction.answer.show_choices([(choice["name"], choice["value"]) for choice in choices])


async def _modal(backstage: Backstage, interaction: Interaction, data: Json, call: RESTCall) -> None:
    check_modal(data)
    modal = ShownModal(data, interaction.user_id, interaction.channel, interaction.source, interaction.remote)
    interaction.answer.show_modal(modal)


_Handler = Callable[[Backstage, Interaction, Json, RESTCall], Awaitable[None]]
_HANDLERS: dict[int, _Handler] = {
    REPLY: _reply,
    DEFER: _defer,
    DEFER_UPDATE: _defer_update,
    UPDATE: _update,
    CHOICES: _choices,
    MODAL: _modal,
}


def metadata(backstage: Backstage, interaction: Interaction) -> Json:
    """Return what a message says about the interaction it answers."""
    user = backstage.directory.users[interaction.user_id]
    return {
        "id": str(interaction.id),
        "type": interaction.kind,
        "name": interaction.name,
        "user": user.payload(),
        "authorizing_integration_owners": {},
    }


_FOLLOWUP_FLAGS = EPHEMERAL | SUPPRESS_EMBEDS | SUPPRESS_NOTIFICATIONS | COMPONENTS_V2
_BASE = "/webhooks/{application_id}/{token}"


def _interaction(backstage: Backstage, call: RESTCall) -> Interaction:
    if call.number("application_id") != backstage.bot.id:
        raise unknown("Webhook", 10015)
    return backstage.interactions.for_webhook(call.ids["token"])


def _message(interaction: Interaction, call: RESTCall) -> Message:
    wanted = call.ids["message_id"]
    if wanted == "@original" or (interaction.original and wanted == str(interaction.original.id)):
        message = interaction.original
    else:
        message = interaction.messages.get(int(wanted)) if wanted.isdigit() else None
    if message is None or message.deleted:
        raise unknown("Message", 10008)
    return message


async def get_message(backstage: Backstage, call: RESTCall) -> RESTReply:
    """GET @original or a follow-up."""
    return RESTReply(backstage.publisher.payload(_message(_interaction(backstage, call), call)))


async def patch_message(backstage: Backstage, call: RESTCall) -> RESTReply:
    """PATCH @original or a follow-up."""
    interaction = _interaction(backstage, call)
    message = _message(interaction, call)
    edit_checked(backstage, message, call.body, call, limit=interaction.upload_limit)
    return RESTReply(backstage.publisher.payload(message))


async def delete_message(backstage: Backstage, call: RESTCall) -> RESTReply:
    """DELETE @original or a follow-up."""
    backstage.publisher.delete(_message(_interaction(backstage, call), call))
    return RESTReply(status=204)


async def post_followup(backstage: Backstage, call: RESTCall) -> RESTReply:
    """POST a follow-up. The first one after a deferral silently becomes the answer itself."""
    interaction = _interaction(backstage, call)
    files = call.uploads(call.body)
    check_message(call.body, allowed_flags=_FOLLOWUP_FLAGS)
    check_not_empty(call.body, files)
    check_sizes((len(file.data) for file in files), limit=interaction.upload_limit)
    original = interaction.original
    if original is not None and original.thinking and not original.deleted:
        backstage.publisher.edit(original, call.body, files)
        return RESTReply(backstage.publisher.payload(original))
    interaction.followups += 1
    if interaction.remote and interaction.followups > MAX_REMOTE_FOLLOWUPS:
        raise DiscordAPIError(
            400, 40094, "This interaction has reached the maximum number of follow-up messages"
        )
    message = _publish(backstage, interaction, call.body, files, call.body.get("flags") or 0)
    interaction.messages[message.id] = message
    interaction.answer.add_followup(message)
    return RESTReply(backstage.publisher.payload(message))


_ONE = _BASE + "/messages/{message_id}"
ROUTES = [
    Route("POST", "/interactions/{interaction_id}/{token}/callback", callback, needs_token=False),
    Route("GET", _ONE, get_message, needs_token=False),
    Route("PATCH", _ONE, patch_message, needs_token=False),
    Route("DELETE", _ONE, delete_message, needs_token=False),
    Route("POST", _BASE, post_followup, needs_token=False),
]
