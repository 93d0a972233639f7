"""Pocket TTS at its real size with random weights: as fast and as large as the real one, and no voice at all.

Each graph has the layers, the widths, the states and the 8-bit products of the files that sherpa-onnx runs,
and comes to their sizes (lm_main 76 MB, lm_flow 10, decoder 22, encoder 72, text_conditioner 16). The widths
are those of pocket-tts, `english_2026-01.yaml`. Only the end of a sentence is not the network's own: it comes
after so many frames as there are letters, about as long as they take to be said.
"""

from __future__ import annotations

import dataclasses
import json
import math
import string
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from tts_gateway.models.store import Installed, ModelStore

NAME: Final = "pocket-en"
"""The model of the catalogue whose place it takes."""

Array = npt.NDArray[Any]

_WIDTH, _HEADS, _LAYERS, _POSITIONS, _LATENT = 1024, 16, 6, 1000, 32
_FLOW_WIDTH, _FLOW_DEPTH, _TIMES = 512, 6, 256
_SOUND_WIDTH, _SOUND_HEADS, _SOUND_LAYERS, _CONTEXT = 512, 8, 2, 250
_FILTERS, _RATIOS, _KERNEL, _STRIDE = 64, (6, 5, 4), 7, 16
_FRAME: Final = 1920
_PIECES: Final = 4000
_FRAMES_A_LETTER: Final = 0.9
_GAIN: Final = 10.0  # after so many layers little is left of a sound
_OPSET, _IR = 17, 8
_TO_THE_END: Final = 2**31


def install_random_pocket(store: ModelStore) -> Installed:
    """Put it into the store as if it had been fetched. Blocks for a few seconds."""
    model = store.named(NAME)
    folder = store.part_folder(NAME)
    folder.mkdir(parents=True)
    write_random_pocket(folder)
    return store.finish(dataclasses.replace(model, files=()), "random weights")


def write_random_pocket(folder: Path) -> None:
    """Write its files."""
    numbers = np.random.default_rng(20260126)
    for write in (_text_conditioner, _lm_main, _lm_flow, _encoder, _decoder):
        graph = _Graph(numbers)
        name = write(graph)
        graph.save(folder / name)
    pieces = ["<unk>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", *string.printable[:94]]
    (folder / "vocab.json").write_text(json.dumps({piece: at for at, piece in enumerate(pieces)}), "utf-8")
    (folder / "token_scores.json").write_text(json.dumps(dict.fromkeys(pieces, -1.0)), "utf-8")


class _Graph:
    """Graph of ONNX in the making. Values go by their names."""

    def __init__(self, numbers: np.random.Generator) -> None:
        self._numbers = numbers
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []
        self._states: list[tuple[str, int, list[int]]] = []
        self._count = 0

    def input(self, name: str, shape: Sequence[int | str], kind: int = TensorProto.FLOAT) -> str:
        self._inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def output(self, name: str, value: str, shape: Sequence[int | str]) -> None:
        self._add("Identity", [value], [name], {})
        self._outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))

    def state(self, shape: list[int], kind: int = TensorProto.FLOAT) -> tuple[str, int]:
        """Return the next state as it comes in, and its number."""
        number = len(self._states)
        self._states.append(("", kind, shape))
        return self.input(f"state_{number}", shape, kind), number

    def keep(self, number: int, value: str) -> None:
        """Let the state of that number go out as ``value``."""
        _, kind, shape = self._states[number]
        self._states[number] = (value, kind, shape)

    def op(self, kind: str, *inputs: str, **attributes: object) -> str:
        return self.ops(kind, 1, *inputs, **attributes)[0]

    def ops(self, kind: str, count: int, *inputs: str, **attributes: object) -> list[str]:
        names = [self._name() for _ in range(count)]
        self._add(kind, list(inputs), names, attributes)
        return names

    def constant(self, value: object, kind: npt.DTypeLike = np.float32) -> str:
        name = self._name()
        self._constants.append(numpy_helper.from_array(np.asarray(value, kind), name))
        return name

    def whole(self, *value: int) -> str:
        return self.constant(value, np.int64)

    def weights(self, *shape: int, into: int, gain: float = 1.0) -> str:
        scale = np.float32(gain / math.sqrt(into))
        return self.constant(self._numbers.standard_normal(shape, np.float32) * scale)

    def product(self, value: str, into: int, out: int, *, bias: bool = False) -> str:
        """Return the value times a matrix of 8-bit weights."""
        small, scale, zero = self.ops("DynamicQuantizeLinear", 3, value)
        matrix = self.constant(self._numbers.integers(-127, 128, (into, out), np.int8), np.int8)
        whole = self.op("MatMulInteger", small, matrix, zero, self.constant(0, np.int8))
        both = self.op("Mul", scale, self.constant(1 / (73.3 * math.sqrt(into))))
        made = self.op("Mul", self.op("Cast", whole, to=TensorProto.FLOAT), both)
        return self.op("Add", made, self.constant(np.zeros(out))) if bias else made

    def float_product(self, value: str, into: int, out: int) -> str:
        return self.op("MatMul", value, self.weights(into, out, into=into))

    def part(self, value: str, start: str, end: str, axis: int) -> str:
        return self.op("Slice", value, start, end, self.whole(axis))

    def length(self, value: str, axis: int) -> str:
        """Return how long a value is, as a row of one number."""
        return self.op("Shape", value, start=axis, end=axis + 1)

    def normal(self, value: str, width: int) -> str:
        return self.op(
            "LayerNormalization", value, self.constant(np.ones(width)), self.constant(np.zeros(width))
        )

    def save(self, path: Path) -> None:
        for number, (value, kind, shape) in enumerate(self._states):
            self._add("Identity", [value], [f"out_state_{number}"], {})
            self._outputs.append(helper.make_tensor_value_info(f"out_state_{number}", kind, shape))
        graph = helper.make_graph(self._nodes, path.stem, self._inputs, self._outputs, self._constants)
        opset = [helper.make_opsetid("", _OPSET)]
        onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=_IR), path)

    def _add(self, kind: str, inputs: list[str], outputs: list[str], attributes: dict[str, Any]) -> None:
        self._nodes.append(helper.make_node(kind, inputs, outputs, **attributes))

    def _name(self) -> str:
        self._count += 1
        return f"v{self._count}"


def _text_conditioner(graph: _Graph) -> str:
    tokens = graph.input("token_ids", [1, "n"], TensorProto.INT64)
    table = graph.weights(_PIECES + 1, _WIDTH, into=1)
    graph.output("embeddings", graph.op("Gather", table, tokens), [1, "n", _WIDTH])
    return "text_conditioner.onnx"


def _lm_main(graph: _Graph) -> str:
    sequence = graph.input("sequence", [1, "l", _LATENT])
    text = graph.input("text_embeddings", [1, "n", _WIDTH])
    caches = [graph.state([2, 1, _POSITIONS, _HEADS, _WIDTH // _HEADS]) for _ in range(_LAYERS)]
    (before, at), (letters, letters_at), (frames, frames_at) = (
        graph.state([1], TensorProto.INT64) for _ in range(3)
    )
    latents = graph.op("Where", graph.op("IsNaN", sequence), graph.weights(_LATENT, into=1), sequence)
    value = graph.op("Concat", text, graph.product(latents, _LATENT, _WIDTH), axis=1)
    after = graph.op("Add", before, graph.length(value, 1))
    for cache, number in caches:
        value = _attended(graph, value, (_WIDTH, _HEADS), before, after, (cache, number))
        value = _fed_forward(graph, value, _WIDTH)
    last = graph.op("Gather", graph.normal(value, _WIDTH), graph.constant(-1, np.int64), axis=1)
    graph.output("conditioning", last, [1, _WIDTH])

    said, made = graph.length(text, 1), graph.length(sequence, 1)
    none = graph.whole(0)
    letters = graph.op("Where", graph.op("Greater", said, none), said, letters)
    frames = graph.op("Mul", graph.op("Add", frames, graph.whole(1)), made)
    expected = graph.op(
        "Mul", graph.op("Cast", letters, to=TensorProto.FLOAT), graph.constant([_FRAMES_A_LETTER])
    )
    rest = graph.op("Sub", graph.op("Cast", frames, to=TensorProto.FLOAT), expected)
    eos = graph.op("Add", graph.float_product(last, _WIDTH, 1), graph.constant(0))
    eos = graph.op(
        "Add", graph.op("Mul", eos, graph.constant(1e-6)), graph.op("Reshape", rest, graph.whole(1, 1))
    )
    graph.output("eos_logit", eos, [1, 1])
    for number, value in ((at, after), (letters_at, letters), (frames_at, frames)):
        graph.keep(number, value)
    return "lm_main.int8.onnx"


def _attended(
    graph: _Graph,
    value: str,
    size: tuple[int, int],
    before: str,
    after: str,
    cache: tuple[str, int] | None,
    *,
    in_floats: bool = False,
    context: int | None = None,
) -> str:
    """Return the value after attention to what is in the cache and to itself.

    With a ``context`` the cache holds the last so many positions; else all, each at its place.
    """
    width, heads = size
    product = graph.float_product if in_floats else graph.product
    joined = product(graph.normal(value, width), width, 3 * width)
    shaped = graph.op("Reshape", joined, graph.whole(1, -1, 3, heads, width // heads))
    query, key, content = (
        graph.op("Squeeze", one, graph.whole(2)) for one in graph.ops("Split", 3, shaped, axis=2)
    )
    places = _range(graph, before, after)
    query, key = (_turned(graph, one, places, heads, width // heads) for one in (query, key))
    pair = graph.op("Concat", *(graph.op("Unsqueeze", one, graph.whole(0)) for one in (key, content)), axis=0)
    first = graph.whole(0)
    if cache is not None and context is None:
        old = graph.part(cache[0], graph.whole(0), before, 2)
        rest = graph.part(cache[0], after, graph.whole(_TO_THE_END), 2)
        whole = graph.op("Concat", old, pair, rest, axis=2)
        graph.keep(cache[1], whole)
        pair = graph.part(whole, graph.whole(0), after, 2)
    elif cache is not None and context is not None:
        whole = graph.op("Concat", cache[0], pair, axis=2)
        graph.keep(cache[1], graph.part(whole, graph.whole(-context), graph.whole(_TO_THE_END), 2))
        pair, first = whole, graph.op("Sub", before, graph.whole(context))
    key, content = (
        graph.op("Transpose", graph.op("Gather", pair, graph.constant(at, np.int64), axis=0), perm=perm)
        for at, perm in ((0, [0, 2, 3, 1]), (1, [0, 2, 1, 3]))
    )
    query = graph.op("Mul", query, graph.constant(1 / math.sqrt(width // heads)))
    scores = graph.op("MatMul", graph.op("Transpose", query, perm=[0, 2, 1, 3]), key)
    scores = graph.op("Add", scores, _mask(graph, places, _range(graph, first, after), context))
    mixed = graph.op("MatMul", graph.op("Softmax", scores, axis=-1), content)
    flat = graph.op("Reshape", graph.op("Transpose", mixed, perm=[0, 2, 1, 3]), graph.whole(1, -1, width))
    return graph.op("Add", value, product(flat, width, width))


def _range(graph: _Graph, first: str, end: str) -> str:
    ends = (graph.op("Squeeze", one, graph.whole(0)) for one in (first, end))
    return graph.op("Range", *ends, graph.constant(1, np.int64))


def _mask(graph: _Graph, places: str, others: str, context: int | None) -> str:
    """Return what is added to the scores: next to nothing is left of what comes later, or is too far back."""
    ahead = graph.op("Sub", graph.op("Unsqueeze", places, graph.whole(1)), others)
    fit = graph.op("GreaterOrEqual", ahead, graph.whole(0))
    if context is not None:
        fit = graph.op("And", fit, graph.op("Less", ahead, graph.whole(context)))
        fit = graph.op("And", fit, graph.op("GreaterOrEqual", others, graph.whole(0)))
    return graph.op("Where", fit, graph.constant(0), graph.constant(-1e9))


def _turned(graph: _Graph, value: str, places: str, heads: int, width: int) -> str:
    """Return the value with its place worked into it (RoPE)."""
    speeds = graph.constant(10_000 ** (-2 * np.arange(width // 2) / width))
    at = graph.op("Cast", places, to=TensorProto.FLOAT)
    angles = graph.op("Mul", graph.op("Reshape", at, graph.whole(-1, 1, 1)), speeds)
    cosine, sine = graph.op("Cos", angles), graph.op("Sin", angles)
    pairs = graph.op("Reshape", value, graph.whole(1, -1, heads, width // 2, 2))
    real, other = (graph.op("Squeeze", one, graph.whole(4)) for one in graph.ops("Split", 2, pairs, axis=4))
    turned = (
        graph.op("Sub", graph.op("Mul", real, cosine), graph.op("Mul", other, sine)),
        graph.op("Add", graph.op("Mul", real, sine), graph.op("Mul", other, cosine)),
    )
    together = graph.op("Concat", *(graph.op("Unsqueeze", one, graph.whole(4)) for one in turned), axis=4)
    return graph.op("Reshape", together, graph.whole(1, -1, heads, width))


def _fed_forward(graph: _Graph, value: str, width: int, *, in_floats: bool = False) -> str:
    product = graph.float_product if in_floats else graph.product
    wide = product(graph.normal(value, width), width, 4 * width)
    cube = graph.op("Mul", graph.op("Mul", wide, wide), wide)
    inner = graph.op("Add", wide, graph.op("Mul", cube, graph.constant(0.044715)))
    bent = graph.op("Tanh", graph.op("Mul", inner, graph.constant(math.sqrt(2 / math.pi))))
    half = graph.op("Mul", wide, graph.constant(0.5))  # GELU
    return graph.op(
        "Add",
        value,
        product(graph.op("Mul", half, graph.op("Add", bent, graph.constant(1))), 4 * width, width),
    )


def _lm_flow(graph: _Graph) -> str:
    names = ("c", _WIDTH), ("s", 1), ("t", 1), ("x", _LATENT)
    about, start, end, value = (graph.input(name, ["b", width]) for name, width in names)
    value = graph.product(value, _LATENT, _FLOW_WIDTH, bias=True)
    about = graph.product(about, _WIDTH, _FLOW_WIDTH, bias=True)
    for time in (start, end):
        speeds = graph.constant(10_000 ** (-2 * np.arange(_TIMES // 2) / _TIMES))
        angles = graph.op("Mul", time, speeds)
        waves = graph.op("Concat", graph.op("Cos", angles), graph.op("Sin", angles), axis=-1)
        made = _silu(graph, graph.product(waves, _TIMES, _FLOW_WIDTH, bias=True))
        made = graph.normal(graph.product(made, _FLOW_WIDTH, _FLOW_WIDTH, bias=True), _FLOW_WIDTH)
        about = graph.op("Add", about, graph.op("Mul", made, graph.constant(0.5)))
    for _ in range(_FLOW_DEPTH):
        both = graph.product(_silu(graph, about), _FLOW_WIDTH, 3 * _FLOW_WIDTH, bias=True)
        shift, scale, gate = graph.ops("Split", 3, both, axis=-1)
        inner = _shifted(graph, value, shift, scale)
        inner = _silu(graph, graph.product(inner, _FLOW_WIDTH, _FLOW_WIDTH, bias=True))
        inner = graph.product(inner, _FLOW_WIDTH, _FLOW_WIDTH, bias=True)
        value = graph.op("Add", value, graph.op("Mul", gate, inner))
    both = graph.product(_silu(graph, about), _FLOW_WIDTH, 2 * _FLOW_WIDTH, bias=True)
    shift, scale = graph.ops("Split", 2, both, axis=-1)
    value = graph.product(_shifted(graph, value, shift, scale), _FLOW_WIDTH, _LATENT, bias=True)
    graph.output("flow_dir", value, ["b", _LATENT])
    return "lm_flow.int8.onnx"


def _silu(graph: _Graph, value: str) -> str:
    return graph.op("Mul", value, graph.op("Sigmoid", value))


def _shifted(graph: _Graph, value: str, shift: str, scale: str) -> str:
    more = graph.op("Add", scale, graph.constant(1))
    return graph.op("Add", graph.op("Mul", graph.normal(value, _FLOW_WIDTH), more), shift)


def _encoder(graph: _Graph) -> str:
    sound = graph.input("audio", [1, 1, "n"])
    count = graph.length(sound, 2)
    missing = graph.op("Mod", graph.op("Sub", graph.whole(0), count), graph.whole(_FRAME))
    ends = graph.op("Concat", graph.whole(0, 0, 0, 0, 0), missing, axis=0)
    value = _conv(graph, graph.op("Pad", sound, ends), 1, _FILTERS, _KERNEL)
    width = _FILTERS
    for ratio in reversed(_RATIOS):
        value = _residual(graph, value, width)
        value = _conv(graph, graph.op("Elu", value), width, 2 * width, 2 * ratio, stride=ratio)
        width *= 2
    value = _conv(graph, graph.op("Elu", value), width, _SOUND_WIDTH, 3)
    value = graph.op("Transpose", value, perm=[0, 2, 1])
    first, end = graph.whole(0), graph.length(value, 1)
    for _ in range(_SOUND_LAYERS):
        size = (_SOUND_WIDTH, _SOUND_HEADS)
        value = _attended(graph, value, size, first, end, None, in_floats=True, context=_CONTEXT)
        value = _fed_forward(graph, value, _SOUND_WIDTH, in_floats=True)
    value = graph.op("Transpose", value, perm=[0, 2, 1])
    value = _conv(graph, value, _SOUND_WIDTH, _SOUND_WIDTH, 2 * _STRIDE, stride=_STRIDE, bias=False)
    value = graph.float_product(graph.op("Transpose", value, perm=[0, 2, 1]), _SOUND_WIDTH, _WIDTH)
    graph.output("embeddings", value, [1, "t", _WIDTH])
    return "encoder.onnx"


def _decoder(graph: _Graph) -> str:
    latent = graph.input("latent", [1, "l", _LATENT])
    before, at = graph.state([1], TensorProto.INT64)
    value = graph.op("Transpose", latent, perm=[0, 2, 1])
    value = graph.op("Conv", value, graph.weights(_SOUND_WIDTH, _LATENT, 1, into=_LATENT))
    value = _upsampled(graph, value, _SOUND_WIDTH, _SOUND_WIDTH, _STRIDE, groups=_SOUND_WIDTH)
    value = graph.op("Transpose", value, perm=[0, 2, 1])
    after = graph.op("Add", before, graph.length(value, 1))
    graph.keep(at, after)
    for _ in range(_SOUND_LAYERS):
        cache = graph.state([2, 1, _CONTEXT, _SOUND_HEADS, _SOUND_WIDTH // _SOUND_HEADS])
        size = (_SOUND_WIDTH, _SOUND_HEADS)
        value = _attended(graph, value, size, before, after, cache, context=_CONTEXT)
        value = _fed_forward(graph, value, _SOUND_WIDTH)
    value = graph.op("Transpose", value, perm=[0, 2, 1])
    width = _FILTERS * 2 ** len(_RATIOS)
    value = _conv(graph, value, _SOUND_WIDTH, width, _KERNEL, streams=True)
    for ratio in _RATIOS:
        value = _upsampled(graph, graph.op("Elu", value), width, width // 2, ratio)
        width //= 2
        value = _residual(graph, value, width, streams=True)
    value = _conv(graph, graph.op("Elu", value), width, 1, 3, streams=True, gain=_GAIN)
    graph.output("audio_frame", value, [1, 1, "n"])
    return "decoder.int8.onnx"


def _residual(graph: _Graph, value: str, width: int, *, streams: bool = False) -> str:
    inner = _conv(graph, graph.op("Elu", value), width, width // 2, 3, streams=streams)
    inner = _conv(graph, graph.op("Elu", inner), width // 2, width, 1)
    return graph.op("Add", value, inner)


def _conv(
    graph: _Graph,
    value: str,
    into: int,
    out: int,
    kernel: int,
    *,
    stride: int = 1,
    streams: bool = False,
    bias: bool = True,
    gain: float = 1.0,
) -> str:
    """Return the value after a convolution that looks back only; what it looks back at may be a state."""
    back = kernel - stride
    if back and streams:
        old, number = graph.state([1, into, back])
        value = graph.op("Concat", old, value, axis=2)
        graph.keep(number, graph.part(value, graph.whole(-back), graph.whole(_TO_THE_END), 2))
    elif back:
        value = graph.op("Concat", graph.constant(np.zeros((1, into, back))), value, axis=2)
    weights = graph.weights(out, into, kernel, into=into * kernel, gain=gain)
    more = (graph.constant(np.zeros(out)),) if bias else ()
    return graph.op("Conv", value, weights, *more, strides=[stride])


def _upsampled(graph: _Graph, value: str, into: int, out: int, ratio: int, *, groups: int = 1) -> str:
    """Return the value with ``ratio`` samples for each; what reaches into the next piece is a state."""
    weights = graph.weights(into, out // groups, 2 * ratio, into=2 * into // groups)
    made = graph.op("ConvTranspose", value, weights, strides=[ratio], group=groups)
    old, number = graph.state([1, out, ratio])
    cut = graph.whole(ratio)
    begun = graph.op("Add", graph.part(made, graph.whole(0), cut, 2), old)
    made = graph.op("Concat", begun, graph.part(made, cut, graph.whole(_TO_THE_END), 2), axis=2)
    graph.keep(number, graph.part(made, graph.whole(-ratio), graph.whole(_TO_THE_END), 2))
    return graph.part(made, graph.whole(0), graph.whole(-ratio), 2)
