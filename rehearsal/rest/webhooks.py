"""Everything after the first answer to an interaction: the webhook behind its token."""

from __future__ import annotations

from rehearsal.backstage import Backstage
from rehearsal.errors import DiscordAPIError, unknown
from rehearsal.interactions import MAX_REMOTE_FOLLOWUPS, Interaction
from rehearsal.messages import Message
from rehearsal.publishing import reply_flags
from rehearsal.rest.call import Call, Reply, Route
from rehearsal.rest.callbacks import metadata
from rehearsal.rest.editing import edit_checked
from rehearsal.rules.messages import check_message, check_not_empty
from rehearsal.rules.uploads import check_sizes
from rehearsal.wire import COMPONENTS_V2, EPHEMERAL, SUPPRESS_EMBEDS, SUPPRESS_NOTIFICATIONS

_FOLLOWUP_FLAGS = EPHEMERAL | SUPPRESS_EMBEDS | SUPPRESS_NOTIFICATIONS | COMPONENTS_V2
_BASE = "/webhooks/{application_id}/{token}"


def _interaction(backstage: Backstage, call: Call) -> Interaction:
    if call.number("application_id") != backstage.bot.id:
        raise unknown("Webhook", 10015)
    return backstage.interactions.for_webhook(call.ids["token"])


def _message(interaction: Interaction, call: Call) -> Message:
    wanted = call.ids["message_id"]
    if wanted == "@original" or (interaction.original and wanted == str(interaction.original.id)):
        message = interaction.original
    else:
        message = interaction.messages.get(int(wanted)) if wanted.isdigit() else None
    if message is None or message.deleted:
        raise unknown("Message", 10008)
    return message


async def get_message(backstage: Backstage, call: Call) -> Reply:
    """GET @original or a follow-up."""
    return Reply(backstage.publisher.payload(_message(_interaction(backstage, call), call)))


async def patch_message(backstage: Backstage, call: Call) -> Reply:
    """PATCH @original or a follow-up."""
    interaction = _interaction(backstage, call)
    message = _message(interaction, call)
    edit_checked(backstage, message, call.body, call, limit=interaction.upload_limit)
    return Reply(backstage.publisher.payload(message))


async def delete_message(backstage: Backstage, call: Call) -> Reply:
    """DELETE @original or a follow-up."""
    backstage.publisher.delete(_message(_interaction(backstage, call), call))
    return Reply(status=204)


async def post_followup(backstage: Backstage, call: Call) -> Reply:
    """POST a follow-up. The first one after a deferral silently becomes the answer itself."""
    interaction = _interaction(backstage, call)
    files = call.uploads(call.body)
    check_message(call.body, allowed_flags=_FOLLOWUP_FLAGS)
    check_not_empty(call.body, files)
    check_sizes((len(file.data) for file in files), limit=interaction.upload_limit)
    original = interaction.original
    given = call.body.get("flags") or 0
    if original is not None and original.thinking and not original.deleted:
        backstage.publisher.edit(original, call.body, files)
        return Reply(backstage.publisher.payload(original))
    interaction.followups += 1
    if interaction.remote and interaction.followups > MAX_REMOTE_FOLLOWUPS:
        raise DiscordAPIError(
            400, 40094, "This interaction has reached the maximum number of follow-up messages"
        )
    ephemeral = interaction.only_ephemeral or bool(given & EPHEMERAL)
    message = backstage.publisher.publish(
        interaction.channel,
        backstage.bot,
        call.body,
        files,
        flags=reply_flags(given, ephemeral=ephemeral),
        seen_by=interaction.user_id if ephemeral else None,
        interaction=metadata(backstage, interaction),
    )
    interaction.messages[message.id] = message
    interaction.answer.add_followup(message)
    return Reply(backstage.publisher.payload(message))


_ONE = _BASE + "/messages/{message_id}"
ROUTES = [
    Route("GET", _ONE, get_message, needs_token=False),
    Route("PATCH", _ONE, patch_message, needs_token=False),
    Route("DELETE", _ONE, delete_message, needs_token=False),
    Route("POST", _BASE, post_followup, needs_token=False),
]
