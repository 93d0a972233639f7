from __future__ import annotations

from datetime import UTC, datetime

import emoji
import pytest

from bot.text.discord_markup import Names
from bot.text.pictures import name_emoji
from bot.text.speakable import speakable

NAMES = Names(
    members={
        1: "Bob",
        2: "xX_**Z" + "\u0338" * 9 + "o**_Xx",
        3: "||https://evil.example||",
        4: "\u200b\u3164",
        5: "名前",
    },
    channels={10: "general", 11: "🎮-games"},
    roles={20: "Mods & Friends"},
    now=datetime(2026, 11, 24, 12, 0, tzinfo=UTC),
)
NOON = int(datetime(2026, 11, 24, 12, 0, tzinfo=UTC).timestamp())

NOTATION = [
    ("hi <@1>", "hi Bob"),
    ("<@1><#10>hi<@1>s", "Bob generalhi Bobs"),
    ("hi <@!1>", "hi Bob"),
    ("hi <@999>", "hi someone"),
    ("<@2> is here", "xX Zo Xx is here"),
    ("<@3>", "https evil.example"),
    ("<@4> left", "someone left"),
    ("<@5>です", "名前です"),
    ("look in <#10>", "look in general"),
    ("look in <#11>", "look in games"),
    ("look in <#12>", "look in a channel"),
    ("ask <@&20>", "ask Mods & Friends"),
    ("ask <@&21>", "ask a role"),
    ("@everyone and @here", "everyone and here"),
    ("use </speak:123>", "use speak"),
    ("use </voices list:123>", "use voices list"),
    ("see <id:customize>", "see the customize page"),
    ("<:blob_wave:123>", "blob wave"),
    ("<a:PepeHands:123>!", "Pepe Hands!"),
    (f"<t:{NOON}:t>", "12:00 UTC"),
    (f"<t:{NOON}:D>", "24 November 2026"),
    (f"<t:{NOON}>", "24 November 2026 at 12:00 UTC"),
    (f"<t:{NOON + 7200}:R>", "in 2 hours"),
    (f"<t:{NOON - 86400}:R>", "1 day ago"),
    (f"<t:{NOON + 3}:R>", "in 3 seconds"),
    ("<t:99999999999999999:R>", "some time"),
    ("https://discord.com/channels/5/10/77", "link to general"),
    ("https://discord.com/channels/5/6", "link to a channel"),
    ("<@\u200b1>", "Bob"),
]

CHARACTERS = [
    ("“quoted” ‘text’", "\"quoted\" 'text'"),
    ("it’s", "it's"),
    ("word—word", "word - word"),
    ("3–5", "3-5"),
    ("wait…", "wait..."),
    ("e\u0301", "é"),
    ("Z" + "\u0338" * 7 + "al", "Zal"),
    ("Việt Nam", "Việt Nam"),
    ("a\u202eb\u202cc", "abc"),
    ("a\u2066b\u2069c", "abc"),
    ("a\u200bb\u2060c\ufeffd", "abcd"),
    ("so\u00adft", "soft"),
    ("h\u200de\u200cl", "hel"),
    ("می\u200cخواهم", "می\u200cخواهم"),
    ("क्\u200dष", "क्\u200dष"),
    ("a\U000e0041\U000e0042b", "ab"),
    ("a\ud800b\udfffc", "abc"),
    ("a\ue000b\U000f0000c", "abc"),
    ("a\u0378b\U0010ffffc", "abc"),
    ("a\x00b\x07c\x1b[31md", "abc 31md"),
    ("tab\there", "tab here"),
    ("a\u00a0b\u3000c\u2003d", "a b c d"),
    ("a\u2800b", "a b"),
    ("a\u3164b\u115fc\u1160d\uffa0e", "abcde"),
    ("a\ufe0fb\U000e0100c", "abc"),
    ("𝓗𝓮𝓵𝓵𝓸 𝟙𝟚", "Hello 12"),
    ("ＦＵＬＬ", "FULL"),
    ("Ⓗⓘ", "Hi"),
    ("\ufffdoops\ufffc", "oops"),
    ("a\u034fb", "ab"),
    ("one\r\ntwo\u2028three", "one.\ntwo.\nthree"),
]

MARKDOWN = [
    ("**bold** *it* ***both***", "bold it both"),
    ("__under__ _it_", "under it"),
    ("~~gone~~", "gone"),
    ("# Title\ntext", "Title.\n\ntext"),
    ("before\n> ## Title\n> text", "before.\n\nTitle.\n\ntext"),
    ("### Title", "Title"),
    ("-# small print", "small print"),
    ("> quoted\n>>> more", "quoted.\nmore"),
    ("- milk\n- eggs\n  - brown", "milk.\neggs.\nbrown"),
    ("1. first\n2. second!\n3. third", "1. first.\n2. second!\n3. third"),
    ("||secret|| ok", "spoiler ok"),
    ("||a||b||c||", "spoiler b spoiler"),
    ("||unclosed", "unclosed"),
    ("```py\nprint('x')\n```", "code block"),
    ("see ```code``` there", "see code block there"),
    ("```unclosed", "unclosed"),
    ("run `make test` now", "run make test now"),
    ("||```x```||", "spoiler"),
    ("[the docs](https://example.com/a_(b))", "the docs"),
    ('[the docs](<https://example.com> "title")', "the docs"),
    ("[not a link](later)", "not a link (later)"),
    ("[https://good.example](https://evil.example)", "link to good dot example"),
    ("\\*literal\\*", "literal"),
    ("snake_case and __init__", "snake case and init"),
    ("2*3*4", "2 times 3 times 4"),
    ("a < b", "a less than b"),
    ("5 > 4", "5 greater than 4"),
    ("I <3 you", "I heart you"),
    ("~5 people", "about 5 people"),
    ("we are #1", "we are number 1"),
    ("C# and F# minor", "C sharp and F sharp minor"),
    ("#hashtag", "hashtag"),
    ("¯\\_(ツ)_/¯", "shrug"),
    ("fine :) or ;-( or :D", "fine or or"),
]

ADDRESSES = [
    ("see https://example.com", "see link to example dot com"),
    ("see <https://www.example.com/a/b?c=d#e>.", "see link to example dot com."),
    ("(https://example.com), ok", "link to example dot com, ok"),
    ("ok (http://example.com/x)!", "ok (link to example dot com)!"),
    ("https://user:pw@example.com:8080/", "link to example dot com"),
    ("ftp://files.example.org/x", "link to files dot example dot org"),
    ("www.example.com/x", "link to example dot com"),
    ("discord.gg/abc", "link to discord dot gg"),
    ("file:///etc/passwd", "a link"),
    ("https://[::1]/", "a link"),
    ("https://xn--e1afmkfd.example", "a link"),
    ("https://" + "a" * 60 + ".com", "a link"),
    ("jane.doe@mail.example.com", "jane dot doe at mail dot example dot com"),
    ("example.com is down", "example dot com is down"),
    ("open main.py", "open main dot py"),
    ("Node.js", "Node dot js"),
    ("pi is 3.14", "pi is 3.14"),
    ("v1.2.3 at 12:30:45", "v1.2.3 at 12:30:45"),
    ("the end.So I left", "the end.So I left"),
]

EMOJI = [
    ("😀", "grinning face"),
    ("hi😀bye", "hi grinning face bye"),
    ("🎉🎉🎉🎉", "party popper"),
    ("👍🏽", "thumbs up"),
    ("👩🏽‍🤝‍👨🏿", "woman and man holding hands"),
    ("👨‍👩‍👧", "family man woman girl"),
    ("❤️ ❤", "red heart"),
    ("🇫🇷", "flag of France"),
    ("🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f", "Scotland"),
    ("5️⃣", "5"),
    ("😀🎉🔥🚀", "grinning face party popper fire"),
    ("<:a_b:1> 😀 :tada: 🚀", "a b grinning face party popper"),
    (":+1: :no_such_thing:", "thumbs up no such thing"),
    ("🏽", ""),
]

REPEATS = [
    ("aaaaaaaaaa", "aaa"),
    ("aAaAaAaAaA", "aaa"),
    ("no!!!!!!!", "no!"),
    ("what?!?!?!?!", "what?!"),
    ("hm.........", "hm..."),
    ("lololololol", "lololol"),
    ("hahahahahaha", "hahaha"),
    ("spam spam spam spam spam", "spam spam spam"),
    ("x\nx\nx\nx\nx", "x.\nx.\nx"),
    ("x\n\nx\n\nx\n\nx\n\nx", "x.\n\nx.\n\nx"),
    ("1000000", "1000000"),
    ("=====", ""),
    ("HELLO EVERYONE at NASA", "hello everyone at NASA"),
    ("RAWR" + "R" * 2000, "rawrrr"),
    ("哈哈哈哈哈", "哈哈哈"),
    ("a   b \n\n\n c", "a b.\n\nc"),
    ("Schifffahrt", "Schifffahrt"),
]

PARAGRAPHS = [
    ("one\n\ntwo", "one.\n\ntwo"),
    ("one\r\n\r\ntwo\r\nthree", "one.\n\ntwo.\nthree"),
    ("one \n \t \n\n two", "one.\n\ntwo"),
    ("one\u2029two", "one.\n\ntwo"),
    ("\n\none\n\n", "one"),
    ("one\n---\ntwo", "one.\n\ntwo"),
    ("one!\n:)\ntwo", "one!\n\ntwo"),
    ("**one\n\ntwo**", "one.\n\ntwo"),
    ("to do:\n- milk\n- eggs\n\nthanks", "to do:\nmilk.\neggs.\n\nthanks"),
    ("||one\n\ntwo||\nthree", "spoiler.\nthree"),
    ("你好。\n\n再见。", "你好。\n\n再见。"),
    ("สวัสดี\n\nลาก่อน", "สวัสดี.\n\nลาก่อน"),
    ("नमस्ते।\n\nफिर मिलेंगे।", "नमस्ते।\n\nफिर मिलेंगे।"),
]

BRACKETS = [
    ("(an old man)\nHello", "an old man.\nHello"),
    ("(an old man)\n\nHello", "an old man.\n\nHello"),
    ("(an old man)Hello", "an old man, Hello"),
    ("（悲伤）你好", "悲伤, 你好"),
    ("((x)) y", "x, y"),
    ("()(x) y", "x, y"),
    ("(only this)", "only this"),
    ("wait (really) yes", "wait (really) yes"),
    ("{ni3}{hao3}", "ni3 hao3"),
    ("[laughing] stop it", "[laughing] stop it"),
    ("[SIGH] ok", "[sigh] ok"),
    ("[explodes] ok", "explodes ok"),
    ("[[x]]", "x"),
]

FACES = [
    ("hey (^_^) hi", "hey hi"),
    ("(づ｡◕‿‿◕｡)づ hug", "hug"),
    ("ʕ•ᴥ•ʔ bear", "bear"),
    ("にゃん(=^･ω･^=)", "にゃん"),
    ("しょぼん(´・ω・`)", "しょぼん"),
    ("ヽ(´▽`)/ yay", "yay"),
    ("٩(◕‿◕)۶ party", "party"),
    ("d(^_^)b good", "good"),
    ("T_T no ¬_¬ >_< ^^", "no"),
    ("thanks:) bye", "thanks bye"),
    ("(ง'\u0300-'\u0301)ง fight", "fight"),
    ("( •_•)>⌐■-■ (⌐■_■) deal", "deal"),
    ("\\o/ yay (ToT)", "yay"),
    ("спасибо))) да((", "спасибо да"),
    ("he said (foo) bar", "he said (foo) bar"),
    ("so f(x) = (a)", "so f(x) = (a)"),
    ("all (5 €) of it", "all (5 €) of it"),
    ("日本の(人口)", "日本の(人口)"),
    ("we won (1-0)", "we won (1-0)"),
    ("see (note:) ok", "see (note:) ok"),
    ("▀▄█ ⣿⣿ ┌─┐ok", "ok"),
]

SIGNS = [
    ("x<-5", "x less than -5"),
    ("if x->y then", "if x → y then"),
    ("-> go", "go"),
    ("3>=2 and 2=<3", "3 greater than or equal to 2 and 2 less than or equal to 3"),
    ("a <> b, c=/=d", "a not equal to b, c not equal to d"),
    ("no!= yes", "no not equal to yes"),
    ("g++ and i++ and ++i", "g++ and i++ and ++i"),
    ("wow++++++", "wow++"),
    ("x^2 and 10^-3", "x to the power of 2 and 10 to the power of -3"),
    ("2 * x and a*b", "2 times x and a times b"),
    ("5 \\* 3", "5 times 3"),
    ("3pm~5pm", "3pm-5pm"),
    ("File > Save As > PDF", "File, Save As, PDF"),
    ("tea > coffee", "tea greater than coffee"),
    ("std::map<int> x", "std:map int x"),
    ("s**t happens", "s bleep happens"),
    ("f*** that", "f bleep that"),
    ("un**believ**able", "unbelievable"),
    ("!@#$ you", "bleep you"),
    ("$$$ money", "$ money"),
    ("rm *.log", "rm star dot log"),
    ("in `x ** 2` and `a | b`", "in x to the power of 2 and a bar b"),
    ("the `~` and `||`", "the tilde and bar bar"),
    ("rated ★★☆☆☆", "rated 2 out of 5 stars"),
    ("⭐⭐⭐ SALE", "star SALE"),
    ("I </3 u", "I broken heart u"),
]

CODES = [
    ("AAAAB1 and BBBB-1111", "AAAAB1 and BBBB-1111"),
    ("code 0 0 0 0 0", "code 0 0 0 0 0"),
    ("id deadbeefdeadbeefdeadbeef", "id deadbee"),
    ("key sk_9aF3kQ81xZ22mmPq0aB1", "key sk 9aF3kQ8"),
    ("Rindfleischetikettierungsgesetz", "Rindfleischetikettierungsgesetz"),
    ("MCMXC and LXXXVIII", "MCMXC and LXXXVIII"),
]

COSTUMES = [
    ("ɴɪᴄᴇ ᴛʀʏ", "nice try"),
    ("🄷🄸 🅱️ruh", "HI Bruh"),
    ("⒣⒤", "hi"),
    ("1ˢᵗ and 5 km²", "1st and 5 km²"),
    ("🇭 🇮", "H I"),
    ("h̶e̶l̶l̶o̶ h̲i̲", "hello hi"),
    ("ℌ𝔢𝔩𝔩𝔬 5 ℃", "Hello 5 ℃"),
    ("ᾧ ἄνδρες", "ᾧ ἄνδρες"),
]

LINKS = [
    ("amzn.to/3xYz9A and youtu.be/x", "link to amzn dot to and link to youtu dot be"),
    ("km/h, w/o, and/or, e.g./i.e., 24/7", "km/h, w/o, and/or, e.g./i.e., 24/7"),
    ("gg wp.gg ez", "gg wp.gg ez"),
    ("https://example.com/a.jpg?x=1", "an image"),
    ("mailto:bob@example.com", "bob at example dot com"),
    ("spotify:track:4uLU6hMCjMI75M1A2tKUQC", "a link"),
    ("about: this", "about: this"),
    ("hi@everyone.com @everyone", "hi at everyone dot com everyone"),
]

TONES_AND_SIGNS = {
    f":{tone}_skin_tone:" for tone in ("light", "medium-light", "medium", "medium-dark", "dark")
} | {
    ":keycap_#:",
    ":keycap_*:",
}

TABLE = [*NOTATION, *CHARACTERS, *MARKDOWN, *ADDRESSES, *EMOJI, *REPEATS, *PARAGRAPHS, *BRACKETS]
TABLE += [*FACES, *SIGNS, *CODES, *COSTUMES, *LINKS]


@pytest.mark.parametrize(("written", "said"), TABLE)
def test_what_is_written_is_said_like_this(written: str, said: str) -> None:
    assert speakable(written, NAMES) == said


@pytest.mark.parametrize(("written", "said"), TABLE)
def test_what_is_said_would_be_said_the_same_again(written: str, said: str) -> None:
    assert speakable(said) == said


def test_every_emoji_there_is_becomes_words() -> None:
    for one, data in emoji.EMOJI_DATA.items():
        said = name_emoji(f"a {one} b")

        assert not emoji.emoji_count(said), one
        assert len(said.split()) > 2 or data["en"] in TONES_AND_SIGNS or one[0] in "©®™", one


def test_nested_notation_is_taken_apart_in_bounded_time() -> None:
    text = "[" * 50 + "word" + "](http://x.example)" * 50

    said = speakable(text)

    assert said.startswith("word")
    assert speakable(said) == said
