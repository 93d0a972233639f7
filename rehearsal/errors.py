"""How the rehearsal refuses: as Discord's server answers the bot, or as Discord's app stops a person."""

from __future__ import annotations

from collections.abc import Sized
from typing import Final

from rehearsal.wire import Json

Path = tuple[str | int, ...]
"""The keys and indexes that lead to a value in a body."""


class RehearsalError(Exception):
    """A person tried what Discord's app does not let them do. Nothing was sent to the bot."""


class DiscordAPIError(Exception):
    """What a REST call of the bot is answered with: ``status``, and Discord's JSON body."""

    def __init__(self, status: int, code: int, message: str, errors: Json | None = None) -> None:
        super().__init__(f"{status} {code}: {message} {errors or ''}".strip())
        self.status = status
        self.code = code
        self.message = message
        self.errors = errors

    def body(self) -> Json:
        """Return the JSON body."""
        body: Json = {"message": self.message, "code": self.code}
        if self.errors:
            body["errors"] = self.errors
        return body


class FormErrors:
    """Collects what is wrong with a body, and becomes Discord's error 50035."""

    def __init__(self) -> None:
        self.tree: Json = {}
        """The errors as Discord nests them."""

    def add(self, path: Path, code: str, message: str) -> None:
        """Note one error at ``path``, where the wrong value stands."""
        node = self.tree
        for key in path:
            node = node.setdefault(str(key), {})
        node.setdefault("_errors", []).append({"code": code, "message": message})

    def length(self, path: Path, value: object, lowest: int, highest: int) -> bool:
        """Note an error unless ``value`` is a string of that many characters; return whether it is one."""
        if not isinstance(value, str) or (not value and lowest > 0):
            self.required(path)
        elif len(value) < lowest:
            self.add(path, "BASE_TYPE_MIN_LENGTH", f"Must be {lowest} or more in length.")
        elif len(value) > highest:
            span = f"between {lowest} and {highest}" if lowest else f"{highest} or fewer"
            self.add(
                path,
                "BASE_TYPE_BAD_LENGTH" if lowest else "BASE_TYPE_MAX_LENGTH",
                f"Must be {span} in length.",
            )
        else:
            return True
        return False

    def at_most(self, path: Path, value: Sized | None, highest: int) -> None:
        """Note an error when ``value`` is longer than that; None has no length."""
        if len(value or ()) > highest:
            self.add(path, "BASE_TYPE_MAX_LENGTH", f"Must be {highest} or fewer in length.")

    def between(self, path: Path, values: Sized, lowest: int, highest: int) -> None:
        """Note an error unless there are that many ``values``."""
        if not lowest <= len(values) <= highest:
            self.add(path, "BASE_TYPE_BAD_LENGTH", f"Must be between {lowest} and {highest} in length.")

    def required(self, path: Path) -> None:
        """Note that the value at ``path`` is missing."""
        self.add(path, "BASE_TYPE_REQUIRED", "This field is required")

    def raise_if_any(self) -> None:
        """Raise `DiscordAPIError` 50035 when something was noted."""
        if self.tree:
            raise DiscordAPIError(400, 50035, "Invalid Form Body", self.tree)


MALFORMED: Final = (LookupError, TypeError, ValueError, AttributeError)
"""What reading a body or a frame raises that has the wrong shape."""


def form_error(path: Path, code: str, message: str) -> DiscordAPIError:
    """Return Discord's error 50035 for one wrong value."""
    errors = FormErrors()
    errors.add(path, code, message)
    return DiscordAPIError(400, 50035, "Invalid Form Body", errors.tree)


def unknown(what: str, code: int) -> DiscordAPIError:
    """Return Discord's 404 for a thing that does not exist."""
    return DiscordAPIError(404, code, f"Unknown {what}")


def missing_access() -> DiscordAPIError:
    """Return the refusal for a place the bot cannot see."""
    return DiscordAPIError(403, 50001, "Missing Access")


def missing_permissions() -> DiscordAPIError:
    """Return the refusal for an act the bot may not do."""
    return DiscordAPIError(403, 50013, "Missing Permissions")


class PortTakenError(Exception):
    """The page cannot have the port that was asked for; the text says what to type instead."""
