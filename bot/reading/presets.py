"""Presets of a dictionary: what people abbreviate in chats, in several languages, as it is said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class Preset:
    """A list of abbreviations: what members call it, and how each word is said."""

    title: str
    words: Mapping[str, str]


def _preset(title: str, table: str) -> Preset:
    rows = (line.partition("=") for line in table.split("|"))
    return Preset(title, MappingProxyType({word.strip(): " ".join(said.split()) for word, _, said in rows}))


PRESETS: Final[Mapping[str, Preset]] = MappingProxyType({
    # Only what is an abbreviation and nothing else: no word that somebody may mean as it stands.
    "en": _preset(
        "English",
        """afaik=as far as I know|afk=away from keyboard|asap=as soon as possible|atm=at the moment
        |bbl=be back later|brb=be right back|btw=by the way|cya=see you|dm=direct message|dw=don't worry
        |fr=for real|ftw=for the win|fyi=for your information|gg=good game|ggwp=good game, well played
        |gj=good job|glhf=good luck, have fun|gm=good morning|gn=good night|gtg=got to go
        |hbu=how about you|hmu=hit me up|icymi=in case you missed it|idc=I don't care|idk=I don't know
        |iirc=if I recall correctly|ikr=I know, right|ily=I love you|imo=in my opinion
        |imho=in my humble opinion|irl=in real life|jk=just kidding|lmk=let me know
        |lol=laughing out loud|lmao=laughing my head off|mb=my bad|ngl=not going to lie|np=no problem
        |nvm=never mind|omg=oh my god|omw=on my way|pls=please|plz=please|ppl=people|rn=right now
        |rofl=rolling on the floor laughing|smh=shaking my head|tbf=to be fair|tbh=to be honest
        |thx=thanks|tldr=too long, didn't read|ttyl=talk to you later|ty=thank you
        |tysm=thank you so much|wb=welcome back|wdym=what do you mean|wp=well played|wtf=what the heck
        |wyd=what are you doing|yw=you're welcome""",
    ),
    "de": _preset(
        "Deutsch",
        """bd=bis dann|bg=bis gleich|bm=bis morgen|bs=bis später|ka=keine Ahnung|kb=kein Bock
        |kp=kein Plan|kv=kein Vertrauen|lg=liebe Grüße|mfg=mit freundlichen Grüßen
        |mmn=meiner Meinung nach|mom=Moment|vlg=viele liebe Grüße|vg=viele Grüße|vllt=vielleicht
        |wmd=was machst du|zb=zum Beispiel|bzw=beziehungsweise|evtl=eventuell|eig=eigentlich
        |iwas=irgendwas|iwie=irgendwie|iwann=irgendwann|iwo=irgendwo|jmd=jemand|hdl=hab dich lieb
        |gn8=gute Nacht|gm=guten Morgen|kk=alles klar""",
    ),
    "fr": _preset(
        "Français",
        """askip=à ce qu'il paraît|bcp=beaucoup|bjr=bonjour|bsr=bonsoir|càd=c'est-à-dire
        |cad=c'est-à-dire|cc=coucou|dac=d'accord|dsl=désolé|jsp=je ne sais pas|jpp=j'en peux plus
        |mdr=mort de rire|msg=message|pcq=parce que|pk=pourquoi|pq=pourquoi|pr=pour|ptdr=pété de rire
        |qqch=quelque chose|qqn=quelqu'un|rdv=rendez-vous|rtt=retour tout de suite|slt=salut
        |stp=s'il te plaît|svp=s'il vous plaît|tfk=tu fais quoi|tg=tais-toi|tjrs=toujours|tkt=t'inquiète
        |tlm=tout le monde|vrm=vraiment|jtm=je t'aime|mtn=maintenant|ajd=aujourd'hui""",
    ),
    "es": _preset(
        "Español",
        """bn=bien|cdo=cuando|finde=fin de semana|grax=gracias|mñn=mañana|msj=mensaje|npi=ni idea
        |ntp=no te preocupes|pf=por favor|pls=por favor|pq=porque|porfa=por favor|salu2=saludos
        |tb=también|tmb=también|tkm=te quiero mucho|tqm=te quiero mucho|vdd=verdad|xa=para|xd=ja ja
        |xfa=por favor|xq=porque|ntc=no te creas""",
    ),
    "pt": _preset(
        "Português",
        """abs=abraços|add=adiciona|blz=beleza|bjs=beijos|cmg=comigo|ctg=contigo|dps=depois
        |fds=fim de semana|flw=falou|hj=hoje|kd=cadê|mds=meu Deus|msg=mensagem|mt=muito|mto=muito
        |nd=nada|ngm=ninguém|obg=obrigado|pfv=por favor|pq=porque|qdo=quando|qnd=quando|sdds=saudades
        |slk=se liga|smp=sempre|tb=também|tbm=também|tlgd=tá ligado|tmj=tamo junto|vc=você|vcs=vocês
        |vdd=verdade|vlw=valeu""",
    ),
    "it": _preset(
        "Italiano",
        """cmq=comunque|cvd=come volevasi dimostrare|dv=dove|grz=grazie|msg=messaggio|nn=non|pk=perché
        |pls=per favore|prg=prego|qlc=qualche|qlcn=qualcuno|qlcs=qualcosa|qnd=quando|risp=rispondi
        |tvb=ti voglio bene|tvtb=ti voglio tanto bene|xché=perché|xke=perché|xkè=perché|xò=però
        |asp=aspetta|cs=cosa""",
    ),
    "nl": _preset(
        "Nederlands",
        """aub=alsjeblieft|bvd=bij voorbaat dank|egt=echt|hvj=hou van je|idd=inderdaad|ff=even
        |gwn=gewoon|iig=in ieder geval|ipv=in plaats van|mss=misschien|nvt=niet van toepassing
        |ofc=natuurlijk|svp=alsjeblieft|tog=toch|wrm=waarom|wss=waarschijnlijk|vgm=volgens mij
        |ivm=in verband met""",
    ),
    "pl": _preset(
        "Polski",
        """bd=będę|cb=ciebie|cn=co nowego|db=dobrze|dzk=dzięki|jbc=jakby co|kc=kocham cię|mb=może być
        |nmzc=nie ma za co|nwm=nie wiem|nw=nie wiem|nzmc=nie ma za co|oc=o co chodzi|pozdro=pozdrawiam
        |pls=proszę|pw=prywatna wiadomość|spk=spoko|szt=sztuka|tz=to znaczy|wgl=w ogóle|xd=ha ha
        |zw=zaraz wracam|zara=zaraz|jj=jasne""",
    ),
    "ru": _preset(
        "Русский",
        """др=день рождения|кст=кстати|лс=личные сообщения|мб=может быть|нзч=не за что|нз=не знаю
        |норм=нормально|ок=окей|оч=очень|пж=пожалуйста|плз=пожалуйста|пжл=пожалуйста|прив=привет
        |пон=понятно|ппц=капец|сек=секунду|спс=спасибо|спок=спокойной ночи|тк=так как|хз=не знаю
        |хор=хорошо|чд=что делаешь|чё=что|щас=сейчас|ща=сейчас|кд=перезарядка""",
    ),
    "tr": _preset(
        "Türkçe",
        """aeo=Allah'a emanet ol|as=aleyküm selam|bknz=bakınız|bi=bir|bşy=bir şey|grşrz=görüşürüz
        |hb=hoş bulduk|hg=hoş geldin|hrkt=hareket|kib=kendine iyi bak|knk=kanka|mrb=merhaba|nbr=ne haber
        |nslsn=nasılsın|sa=selamün aleyküm|slm=selam|snn=senin|tmm=tamam|tşk=teşekkürler
        |tşkler=teşekkürler|vs=vesaire|yha=ya""",
    ),
})  # fmt: skip
"""The lists that a server can switch on, by the language they are in."""
