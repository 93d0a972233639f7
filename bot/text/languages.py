"""Languages: which one a short text is in, so that our own words beside it are in the same.

A message has three words, half of them slang, and people mix in English names. So the script decides first,
then words that nearly every message has one of, then letters that few languages have. Detectors that compare
letter trigrams were tried on fifty such messages and were wrong about 17 to 25: they took "ok lol" for
Indonesian and "password" for Italian. Where nothing tells, a text in Latin letters is English, and one in a
script that is not known here has no language: our words are left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from bot.text.characters import IGNORE_CASE, pattern

ENGLISH: Final = "en"
UNKNOWN: Final = ""

_SCRIPTS: Final[Mapping[str, tuple[str, int]]] = {
    # Letters, and how much each counts: those of Latin count 1, and every text has some in names.
    "ja": (r"[\p{Hiragana}\p{Katakana}]", 5),
    "ko": (r"\p{Hangul}", 4),
    "zh": (r"\p{Han}", 4),
    "th": (r"\p{Thai}", 2),
    "hi": (r"\p{Devanagari}", 2),
    "ar": (r"\p{Arabic}", 2),
    "he": (r"\p{Hebrew}", 2),
    "el": (r"\p{Greek}", 2),
    "ru": (r"\p{Cyrillic}", 2),
    ENGLISH: (r"\p{Latin}", 1),
    UNKNOWN: (
        r"[\p{L}--[\p{Hiragana}\p{Katakana}\p{Hangul}\p{Han}\p{Thai}\p{Devanagari}\p{Arabic}\p{Hebrew}\p{Greek}"
        r"\p{Cyrillic}\p{Latin}\p{Common}\p{Inherited}]]",
        2,
    ),
}
_LETTERS = {language: pattern(letters) for language, (letters, _) in _SCRIPTS.items()}
_KANA_SHARE: Final = 0.1  # of Han and kana together: a Japanese sentence has more, a Chinese one a の at most
_UKRAINIAN = pattern(r"[іїєґ]", IGNORE_CASE)
_PERSIAN = pattern(r"[پچژگیک]")

_NO_WORDS = pattern(
    # what is written the same in every language
    r"<[^<>\s]{1,120}>|[a-z][a-z0-9+.-]{0,20}+:/?/?[^\s<>\p{Han}\p{Hiragana}\p{Katakana}]{4,}+|:[\w+-]{2,32}:"
    r"|\p{L}{0,20}+(?<!\*)\*++\p{L}++|[\w.+-]{1,64}+@[\w.-]++|(?<![\w.-])(?:[\w-]{1,63}+\.)++[a-z]{2,}+(?:/\S*+)?+",
    IGNORE_CASE,
)
_ANY_LETTER = pattern(r"\p{L}")
_STRETCHED = pattern(r"(\p{Latin})\1{4,}")
_LAUGHED = pattern(r"(\p{Latin}{2})\1{2,}")
_WORD = pattern(r"[\p{Latin}\p{M}]++(?:['’·-][\p{Latin}\p{M}]++)*+")

_COMMON_WORDS: Final[Mapping[str, str]] = {
    # The commonest words of speech, greetings and thanks, and what people write most in chats.
    ENGLISH: (
        "the be to of and a in that have i it for not on with he as you do at this but his by from they we "
        "say her she or an will my one all would there their what so up out if about who get which go me "
        "when make can like time no just him know take into your good some could them see other than then "
        "now look only come its it's over think also back after use two how our work first well way even "
        "new want because any these give day most us is are was were been has had did does i'm you're don't "
        "can't won't didn't isn't that's what's let's he's she's i'll i've we're they're u ur im dont cant "
        "wont pls plz thx ty lol lmao omg idk tbh imo brb gg wp ok okay yeah yes yep nah nope hey hi hello "
        "bye thanks thank please sorry love happy birthday congrats congratulations nice great cool awesome "
        "amazing best better bad wow guys bro dude man game play night morning today tomorrow tonight here "
        "stop wait help need why where too very much many more really never always still again off down "
        "right left home friend friends people thing things something anything nothing everyone someone "
        "check link password test die hell war hat gift ship same done ready sick rated score red green "
        "blue open read rules try fire info min sec kg km cm mm pm am vs etc sus bruh gm gn nvm wyd idc "
        "mood slay bday lets xd"
    ),
    "de": (
        "an also man will mehr gibt schreib der die das es bis und ich ist nicht du ein eine einen einem "
        "einer zu den dem des mit auf für von im am um sich auch so wie aber wir ihr sie er mir mich dir "
        "dich was war bin bist sind hat habe haben hast wird werden kann kannst muss noch nur schon mal ja "
        "nein doch dann wenn weil hier da jetzt heute morgen gestern immer nie alles alle mein dein kein "
        "keine bitte danke hallo tschüss guten gute tag abend nacht super geil krass echt guck schau komm "
        "komme los machen macht geht gut sehr viel glückwunsch geburtstag liebe freu moin servus digga vom "
        "zum zur beim nach bei aus über wer wo warum uns euch kauf"
    ),
    "fr": (
        "hier vu me as le la les à un une des du de et est je tu il elle on nous vous ils ne pas que qui "
        "quoi où dans pour sur avec ce cette ça c'est j'ai t'as l'ai mais ou donc si plus bien très trop "
        "tout tous fait être avoir suis es sont ai avons avez va vais aller mon ma mes ton ta tes son sa "
        "ses au aux par bonjour salut coucou bonsoir merci oui non ouais mdr ptdr svp stp quand comment "
        "pourquoi aujourd'hui demain soir nuit bonne bon joyeux anniversaire félicitations bravo aime "
        "t'aime drôle lis regarde gars"
    ),
    "es": (
        "me he has el la los las un una de del y que en es no sí se lo le por con para su al como más pero "
        "sus ya o este esta esto porque muy sin sobre también hay está estoy eres soy son ser tiene tengo "
        "todo todos qué cómo cuándo dónde quién mi tu te yo él ella nosotros hola gracias adiós buenos "
        "buenas días tardes noches bueno bien feliz cumple cumpleaños felicidades enhorabuena jaja jajaja "
        "vale tío amigo amor quiero mira ven entra vamos hoy mañana ayer siempre nunca nada algo favor"
    ),
    "pt": (
        "me come o a os as um uma de do da dos das e que em no na nos nas é não se por com para pra ao como "
        "mais mas eu tu você vc ele ela nós eles meu minha seu sua isso isto esse essa este está tá estou "
        "sou são ser tem tenho muito bem bom boa tudo também já só até quando onde quem porque oi olá "
        "obrigado obrigada valeu parabéns feliz aniversário dia tarde noite kkkk rsrs blz beleza cara amigo "
        "amo te vamos hoje amanhã ontem sempre nunca nada aí né mano verdade saudades"
    ),
    "it": (
        "me come il lo la i gli le un uno una di del della dei delle e è che in non si per con da dal al "
        "alla più ma se io tu lui lei noi voi loro mio mia tuo sono sei siamo ho hai ha hanno questo questa "
        "quello cosa chi dove quando perché anche molto bene bello bella tutto tutti già solo ciao grazie "
        "prego buongiorno buonasera buonanotte sì no auguri buon compleanno complimenti amo ti amore guarda "
        "oggi domani ieri sempre mai niente dai ragazzi nel nella sul dell'amico po' così"
    ),
    "nl": (
        "me had we de het een en van ik je jij hij zij wij jullie is dat die in te niet zijn was op aan met "
        "voor er maar om hem dan zou of wat mijn men dit zo door over ze zich bij ook tot uit nog naar heb "
        "heeft hebben kan kun moet wel geen ja nee hoi hallo doei dank dankje bedankt alsjeblieft goed leuk "
        "mooi gefeliciteerd verjaardag fijne goedemorgen welterusten lekker vandaag morgen gisteren altijd "
        "nooit waar wie waarom hou jou u kijk ben bent gaat gaan komt echt heel veel"
    ),
    "sv": (
        "och att det som en ett på är av för med den till inte om jag du han hon vi ni de har var mig dig "
        "sig min din kan ska vill men så när hur vad vem varför här där nu idag imorgon också bara mycket "
        "bra hej hejdå tack tjena grattis födelsedagen god natt morgon ja nej älskar snälla kul fint alla "
        "inget något från efter eller"
    ),
    "da": (
        "og at det som en et på er af for med den til ikke om jeg du han hun vi i de har var mig dig sig "
        "min din kan skal vil men så når hvordan hvad hvem hvorfor her der nu også bare meget godt hej "
        "farvel tak tillykke fødselsdagen godnat godmorgen ja nej elsker sjovt fra efter eller"
    ),
    "nb": (
        "og at det som en et på er av for med den til ikke om jeg du han hun vi dere de har var meg deg seg "
        "min din kan skal vil men så når hvordan hva hvem hvorfor her der nå også bare mye bra hei hadet "
        "takk gratulerer dagen natt morgen ja nei elsker gøy fra etter eller"
    ),
    "fi": (
        "ja on ei se että hän en oli mutta niin kun mitä tämä minä sinä me te he ole olen olet olemme nyt "
        "vain myös jos kuin mikä missä miksi kuka moi hei terve kiitos kiitti onnea hyvää syntymäpäivää "
        "huomenta yötä päivää joo juu kyllä hyvä kiva tosi paljon tänään huomenna minun sinun rakastan "
        "sinua tulen kello"
    ),
    "pl": (
        "i w nie na się z do to że jest o jak ale po co tak za od są dla czy już tylko był była było mnie "
        "mi ja ty on ona my wy oni ten ta te tego jego jej być mam masz ma może bardzo dobrze dobre dobry "
        "dzień cześć hej siema dzięki dziękuję proszę wszystkiego najlepszego sto lat gratulacje kocham cię "
        "teraz dzisiaj jutro wczoraj gdzie kiedy kto dlaczego tam tu też nic coś chyba no fajne super "
        "jestem jesteś będę"
    ),
    "cs": (
        "a v se na je že to s z do o ale jak po co tak za od jsou pro už jen byl byla bylo mě mi já ty on "
        "ona my vy oni ten ta tento jeho její být mám máš má velmi dobře dobrý den ahoj čau díky děkuji "
        "prosím všechno nejlepší gratuluji miluju tě teď dnes zítra včera kde kdy kdo proč tam tady taky "
        "nic něco jsem jsi ano ne jo nebo když"
    ),
    "hu": (
        "a az és hogy nem is egy ez van volt de meg csak már ha mint azt én te ő mi ti ők vagyok vagy "
        "vannak lesz kell még itt ott most ma holnap tegnap jó nagyon szia sziasztok helló köszönöm köszi "
        "kérem boldog születésnapot gratulálok szeretlek igen ki hol mikor miért minden semmi reggelt "
        "éjszakát szépen"
    ),
    "tr": (
        "bir ve bu da de için ne var yok mı mi mu mü ben sen o biz siz onlar çok daha ama gibi kadar en şey "
        "olarak olan oldu ile her şimdi bugün yarın dün evet hayır tamam merhaba selam teşekkürler teşekkür "
        "sağol lütfen iyi güzel komik kutlu olsun doğum günün günü dogum gunun mutlu yıllar tebrikler "
        "seviyorum seni nasılsın nerede kim neden niye değil ya abi kanka arkadaşlar saat"
    ),
    "vi": (
        "và của là có không được cho một trong với này người những khi đã như ở về các tôi tao mày bạn anh "
        "em chị nó chúng rồi thì mà cũng đi làm gì sao đâu nào ai rất lắm quá xin chào cảm ơn chúc mừng "
        "sinh nhật vui yêu nhé nha ạ vâng ko khong hok bít hết hôm nay ngày mai ngon"
    ),
    "id": (
        "yang dan di itu ini dengan untuk tidak dari dalam akan pada juga ke saya aku kamu dia kita mereka "
        "kami ada bisa sudah udah belum lagi apa siapa kapan dimana kenapa bagaimana gimana karena kalau "
        "tapi atau banget sekali baik bagus lucu keren halo hai terima kasih makasih selamat ulang tahun "
        "pagi siang sore malam tolong maaf ya iya nggak gak enggak nih sih dong deh kok wkwk wkwkwk jam "
        "besok hari sekarang cinta"
    ),
    "ca": (
        "el la els les un una de del dels i que en és no es per amb als com més però jo tu ell ella "
        "nosaltres molt bé bon bona dia nit tot tots també ja només aquest aquesta això què quan on qui "
        "hola adéu gràcies si us plau sí felicitats aniversari molts anys t'estimo avui demà ahir sempre "
        "mai res col·legi il·lusió són estic"
    ),
    "ro": (
        "și si de la în in nu că ce un o cu pe este e sunt pentru mai dar am ai are avem eu tu el ea noi "
        "voi ei meu mea tău foarte bine bun bună ziua seara noapte salut mulțumesc mersi te rog da mulți "
        "ani felicitări iubesc acum azi mâine ieri unde când cine cum totul nimic"
    ),
}
_LETTERS_OF: Final[Mapping[str, str]] = {
    # Letters that few languages have: each word with one counts for all of them.
    "ß": "de", "ñ¿¡": "es", "ãõ": "pt", "ğış": "tr", "łąęśźżćń": "pl", "řěůďťň": "cs", "őű": "hu",
    "å": "sv da nb", "ø": "da nb", "ä": "de fi sv", "ö": "de fi sv hu tr", "ü": "de tr hu", "ășț": "ro",
    "œùêû": "fr", "ç": "fr pt tr ca", "è": "fr it ca", "ì": "it", "ò": "it ca", "î": "fr ro",
    "đơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉĩịọỏốồổỗộớờởỡợụủũứừửữựỳỷỹỵ": "vi", "čšž": "cs", "·": "ca",
}  # fmt: skip


def _weights() -> dict[str, dict[str, float]]:
    """Return for each common word what it says for each language: the more have it, the less."""
    found: dict[str, dict[str, float]] = {}
    for language, words in _COMMON_WORDS.items():
        for word in words.split():
            found.setdefault(word, {})[language] = 1.0
    return {
        word: {
            one: (_OF_A_LETTER if len(word) == 1 else 1) / len(languages) / (4 if word in _EVERYWHERE else 1)
            for one in languages
        }
        for word, languages in found.items()
    }


_OF_A_LETTER: Final = 0.05
"""A word of one letter may as well be a variable."""

_EVERYWHERE: Final = frozenset(
    ("ok", "okay", "lol", "wow", "cool", "hey", "hi", "hello", "sorry", "super", "omg", "gg", "wp", "xd")
)
"""English that all the world writes."""

_WEIGHT_OF: Final = _weights()
_BY_LETTER: Final = {
    letter: languages.split() for letters, languages in _LETTERS_OF.items() for letter in letters
}
_BY_LETTER_SET: Final = frozenset(_BY_LETTER)
_CERTAIN: Final = 0.1
"""A word that ten languages have is enough, if none of them is English."""


def language_of(text: str) -> str:
    """Return the language of ``text`` as a code of two letters; `ENGLISH` where nothing tells.

    `UNKNOWN` stands for a script that is not known here. Names, addresses and emoji do not count.
    """
    text = _NO_WORDS.sub(" ", text)
    if text.isascii():
        return _by_words(text)
    shares = {
        language: sum(1 for _ in letters.finditer(text)) * _SCRIPTS[language][1]
        for language, letters in _LETTERS.items()
    }
    if shares["ja"] > _KANA_SHARE * (shares["ja"] + shares["zh"]):
        shares["ja"] += shares.pop("zh")
    language = max(shares, key=shares.__getitem__)
    if not shares[language] or language == ENGLISH:
        return _by_words(text)
    if language == "ru" and _UKRAINIAN.search(text):
        return "uk"
    return "fa" if language == "ar" and _PERSIAN.search(text) else language


def tells_language(text: str) -> bool:
    """Return whether there is a letter in ``text`` that counts for `language_of`."""
    return _ANY_LETTER.search(_NO_WORDS.sub(" ", text)) is not None


def _by_words(text: str) -> str:
    """Return the language whose common words and letters ``text`` has most of."""
    found: Counter[str] = Counter()
    text = _STRETCHED.sub(r"\1\1\1\1", text.lower().replace("i̇", "i"))
    text = _LAUGHED.sub(r"\1\1", text)
    words = {match[0].replace("’", "'") for match in _WORD.finditer(text)}
    for word in sorted(words):
        for language, weight in _weight_of(word).items():
            found[language] += weight  # type: ignore[assignment]
    found[ENGLISH] += 0
    best = max(_COMMON_WORDS, key=lambda language: found[language])
    return best if found[best] >= _CERTAIN else ENGLISH


def _weight_of(word: str) -> Mapping[str, float]:
    known = _WEIGHT_OF.get(word)
    if known is not None:
        return known
    letters = _BY_LETTER_SET.intersection(word)
    return _shared(_BY_LETTER[letter] for letter in letters) if letters else {}


def _shared(choices: Iterable[list[str]]) -> dict[str, float]:
    """Return what letters say together: a language that has all of them is the likeliest."""
    counts = Counter(language for languages in choices for language in languages)
    most = max(counts.values())
    likely = [language for language, count in counts.items() if count == most]
    return {language: 1 / len(likely) for language in likely}
