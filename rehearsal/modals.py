"""A modal on a person's screen, and filling it in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rehearsal.channels import Channel
from rehearsal.errors import RehearsalError
from rehearsal.messages import Message
from rehearsal.options import Resolver
from rehearsal.pressing import chosen_value
from rehearsal.rules.commands import ATTACHMENT
from rehearsal.rules.components import (
    CHECKBOX,
    CHECKBOX_GROUP,
    FILE_UPLOAD,
    LABEL,
    RADIO_GROUP,
    TEXT_DISPLAY,
    TEXT_INPUT,
)
from rehearsal.rules.modals import modal_fields
from rehearsal.wire import Json


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
    for field in modal_fields(modal.data):
        keys = [key for key in (str(field.get("label")), field["custom_id"]) if key in values]
        left -= set(keys)
        answers.append(_filled(field, values[keys[0]] if keys else None, resolver))
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
        return base | {"value": _text(field, value)}
    if kind == CHECKBOX:
        return base | {"value": bool(field.get("default")) if value is None else _ticked(field, value)}
    chosen = _as_opened(field) if value is None else _listed(value)
    required = field.get("required", True)
    if chosen or required:
        several = len(field.get("options") or []) if kind == CHECKBOX_GROUP else 1
        lowest = field.get("min_values", 1 if required else 0)
        _check_count(field, len(chosen), lowest, field.get("max_values") or several)
    if kind == FILE_UPLOAD:
        label = str(field.get("label"))
        return base | {"values": [resolver.reference(ATTACHMENT, file, label) for file in chosen]}
    picked = [chosen_value(field, choice, resolver) for choice in chosen]
    if kind == RADIO_GROUP:
        return base | {"value": picked[0] if picked else None}
    return base | {"values": picked}


def _as_opened(field: Json) -> list[object]:
    return [option["value"] for option in field.get("options") or [] if option.get("default")]


def _listed(value: object) -> list[object]:
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value]


def _ticked(field: Json, value: object) -> bool:
    if not isinstance(value, bool):
        raise RehearsalError(f"{field.get('label')}: choose True or False")
    return value


def _text(field: Json, value: object) -> str:
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


def _check_count(field: Json, count: int, lowest: int, highest: int) -> None:
    if not lowest <= count <= highest:
        raise RehearsalError(f"{field.get('label')}: choose {lowest} to {highest}, not {count}")
