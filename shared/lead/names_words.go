package lead

// What people call a lead's fields: English, German, French, Spanish, Portuguese, Italian, Dutch, Scandinavian,
// Finnish, Polish, Czech, Hungarian, Romanian, Turkish, Greek, Russian, Ukrainian, Japanese, Chinese, Korean, Arabic,
// Hebrew, Indonesian, Vietnamese, Thai, Hindi, Bengali, Serbo-Croatian, Slovenian, Bulgarian, Latvian, Lithuanian,
// Estonian, Icelandic, Catalan, Albanian, Afrikaans, Persian, Georgian, Armenian; and the names that builders of forms
// and other systems have.
const (
	emailWords = `email emails mail emailaddress emailaddresses emailaddr emailadress mailadress mailaddress emailid mailid emailadr useremail eaddress
		emailadresse mailadresse epost epostadresse elektronischepost
		courriel adresseemail adressemail adresseelectronique adressecourriel courrierelectronique emel
		correo correoelectronico direcciondecorreo direccioncorreo direccioncorreoelectronico direccionemail
		endereçodeemail enderecoemail correioeletronico correioeletrónico
		indirizzoemail indirizzomail postaelettronica emailadres mailadres epostadress eposti sahkoposti sahkopostiosoite
		adresemail adrespocztyelektronicznej pocztaelektroniczna emailova emailovaadresa
		emailcim emailcime adresadeemail adresaemail eposta epostaadresi epostaadresiniz mailadresi
		ηλεκτρονικόταχυδρομείο почта электроннаяпочта элпочта электронныйадрес адресэлектроннойпочты емейл имейл мейл емайл
		електроннапошта пошта メール メールアドレス eメール eメールアドレス 電子メール
		您的邮箱 你的邮箱 邮箱 您的邮箱地址 連絡先メールアドレス ご連絡先メールアドレス 电子邮箱 电子邮件 邮件 电邮 邮箱地址 邮件地址 電子郵件 電子信箱 信箱 電郵 이메일 메일 이메일주소 전자우편
		alamatemail alamatsurel surel thudientu diachiemail อีเมล อีเมล์ ईमेल ईमेलपता elektronskaposta
		البريدالإلكتروني بريدالكتروني الإيميل אימייל דואל דוארלאלקטרוני דואראלקטרוני
		epasts epastaadrese elpastas elpastoadresas elektroninispastas netfang correuelectronic adrecaelectronica epostninaslov
		emailiaadress meiliaadress epos eposadres имејл епошта ایمیل آدرسایمیل پستالکترونیک ელფოსტა էլփոստ ইমেইল`

	nameWords = `name contactperson ansprechpartner ansprechpartnerin kontaktperson contactpersoon personadecontacto nombre nom nome naam navn namn nimi imie jmeno nev nume isim adi adiniz όνομα имя імя
		名前 お名前 名字 이름 이름을 الاسم שם
		nama ชื่อ नाम ime име vards vardas nafn nimi نام emri სახელი անուն নাম`
	fullNameWords = `fullname realname sendername fromname completename namefull vollername vollstandigername vorundnachname vorundzuname vornamenachname nameundvorname каквасзовут
		nachnamevorname namevorname nomcomplet nometprenom nomprenom prenometnom prenomnom
		nombrecompleto nombreyapellido nombreyapellidos nombreapellidos nomecompleto nomeesobrenome nomeecognome nomecognome
		nominativo volledigenaam voorenachternaam fuldenavn fultnavn fulltnamn fornavnogefternavn forochefternamn kokonimi imieinazwisko imienazwisko imięinazwisko celejmeno jmenoaprijmeni teljesnev numecomplet numesiprenume
		adsoyad adisoyadi adiniz adinizsoyadiniz isimsoyisim ονοματεπώνυμο фио полноеимя имяифамилия фамилияимя піб
		firstandlastname firstlastname namefirstlast namefirstandlast 您的姓名 你的姓名 氏名 ご氏名 姓名 성명 성함 الاسمالكامل שםמלא
		namalengkap hoten hovaten ชื่อนามสกุล ชื่อสกุล पूरानाम imeiprezime punoime имеифамилия имеипрезиме
		vardsuzvards vardsunuzvards vardaspavarde vardasirpavarde fulltnafn nomicognoms imeinpriimek eesjaperekonnanimi
		نامونامخانوادگی emridhembiemri სახელიგვარი`
	firstNameWords = `firstname fname givenname forename namefirst christianname firstnames givennames vorname
		prenom nombres primernombre nombredepila primeironome voornaam fornavn fornamn fornafn etunimi tilltalsnamn
		krestnijmeno krestnijmeno keresztnev utonev prenume ilkad onadi μικρόόνομα 名 下の名前 الاسمالأول שםפרטי namadepan eesnimi
		eiginnafn fornafn نامکوچک`
	lastNameWords = `lastname lname surname familyname namelast secondname nachname familienname zuname nomdefamille
		nomfamille patronyme apellido apellidos primerapellido apellidopaterno sobrenome apelido ultimonome cognome achternaam
		familienaam efternavn etternavn efternamn sukunimi nazwisko prijmeni priezvisko vezeteknev csaladnev numedefamilie
		soyad soyadi soyisim soyadiniz επώνυμο επίθετο фамилия прізвище 姓 名字姓 苗字 성 اسمالعائلة الكنية שםמשפחה namabelakang
		นามสกุล prezime उपनाम uzvards pavarde priimek eftirnafn kenninafn cognoms نامخانوادگی perekonnanimi perenimi
		mbiemri გვარი ազգանուն презиме`
	phoneWords = `phone phones phonenumbers phoneno phonenr phonenum phonenumber telephone telephoneno telephonenumber tel telno telnr telephonenr
		contactnumber contactno contactphone contactphonenumber callback callbacknumber phonewithcountrycode phonenumberwithcountrycode dayphone phonecontact
		telefon telefonnummer telefonnr telefonnumer rufnummer telnummer festnetz festnetznummer fon
		numerodetelephone numerotelephone notelephone ntelephone ntel telefono numerodetelefono numerotelefono
		numeroditelefono telefone numerodetelefone fone contacttelefono recapitotelefonico
		telefoon telefoonnummer telefoonnr puhelin puhelinnumero telefonu nrtelefonu telefonnumber telefonniczny
		telefonicislo telefonnicislo telefonszam nrdetelefon numardetelefon telefonnumarasi telefonnumaraniz τηλέφωνο телефон
		номертелефона контактныйтелефон контактныйномер телефондлясвязи номертелефону 電話 電話番号 お電話番号 电话 电话号码 联系电话 聯絡電話 電話號碼
		联系方式 您的电话 你的电话 전화 전화번호 연락처 الهاتف رقمالهاتف הטלפון טלפון מספרטלפון
		telepon nomortelepon notelepon sodienthoai dienthoai เบอร์โทร เบอร์โทรศัพท์ โทรศัพท์ फोन फोननंबर brojtelefona
		talrunis talrunanumurs telefonas telefononumeris telefonskastevilka simi simanumer numerodetelefon telefoninumber
		telefoni تلفن شمارهتلفن شمارهتماس ტელეფონი հեռախոս бројтелефона ফোন`
	mobileWords = `mobile mobileno mobilenr mobilenumber mobilephone mobilephonenumber phonemobile cell cellphone
		cellphonenumber cellnumber cellular phonecell handphone handphonenumber
		handy handynummer mobil mobilnummer mobiltelefon mobilfunk mobilfunknummer natel portable telephoneportable
		numeroportable numerodeportable telephonemobile movil telefonomovil celular numerodecelular telefonocelular telemovel
		telefonecelular cellulare numerocellulare numerodicellulare telefonocellulare mobiel mobielnummer mobielenummer mobieletelefoon gsm
		gsmnummer mobilnumber matkapuhelin komorka komorkowy telefonkomorkowy mobilcislo mobilszam telefonmobil
		ceptelefonu ceptelefonunumarasi ceptelefonunumaraniz ceptel cepnumarasi κινητό мобильный мобильныйтелефон номермобильного сотовый мобільний
		携帯 携帯電話 携帯番号 携帯電話番号 手机 手机号 手机号码 移动电话 手機 手機號碼 行動電話 휴대폰 휴대전화 휴대폰번호 핸드폰
		الجوال رقمالجوال الموبايل נייד טלפוןנייד
		nohp nomorhp nomorponsel didong มือถือ मोबाइल मोबाइलनंबर
		mobilaistalrunis mobilustelefonas farsimi موبایل تلفنهمراه mobiiltelefon mobilnitelefon мобилнителефон`
)
