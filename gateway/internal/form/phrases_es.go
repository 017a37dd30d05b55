package form

var spanish = tongue{"es", [phraseCount]string{
	thanksTitle: "Gracias",
	thanksText:  "Su mensaje ha llegado.",
	back:        "Volver a la página",
	backTo:      "Volver a %s",

	addressTitle: "A esta dirección se envían formularios",
	addressText: "Aquí no hay nada que ver, y al abrirla no ha enviado nada. Si desea escribir a alguien, vuelva a " +
		"su sitio web y rellene allí el formulario.",
	addressOwner: "¿Es su sitio web? Esta dirección es el action del formulario de una página, con method=\"post\".",
	addressGuide: "La guía (en inglés) tiene un ejemplo.",

	checkTitle:       "Revise el formulario, por favor",
	limitedTitle:     "Demasiados intentos",
	unavailableTitle: "No disponible en este momento",
	failedTitle:      "No se ha podido enviar",
	closedTitle:      "Este formulario está cerrado",
	notSentTitle:     "Su mensaje no se ha enviado",

	emailMissing: "Introduzca su dirección de correo electrónico.",
	emailOrPhoneMissing: "Introduzca su dirección de correo electrónico o un número de teléfono con el prefijo del " +
		"país.",
	emailWrong:     "Introduzca una dirección de correo electrónico completa, por ejemplo nombre@example.com.",
	emailTwice:     "Se han introducido dos direcciones de correo electrónico distintas. Indique solo la correcta.",
	captchaMissing: "Resuelva el captcha, por favor.",
	captchaFailed:  "El captcha ha caducado o no se ha resuelto. Resuélvalo de nuevo, por favor.",
	proofMissing: "Su navegador no ha comprobado que usted es una persona. Envíe el formulario otra vez, por " +
		"favor. Si eso no basta, active JavaScript y abra la página de nuevo.",
	brokenOff: "El formulario no ha llegado completo. Envíelo otra vez, por favor.",
	goBack:    "Vuelva atrás con el botón de su navegador: lo que ha escrito sigue ahí.",
	limited:   "Este formulario se ha enviado demasiadas veces en poco tiempo.",
	sendLater: "Espere un momento y envíe el formulario otra vez, por favor.",
	tooLarge:  "Lo que ha escrito es demasiado largo: en total puede ocupar %d KiB. Acórtelo, por favor.",
	tooSlow:   "El formulario ha tardado demasiado en llegar. Compruebe su conexión y envíelo otra vez, por favor.",
	notSetUp:  "Este formulario no está bien configurado. Avise, por favor, al responsable del sitio web.",
	closed: "Ya no hay ningún formulario en esta dirección. Póngase en contacto con el responsable del sitio web " +
		"por otra vía.",
	suspended:   "Lo que ha escrito no se ha enviado. Póngase en contacto con el responsable del sitio web por otra vía.",
	unavailable: "Su mensaje no se ha podido guardar en este momento.",
	wrongOrigin: "El formulario todavía no está configurado para este sitio web. Avise a su responsable o póngase " +
		"en contacto con él por otra vía.",
	entriesTitle: "Lo que ha escrito, para que pueda copiarlo",

	ownerTitle: "¿Es su sitio web?",
	ownerOrigin: "Entonces añada %s a los sitios web que pueden usar este formulario: en la consola, en Forms, o " +
		"por la API en form.origins de su clave. Después hay que enviar el mensaje otra vez.",
	ownerNoOrigin: "El navegador no ha indicado en qué sitio web está el formulario, como ocurre con un archivo, " +
		"un marco sin origen o una página que no envía la referencia. Abra el formulario en su sitio web o " +
		"permítalo a todos los sitios: * en form.origins de su clave.",
	ownerGuide: "La guía (en inglés) dice más.",
	requestIs:  "Solicitud %s",

	scriptChecking: "Comprobando que usted es una persona …",
	scriptChecked:  "Comprobado: usted es una persona.",
	scriptFailed: "No se ha enviado nada, porque no se ha podido comprobar que usted es una persona. Envíe el " +
		"formulario otra vez, por favor.",
}}
