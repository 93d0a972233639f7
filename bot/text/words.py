"""Words of our own, in the languages that `bot.text.languages` knows: what stands for a link or a sign."""

from __future__ import annotations

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


_TABLE: Final = {
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


def _words(row: str) -> OurWords:
    return OurWords(*(" ".join(word.split()) for word in row.split("|")))


WORDS: Final = {language: _words(row) for language, row in _TABLE.items()}
"""For every language that `language_of` may return."""

FIELDS: Final = tuple(field.name for field in fields(OurWords))
