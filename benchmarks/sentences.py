"""Sentences in twenty-four languages: what the figures on speaking time, pacing and takes are made with.

Plain prose of ours, long and short, with the numbers and signs that people write.
"""

from __future__ import annotations

from typing import Final

SENTENCES: Final = {
    "en": (
        "See you at eight.",
        "The library closes early on Fridays, so please bring the books back before noon.",
        "Nobody expected the old bicycle to survive the winter, but there it was, rusty and proud.",
        "Turn left behind the bakery, walk past the fountain, and you will find a small green door.",
        "We counted 1,250 boats in the bay, and only 3 of them were moving.",
        "Could you tell me when the next bus leaves?",
        "My grandmother used to say that soup tastes best when you have to wait for it, which is why she "
        "never let us come into the kitchen before the table was laid and everybody had washed their hands.",
    ),
    "de": (
        "Bis heute Abend!",
        "Die Bücherei schließt freitags früher, deshalb bring die Bücher bitte vor zwölf Uhr zurück.",
        "Im Hof steht ein alter Apfelbaum, unter dem wir im Sommer gern zu Mittag essen.",
        "Der Zug hat wegen einer Baustelle ungefähr 25 Minuten Verspätung.",
        "Weißt du, ob morgen jemand den Hund ausführen kann?",
        "Als der Regen endlich aufhörte, gingen wir hinunter zum Fluss, wo das Wasser schon über die Wiesen "
        "lief und die Kinder aus Brettern ein Floß bauten.",
    ),
    "fr": (
        "À tout à l'heure !",
        "La bibliothèque ferme plus tôt le vendredi, alors pensez à rapporter vos livres avant midi.",
        "Le marché se tient chaque samedi sur la place, derrière la vieille église.",
        "Est-ce que quelqu'un pourrait garder le chat pendant les vacances ?",
        "Il reste 14 places dans le car de 18 h 30.",
        "Quand la pluie a cessé, nous sommes descendus jusqu'à la rivière, où les enfants construisaient un "
        "radeau avec de vieilles planches.",
    ),
    "es": (
        "Nos vemos luego.",
        "La biblioteca cierra temprano los viernes, así que devuelve los libros antes del mediodía.",
        "En el patio hay un limonero viejo que todavía da fruta cada invierno.",
        "¿Alguien sabe a qué hora sale el próximo tren para Sevilla?",
        "El museo recibió 2350 visitas en una sola semana.",
        "Cuando por fin dejó de llover bajamos hasta el río, donde los niños estaban construyendo una balsa "
        "con tablas viejas y cuerdas.",
    ),
    "it": (
        "A più tardi!",
        "La biblioteca il venerdì chiude prima, quindi riporta i libri entro mezzogiorno.",
        "Nel cortile c'è un vecchio melo, e d'estate mangiamo volentieri alla sua ombra.",
        "Qualcuno sa quando parte il prossimo traghetto per l'isola?",
        "Il biglietto costa 12 euro, ma i bambini entrano gratis.",
    ),
    "pt": (
        "Até logo.",
        "A biblioteca fecha mais cedo às sextas, por isso devolva os livros antes do meio-dia.",
        "No quintal há uma velha macieira, e no verão almoçamos à sombra dela.",
        "Alguém sabe a que horas sai o próximo ônibus para o centro?",
        "Quando a chuva parou, descemos até o rio, onde as crianças faziam uma jangada com tábuas velhas.",
    ),
    "nl": (
        "Tot straks!",
        "De bibliotheek sluit op vrijdag vroeger, dus breng de boeken voor twaalf uur terug.",
        "In de tuin staat een oude appelboom waar we in de zomer graag onder zitten.",
        "Weet iemand hoe laat de volgende trein naar Utrecht vertrekt?",
        "Toen het eindelijk ophield met regenen, liepen we naar de rivier, waar kinderen een vlot bouwden.",
    ),
    "pl": (
        "Do zobaczenia.",
        "Biblioteka w piątki zamykana jest wcześniej, więc proszę oddać książki przed południem.",
        "Na podwórku rośnie stara jabłoń, pod którą latem chętnie jemy obiad.",
        "Czy ktoś wie, o której odjeżdża następny autobus?",
        "Kiedy wreszcie przestało padać, poszliśmy nad rzekę, gdzie dzieci budowały tratwę ze starych desek.",
    ),
    "sv": (
        "Vi ses ikväll!",
        "Biblioteket stänger tidigare på fredagar, så lämna tillbaka böckerna före klockan tolv.",
        "På gården står ett gammalt äppelträd som vi gärna äter under på sommaren.",
        "Vet någon när nästa buss går till stationen?",
    ),
    "fi": (
        "Nähdään illalla!",
        "Kirjasto sulkeutuu perjantaisin aikaisemmin, joten palauta kirjat ennen puoltapäivää.",
        "Pihalla kasvaa vanha omenapuu, jonka alla syömme kesäisin mielellämme lounasta.",
        "Tietääkö joku, milloin seuraava juna lähtee?",
    ),
    "tr": (
        "Akşama görüşürüz.",
        "Kütüphane cuma günleri erken kapanıyor, bu yüzden kitapları öğleden önce geri getirin.",
        "Bahçede yaşlı bir elma ağacı var, yazın onun altında yemek yemeyi severiz.",
        "Bir sonraki otobüsün ne zaman kalkacağını bilen var mı?",
    ),
    "id": (
        "Sampai jumpa nanti.",
        "Perpustakaan tutup lebih awal pada hari Jumat, jadi tolong kembalikan bukunya sebelum siang.",
        "Di halaman ada pohon mangga tua, dan kami suka makan di bawahnya.",
        "Apakah ada yang tahu kapan bus berikutnya berangkat?",
    ),
    "vi": (
        "Hẹn gặp lại nhé.",
        "Thư viện đóng cửa sớm vào thứ sáu, vì vậy xin hãy trả sách trước buổi trưa.",
        "Trong sân có một cây xoài già, mùa hè chúng tôi thích ăn cơm dưới bóng cây.",
        "Có ai biết mấy giờ chuyến xe tiếp theo khởi hành không?",
    ),
    "sw": (
        "Tutaonana baadaye.",
        "Maktaba hufungwa mapema siku ya Ijumaa, kwa hiyo tafadhali rudisha vitabu kabla ya saa sita.",
        "Uwanjani kuna mti mkubwa wa embe, nasi hupenda kula chini yake.",
    ),
    "ru": (
        "До вечера!",
        "По пятницам библиотека закрывается раньше, поэтому верните, пожалуйста, книги до полудня.",
        "Во дворе растёт старая яблоня, под которой мы летом любим обедать.",
        "Кто-нибудь знает, когда отходит следующий автобус?",
        "Когда дождь наконец кончился, мы спустились к реке, где дети строили плот из старых досок.",
        "В зале было 340 мест, и все они были заняты.",
    ),
    "el": (
        "Τα λέμε το βράδυ.",
        "Η βιβλιοθήκη κλείνει νωρίτερα την Παρασκευή, γι' αυτό φέρτε πίσω τα βιβλία πριν το μεσημέρι.",
        "Στην αυλή υπάρχει μια παλιά μηλιά και το καλοκαίρι τρώμε στη σκιά της.",
        "Ξέρει κανείς πότε φεύγει το επόμενο πλοίο για το νησί;",
    ),
    "ar": (
        "إلى اللقاء.",
        "تغلق المكتبة أبوابها مبكرا يوم الجمعة، لذلك أعيدوا الكتب قبل الظهر من فضلكم.",
        "في الفناء شجرة تفاح قديمة، ونحب أن نتناول الغداء تحتها في الصيف.",
        "هل يعرف أحد متى تغادر الحافلة التالية؟",
        "عندما توقف المطر أخيرا نزلنا إلى النهر، حيث كان الأطفال يبنون قاربا من ألواح قديمة.",
    ),
    "he": (
        "נתראה בערב.",
        "הספרייה נסגרת מוקדם בימי שישי, לכן החזירו בבקשה את הספרים לפני הצהריים.",
        "בחצר עומד עץ תפוחים זקן, ובקיץ אנחנו אוהבים לאכול תחתיו.",
        "מישהו יודע מתי יוצא האוטובוס הבא?",
    ),
    "hi": (
        "शाम को मिलते हैं।",
        "पुस्तकालय शुक्रवार को जल्दी बंद हो जाता है, इसलिए कृपया किताबें दोपहर से पहले लौटा दें।",
        "आँगन में आम का एक पुराना पेड़ है, गर्मियों में हम उसके नीचे खाना खाते हैं।",
        "क्या किसी को पता है कि अगली बस कब जाती है?",
        "जब आख़िरकार बारिश रुकी तो हम नदी तक गए, जहाँ बच्चे पुराने तख़्तों से नाव बना रहे थे।",
    ),
    "th": (
        "แล้วเจอกันตอนเย็นนะ",
        "ห้องสมุดปิดเร็วในวันศุกร์ กรุณานำหนังสือมาคืนก่อนเที่ยง",
        "ในสวนมีต้นมะม่วงเก่าแก่ต้นหนึ่ง หน้าร้อนเราชอบนั่งกินข้าวใต้ต้นไม้นั้น",
        "มีใครรู้ไหมว่ารถเมล์คันต่อไปจะออกเมื่อไหร่",
        "พอฝนหยุดตกในที่สุด พวกเราก็เดินลงไปที่แม่น้ำ ที่นั่นเด็กๆ กำลังสร้างแพจากไม้กระดานเก่า",
    ),
    "ko": (
        "저녁에 봐요.",
        "도서관은 금요일에 일찍 문을 닫으니까 책은 정오 전에 돌려주세요.",
        "마당에는 오래된 사과나무가 있는데 여름이면 우리는 그 아래에서 점심을 먹어요.",
        "다음 버스가 언제 출발하는지 아는 사람 있어요?",
        "마침내 비가 그치자 우리는 강으로 내려갔고, 아이들은 낡은 판자로 뗏목을 만들고 있었어요.",
    ),
    "ja": (
        "またこんばんね。",
        "としょかんは きんようびに はやくしまるので、ほんは おひるまでに かえしてください。",
        "図書館は金曜日に早く閉まるので、本はお昼までに返してください。",
        "庭に古いりんごの木があって、夏になるとその下でお弁当を食べるのが好きです。",
        "次のバスは何時に出ますか？",
        "やっと雨がやんだので、みんなで川までおりていくと、子どもたちが古い板でいかだを作っていました。",
    ),
    "zh": (
        "晚上见。",
        "图书馆星期五关门比较早，所以请在中午以前把书还回来。",
        "院子里有一棵老苹果树，夏天我们喜欢在树下吃午饭。",
        "有人知道下一班公共汽车几点开吗？",
        "雨终于停了，我们走到河边，看见孩子们正在用旧木板做一只木筏。",
        "今天一共来了三百五十个人，大家都很高兴。",
    ),
    "my": (
        "ညနေမှ တွေ့မယ်။",
        "စာကြည့်တိုက်က သောကြာနေ့မှာ စောစောပိတ်တဲ့အတွက် စာအုပ်တွေကို မွန်းမတည့်ခင် ပြန်အပ်ပါ။",
        "ခြံထဲမှာ သရက်ပင်ကြီးတစ်ပင်ရှိတယ်။ နွေရာသီမှာ အဲဒီအောက်မှာ ထမင်းစားရတာ ကြိုက်တယ်။",
    ),
    "bn": (
        "সন্ধ্যায় দেখা হবে।",
        "শুক্রবারে গ্রন্থাগার তাড়াতাড়ি বন্ধ হয়ে যায়, তাই দুপুরের আগে বইগুলো ফেরত দিন।",
        "উঠানে একটি পুরনো আমগাছ আছে, গরমকালে আমরা তার নিচে বসে খাই।",
    ),
    "ta": (
        "மாலையில் சந்திப்போம்.",
        "நூலகம் வெள்ளிக்கிழமை சீக்கிரம் மூடப்படும், எனவே புத்தகங்களை மதியத்திற்கு முன் திருப்பித் தாருங்கள்.",
        "முற்றத்தில் ஒரு பழைய மாமரம் இருக்கிறது, கோடையில் அதன் கீழ் சாப்பிடுவோம்.",
    ),
    "ka": (
        "საღამომდე.",
        "ბიბლიოთეკა პარასკევს ადრე იკეტება, ამიტომ წიგნები შუადღემდე დააბრუნეთ.",
        "ეზოში ძველი ვაშლის ხე დგას და ზაფხულში მის ქვეშ ვსადილობთ.",
    ),
}  # fmt: skip
"""By language code; each language has a greeting, a question or two, and longer sentences."""
