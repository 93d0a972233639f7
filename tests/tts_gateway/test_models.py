"""The store of models, against a server that breaks off, lies and sends traps."""

from __future__ import annotations

import hashlib
import io
import json
import os
import sys
import tarfile
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from aiohttp import web

from tts_gateway.models import store as store_module
from tts_gateway.models.command import fetched, models_command
from tts_gateway.models.fetching import fetch_files
from tts_gateway.models.store import Model, ModelFile, ModelStore, StoreError, catalog, prepare_piper, unpack

CONTENT = os.urandom(300_000)
SUM = hashlib.sha256(CONTENT).hexdigest()
REVISION = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Mirror:
    """A file server. ``cut`` is after how many bytes each answer in turn breaks off."""

    origin: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    cut: list[int] = field(default_factory=list)
    ranges: list[str] = field(default_factory=list)
    tag: str = '"one"'
    ignores_ranges: bool = False
    status: int = 200
    content_type: str = "application/octet-stream"
    commit: str = REVISION

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.ranges.append(request.headers.get("Range", ""))
        whole = self.files.get(request.path.rpartition("/")[2])
        if whole is None or self.status != 200:
            return web.Response(status=404 if whole is None else self.status)
        begin = 0
        asked = request.headers.get("Range")
        if asked and not self.ignores_ranges and request.headers.get("If-Range") == self.tag:
            begin = int(asked.removeprefix("bytes=").rstrip("-"))
            if begin >= len(whole):
                return web.Response(status=416)
        response = web.StreamResponse(status=206 if begin else 200)
        if begin:
            response.headers["Content-Range"] = f"bytes {begin}-{len(whole) - 1}/{len(whole)}"
        facts = {"ETag": self.tag, "Content-Type": self.content_type, "X-Repo-Commit": self.commit}
        response.headers.update(facts)
        response.content_length = len(whole) - begin
        await response.prepare(request)
        if request.method == "GET":
            most = self.cut.pop(0) if self.cut else len(whole)
            await response.write(whole[begin : begin + most])
            if begin + most < len(whole) and request.transport is not None:
                request.transport.close()
        return response


@pytest.fixture
async def mirror() -> AsyncIterator[Mirror]:
    found = Mirror()
    app = web.Application()
    app.router.add_get("/{path:.*}", found.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    found.origin = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    yield found
    await runner.cleanup()


def model_of(*files: ModelFile, **more: object) -> Model:
    plain = Model(
        name="one", kind="plain", language="en", licence="CC0", credit="somebody", terms=None, files=files
    )
    return replace(plain, **more)  # type: ignore[arg-type]


PLAIN = model_of(ModelFile("model.bin", "model.bin", len(CONTENT), SUM))
UNKNOWN = model_of(ModelFile("model.bin", "model.bin", len(CONTENT), None))


def store_of(folder: Path, model: Model) -> ModelStore:
    return ModelStore(folder, {model.name: model})


async def fetch(store: ModelStore, source: str, said: Callable[[str], None] = lambda _: None) -> None:
    (model,) = store.models.values()
    store.check_space(model.bytes)
    store.finish(model, await fetch_files(store, model, source=source, say=said, delay=0.001))


async def test_a_fetch_that_breaks_off_goes_on_where_it_was(tmp_path: Path, mirror: Mirror) -> None:
    mirror.files["model.bin"], mirror.cut = CONTENT, [100_000, 50_000, 0, 0]
    store = store_of(tmp_path, PLAIN)

    await fetch(store, mirror.origin)

    assert (tmp_path / "one" / "model.bin").read_bytes() == CONTENT
    assert mirror.ranges[0] == ""
    assert all(asked.startswith("bytes=") for asked in mirror.ranges[1:])
    store.verify("one")


async def test_a_fetch_that_was_given_up_goes_on_at_the_next_command(tmp_path: Path, mirror: Mirror) -> None:
    mirror.files["model.bin"], mirror.cut = CONTENT, [100_000, 0, 0, 0, 0, 0, 0]
    store = store_of(tmp_path, PLAIN)
    with pytest.raises(StoreError, match="goes on from there"):
        await fetch(store, mirror.origin)
    assert store.installed("one") is None
    mirror.cut.clear()

    await fetch(store, mirror.origin)

    assert mirror.ranges[-1].startswith("bytes=")
    assert store.installed("one") is not None


@pytest.mark.parametrize("changes", ["another tag", "no ranges"])
async def test_what_changed_meanwhile_is_fetched_anew(tmp_path: Path, mirror: Mirror, changes: str) -> None:
    mirror.files["model.bin"], mirror.cut = bytes(200_000), [100_000, 0, 0, 0, 0, 0, 0]
    store = store_of(tmp_path, PLAIN)
    with pytest.raises(StoreError):
        await fetch(store, mirror.origin)
    mirror.cut.clear()
    mirror.files["model.bin"], mirror.tag = CONTENT, '"two"'
    mirror.ignores_ranges = changes == "no ranges"

    await fetch(store, mirror.origin)

    assert (tmp_path / "one" / "model.bin").read_bytes() == CONTENT


async def test_a_wrong_checksum_is_told_and_nothing_of_it_is_kept(tmp_path: Path, mirror: Mirror) -> None:
    mirror.files["model.bin"] = CONTENT[:-1] + bytes([CONTENT[-1] ^ 1])
    store = store_of(tmp_path, PLAIN)

    with pytest.raises(StoreError, match="checksum"):
        await fetch(store, mirror.origin)
    assert store.installed("one") is None
    assert not list(store.part_folder("one").iterdir())
    mirror.files["model.bin"] = CONTENT
    await fetch(store, mirror.origin)
    assert store.installed("one") is not None


async def test_without_a_published_checksum_the_first_one_is_shown_kept_and_compared(
    tmp_path: Path, mirror: Mirror
) -> None:
    mirror.files["model.bin"] = CONTENT
    store, said = store_of(tmp_path, UNKNOWN), list[str]()
    await fetch(store, mirror.origin, said.append)
    assert any(SUM in line for line in said)

    (tmp_path / "one" / "model.bin").unlink()
    mirror.files["model.bin"] = CONTENT[::-1]
    with pytest.raises(StoreError, match="checksum"):
        await fetch(store, mirror.origin)


async def test_the_revision_behind_a_branch_is_kept(tmp_path: Path, mirror: Mirror) -> None:
    mirror.files["model.bin"] = CONTENT
    model = replace(PLAIN, source=mirror.origin + "resolve/{revision}/", ref="main")
    store = store_of(tmp_path, model)

    done = await fetched(store, model)
    mirror.commit = "f" * 40
    again = await fetch_files(store, model, source=None, say=lambda _: None)

    assert done.revision == again == REVISION


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"status": 401}, "401"),
        ({"status": 404}, "404"),
        ({"status": 503}, "goes on from there"),
        ({"content_type": "text/html"}, "web page"),
        ({"files": {"model.bin": bytes(3_000_000)}}, "larger"),
        ({"files": {}}, "404"),
    ],
)
async def test_a_server_that_does_not_have_it_is_told(
    tmp_path: Path, mirror: Mirror, changes: dict[str, object], said: str
) -> None:
    mirror.files["model.bin"] = CONTENT
    for name, value in changes.items():
        setattr(mirror, name, value)

    with pytest.raises(StoreError, match=said):
        await fetch(store_of(tmp_path, PLAIN), mirror.origin)


async def test_a_disk_without_room_is_told_before_anything_is_fetched(tmp_path: Path, mirror: Mirror) -> None:
    huge = model_of(ModelFile("model.bin", "model.bin", 10**16, None))

    with pytest.raises(StoreError, match="needed on the disk"):
        await fetch(store_of(tmp_path, huge), mirror.origin)
    assert mirror.ranges == []


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_rights_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError, match="--models"):
        ModelStore(tmp_path / "in").check_space(1)


def test_a_folder_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(StoreError, match="--models"):
        ModelStore(tmp_path / "file" / "in").check_space(1)


def archive(folder: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    path = folder / "model.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for member, content in members:
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def entry(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.type, found.linkname = kind, target
    return found


@pytest.mark.parametrize(
    "member",
    [
        entry("../outside"),
        entry("/etc/outside"),
        entry("a/../../outside"),
        entry("C:\\outside"),
        entry("link", tarfile.SYMTYPE, "/etc/passwd"),
        entry("hard", tarfile.LNKTYPE, "model.bin"),
        entry("device", tarfile.CHRTYPE),
        entry("pipe", tarfile.FIFOTYPE),
    ],
    ids=lambda member: member.name,
)
def test_an_archive_with_what_has_no_place_in_it_is_refused(tmp_path: Path, member: tarfile.TarInfo) -> None:
    target = tmp_path / "target"
    target.mkdir()
    path = archive(tmp_path, (member, b""), (entry("in/model.bin"), b"x"))

    with pytest.raises(StoreError, match="no place"):
        unpack(path, target, ("model.bin",), 1_000)
    assert {found.name for found in tmp_path.iterdir()} == {"target", "model.tar.gz"}
    assert not list(target.iterdir())


def test_only_the_files_of_the_model_are_taken_out(tmp_path: Path) -> None:
    path = archive(tmp_path, (entry("in/model.bin"), b"x"), (entry("in/run.sh"), b"rm"))

    unpack(path, tmp_path, ("model.bin",), 1_000)

    assert (tmp_path / "model.bin").read_bytes() == b"x"
    assert not (tmp_path / "run.sh").exists()


@pytest.mark.parametrize(
    ("wanted", "most", "said"),
    [(("model.bin",), 5, "more than it should"), (("other.bin",), 99, "another version")],
)
def test_an_archive_that_is_too_large_or_of_another_version_is_refused(
    tmp_path: Path, wanted: tuple[str, ...], most: int, said: str
) -> None:
    with pytest.raises(StoreError, match=said):
        unpack(archive(tmp_path, (entry("model.bin"), b"x" * 10)), tmp_path, wanted, most)


@pytest.mark.parametrize("content", [b"", b"no archive", os.urandom(5_000)])
def test_an_archive_that_is_none_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.tar.gz").write_bytes(content)

    with pytest.raises(StoreError):
        unpack(tmp_path / "model.tar.gz", tmp_path, ("model.bin",), 1_000)


async def test_an_archive_is_fetched_unpacked_and_gone(tmp_path: Path, mirror: Mirror) -> None:
    mirror.files["model.tar.gz"] = archive(tmp_path, (entry("in/model.bin"), b"x")).read_bytes()
    size = len(mirror.files["model.tar.gz"])
    model = model_of(ModelFile("model.tar.gz", "model.tar.gz", size, None, 1_000), unpacked=("model.bin",))
    store = store_of(tmp_path / "models", model)

    await fetch(store, mirror.origin)

    names = {path.name for path in (tmp_path / "models" / "one").iterdir()}
    assert names == {"model.bin", "manifest.json"}


@pytest.mark.parametrize("damage", ["cut", "gone", "changed", "manifest", "no object", "other kind"])
async def test_a_damaged_model_says_what_to_type_and_the_command_mends_it(
    tmp_path: Path, mirror: Mirror, damage: str
) -> None:
    mirror.files["model.bin"] = CONTENT
    store = store_of(tmp_path, PLAIN)
    await fetch(store, mirror.origin)
    file, manifest = tmp_path / "one" / "model.bin", tmp_path / "one" / "manifest.json"
    match damage:
        case "cut":
            file.write_bytes(CONTENT[:-1])
        case "gone":
            file.unlink()
        case "changed":
            file.write_bytes(CONTENT[::-1])
        case "manifest":
            manifest.write_text("{")
        case "no object":
            manifest.write_text("[]")
        case "other kind":
            manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"kind": "x"}))

    with pytest.raises(StoreError):
        store.verify("one")
    await fetch(store, mirror.origin)
    store.verify("one")


@pytest.mark.parametrize("content", [b"{}", b"[]", b"\xff", b'{"language": 1}'])
def test_a_description_of_no_piper_voice_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "voice.json").write_bytes(content)
    (tmp_path / "model.onnx").write_bytes(b"")

    with pytest.raises(StoreError, match="no Piper voice"):
        prepare_piper(tmp_path)


def test_every_model_of_the_catalogue_has_a_fixed_source_a_licence_and_a_credit() -> None:
    for model in catalog().values():
        assert model.licence and model.credit, model.name
        assert model.package or model.revision or "{revision}" in str(model.source), model.name
        assert (model.source or "https://").startswith("https://")
        assert all(not file.is_archive or model.unpacked for file in model.files)


def test_the_command_lists_verifies_and_refuses_with_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    where = ["--models", str(tmp_path)]
    assert models_command(["where", *where]) == 0
    assert models_command(["list", *where]) == 0
    assert models_command(["verify", *where]) == 0
    listed = capsys.readouterr().out
    assert str(tmp_path) in listed
    assert all(name in listed for name in catalog())
    monkeypatch.setattr(sys, "stdin", io.StringIO())

    assert models_command(["fetch", "pocket-en", *where]) == 2
    asked = capsys.readouterr()
    assert models_command(["fetch", "nothing", *where]) == 2
    unknown = capsys.readouterr()

    assert "CC-BY-4.0" in asked.out
    assert "--accept-terms" in asked.err
    assert unknown.err.count("\n") == 1
    assert store_module.DEFAULT_FOLDER.name == "voices"
