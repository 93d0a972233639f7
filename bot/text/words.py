"""Words of our own, in the languages that `bot.text.languages` knows.

`OurWords` stand for a link or a sign, `Phrases` around a message that is read aloud.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Final

from bot.text.languages import ENGLISH, UNKNOWN


@dataclass(frozen=True, slots=True)
class OurWords:
    """Our own words in one language. Those with ``{}`` say something about what is put in there."""

    link: str
    link_to: str
    image: str
    video: str
    code_block: str
    spoiler: str
    someone: str
    channel: str
    role: str
    command: str
    some_time: str
    page: str
    at: str
    dot: str
    times: str
    power: str
    less: str
    greater: str
    at_most: str
    at_least: str
    unequal: str
    about: str
    number: str
    heart: str
    broken_heart: str
    bleep: str
    stars: str
    either: str
    star: str
    bar: str
    tilde: str
    caret: str
    underscore: str
    backslash: str
    backtick: str
    hash_sign: str
    shrug: str = ""


_WORD_TABLE: Final = {
    # In the order of the fields of `OurWords`, between bars.
    ENGLISH: """a link|link to {}|an image|a video|code block|spoiler|someone|a channel|a role|a command
        |some time|the {} page|at|dot|times|to the power of|less than|greater than|less than or equal to
        |greater than or equal to|not equal to|about|number|heart|broken heart|bleep|{} out of {} stars|or
        |star|bar|tilde|caret|underscore|backslash|backtick|hash|shrug""",
    "de": """ein Link|Link zu {}|ein Bild|ein Video|Codeblock|Spoiler|jemand|ein Kanal|eine Rolle|ein Befehl
        |irgendwann|die Seite {}|ät|Punkt|mal|hoch|kleiner als|größer als|kleiner oder gleich
        |größer oder gleich|ungleich|etwa|Nummer|Herz|gebrochenes Herz|piep|{} von {} Sternen|oder
        |Stern|senkrechter Strich|Tilde|Zirkumflex|Unterstrich|Backslash|Backtick|Raute""",
    "fr": """un lien|lien vers {}|une image|une vidéo|bloc de code|divulgâchage|quelqu'un|un salon|un rôle
        |une commande|un moment|la page {}|arobase|point|fois|puissance|inférieur à|supérieur à
        |inférieur ou égal à|supérieur ou égal à|différent de|environ|numéro|cœur|cœur brisé|bip
        |{} étoiles sur {}|ou|étoile|barre verticale|tilde|accent circonflexe|tiret bas|barre oblique inverse
        |accent grave|croisillon""",
    "es": """un enlace|enlace a {}|una imagen|un vídeo|bloque de código|destripe|alguien|un canal|un rol
        |un comando|algún momento|la página {}|arroba|punto|por|elevado a|menor que|mayor que
        |menor o igual que|mayor o igual que|distinto de|unos|número|corazón|corazón roto|pip
        |{} de {} estrellas|o|asterisco|barra vertical|tilde|acento circunflejo|guion bajo|barra invertida
        |acento grave|almohadilla""",
    "pt": """um link|link para {}|uma imagem|um vídeo|bloco de código|revelação|alguém|um canal|um cargo
        |um comando|algum momento|a página {}|arroba|ponto|vezes|elevado a|menor que|maior que
        |menor ou igual a|maior ou igual a|diferente de|cerca de|número|coração|coração partido|pi
        |{} de {} estrelas|ou|asterisco|barra vertical|til|circunflexo|sublinhado|barra invertida|crase
        |cerquilha""",
    "it": """un link|link a {}|un'immagine|un video|blocco di codice|anticipazione|qualcuno|un canale|un ruolo
        |un comando|un certo momento|la pagina {}|chiocciola|punto|per|elevato a|minore di|maggiore di
        |minore o uguale a|maggiore o uguale a|diverso da|circa|numero|cuore|cuore spezzato|bip
        |{} stelle su {}|o|asterisco|barra verticale|tilde|accento circonflesso|trattino basso
        |barra rovesciata|accento grave|cancelletto""",
    "nl": """een link|link naar {}|een afbeelding|een video|codeblok|verklapper|iemand|een kanaal|een rol
        |een opdracht|ooit|de pagina {}|apenstaartje|punt|keer|tot de macht|kleiner dan|groter dan
        |kleiner dan of gelijk aan|groter dan of gelijk aan|ongelijk aan|ongeveer|nummer|hart|gebroken hart
        |piep|{} van de {} sterren|of|sterretje|verticale streep|tilde|dakje|liggend streepje|backslash
        |accent grave|hekje""",
    "sv": """en länk|länk till {}|en bild|en video|kodblock|avslöjande|någon|en kanal|en roll|ett kommando
        |någon gång|sidan {}|snabel-a|punkt|gånger|upphöjt till|mindre än|större än
        |mindre än eller lika med|större än eller lika med|inte lika med|ungefär|nummer|hjärta|brustet hjärta
        |pip|{} av {} stjärnor|eller|asterisk|lodstreck|tilde|cirkumflex|understreck|omvänt snedstreck
        |grav accent|fyrkant""",
    "da": """et link|link til {}|et billede|en video|kodeblok|afsløring|nogen|en kanal|en rolle|en kommando
        |engang|siden {}|snabel-a|punktum|gange|i|mindre end|større end|mindre end eller lig med
        |større end eller lig med|ikke lig med|cirka|nummer|hjerte|knust hjerte|bip|{} ud af {} stjerner|eller
        |stjerne|lodret streg|tilde|cirkumfleks|understreg|omvendt skråstreg|accent grave|havelåge""",
    "nb": """en lenke|lenke til {}|et bilde|en video|kodeblokk|avsløring|noen|en kanal|en rolle|en kommando
        |en gang|siden {}|krøllalfa|punktum|ganger|opphøyd i|mindre enn|større enn|mindre enn eller lik
        |større enn eller lik|ikke lik|omtrent|nummer|hjerte|knust hjerte|pip|{} av {} stjerner|eller|stjerne
        |loddrett strek|tilde|cirkumfleks|understrek|omvendt skråstrek|gravis|nummertegn""",
    "fi": """linkki|linkki osoitteeseen {}|kuva|video|koodilohko|juonipaljastus|joku|kanava|rooli|komento
        |joskus|sivu {}|ät|piste|kertaa|potenssiin|pienempi kuin|suurempi kuin
        |pienempi tai yhtä suuri kuin|suurempi tai yhtä suuri kuin|eri kuin|noin|numero|sydän|särkynyt sydän
        |piip|{} tähteä, kun enintään {}|tai|tähti|pystyviiva|tilde|sirkumfleksi|alaviiva|kenoviiva|gravis
        |risuaita""",
    "pl": """link|link do {}|obraz|film|blok kodu|zdradzenie fabuły|ktoś|kanał|rola|polecenie|kiedyś
        |strona {}|małpa|kropka|razy|do potęgi|mniejsze niż|większe niż|mniejsze lub równe
        |większe lub równe|różne od|około|numer|serce|złamane serce|pip|{} na {} gwiazdek|lub|gwiazdka
        |kreska pionowa|tylda|daszek|podkreślnik|ukośnik wsteczny|grawis|krzyżyk""",
    "cs": """odkaz|odkaz na {}|obrázek|video|blok kódu|prozrazení|někdo|kanál|role|příkaz|někdy|stránka {}
        |zavináč|tečka|krát|na|menší než|větší než|menší nebo rovno|větší nebo rovno|nerovná se|asi|číslo
        |srdce|zlomené srdce|píp|{} z {} hvězdiček|nebo|hvězdička|svislá čára|vlnovka|stříška|podtržítko
        |zpětné lomítko|obrácená čárka|křížek""",
    "hu": """egy link|link ide: {}|egy kép|egy videó|kódblokk|spoiler|valaki|egy csatorna|egy rang
        |egy parancs|valamikor|a {} oldal|kukac|pont|szor|a hatványon|kisebb mint|nagyobb mint
        |kisebb vagy egyenlő|nagyobb vagy egyenlő|nem egyenlő|körülbelül|szám|szív|összetört szív|sípszó
        |{} csillag az {}-ből|vagy|csillag|függőleges vonal|hullámvonal|kalap|aláhúzás|fordított perjel
        |fordított aposztróf|kettőskereszt""",
    "tr": """bir bağlantı|bağlantı {}|bir resim|bir video|kod bloğu|sürprizbozan|biri|bir kanal|bir rol
        |bir komut|bir zaman|{} sayfası|et|nokta|çarpı|üzeri|küçüktür|büyüktür|küçük eşittir|büyük eşittir
        |eşit değildir|yaklaşık|numara|kalp|kırık kalp|bip|{} yıldız, en fazla {}|veya|yıldız|dikey çizgi
        |tilde|şapka|alt çizgi|ters eğik çizgi|ters tırnak|kare""",
    "vi": """một liên kết|liên kết tới {}|một hình ảnh|một video|khối mã|tiết lộ nội dung|ai đó|một kênh
        |một vai trò|một lệnh|lúc nào đó|trang {}|a còng|chấm|nhân|mũ|nhỏ hơn|lớn hơn|nhỏ hơn hoặc bằng
        |lớn hơn hoặc bằng|khác|khoảng|số|trái tim|trái tim tan vỡ|bíp|{} trên {} sao|hoặc|dấu sao
        |gạch đứng|dấu ngã|dấu mũ|gạch dưới|gạch chéo ngược|dấu huyền|dấu thăng""",
    "id": """tautan|tautan ke {}|gambar|video|blok kode|bocoran cerita|seseorang|sebuah kanal|sebuah peran
        |sebuah perintah|suatu waktu|halaman {}|at|titik|kali|pangkat|kurang dari|lebih dari
        |kurang dari atau sama dengan|lebih dari atau sama dengan|tidak sama dengan|sekitar|nomor|hati
        |patah hati|bip|{} dari {} bintang|atau|bintang|garis tegak|tilde|tanda sisipan|garis bawah
        |garis miring terbalik|aksen nontirus|tanda pagar""",
    "ca": """un enllaç|enllaç a {}|una imatge|un vídeo|bloc de codi|espòiler|algú|un canal|un rol|una ordre
        |algun moment|la pàgina {}|arrova|punt|per|elevat a|menor que|major que|menor o igual que
        |major o igual que|diferent de|uns|número|cor|cor trencat|pip|{} de {} estrelles|o|asterisc
        |barra vertical|titlla|circumflex|guió baix|barra invertida|accent greu|coixinet""",
    "ro": """un link|link către {}|o imagine|un videoclip|bloc de cod|dezvăluire|cineva|un canal|un rol
        |o comandă|cândva|pagina {}|arond|punct|ori|la puterea|mai mic decât|mai mare decât
        |mai mic sau egal cu|mai mare sau egal cu|diferit de|cam|numărul|inimă|inimă frântă|bip
        |{} din {} stele|sau|asterisc|bară verticală|tildă|circumflex|linie de subliniere
        |bară oblică inversă|accent grav|diez""",
    "ru": """ссылка|ссылка на {}|картинка|видео|блок кода|спойлер|кто-то|канал|роль|команда|когда-то
        |страница {}|собака|точка|умножить на|в степени|меньше|больше|меньше или равно|больше или равно
        |не равно|около|номер|сердце|разбитое сердце|пип|{} из {} звёзд|или|звёздочка|вертикальная черта
        |тильда|крышка|подчёркивание|обратная косая черта|обратная кавычка|решётка""",
    "uk": """посилання|посилання на {}|зображення|відео|блок коду|спойлер|хтось|канал|роль|команда|колись
        |сторінка {}|равлик|крапка|помножити на|у степені|менше|більше|менше або дорівнює
        |більше або дорівнює|не дорівнює|близько|номер|серце|розбите серце|піп|{} із {} зірок|або|зірочка
        |вертикальна риска|тильда|дашок|підкреслення|зворотна коса риска|зворотний апостроф|решітка""",
    "el": """σύνδεσμος|σύνδεσμος προς {}|εικόνα|βίντεο|μπλοκ κώδικα|σπόιλερ|κάποιος|ένα κανάλι|ένας ρόλος
        |μια εντολή|κάποτε|η σελίδα {}|παπάκι|τελεία|επί|στη δύναμη|μικρότερο από|μεγαλύτερο από
        |μικρότερο ή ίσο με|μεγαλύτερο ή ίσο με|διάφορο του|περίπου|αριθμός|καρδιά|ραγισμένη καρδιά|μπιπ
        |{} από {} αστέρια|ή|αστερίσκος|κάθετη γραμμή|περισπωμένη|εκθέτης|κάτω παύλα|ανάποδη κάθετος
        |βαρεία|δίεση""",
    "he": """קישור|קישור אל {}|תמונה|סרטון|בלוק קוד|ספוילר|מישהו|ערוץ|תפקיד|פקודה|מתישהו|הדף {}|שטרודל
        |נקודה|כפול|בחזקת|קטן מ|גדול מ|קטן או שווה ל|גדול או שווה ל|שונה מ|בערך|מספר|לב|לב שבור|ביפ
        |{} מתוך {} כוכבים|או|כוכבית|קו אנכי|טילדה|גג|קו תחתון|לוכסן הפוך|גרש הפוך|סולמית""",
    "ar": """رابط|رابط إلى {}|صورة|فيديو|كتلة برمجية|حرق للأحداث|شخص ما|قناة|رتبة|أمر|وقت ما|صفحة {}|آت
        |نقطة|ضرب|أس|أصغر من|أكبر من|أصغر من أو يساوي|أكبر من أو يساوي|لا يساوي|حوالي|رقم|قلب|قلب مكسور
        |بيب|{} من {} نجوم|أو|نجمة|خط عمودي|علامة المد|علامة الإقحام|شرطة سفلية|شرطة مائلة عكسية
        |علامة النبرة|مربع""",
    "fa": """پیوند|پیوند به {}|تصویر|ویدیو|بلوک کد|لو دادن داستان|کسی|یک کانال|یک نقش|یک دستور|زمانی
        |صفحه {}|ات|نقطه|ضربدر|به توان|کوچکتر از|بزرگتر از|کوچکتر یا مساوی|بزرگتر یا مساوی|نامساوی|حدود
        |شماره|قلب|قلب شکسته|بیپ|{} از {} ستاره|یا|ستاره|خط عمودی|مد|هشتک|زیرخط|خط کج وارونه|گریو|مربع""",
    "hi": """एक लिंक|{} का लिंक|एक तस्वीर|एक वीडियो|कोड ब्लॉक|स्पॉइलर|कोई|एक चैनल|एक भूमिका|एक आदेश
        |कभी|{} पेज|ऐट|डॉट|गुणा|की घात|से कम|से ज़्यादा|से कम या बराबर|से ज़्यादा या बराबर|बराबर नहीं|लगभग
        |नंबर|दिल|टूटा दिल|बीप|{} में से {} सितारे|या|तारा|खड़ी रेखा|टिल्ड|कैरेट|अंडरस्कोर|बैकस्लैश|बैकटिक|हैश""",
    "th": """ลิงก์|ลิงก์ไปที่ {}|รูปภาพ|วิดีโอ|บล็อกโค้ด|สปอยล์|ใครบางคน|ช่อง|บทบาท|คำสั่ง|สักเวลา|หน้า {}
        |แอท|จุด|คูณ|ยกกำลัง|น้อยกว่า|มากกว่า|น้อยกว่าหรือเท่ากับ|มากกว่าหรือเท่ากับ|ไม่เท่ากับ|ประมาณ
        |หมายเลข|หัวใจ|หัวใจสลาย|ปี๊บ|{} จาก {} ดาว|หรือ|ดอกจัน|ขีดตั้ง|ตัวหนอน|แคเรต|ขีดล่าง|ทับกลับหลัง
        |แบ็กทิก|สี่เหลี่ยม""",
    "ja": """リンク|{}へのリンク|画像|動画|コードブロック|ネタバレ|誰か|チャンネル|ロール|コマンド|いつか
        |{}のページ|アットマーク|ドット|かける|の|小なり|大なり|以下|以上|ノットイコール|約|ナンバー|ハート
        |失恋|ピー|星{}つ、満点は{}|または|アスタリスク|縦棒|チルダ|キャレット|アンダーバー|バックスラッシュ
        |バッククォート|シャープ""",
    "zh": """链接|{}的链接|图片|视频|代码块|剧透|某人|一个频道|一个身份组|一个命令|某个时候|{}页面|艾特|点
        |乘以|的幂|小于|大于|小于等于|大于等于|不等于|大约|号码|爱心|心碎|哔|{}星，满分{}星|或|星号|竖线
        |波浪号|脱字符|下划线|反斜杠|反引号|井号""",
    "ko": """링크|{} 링크|이미지|동영상|코드 블록|스포일러|누군가|채널|역할|명령어|언젠가|{} 페이지|골뱅이|점
        |곱하기|의 거듭제곱|보다 작은|보다 큰|작거나 같은|크거나 같은|같지 않은|약|번호|하트|깨진 하트|삐
        |별 {}개, 만점 {}개|또는|별표|세로줄|물결표|캐럿|밑줄|백슬래시|백틱|우물 정""",
    # A script we have no words for: what can be said without any.
    UNKNOWN: """...|{}|...|...|...|...|...|...|...|...|...|{}|@|.|×|...|...|...|≤|≥|≠|...|№|...|...|...
        |{}/{}|...|...|...|...|...|...|...|...|...""",
}


def _between_bars(row: str) -> Iterator[str]:
    return (" ".join(words.split()) for words in row.split("|"))


WORDS: Final = {language: OurWords(*_between_bars(row)) for language, row in _WORD_TABLE.items()}
"""For every language that `language_of` may return."""

FIELDS: Final = tuple(field.name for field in fields(OurWords))


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


_PHRASE_TABLE: Final = {
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


PHRASES: Final = {language: Phrases(*_between_bars(row)) for language, row in _PHRASE_TABLE.items()}
"""For every language that `language_of` may return."""
