"""Texts that no voice was made for: each is spoken sensibly, or refused in one sentence."""

from __future__ import annotations

import pytest

from rehearsal.stage import pcm_of_wav
from tests.scenes import Scene, file_of, words_of

THAI = (
    "นกตัวหนึ่งเกาะอยู่บนสายไฟเหนือลานบ้านและฟังเสียงของผู้คนที่เดินผ่านไปมาตลอดทั้งวันจนถึงเวลาเย็นแล้วมันก็เริ่มพูด"
    "ด้วยเสียงของทุกคนที่มันเคยได้ยินมาตั้งแต่เช้าจนค่ำ"
)
CHINESE = (
    "一只鸟站在院子上面的电线上没有人看见它来也没有人问它从哪里来它听着下面的人说话听着学校的铃声和厨房里的收音机"
    * 2
)
THREE = (
    "The bird began to speak. Der Vogel sprach mit allen Stimmen, die er gehört hatte. "
    "鸟在晚上开始说话，大家都笑了。"
)

SAID: dict[str, tuple[str, int]] = {
    # what is typed, and how many calls it may cost at most
    "fifty sentences of one word": (" ".join(f"Word{number}." for number in range(50)), 14),
    "the same word fifty times": ("Yes. " * 50, 1),
    "4,000 characters of one letter": ("a" * 4_000, 1),
    "a script without spaces": (THAI, 6),
    "another one": (CHINESE, 10),
    "three languages": (THREE, 5),
}
REFUSED: dict[str, str] = {
    "nothing speakable": "!!! ... ??? *** ~~~",
    "4,000 different words' worth": " ".join(str(number * 7_919 % 99_991) for number in range(660)),
    "an hour of digits": "0123456789" * 99,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SAID)
async def test_odd_texts_are_said_for_few_calls(scene: Scene, name: str):
    text, most = SAID[name]

    answer = await scene.speak(text, output="here")
    file = await file_of(answer)

    assert len(pcm_of_wav(await file.read())) > 96_000 // 4
    assert "missing" not in answer.content
    assert 1 <= len(scene.asked) <= most
    assert len({fields["text"] for fields in scene.asked}) == len(scene.asked) or name.startswith("fifty")


@pytest.mark.parametrize("name", REFUSED)
async def test_what_cannot_be_said_is_refused_in_one_sentence(scene: Scene, name: str):
    answer = await scene.speak(REFUSED[name])

    said = await words_of(answer)

    assert said.endswith(".")
    assert "too long" in said or "read that aloud" in said
    assert scene.asked == []
