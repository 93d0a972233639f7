"""What Discord accepts as the components of a message."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from rehearsal.errors import FormErrors
from rehearsal.wire import Json

ROW, BUTTON, STRING_SELECT, TEXT_INPUT = 1, 2, 3, 4
SECTION, TEXT_DISPLAY, THUMBNAIL, GALLERY, FILE, SEPARATOR, CONTAINER, LABEL, FILE_UPLOAD = (
    9,
    10,
    11,
    12,
    13,
    14,
    17,
    18,
    19,
)
RADIO_GROUP, CHECKBOX_GROUP, CHECKBOX = 21, 22, 23
SELECTS: Final = frozenset({3, 5, 6, 7, 8})
LINK_STYLE, PREMIUM_STYLE = 5, 6
_V2_TOP: Final = frozenset({ROW, SECTION, TEXT_DISPLAY, GALLERY, FILE, SEPARATOR, CONTAINER})

Path = tuple[str | int, ...]


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
    _check_custom_ids(components, errors)
    text = sum(len(c.get("content") or "") for c in walk(components) if c.get("type") == TEXT_DISPLAY)
    if text > 4_000:
        errors.add(("components",), "COMPONENT_MAX_TEXT_SIZE", "The text exceeds the maximum size of 4000")


def _check_rows(component: Json, errors: FormErrors, path: Path) -> None:
    children = component.get("components") or []
    if component["type"] == ROW:
        has_select = any(child.get("type") in SELECTS for child in children)
        most = 1 if has_select else 5
        if not 1 <= len(children) <= most:
            errors.add(
                (*path, "components"), "BASE_TYPE_BAD_LENGTH", f"Must be between 1 and {most} in length."
            )
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
    if len(button.get("label") or "") > 80:
        errors.add((*path, "label"), "BASE_TYPE_MAX_LENGTH", "Must be 80 or fewer in length.")
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
    if len(select.get("placeholder") or "") > 150:
        errors.add((*path, "placeholder"), "BASE_TYPE_MAX_LENGTH", "Must be 150 or fewer in length.")
    if select["type"] != STRING_SELECT:
        return
    options = select.get("options") or []
    if not 1 <= len(options) <= 25:
        errors.add((*path, "options"), "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 25 in length.")
    for index, option in enumerate(options):
        for key in ("label", "value"):
            errors.length((*path, "options", index, key), option.get(key), 1, 100)
        if len(option.get("description") or "") > 100:
            errors.add((*path, "options", index), "BASE_TYPE_MAX_LENGTH", "Must be 100 or fewer in length.")
    if len({option.get("value") for option in options}) < len(options):
        errors.add((*path, "options"), "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED", "Values must be unique")


def _check_custom_ids(components: Sequence[Json], errors: FormErrors) -> None:
    seen: set[str] = set()
    for component in walk(components):
        custom_id = component.get("custom_id")
        if custom_id is not None and custom_id in seen:
            message = "Component custom id cannot be duplicated"
            errors.add(("components",), "COMPONENT_CUSTOM_ID_DUPLICATED", message)
        if custom_id is not None:
            seen.add(custom_id)
