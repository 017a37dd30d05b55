package form

var german = tongue{"de", [phraseCount]string{
	thanksTitle: "Vielen Dank",
	thanksText:  "Ihre Nachricht ist angekommen.",
	back:        "Zurück zur Seite",
	backTo:      "Zurück zu %s",

	addressTitle: "An diese Adresse werden Formulare gesendet",
	addressText: "Hier gibt es nichts zu sehen, und durch das Öffnen haben Sie nichts gesendet. Wenn Sie jemandem " +
		"schreiben möchten, gehen Sie bitte zu dessen Website zurück und füllen Sie dort das Formular aus.",
	addressOwner: "Ist es Ihre Website? Diese Adresse gehört als action in das Formular einer Seite, mit " +
		"method=\"post\".",
	addressGuide: "Die Anleitung (auf Englisch) hat ein Beispiel.",

	checkTitle:       "Bitte prüfen Sie Ihre Angaben",
	limitedTitle:     "Zu viele Versuche",
	unavailableTitle: "Zurzeit nicht verfügbar",
	failedTitle:      "Das hat nicht geklappt",
	closedTitle:      "Dieses Formular ist geschlossen",
	notSentTitle:     "Ihre Nachricht wurde nicht gesendet",

	emailMissing:        "Bitte geben Sie Ihre E-Mail-Adresse an.",
	emailOrPhoneMissing: "Bitte geben Sie Ihre E-Mail-Adresse an, oder eine Telefonnummer mit Ländervorwahl.",
	emailWrong:          "Bitte geben Sie eine vollständige E-Mail-Adresse an, etwa name@example.com.",
	emailTwice:          "Es wurden zwei verschiedene E-Mail-Adressen angegeben. Bitte geben Sie nur die richtige an.",
	captchaMissing:      "Bitte lösen Sie das Captcha.",
	captchaFailed:       "Das Captcha ist abgelaufen oder wurde nicht gelöst. Bitte lösen Sie es noch einmal.",
	proofMissing: "Ihr Browser hat nicht geprüft, ob Sie ein Mensch sind. Bitte senden Sie das Formular noch " +
		"einmal. Wenn das nicht hilft, schalten Sie bitte JavaScript ein und öffnen Sie die Seite neu.",
	brokenOff: "Das Formular ist nicht vollständig angekommen. Bitte senden Sie es noch einmal.",
	goBack:    "Gehen Sie mit der Zurück-Taste Ihres Browsers zurück: Ihre Eingaben sind noch da.",
	limited:   "Dieses Formular wurde in kurzer Zeit zu oft gesendet.",
	sendLater: "Bitte warten Sie einen Moment und senden Sie das Formular noch einmal.",
	tooLarge:  "Ihre Eingaben sind zu lang: Zusammen dürfen sie %d KiB haben. Bitte kürzen Sie sie.",
	tooSlow: "Das Formular hat zu lange gebraucht, um anzukommen. Bitte prüfen Sie Ihre Verbindung und senden Sie " +
		"es noch einmal.",
	notSetUp: "Dieses Formular ist nicht richtig eingerichtet. Bitte sagen Sie dem Betreiber der Website Bescheid.",
	closed: "An dieser Adresse gibt es kein Formular mehr. Bitte wenden Sie sich auf anderem Weg an den Betreiber " +
		"der Website.",
	suspended:   "Ihre Eingaben wurden nicht gesendet. Bitte wenden Sie sich auf anderem Weg an den Betreiber der Website.",
	unavailable: "Ihre Nachricht konnte gerade nicht gespeichert werden.",
	wrongOrigin: "Das Formular ist für diese Website noch nicht eingerichtet. Bitte sagen Sie dem Betreiber " +
		"Bescheid oder wenden Sie sich auf anderem Weg an ihn.",
	entriesTitle: "Ihre Eingaben, zum Kopieren",

	ownerTitle: "Ist es Ihre Website?",
	ownerOrigin: "Dann fügen Sie %s den Websites hinzu, die dieses Formular verwenden dürfen: in der Konsole unter " +
		"Forms oder über die API in form.origins des Schlüssels. Die Nachricht muss danach noch einmal gesendet " +
		"werden.",
	ownerNoOrigin: "Der Browser hat nicht mitgeteilt, auf welcher Website das Formular ist, etwa bei einer Datei, " +
		"einem Frame ohne Herkunft oder einer Seite, die keinen Referrer sendet. Öffnen Sie das Formular auf " +
		"Ihrer Website, oder erlauben Sie es allen Websites: * in form.origins des Schlüssels.",
	ownerGuide: "Mehr steht in der Anleitung (auf Englisch).",
	requestIs:  "Anfrage %s",

	scriptChecking: "Es wird geprüft, ob Sie ein Mensch sind …",
	scriptChecked:  "Geprüft: Sie sind ein Mensch.",
	scriptFailed: "Es wurde nichts gesendet, weil die Prüfung, ob Sie ein Mensch sind, nicht geklappt hat. Bitte " +
		"senden Sie das Formular noch einmal.",
}}
