"""Finding buttons and select menus on a message, and choosing."""

from __future__ import annotations

from collections.abc import Sequence

from rehearsal.channels import Channel
from rehearsal.errors import RehearsalError
from rehearsal.messages import Message
from rehearsal.payloads import channel_payload
from rehearsal.rules.components import BUTTON, LINK_STYLE, SELECTS, STRING_SELECT, walk
from rehearsal.users import User
from rehearsal.wire import Json


def find_component(message: Message, which: str) -> Json:
    """Return the button named by label, emoji or custom id. Raises `RehearsalError`."""
    buttons = [c for c in walk(message.components) if c.get("type") == BUTTON]
    for button in buttons:
        emoji = (button.get("emoji") or {}).get("name")
        if which not in (button.get("label"), button.get("custom_id"), emoji):
            continue
        if button.get("disabled"):
            raise RehearsalError(f"the button {which!r} is disabled")
        if button.get("style") == LINK_STYLE:
            raise RehearsalError(f"the button {which!r} is a link")
        return button
    raise RehearsalError(f"there is no button {which!r}, only {[b.get('label') for b in buttons]}")


def find_select(message: Message, which: str) -> Json:
    """Return the select menu named by placeholder or custom id. Raises `RehearsalError`."""
    menus = [c for c in walk(message.components) if c.get("type") in SELECTS]
    for menu in menus:
        if which in (menu.get("placeholder"), menu.get("custom_id")):
            if menu.get("disabled"):
                raise RehearsalError(f"the menu {which!r} is disabled")
            return menu
    raise RehearsalError(f"there is no menu {which!r}, only {[m.get('placeholder') for m in menus]}")


def choose(menu: Json, chosen: Sequence[str | User | Channel]) -> tuple[list[str], Json]:
    """Return the values and what they refer to. Raises `RehearsalError` for what cannot be chosen."""
    lowest, highest = menu.get("min_values", 1), menu.get("max_values", 1)
    if not lowest <= len(chosen) <= highest:
        raise RehearsalError(f"choose {lowest} to {highest}, not {len(chosen)}")
    if menu["type"] == STRING_SELECT:
        return [_value(menu, str(choice)) for choice in chosen], {}
    resolved: dict[str, Json] = {}
    values: list[str] = []
    for choice in chosen:
        if isinstance(choice, User):
            resolved.setdefault("users", {})[str(choice.id)] = choice.payload()
        elif isinstance(choice, Channel):
            resolved.setdefault("channels", {})[str(choice.id)] = channel_payload(choice) | {
                "permissions": "0"
            }
        else:
            raise RehearsalError(f"{choice!r} cannot be chosen here")
        values.append(str(choice.id))
    return values, resolved


def _value(menu: Json, choice: str) -> str:
    for option in menu.get("options") or []:
        if choice in (option["label"], option["value"]):
            return str(option["value"])
    raise RehearsalError(f"there is no choice {choice!r}")
