"""What a voice says while it is being designed: about seven seconds, in the member's language."""

from __future__ import annotations

from typing import Final

_SENTENCES: Final = {
    "en": "Good morning and welcome, the kettle is on, the rain has stopped, "
    "and there is plenty of time for a good story.",
    "de": "Guten Morgen und willkommen, der Tee ist fertig, der Regen hat aufgehört, "
    "und wir haben viel Zeit für eine gute Geschichte.",
    "fr": "Bonjour et bienvenue, le thé est prêt, la pluie a cessé, "
    "et nous avons tout le temps pour une belle histoire.",
    "es": "Buenos días y bienvenidos, el té está listo, ha dejado de llover "
    "y tenemos mucho tiempo para una buena historia.",
    "it": "Buongiorno e benvenuti, il tè è pronto, ha smesso di piovere "
    "e abbiamo tutto il tempo per una bella storia.",
    "pt": "Bom dia e sejam bem-vindos, o chá está pronto, a chuva parou "
    "e temos bastante tempo para uma boa história.",
    "nl": "Goedemorgen en welkom, de thee is klaar, het regent niet meer, "
    "en we hebben alle tijd voor een mooi verhaal.",
}
_ENGLISH: Final = "en"


def sample_in(locale: str) -> tuple[str, str]:
    """Return the language of the sample for a member whose Discord speaks ``locale``, and the sample."""
    language = locale.partition("-")[0]
    if language not in _SENTENCES:
        language = _ENGLISH
    return language, _SENTENCES[language]
