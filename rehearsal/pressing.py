"""Finding buttons and select menus on a message, and choosing."""

from __future__ import annotations

from collections.abc import Sequence

from rehearsal.channels import Channel
from rehearsal.errors import RehearsalError
from rehearsal.messages import Message
from rehearsal.options import Resolver, account_of
from rehearsal.rules.commands import CHANNEL, MENTIONABLE, ROLE, USER
from rehearsal.rules.components import BUTTON, LINK_STYLE, SELECTS, STRING_SELECT, walk
from rehearsal.wire import Json

REFERENCES = {5: USER, 6: ROLE, 7: MENTIONABLE, 8: CHANNEL}
"""The select menus that offer people, roles and channels, and the type of option that takes the same."""


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


def check_genuine(message: Message, custom_id: str, kind: int, values: Sequence[str] | None) -> None:
    """Raise `RehearsalError` unless the message has such a component that can be used with ``values``."""
    for component in walk(message.components):
        if component.get("custom_id") != custom_id or component.get("type") != kind:
            continue
        offered = {option["value"] for option in component.get("options") or []}
        foreign = kind == STRING_SELECT and not offered.issuperset(values or ())
        if not component.get("disabled") and not foreign:
            return
    raise RehearsalError(f"COMPONENT_VALIDATION_FAILED: {custom_id!r} cannot be used on this message")


def choose(menu: Json, chosen: Sequence[object], resolver: Resolver) -> list[str]:
    """Return the values; ``resolver`` gathers whom and what they refer to.

    Raises `RehearsalError` for what cannot be chosen.
    """
    lowest, highest = menu.get("min_values", 1), menu.get("max_values", 1)
    if not lowest <= len(chosen) <= highest:
        raise RehearsalError(f"choose {lowest} to {highest}, not {len(chosen)}")
    values = [chosen_value(menu, choice, resolver) for choice in chosen]
    if len(set(values)) < len(values):
        raise RehearsalError("the same cannot be chosen twice")
    return values


def chosen_value(menu: Json, choice: object, resolver: Resolver) -> str:
    """Return the value that stands for one choice. Raises `RehearsalError` when it is none of them."""
    label = str(menu.get("placeholder") or menu.get("label") or menu["custom_id"])
    if menu["type"] in REFERENCES:
        kinds = menu.get("channel_types")
        if kinds and isinstance(choice, Channel) and choice.kind not in kinds:
            raise RehearsalError(f"{label}: {choice.name} is not a channel of the kind that is asked for")
        return resolver.reference(REFERENCES[menu["type"]], account_of(choice), label)
    options: list[Json] = menu.get("options") or []
    for option in options:
        if choice in (option["label"], option["value"]):
            return str(option["value"])
    raise RehearsalError(f"{label}: there is no choice {choice!r}, only {[o['label'] for o in options]}")
