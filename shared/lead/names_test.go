package lead_test

import (
	"strings"
	"testing"

	"leadgate/shared/lead"
)

func TestFieldOf(t *testing.T) {
	t.Parallel()
	for field, names := range map[string]string{
		lead.FieldEmail: `email|e-mail|E-Mail|EMail|eMail|Email Address|mail|EMAIL|your-email|user_email|email_id|email1|` +
			`E-mail 1 - Value|Email 1 - Value|E-mail Address|emailAddress|correo|Correo electrónico|Primary Email|email_from|` +
			`webtolead_email1|q3_email|q4_yourEmail|No Label email|What is your email address?|Your email?|Email *|` +
			`Email (required)|Work Email|Company email|email_confirm|Adresse e-mail|Courriel|Endereço de e-mail|` +
			`Indirizzo email|E-mailadres|Adres e-mail|E-post|Sähköposti|E-posta adresiniz|Электронная почта|メールアドレス|` +
			`邮箱|电子邮件|이메일|` + "\ufeffEmail|e\u200bmail|" + `ＥＭＡＩＬ|email2|User Email|contact_email|INPUT_EMAIL|` +
			`et_pb_contact_email_0|mf-email|ctl00$MainContent$txtEmail|contactForm:email|EmailInput|billing_email|Ihre E-Mail|` +
			`Votre adresse e-mail|Il tuo indirizzo email|Seu e-mail|Ваш email|メールアドレス（確認用）|您的邮箱|emailaddress1|` +
			`Your best email|field:email_cfe1|email-3f2a9c|Email / Courriel|data__email|payload.data.email|properties.email|account_email|Jaki jest twój adres e-mail?|` +
			`Quelle est votre adresse e-mail ?|البريد الإلكتروني|Alamat email|อีเมล|ईमेल|` +
			`E-pasts|El. paštas|Netfang|Correu electrònic|E-poštni naslov|ایمیل|Имејл|Рабочий email|Pracovní e-mail`,
		lead.FieldPhone: `phone|Phone Number|phone_number|PHONE|mobile|mobilephone|mobile_phone|Mobile Phone|tel|Tel.|` +
			`telephone|your-tel|cell|Cell Phone|contact_number|phone_mobile|phone_work|mobile_no|Phone 1 - Value|` +
			`Business Phone|Primary Phone|SMS|whatsapp|Telefon|Telefonnummer|Handy|Téléphone|N° de téléphone|` +
			`Numéro de téléphone|Teléfono|Móvil|Telefone|Celular|Cellulare|Telefoonnummer|GSM|Telefon komórkowy|` +
			`Numer telefonu|Cep Telefonu|Телефон|Номер телефона|電話番号|手机号|휴대폰|q5_phoneNumber|User Phone|Home Phone|full_phone|Telefon / Handy|Mobile/WhatsApp|Evening phone|` +
			`Số điện thoại|เบอร์โทรศัพท์|Nomor Telepon|رقم الهاتف|Tālrunis|Telefonas|Sími|Telèfon|Telefonska številka|` +
			`تلفن همراه|Рабочий телефон|Домашній телефон|Telefon służbowy`,
		lead.FieldName: `name|Name|full_name|Full Name|FULL_NAME|your-name|lead_name|contact_name|Display Name|Your name?|` +
			`No Label name|q3_name|Nombre completo|Nom complet|Nome|Imię i nazwisko|Ad Soyad|ФИО|Имя|お名前|氏名|姓名|이름|` +
			`Vor- und Nachname|What's your name?|Customer name|Nom et prénom|et_pb_contact_name_0|Ihr Name|` +
			`Name (First and Last)|name-1|Contact person|Ansprechpartner|Hi there! What's your name?|` +
			`Before we start, please tell us your full name|Quel est votre nom ?|¿Cuál es su nombre?|realname|` +
			`Requester name|Name / Nom|Vārds, uzvārds|Vardas|Nafn|Nom i cognoms|Ime in priimek|نام|نام و نام خانوادگی`,
		lead.FieldFirstName: `first_name|First Name|firstname|firstName|fname|FNAME|f_name|given_name|forename|Vorname|` +
			`Prénom|Voornaam|Förnamn|First|Name (First)|first-name|What is your first name?|First name / Prénom|field:first_name_8f5c|payload.data.first_name|` +
			`user_first_name|billing_first_name|Eesnimi|Eiginnafn`,
		lead.FieldLastName: `last_name|Last Name|lastname|lname|LNAME|surname|Family Name|Nachname|Apellidos|Sobrenome|` +
			`Cognome|Achternaam|Efternamn|Nazwisko|Soyadı|Фамилия|姓|Last|Name (Last)|Nom de famille|` +
			`Uzvārds|Pavardė|Priimek|Cognoms|Perekonnanimi|نام خانوادگی|Презиме`,
		lead.FieldSource: "source|Lead Source", lead.FieldStatus: "Status|lead_status", lead.FieldChatbot: "chatbotId",
		lead.FieldMetadata: "metadata",
		"": `|company|Company Name|company_name|form_name|formName|page name|Product name|middle name|Middle Name|nickname|` +
			`Account Name|email opt in|Email Status|email_verified|Email marketing consent|Mailing address|address|Adresse|` +
			`Phone 1 - Type|phone extension|fax|Fax number|Last Login|LASTUPDATED|Last modified|First seen|message|subject|` +
			`username|user_name|utm_source|field_4a1b|1.3|2|MMERGE3|number|contact|No Label field_4a1b|partner_name|` +
			`Street|City|ip|Remote IP|campaign_name|form:name|user name|company first name|Last contact|First form|What is your company name?|What is your dog's name?|your phone model|Nombre de la empresa|Nom de la société|Name der Firma|ad|CEP|business name|home|work|is_mobile|payload.name|properties.name|data.agent.email|attributes.last|` +
			`field_8f5c|Nom de votre entreprise|Name / Company|Email / SMS|Phone or email|name_cafe|Your email preferences|` + strings.Repeat("email ", 50),
	} {
		for name := range strings.SplitSeq(names, "|") {
			t.Run(field+"/"+name, func(t *testing.T) {
				if got, _ := lead.FieldOf(name); got != field {
					t.Errorf("FieldOf(%q) = %q, want %q", name, got, field)
				}
			})
		}
	}
}

// Of several names for one field the first of each list is meant before the second.
func TestFieldOfRanks(t *testing.T) {
	t.Parallel()
	for _, names := range []string{
		"phone,mobile", "Mobile Phone,Business Phone", "phone_mobile,phone_work", "Home Phone,Business Phone", "Мобильный телефон,Рабочий телефон",
		"Phone 1 - Value,Phone 2 - Value", "email,email2", "email,email_confirm", "email,Work Email", "email1,email2",
		"contact_name,name", "lead_name,name", "full_name,name", "first_name,First", "phone,whatsapp", "full_phone,phone", "email,email_from",
	} {
		t.Run(names, func(t *testing.T) {
			a, b, _ := strings.Cut(names, ",")
			fieldA, rankA := lead.FieldOf(a)
			fieldB, rankB := lead.FieldOf(b)
			if fieldA == "" || fieldA != fieldB || rankA >= rankB {
				t.Errorf("FieldOf(%q) = %s %d, FieldOf(%q) = %s %d, want one field, the first meant before", a, fieldA, rankA, b,
					fieldB, rankB)
			}
		})
	}
}

func FuzzFieldOf(f *testing.F) {
	for _, name := range []string{"E-Mail", "q3_email", "メールアドレス", "İ\u0307", "\xff", "Phone 1 - Value"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if field, rank := lead.FieldOf(name); field == "" && rank != 0 || rank < -20 || rank > 1000 {
			t.Errorf("FieldOf(%q) = %q, %d", name, field, rank)
		}
	})
}
