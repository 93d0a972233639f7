"""A modal on a person's screen, and filling it in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rehearsal.channels import Channel
from rehearsal.errors import RehearsalError
from rehearsal.files import SentFile, StoredFile
from rehearsal.messages import Message
from rehearsal.rules.components import FILE_UPLOAD, LABEL, TEXT_DISPLAY, TEXT_INPUT
from rehearsal.rules.modals import modal_fields
from rehearsal.wire import Json

Value = str | SentFile | Sequence[str] | Sequence[SentFile]
Upload = Callable[[SentFile], StoredFile]


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


def fill_in(
    modal: ShownModal, values: Mapping[str, Value], upload: Upload
) -> tuple[list[Json], dict[str, StoredFile]]:
    """Return the components of the submission, and the uploaded files by id.

    ``values`` go by label or custom id. Raises `RehearsalError` where Discord's app would not submit.
    """
    fields = modal_fields(modal.data)
    left = set(values)
    filled: dict[int, Json] = {}
    files: dict[str, StoredFile] = {}
    for field in fields:
        keys = [key for key in (str(field.get("label")), field["custom_id"]) if key in values]
        left -= set(keys)
        value = values[keys[0]] if keys else None
        filled[id(field)] = _filled(field, value, upload, files)
    if left:
        raise RehearsalError(f"the modal has no field {sorted(left)}, only {modal.labels}")
    answers = iter(filled.values())
    components: list[Json] = []
    for component in modal.data["components"]:
        number = {"id": component.get("id", 0)}
        if component["type"] == LABEL:
            components.append({"type": LABEL, "component": next(answers), **number})
        elif component["type"] == TEXT_DISPLAY:
            components.append({"type": TEXT_DISPLAY, **number})
        else:
            components.append({"type": component["type"], "components": [next(answers)], **number})
    return components, files


def _filled(field: Json, value: Value | None, upload: Upload, files: dict[str, StoredFile]) -> Json:
    base: Json = {"type": field["type"], "custom_id": field["custom_id"], "id": field.get("id", 0)}
    if field["type"] == TEXT_INPUT:
        return base | {"value": _text(field, value)}
    chosen = [] if value is None else [value] if isinstance(value, (str, SentFile)) else list(value)
    lowest = field.get("min_values", 1 if field.get("required", True) else 0)
    if chosen or field.get("required", True):
        _check_count(field, len(chosen), lowest, field.get("max_values", 1))
    if field["type"] != FILE_UPLOAD:
        return base | {"values": [_option(field, str(choice)) for choice in chosen]}
    ids = []
    for file in chosen:
        if not isinstance(file, SentFile):
            raise RehearsalError(f"{field.get('label')}: a file is needed")
        stored = upload(file)
        files[str(stored.id)] = stored
        ids.append(str(stored.id))
    return base | {"values": ids}


def _text(field: Json, value: Value | None) -> str:
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


def _option(field: Json, choice: str) -> str:
    for option in field.get("options") or []:
        if choice in (option["label"], option["value"]):
            return str(option["value"])
    if field.get("options"):
        raise RehearsalError(f"{field.get('label')}: there is no choice {choice!r}")
    return choice
