"""What Discord accepts as a modal."""

from __future__ import annotations

from rehearsal.errors import FormErrors
from rehearsal.rules.components import (
    CHECKBOX,
    CHECKBOX_GROUP,
    FILE_UPLOAD,
    LABEL,
    RADIO_GROUP,
    ROW,
    SELECTS,
    STRING_SELECT,
    TEXT_DISPLAY,
    TEXT_INPUT,
)
from rehearsal.wire import Json

_TOP = (ROW, TEXT_DISPLAY, LABEL)
_FIELDS = frozenset({TEXT_INPUT, FILE_UPLOAD, RADIO_GROUP, CHECKBOX_GROUP, CHECKBOX}) | SELECTS

Path = tuple[str | int, ...]


def check_modal(data: Json) -> None:
    """Raise the `DiscordAPIError` with which Discord refuses this modal, if it does."""
    errors = FormErrors()
    errors.length(("data", "title"), data.get("title"), 1, 45)
    errors.length(("data", "custom_id"), data.get("custom_id"), 1, 100)
    components = data.get("components") or []
    if not 1 <= len(components) <= 5:
        errors.add(("data", "components"), "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 5 in length.")
    for index, component in enumerate(components):
        _check_top(component, errors, ("data", "components", index))
    ids = [field["custom_id"] for field in modal_fields(data) if "custom_id" in field]
    if len(set(ids)) < len(ids):
        message = "Component custom id cannot be duplicated"
        errors.add(("data", "components"), "COMPONENT_CUSTOM_ID_DUPLICATED", message)
    errors.raise_if_any()


def modal_fields(data: Json) -> list[Json]:
    """Return what a person can fill in, top to bottom, each with its ``label``."""
    fields: list[Json] = []
    for component in data.get("components") or []:
        if component.get("type") == LABEL:
            fields.append(component["component"] | {"label": component.get("label")})
        elif component.get("type") == ROW:
            fields.extend(component.get("components") or [])
    return fields


def _check_top(component: Json, errors: FormErrors, path: Path) -> None:
    kind = component.get("type")
    if kind not in _TOP:
        errors.add((*path, "type"), "UNION_TYPE_CHOICES", f'Value of field "type" must be one of {_TOP}.')
    elif kind == ROW:
        children = component.get("components") or []
        if len(children) != 1 or children[0].get("type") != TEXT_INPUT:
            message = "A row of a modal holds exactly one text input"
            errors.add((*path, "components"), "BASE_TYPE_BAD_LENGTH", message)
            return
        errors.length((*path, "components", 0, "label"), children[0].get("label"), 1, 45)
        _check_text_input(children[0], errors, (*path, "components", 0))
    elif kind == LABEL:
        errors.length((*path, "label"), component.get("label"), 1, 45)
        if len(component.get("description") or "") > 100:
            errors.add((*path, "description"), "BASE_TYPE_MAX_LENGTH", "Must be 100 or fewer in length.")
        _check_field(component.get("component") or {}, errors, (*path, "component"))


def _check_field(field: Json, errors: FormErrors, path: Path) -> None:
    kind = field.get("type")
    if kind not in _FIELDS:
        errors.add(
            (*path, "type"), "UNION_TYPE_CHOICES", f'Value of field "type" must be one of {sorted(_FIELDS)}.'
        )
        return
    if kind == TEXT_INPUT:
        _check_text_input(field, errors, path)
        return
    errors.length((*path, "custom_id"), field.get("custom_id"), 1, 100)
    highest = 10 if kind == FILE_UPLOAD else 25
    for key, lowest in (("min_values", 0), ("max_values", 1)):
        if key not in field:
            continue
        value = field[key]
        # discord.py writes null for an upload whose number is not set; nobody has seen Discord accept it.
        if not isinstance(value, int) or not lowest <= value <= highest:
            errors.add((*path, key), "NUMBER_TYPE_RANGE", f"Value must be between {lowest} and {highest}.")
    if kind == STRING_SELECT and not 1 <= len(field.get("options") or []) <= 25:
        errors.add((*path, "options"), "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 25 in length.")


def _check_text_input(field: Json, errors: FormErrors, path: Path) -> None:
    errors.length((*path, "custom_id"), field.get("custom_id"), 1, 100)
    if field.get("style") not in (1, 2):
        errors.add((*path, "style"), "BASE_TYPE_CHOICES", "Value must be one of {1, 2}.")
    if len(field.get("placeholder") or "") > 100:
        errors.add((*path, "placeholder"), "BASE_TYPE_MAX_LENGTH", "Must be 100 or fewer in length.")
    if len(field.get("value") or "") > 4_000:
        errors.add((*path, "value"), "BASE_TYPE_MAX_LENGTH", "Must be 4000 or fewer in length.")
    for key, lowest in (("min_length", 0), ("max_length", 1)):
        length = field.get(key)
        if length is not None and not lowest <= length <= 4_000:
            errors.add((*path, key), "NUMBER_TYPE_RANGE", f"Value must be between {lowest} and 4000.")
