"""Phrases of our own around a message, in the languages that `bot.text.languages` knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bot.text.languages import ENGLISH, UNKNOWN


@dataclass(frozen=True, slots=True)
class Phrases:
    """Phrases in one language. Those with ``{}`` say something about what is put in there.

    They begin with a colon's noun where a language would else have to agree with what is counted.
    """

    images: str
    videos: str
    sound: str
    sounds: str
    voice_message: str
    file: str
    files: str
    hidden: str
    sticker: str
    gif: str
    forwarded: str
    poll: str
    and_so_on: str
    joined: str
    left: str
    others: str


_TABLE: Final = {
    # In the order of the fields of `Phrases`, between bars.
    ENGLISH: """{} images|{} videos|a sound file|{} sound files|a voice message|a file|{} files
        |hidden: {}|sticker: {}|a GIF|forwarded: {}|poll: {}|and so on|{} joined|{} left|{} others""",
    "de": """{} Bilder|{} Videos|eine Tondatei|{} Tondateien|eine Sprachnachricht|eine Datei
        |{} Dateien|verdeckt: {}|Sticker: {}|ein GIF|weitergeleitet: {}|Umfrage: {}|und so weiter
        |{} ist da|{} ist weg|{} weitere""",
    "fr": """{} images|{} vidéos|un fichier audio|{} fichiers audio|un message vocal|un fichier
        |{} fichiers|masqué : {}|autocollant : {}|un GIF|transféré : {}|sondage : {}
        |et ainsi de suite|{} rejoint le salon|{} quitte le salon|{} autres""",
    "es": """{} imágenes|{} vídeos|un archivo de audio|{} archivos de audio|un mensaje de voz
        |un archivo|{} archivos|oculto: {}|pegatina: {}|un GIF|reenviado: {}|encuesta: {}|etcétera
        |{} entra|{} sale|{} más""",
    "pt": """{} imagens|{} vídeos|um arquivo de áudio|{} arquivos de áudio|uma mensagem de voz
        |um arquivo|{} arquivos|oculto: {}|figurinha: {}|um GIF|encaminhado: {}|enquete: {}
        |e assim por diante|{} entrou|{} saiu|mais {}""",
    "it": """{} immagini|{} video|un file audio|{} file audio|un messaggio vocale|un file|{} file
        |nascosto: {}|adesivo: {}|una GIF|inoltrato: {}|sondaggio: {}|e così via|{} entra|{} esce
        |altri {}""",
    "nl": """{} afbeeldingen|{} video's|een geluidsbestand|{} geluidsbestanden|een spraakbericht
        |een bestand|{} bestanden|verborgen: {}|sticker: {}|een gif|doorgestuurd: {}|peiling: {}
        |enzovoort|{} is erbij|{} is weg|{} anderen""",
    "sv": """{} bilder|{} videor|en ljudfil|{} ljudfiler|ett röstmeddelande|en fil|{} filer|dolt: {}
        |klistermärke: {}|en gif|vidarebefordrat: {}|omröstning: {}|och så vidare|{} gick med
        |{} gick ut|{} till""",
    "da": """{} billeder|{} videoer|en lydfil|{} lydfiler|en talebesked|en fil|{} filer|skjult: {}
        |klistermærke: {}|en gif|videresendt: {}|afstemning: {}|og så videre|{} kom ind|{} gik ud
        |{} andre""",
    "nb": """{} bilder|{} videoer|en lydfil|{} lydfiler|en talemelding|en fil|{} filer|skjult: {}
        |klistremerke: {}|en gif|videresendt: {}|avstemning: {}|og så videre|{} kom inn|{} gikk ut
        |{} andre""",
    "fi": """{} kuvaa|{} videota|äänitiedosto|{} äänitiedostoa|ääniviesti|tiedosto|{} tiedostoa
        |piilotettu: {}|tarra: {}|gif|välitetty: {}|kysely: {}|ja niin edelleen|{} liittyi
        |{} poistui|{} muuta""",
    "pl": """obrazy: {}|filmy: {}|plik dźwiękowy|pliki dźwiękowe: {}|wiadomość głosowa|plik
        |pliki: {}|ukryte: {}|naklejka: {}|gif|przekazane: {}|ankieta: {}|i tak dalej|dołącza {}
        |wychodzi {}|i jeszcze {}""",
    "cs": """obrázky: {}|videa: {}|zvukový soubor|zvukové soubory: {}|hlasová zpráva|soubor
        |soubory: {}|skryto: {}|nálepka: {}|gif|přeposláno: {}|anketa: {}|a tak dále|přichází {}
        |odchází {}|další: {}""",
    "hu": """{} kép|{} videó|egy hangfájl|{} hangfájl|egy hangüzenet|egy fájl|{} fájl|rejtett: {}
        |matrica: {}|egy gif|továbbítva: {}|szavazás: {}|és így tovább|{} belépett|{} kilépett
        |{} további""",
    "tr": """{} resim|{} video|bir ses dosyası|{} ses dosyası|bir sesli mesaj|bir dosya|{} dosya
        |gizli: {}|çıkartma: {}|bir GIF|iletildi: {}|anket: {}|ve benzeri|{} katıldı|{} ayrıldı
        |{} kişi daha""",
    "vi": """{} hình ảnh|{} video|một tệp âm thanh|{} tệp âm thanh|một tin nhắn thoại|một tệp|{} tệp
        |ẩn: {}|nhãn dán: {}|một ảnh GIF|chuyển tiếp: {}|bình chọn: {}|vân vân|{} đã vào
        |{} đã rời đi|{} người khác""",
    "id": """{} gambar|{} video|file suara|{} file suara|pesan suara|file|{} file|tersembunyi: {}
        |stiker: {}|GIF|diteruskan: {}|jajak pendapat: {}|dan seterusnya|{} bergabung|{} keluar
        |{} lainnya""",
    "ca": """{} imatges|{} vídeos|un fitxer de so|{} fitxers de so|un missatge de veu|un fitxer
        |{} fitxers|ocult: {}|adhesiu: {}|un GIF|reenviat: {}|enquesta: {}|etcètera|{} entra|{} surt
        |{} més""",
    "ro": """{} imagini|{} videoclipuri|un fișier audio|{} fișiere audio|un mesaj vocal|un fișier
        |{} fișiere|ascuns: {}|autocolant: {}|un GIF|redirecționat: {}|sondaj: {}|și așa mai departe
        |intră {}|iese {}|încă {}""",
    "ru": """изображения: {}|видео: {}|аудиофайл|аудиофайлы: {}|голосовое сообщение|файл|файлы: {}
        |скрыто: {}|стикер: {}|гифка|переслано: {}|опрос: {}|и так далее|заходит {}|выходит {}
        |и ещё {}""",
    "uk": """зображення: {}|відео: {}|аудіофайл|аудіофайли: {}|голосове повідомлення|файл|файли: {}
        |приховано: {}|стікер: {}|гіфка|переслано: {}|опитування: {}|і так далі|заходить {}
        |виходить {}|і ще {}""",
    "el": """{} εικόνες|{} βίντεο|ένα αρχείο ήχου|{} αρχεία ήχου|ένα φωνητικό μήνυμα|ένα αρχείο
        |{} αρχεία|κρυφό: {}|αυτοκόλλητο: {}|ένα gif|προώθηση: {}|δημοσκόπηση: {}|και ούτω καθεξής
        |μπαίνει {}|βγαίνει {}|{} ακόμα""",
    "he": """{} תמונות|{} סרטונים|קובץ קול|{} קובצי קול|הודעה קולית|קובץ|{} קבצים|מוסתר: {}
        |מדבקה: {}|גיף|הועבר: {}|סקר: {}|וכן הלאה|נכנסים: {}|יוצאים: {}|ועוד {}""",
    "ar": """{} صور|{} فيديوهات|ملف صوتي|{} ملفات صوتية|رسالة صوتية|ملف|{} ملفات|مخفي: {}|ملصق: {}
        |صورة متحركة|رسالة محولة: {}|استطلاع: {}|وهكذا|انضم {}|غادر {}|و{} آخرون""",
    "fa": """{} تصویر|{} ویدیو|یک فایل صوتی|{} فایل صوتی|یک پیام صوتی|یک فایل|{} فایل|پنهان: {}
        |برچسب: {}|یک گیف|بازارسال: {}|نظرسنجی: {}|و غیره|{} آمد|{} رفت|{} نفر دیگر""",
    "hi": """{} तस्वीरें|{} वीडियो|एक ऑडियो फ़ाइल|{} ऑडियो फ़ाइलें|एक वॉइस मैसेज|एक फ़ाइल|{} फ़ाइलें
        |छिपा हुआ: {}|स्टिकर: {}|एक जिफ़|फ़ॉरवर्ड किया गया: {}|मतदान: {}|वगैरह|{} शामिल हुए
        |{} चले गए|{} और""",
    "th": """รูปภาพ {} รูป|วิดีโอ {} รายการ|ไฟล์เสียง|ไฟล์เสียง {} ไฟล์|ข้อความเสียง|ไฟล์
        |ไฟล์ {} ไฟล์|ซ่อนอยู่: {}|สติกเกอร์: {}|ภาพเคลื่อนไหว|ส่งต่อ: {}|โพล: {}|และอื่นๆ
        |{} เข้ามาแล้ว|{} ออกไปแล้ว|อีก {} คน""",
    "ja": """画像{}枚|動画{}本|音声ファイル|音声ファイル{}個|ボイスメッセージ|ファイル|ファイル{}個
        |非表示、{}|スタンプ、{}|ジフ画像|転送、{}|アンケート、{}|以下略|{}が入りました
        |{}が抜けました|ほか{}人""",
    "zh": """{}张图片|{}个视频|一个音频文件|{}个音频文件|一条语音消息|一个文件|{}个文件|隐藏内容：{}
        |贴纸：{}|动图|转发：{}|投票：{}|等等|{}加入了|{}离开了|另外{}人""",
    "ko": """이미지 {}장|동영상 {}개|음성 파일|음성 파일 {}개|음성 메시지|파일|파일 {}개|숨김: {}
        |스티커: {}|움직이는 이미지|전달됨: {}|투표: {}|이하 생략|{} 입장|{} 퇴장|외 {}명""",
    # A script we have no words for: what can be said without any.
    UNKNOWN: """...|...|...|...|...|...|...|{}|{}|...|{}|{}|...|...|...|{}""",
}


def _phrases(row: str) -> Phrases:
    return Phrases(*(" ".join(phrase.split()) for phrase in row.split("|")))


PHRASES: Final = {language: _phrases(row) for language, row in _TABLE.items()}
"""For every language that `language_of` may return."""
