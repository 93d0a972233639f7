"""A worker whose model does what its orders say: answers, refuses, fails, dies, hangs, chatters."""

from __future__ import annotations

import os
import sys
import time

from tts_gateway.engines.base import TextRefused
from tts_gateway.engines.espeak import Samples
from tts_gateway.engines.workers import Answering, Fields, serve_model


def load(settings: Fields) -> Answering:
    if settings.get("broken"):
        raise ValueError("the file is of another version")
    if settings.get("dies"):
        os._exit(3)

    def answer(fields: Fields, sound: Samples) -> tuple[Fields, Samples]:
        match fields["order"]:
            case "refuse":
                raise TextRefused("there is nothing to say")
            case "fail":
                raise RuntimeError("a secret text")
            case "die":
                os._exit(139)
            case "hang":
                time.sleep(3600)  # it is killed
            case "doze":
                time.sleep(0.2)
            case "chatter":
                print("said by a library", flush=True)
                sys.stderr.write("a secret text\n")
        return {"process": os.getpid()}, sound * 2

    return answer


if __name__ == "__main__":
    serve_model(load)
