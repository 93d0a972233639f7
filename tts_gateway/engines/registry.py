"""Registry of engines: which there are, and what each needs before it speaks."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tts_gateway.engines.base import Engine, EngineDescription, EngineMissing
from tts_gateway.models.store import DEFAULT_FOLDER, ModelStore, StoreError

PREVIEW: Final = "preview"

_MOST_WORKERS: Final = 4
_CONTAINER_LIMIT: Final = Path("/sys/fs/cgroup/memory.max")


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineOptions:
    """What whoever starts the TTS gateway wants of its engine.

    ``workers`` None: as many as this machine carries. ``upstreams`` are the servers that a relay sends to,
    with ``upstream_key`` if they want one. ``stands_in``: the preview makes what the engine does not offer.
    """

    models: Path = DEFAULT_FOLDER
    workers: int | None = None
    upstreams: tuple[str, ...] = ()
    upstream_key: str | None = None
    device: str | None = None
    stands_in: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class StartedEngine:
    """Engine that is ready, what it says of itself, and the preview if it stands in for it."""

    engine: Engine
    about: EngineDescription
    stand_in: Engine | None = None


async def start_engine(name: str, options: EngineOptions) -> StartedEngine:
    """Return the engine of that name, ready to speak.

    Raises EngineMissing when a package or a model is not there: one line with what to type.
    """
    try:
        started = await ENGINES[name](options)
    except StoreError as error:
        raise EngineMissing(str(error)) from error
    if started.about.engine == PREVIEW or not options.stands_in:
        return started
    preview = await _preview(options)
    return StartedEngine(engine=started.engine, about=started.about, stand_in=preview.engine)


async def _preview(_options: EngineOptions) -> StartedEngine:
    from tts_gateway.engines.offline import OfflineEngine

    about = EngineDescription(
        engine=PREVIEW,
        model="espeak-ng",
        revision="1.52",
        credit="Offline preview voice: espeak-ng (GPL-3.0-or-later); it never sounds like the person",
    )
    return StartedEngine(engine=OfflineEngine(), about=about)


async def _sherpa(options: EngineOptions) -> StartedEngine:
    from tts_gateway.engines.sherpa import SherpaEngine, find_models, worker_bytes

    voices, pocket = find_models(ModelStore(options.models))
    workers = options.workers or workers_here(worker_bytes(pocket))
    engine = SherpaEngine(voices, pocket, workers=workers)
    await engine.start()
    return StartedEngine(engine=engine, about=engine.description)


async def _vllm_omni(options: EngineOptions) -> StartedEngine:
    from tts_gateway.engines.vllm_omni import VllmOmniEngine

    engine = VllmOmniEngine(options.upstreams, options.upstream_key)
    await engine.start()
    return StartedEngine(engine=engine, about=engine.description)


async def _voxcpm(options: EngineOptions) -> StartedEngine:
    from tts_gateway.engines.voxcpm import VoxCPMEngine, find_model

    engine = VoxCPMEngine(find_model(ModelStore(options.models)), device=options.device)
    await engine.start()
    return StartedEngine(engine=engine, about=engine.description)


ENGINES: Final[Mapping[str, Callable[[EngineOptions], Awaitable[StartedEngine]]]] = {
    PREVIEW: _preview,
    "sherpa": _sherpa,
    "vllm-omni": _vllm_omni,
    "voxcpm": _voxcpm,
}
"""What starts each engine, by the name on the command line."""


def workers_here(bytes_each: int) -> int:
    """Return how many processes this machine carries, by its processors and its memory."""
    by_processors = max(1, (os.cpu_count() or 1) // 2)
    by_memory = max(1, int(0.8 * _memory_bytes() // bytes_each))
    return min(_MOST_WORKERS, by_processors, by_memory)


def _memory_bytes(limit: Path = _CONTAINER_LIMIT) -> float:
    """Return the memory of this machine, or what a container may have of it."""
    try:
        here = float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, OSError, ValueError):  # Windows: nobody says
        here = float("inf")
    try:
        return min(here, float(limit.read_text("ascii")))
    except (OSError, ValueError):  # there is no container, or it says "max"
        return here
