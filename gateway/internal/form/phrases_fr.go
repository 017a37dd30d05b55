package form

var french = tongue{"fr", [phraseCount]string{
	thanksTitle: "Merci",
	thanksText:  "Votre message nous est bien parvenu.",
	back:        "Retour à la page",
	backTo:      "Retour à %s",

	addressTitle: "Des formulaires sont envoyés à cette adresse",
	addressText: "Il n’y a rien à voir ici, et en l’ouvrant vous n’avez rien envoyé. Si vous souhaitez écrire à " +
		"quelqu’un, retournez sur son site et remplissez-y le formulaire.",
	addressOwner: "C’est votre site ? Cette adresse est l’action du formulaire d’une page, avec method=\"post\".",
	addressGuide: "Le guide (en anglais) contient un exemple.",

	checkTitle:       "Veuillez vérifier le formulaire",
	limitedTitle:     "Trop de tentatives",
	unavailableTitle: "Indisponible pour le moment",
	failedTitle:      "L’envoi n’a pas fonctionné",
	closedTitle:      "Ce formulaire est fermé",
	notSentTitle:     "Votre message n’a pas été envoyé",

	emailMissing:        "Veuillez saisir votre adresse e-mail.",
	emailOrPhoneMissing: "Veuillez saisir votre adresse e-mail, ou un numéro de téléphone avec l’indicatif du pays.",
	emailWrong:          "Veuillez saisir une adresse e-mail complète, par exemple nom@example.com.",
	emailTwice:          "Deux adresses e-mail différentes ont été saisies. Veuillez n’indiquer que la bonne.",
	captchaMissing:      "Veuillez résoudre le captcha.",
	captchaFailed:       "Le captcha a expiré ou n’a pas été résolu. Veuillez le résoudre à nouveau.",
	proofMissing: "Votre navigateur n’a pas vérifié que vous êtes une personne. Veuillez renvoyer le formulaire. " +
		"Si cela ne suffit pas, activez JavaScript et rouvrez la page.",
	brokenOff: "Le formulaire n’est pas arrivé en entier. Veuillez le renvoyer.",
	goBack: "Revenez en arrière avec le bouton de retour de votre navigateur : ce que vous avez saisi s’y trouve " +
		"encore.",
	limited:   "Ce formulaire a été envoyé trop souvent en peu de temps.",
	sendLater: "Veuillez patienter un instant et renvoyer le formulaire.",
	tooLarge:  "Votre saisie est trop longue : l’ensemble ne doit pas dépasser %d Kio. Veuillez la raccourcir.",
	tooSlow:   "Le formulaire a mis trop de temps à arriver. Veuillez vérifier votre connexion et le renvoyer.",
	notSetUp:  "Ce formulaire n’est pas configuré correctement. Veuillez en informer le responsable du site.",
	closed: "Il n’y a plus de formulaire à cette adresse. Veuillez contacter le responsable du site par un autre " +
		"moyen.",
	suspended:   "Votre saisie n’a pas été envoyée. Veuillez contacter le responsable du site par un autre moyen.",
	unavailable: "Votre message n’a pas pu être enregistré pour l’instant.",
	wrongOrigin: "Le formulaire n’est pas encore configuré pour ce site. Veuillez en informer son responsable, ou " +
		"le contacter par un autre moyen.",
	entriesTitle: "Ce que vous avez saisi, pour le copier",

	ownerTitle: "C’est votre site ?",
	ownerOrigin: "Ajoutez alors %s aux sites qui peuvent utiliser ce formulaire : dans la console sous Forms, ou " +
		"par l’API dans form.origins de sa clé. Le message devra ensuite être renvoyé.",
	ownerNoOrigin: "Le navigateur n’a pas indiqué sur quel site se trouve le formulaire, comme pour un fichier, un " +
		"cadre sans origine ou une page qui n’envoie pas de référent. Ouvrez le formulaire sur votre site, ou " +
		"autorisez tous les sites : * dans form.origins de sa clé.",
	ownerGuide: "Le guide (en anglais) en dit plus.",
	requestIs:  "Requête %s",

	scriptChecking: "Vérification que vous êtes une personne …",
	scriptChecked:  "Vérifié : vous êtes une personne.",
	scriptFailed: "Rien n’a été envoyé, car la vérification que vous êtes une personne n’a pas fonctionné. " +
		"Veuillez renvoyer le formulaire.",
}}
