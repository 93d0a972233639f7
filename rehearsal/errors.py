"""How the rehearsal refuses: as Discord's server answers the bot, or as Discord's app stops a person."""

from __future__ import annotations

from rehearsal.wire import Json


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
        self._tree: Json = {}

    def add(self, path: tuple[str | int, ...], code: str, message: str) -> None:
        """Note one error at ``path``, the keys and indexes that lead to the wrong value."""
        node = self._tree
        for key in path:
            node = node.setdefault(str(key), {})
        node.setdefault("_errors", []).append({"code": code, "message": message})

    def length(self, path: tuple[str | int, ...], value: object, lowest: int, highest: int) -> bool:
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

    def required(self, path: tuple[str | int, ...]) -> None:
        """Note that the value at ``path`` is missing."""
        self.add(path, "BASE_TYPE_REQUIRED", "This field is required")

    def raise_if_any(self) -> None:
        """Raise `DiscordAPIError` 50035 when something was noted."""
        if self._tree:
            raise DiscordAPIError(400, 50035, "Invalid Form Body", self._tree)


def unknown(what: str, code: int) -> DiscordAPIError:
    """Return Discord's 404 for a thing that does not exist."""
    return DiscordAPIError(404, code, f"Unknown {what}")


def missing_access() -> DiscordAPIError:
    """Return the refusal for a place the bot cannot see."""
    return DiscordAPIError(403, 50001, "Missing Access")


def missing_permissions() -> DiscordAPIError:
    """Return the refusal for an act the bot may not do."""
    return DiscordAPIError(403, 50013, "Missing Permissions")
