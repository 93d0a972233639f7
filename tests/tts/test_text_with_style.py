import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.tts.wire import text_with_style
from tests.tts.conftest import calm

OPENING = "(（﹙"


@pytest.mark.parametrize(
    ("text", "style", "sent"),
    [
        ("Hello", None, "Hello"),
        ("Hello", "an old man", "(an old man)Hello"),
        ("Hello", " an old\n man ", "(an old man)Hello"),
        ("Hello", "", "Hello"),
        ("Hello", "()", "Hello"),
        ("Hello", "slow) and (fast", "(slow and fast)Hello"),
        ("Hello", "慢）快（", "(慢 快)Hello"),
        ("(an old man) Hello", None, "an old man, Hello"),
        ("（老人）你好", None, "老人, 你好"),
        ("  \u200b(psst) hello", None, "psst, hello"),
        ("((a) b) c", None, "a, b, c"),
        ("(unfinished", None, "unfinished"),
        ("(all of it)", None, "all of it"),
        ("(wow!) yes", None, "wow! yes"),
        ("() yes", None, "yes"),
        ("(((", None, ""),
        ("Hello (you)", None, "Hello (you)"),
        ("(angry) Hello", "calm", "(calm)angry, Hello"),
        ("half \ud83d of it", None, "half  of it"),
    ],
)
def test_only_a_style_can_act_as_a_style(text, style, sent):
    assert text_with_style(text, style) == sent


@calm
@given(st.text(alphabet=st.sampled_from("()（）﹙﹚ \u200b\n,ab你!")))
def test_no_text_without_style_begins_with_a_bracket_and_no_word_is_lost(text):
    sent = text_with_style(text, None)

    assert sent[:1] not in tuple(OPENING)
    assert [c for c in sent if c in "ab你!"] == [c for c in text if c in "ab你!"]


@calm
@given(st.text(min_size=1), st.text())
def test_a_style_cannot_leave_its_bracket(style, text):
    sent = text_with_style(text, style)

    if sent.startswith("("):
        inside, _, rest = sent[1:].partition(")")
        assert not set(inside) & set("()（）")
        assert rest[:1] not in tuple(OPENING)
