"""The screen of a person: command options, modals, buttons and menus, filled in and chosen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rehearsal.cdn import SentFile, StoredFile
from rehearsal.errors import RehearsalError
from rehearsal.payloads import channel_payload, role_payload
from rehearsal.records import Channel, Message, Role, User
from rehearsal.rules.commands import (
    ATTACHMENT,
    BOOLEAN,
    CHANNEL,
    INTEGER,
    MENTIONABLE,
    NUMBER,
    ROLE,
    STRING,
    SUB_COMMAND,
    SUB_COMMAND_GROUP,
    USER,
)
from rehearsal.rules.components import (
    BUTTON,
    CHECKBOX,
    CHECKBOX_GROUP,
    FILE_UPLOAD,
    LABEL,
    LINK_STYLE,
    RADIO_GROUP,
    SELECTS,
    STRING_SELECT,
    TEXT_DISPLAY,
    TEXT_INPUT,
    modal_fields,
    walk,
)
from rehearsal.wire import Json


def account_of(value: object) -> object:
    """Return the account behind whoever acts as a person; everything else as it is."""
    account = getattr(value, "user", None)
    return account if isinstance(account, User) else value


@dataclass
class Resolver:
    """Gathers what options refer to. ``upload`` stores a file; the payloads describe the rest."""

    upload: Callable[[SentFile], StoredFile]
    attachment_payload: Callable[[StoredFile], Json]
    member_payload: Callable[[User], Json | None]
    resolved: dict[str, Json] = field(default_factory=dict)

    def reference(self, kind: int, value: object, label: str) -> str:
        """Return the id that stands for ``value``. Raises `RehearsalError` for a value of another kind."""
        if kind == ATTACHMENT and isinstance(value, SentFile):
            stored = self.upload(value)
            return self._add("attachments", stored.id, self.attachment_payload(stored))
        if kind in (USER, MENTIONABLE) and isinstance(value, User):
            member = self.member_payload(value)
            if member is not None:
                self._add("members", value.id, member)
            return self._add("users", value.id, value.payload())
        if kind in (ROLE, MENTIONABLE) and isinstance(value, Role):
            return self._add("roles", value.id, role_payload(value))
        if kind == CHANNEL and isinstance(value, Channel):
            return self._add("channels", value.id, channel_payload(value) | {"permissions": "0"})
        raise RehearsalError(f"{label}: {value!r} is not of the kind this option takes")

    def _add(self, group: str, key: int, payload: Json) -> str:
        self.resolved.setdefault(group, {})[str(key)] = payload
        return str(key)


def filled_in(
    command: Json,
    words: list[str],
    values: Mapping[str, object],
    resolver: Resolver,
    focused: str | None = None,
) -> list[Json]:
    """Return the options of the interaction. Raises `RehearsalError` where Discord would not send it.

    ``words`` are the sub-commands. With ``focused``, for autocomplete, nothing has to be complete.
    """
    options: list[Json] = command.get("options") or []
    if words:
        sub = next((option for option in options if option["name"] == words[0]), None)
        if sub is None or sub["type"] not in (SUB_COMMAND, SUB_COMMAND_GROUP):
            raise RehearsalError(f"there is no sub-command {words[0]!r}")
        inner = filled_in(sub, words[1:], values, resolver, focused)
        return [{"name": sub["name"], "type": sub["type"], "options": inner}]
    if any(option["type"] in (SUB_COMMAND, SUB_COMMAND_GROUP) for option in options):
        raise RehearsalError(f"{command['name']} needs one of {[option['name'] for option in options]}")
    strange = set(values) - {option["name"] for option in options}
    if strange:
        known = [option["name"] for option in options]
        raise RehearsalError(f"there is no option {sorted(strange)}, only {known}")
    missing = [o["name"] for o in options if o.get("required") and o["name"] not in values]
    if missing and focused is None:
        raise RehearsalError(f"{missing[0]}: This option is required. Specify a value.")
    present = [option for option in options if option["name"] in values]
    return [_entry(option, values[option["name"]], resolver, focused) for option in present]


def _entry(option: Json, value: object, resolver: Resolver, focused: str | None) -> Json:
    entry: Json = {"name": option["name"], "type": option["type"]}
    if option["name"] == focused:
        return entry | {"value": value, "focused": True}
    return entry | {"value": _checked(option, value, resolver)}


def _checked(option: Json, value: object, resolver: Resolver) -> Any:
    kind, name = option["type"], option["name"]
    if kind == STRING:
        return _text(option, value)
    if kind == BOOLEAN:
        if not isinstance(value, bool):
            raise RehearsalError(f"{name}: choose True or False")
        return value
    if kind in (INTEGER, NUMBER):
        return _number(option, value)
    return resolver.reference(kind, value, name)


def _text(option: Json, value: object) -> str:
    name = option["name"]
    if not isinstance(value, str):
        raise RehearsalError(f"{name}: a text is needed, not {value!r}")
    if option.get("choices"):
        return str(_choice(option, value))
    if not value:
        raise RehearsalError(f"{name}: This option is required. Specify a value.")
    lowest, highest = option.get("min_length") or 0, option.get("max_length") or 6_000
    if len(value) < lowest:
        raise RehearsalError(f"{name}: Must be {lowest} or more in length.")
    if len(value) > highest:
        raise RehearsalError(f"{name}: Must be {highest} or fewer in length.")
    return value


def _number(option: Json, value: object) -> int | float:
    name = option["name"]
    number: int | float
    if option.get("choices"):
        number = _choice(option, value)
    elif isinstance(value, bool) or not isinstance(value, (int, float)):
        raise RehearsalError(f"{name}: Input a valid number.")
    else:
        number = value
    if option["type"] == INTEGER and not isinstance(number, int):
        raise RehearsalError(f"{name}: Input a valid integer.")
    lowest, highest = option.get("min_value"), option.get("max_value")
    if lowest is not None and number < lowest:
        raise RehearsalError(f"{name}: Enter a number greater than or equal to {lowest}.")
    if highest is not None and number > highest:
        raise RehearsalError(f"{name}: Enter a number less than or equal to {highest}.")
    return number


def _choice(option: Json, value: object) -> Any:
    for choice in option["choices"]:
        if value in (choice["name"], choice["value"]):
            return choice["value"]
    names = [choice["name"] for choice in option["choices"]]
    raise RehearsalError(f"{option['name']}: Input a valid choice: {names}")


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


@dataclass(frozen=True)
class ShownModal:
    """An open modal: where it was opened, and by which message if a button did it."""

    data: Json
    user_id: int
    channel: Channel
    source: Message | None
    remote: bool

    @property
    def title(self) -> str:
        """Return the title."""
        return str(self.data["title"])

    @property
    def labels(self) -> list[str]:
        """Return the labels of its fields, top to bottom."""
        return [str(field.get("label")) for field in modal_fields(self.data)]

    @property
    def prefilled(self) -> dict[str, str]:
        """Return what its text fields hold when it opens, by label."""
        fields = modal_fields(self.data)
        return {str(f.get("label")): f.get("value") or "" for f in fields if f["type"] == TEXT_INPUT}


def fill_in(modal: ShownModal, values: Mapping[str, object], resolver: Resolver) -> list[Json]:
    """Return the components of the submission; ``resolver`` gathers the files and whom they refer to.

    ``values`` go by label or custom id: a text, a choice or several, a file or several, True or False.
    What is left out stays as the form opened. Raises `RehearsalError` where the app would not submit.
    """
    left = set(values)
    answers: list[Json] = []
    for asked in modal_fields(modal.data):
        keys = [key for key in (str(asked.get("label")), asked["custom_id"]) if key in values]
        left -= set(keys)
        answers.append(_filled(asked, values[keys[0]] if keys else None, resolver))
    if left:
        raise RehearsalError(f"the modal has no field {sorted(left)}, only {modal.labels}")
    rest = iter(answers)
    return [_component(component, rest) for component in modal.data["components"]]


def _component(component: Json, answers: Iterator[Json]) -> Json:
    base: Json = {"type": component["type"], "id": component.get("id", 0)}
    if component["type"] == TEXT_DISPLAY:
        return base
    if component["type"] == LABEL:
        return base | {"component": next(answers)}
    return base | {"components": [next(answers)]}


def _filled(field: Json, value: object, resolver: Resolver) -> Json:
    kind = field["type"]
    base: Json = {"type": kind, "custom_id": field["custom_id"], "id": field.get("id", 0)}
    if kind == TEXT_INPUT:
        return base | {"value": _filled_text(field, value)}
    if kind == CHECKBOX:
        return base | {"value": bool(field.get("default")) if value is None else _ticked(field, value)}
    if value is None:  # as it opened
        chosen = [option["value"] for option in field.get("options") or [] if option.get("default")]
    else:
        chosen = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value]
    required = field.get("required", True)
    if chosen or required:
        several = len(field.get("options") or []) if kind == CHECKBOX_GROUP else 1
        lowest = field.get("min_values", 1 if required else 0)
        highest = field.get("max_values") or several
        if not lowest <= len(chosen) <= highest:
            raise RehearsalError(f"{field.get('label')}: choose {lowest} to {highest}, not {len(chosen)}")
    if kind == FILE_UPLOAD:
        label = str(field.get("label"))
        return base | {"values": [resolver.reference(ATTACHMENT, file, label) for file in chosen]}
    picked = [chosen_value(field, choice, resolver) for choice in chosen]
    if kind == RADIO_GROUP:
        return base | {"value": picked[0] if picked else None}
    return base | {"values": picked}


def _ticked(field: Json, value: object) -> bool:
    if not isinstance(value, bool):
        raise RehearsalError(f"{field.get('label')}: choose True or False")
    return value


def _filled_text(field: Json, value: object) -> str:
    text = field.get("value") or "" if value is None else value
    if not isinstance(text, str):
        raise RehearsalError(f"{field.get('label')}: a text is needed")
    if not text and not field.get("required", True):
        return ""
    lowest, highest = field.get("min_length") or 0, field.get("max_length") or 4_000
    if not text:
        raise RehearsalError(f"{field.get('label')}: This field is required")
    if not lowest <= len(text) <= highest:
        raise RehearsalError(f"{field.get('label')}: Must be between {lowest} and {highest} in length.")
    return text
