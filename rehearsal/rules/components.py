"""What Discord accepts as components of a message and as a modal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from rehearsal.errors import FormErrors, Path
from rehearsal.wire import Json

ROW, BUTTON, STRING_SELECT, TEXT_INPUT = 1, 2, 3, 4
SECTION, TEXT_DISPLAY, _THUMBNAIL, GALLERY, FILE, SEPARATOR = range(9, 15)
CONTAINER, LABEL, FILE_UPLOAD = 17, 18, 19
RADIO_GROUP, CHECKBOX_GROUP, CHECKBOX = 21, 22, 23
SELECTS: Final = frozenset({3, 5, 6, 7, 8})
LINK_STYLE, PREMIUM_STYLE = 5, 6
_V2_TOP: Final = frozenset({ROW, SECTION, TEXT_DISPLAY, GALLERY, FILE, SEPARATOR, CONTAINER})


def walk(components: Sequence[Json]) -> Iterator[Json]:
    """Yield every component, however deep."""
    for component in components:
        yield component
        yield from walk(component.get("components") or [])
        for key in ("accessory", "component"):
            if component.get(key):
                yield from walk([component[key]])


def check_components(components: Sequence[Json], errors: FormErrors, *, v2: bool) -> None:
    """Note in ``errors`` what is wrong with a message's components."""
    most = 40 if v2 else 5
    if len(components) > most or (v2 and sum(1 for _ in walk(components)) > most):
        errors.add(("components",), "BASE_TYPE_BAD_LENGTH", f"Must be between 1 and {most} in length.")
    for index, component in enumerate(components):
        path: Path = ("components", index)
        allowed = _V2_TOP if v2 else {ROW}
        if component.get("type") not in allowed:
            message = f'Value of field "type" must be one of {tuple(sorted(allowed))}.'
            errors.add((*path, "type"), "UNION_TYPE_CHOICES", message)
            continue
        _check_rows(component, errors, path)
    _check_custom_ids(walk(components), errors, ("components",))
    text = sum(len(c.get("content") or "") for c in walk(components) if c.get("type") == TEXT_DISPLAY)
    if text > 4_000:
        errors.add(("components",), "COMPONENT_MAX_TEXT_SIZE", "The text exceeds the maximum size of 4000")


def _check_rows(component: Json, errors: FormErrors, path: Path) -> None:
    children = component.get("components") or []
    if component["type"] == ROW:
        has_select = any(child.get("type") in SELECTS for child in children)
        most = 1 if has_select else 5
        errors.between((*path, "components"), children, 1, most)
    for number, child in enumerate(children):
        here = (*path, "components", number)
        if child.get("type") == BUTTON:
            _check_button(child, errors, here)
        elif child.get("type") in SELECTS:
            _check_select(child, errors, here)
        else:
            _check_rows(child, errors, here)
    accessory = component.get("accessory")
    if accessory and accessory.get("type") == BUTTON:
        _check_button(accessory, errors, (*path, "accessory"))


def _check_button(button: Json, errors: FormErrors, path: Path) -> None:
    errors.at_most((*path, "label"), button.get("label"), 80)
    style = button.get("style")
    if style not in range(1, 7):
        errors.add((*path, "style"), "BASE_TYPE_CHOICES", "Value must be one of {1, 2, 3, 4, 5, 6}.")
    if style == PREMIUM_STYLE:
        return
    if not (button.get("label") or button.get("emoji")):
        errors.add(path, "BUTTON_COMPONENT_INVALID", "A button needs a label or an emoji")
    if style == LINK_STYLE:
        errors.length((*path, "url"), button.get("url"), 1, 512)
    else:
        errors.length((*path, "custom_id"), button.get("custom_id"), 1, 100)


def _check_select(select: Json, errors: FormErrors, path: Path) -> None:
    errors.length((*path, "custom_id"), select.get("custom_id"), 1, 100)
    errors.at_most((*path, "placeholder"), select.get("placeholder"), 150)
    if select["type"] != STRING_SELECT:
        return
    options = select.get("options") or []
    errors.between((*path, "options"), options, 1, 25)
    for index, option in enumerate(options):
        for key in ("label", "value"):
            errors.length((*path, "options", index, key), option.get(key), 1, 100)
        errors.at_most((*path, "options", index), option.get("description"), 100)
    if len({option.get("value") for option in options}) < len(options):
        errors.add((*path, "options"), "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED", "Values must be unique")


def _check_custom_ids(components: Iterable[Json], errors: FormErrors, path: Path) -> None:
    counts = Counter(
        component["custom_id"] for component in components if component.get("custom_id") is not None
    )
    for _ in range(counts.total() - len(counts)):
        message = "Component custom id cannot be duplicated"
        errors.add(path, "COMPONENT_CUSTOM_ID_DUPLICATED", message)


_TOP = (ROW, TEXT_DISPLAY, LABEL)
_FIELDS = frozenset({TEXT_INPUT, FILE_UPLOAD, RADIO_GROUP, CHECKBOX_GROUP, CHECKBOX}) | SELECTS


def check_modal(data: Json) -> None:
    """Raise the `DiscordAPIError` with which Discord refuses this modal, if it does."""
    errors = FormErrors()
    errors.length(("data", "title"), data.get("title"), 1, 45)
    errors.length(("data", "custom_id"), data.get("custom_id"), 1, 100)
    components = data.get("components") or []
    errors.between(("data", "components"), components, 1, 5)
    for index, component in enumerate(components):
        _check_top(component, errors, ("data", "components", index))
    _check_custom_ids(modal_fields(data), errors, ("data", "components"))
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
        errors.at_most((*path, "description"), component.get("description"), 100)
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
    if kind == STRING_SELECT:
        errors.between((*path, "options"), field.get("options") or [], 1, 25)


def _check_text_input(field: Json, errors: FormErrors, path: Path) -> None:
    errors.length((*path, "custom_id"), field.get("custom_id"), 1, 100)
    if field.get("style") not in (1, 2):
        errors.add((*path, "style"), "BASE_TYPE_CHOICES", "Value must be one of {1, 2}.")
    errors.at_most((*path, "placeholder"), field.get("placeholder"), 100)
    errors.at_most((*path, "value"), field.get("value"), 4_000)
    for key, lowest in (("min_length", 0), ("max_length", 1)):
        length = field.get(key)
        if length is not None and not lowest <= length <= 4_000:
            errors.add((*path, key), "NUMBER_TYPE_RANGE", f"Value must be between {lowest} and 4000.")
