"""Editing a message, by whatever route."""

from __future__ import annotations

from rehearsal.backstage import Backstage
from rehearsal.messages import Message
from rehearsal.rest.call import Call
from rehearsal.rules.messages import check_message
from rehearsal.rules.uploads import check_sizes
from rehearsal.wire import COMPONENTS_V2, SUPPRESS_EMBEDS, Json

_EDIT_FLAGS = SUPPRESS_EMBEDS | COMPONENTS_V2


def edit_checked(backstage: Backstage, message: Message, payload: Json, call: Call, *, limit: int) -> None:
    """Check and carry out an edit. Raises `DiscordAPIError`."""
    files = call.uploads(payload)
    check_message(payload, allowed_flags=_EDIT_FLAGS, flags=message.flags)
    check_sizes((len(file.data) for file in files), limit=limit)
    backstage.publisher.edit(message, payload, files)
