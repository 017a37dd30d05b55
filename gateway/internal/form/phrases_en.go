package form

var english = tongue{"en", [phraseCount]string{
	thanksTitle: "Thank you",
	thanksText:  "Your message has arrived.",
	back:        "Back to the page",
	backTo:      "Back to %s",

	addressTitle: "Forms are sent to this address",
	addressText: "There is nothing to see here, and by opening it you have sent nothing. If you want to write to " +
		"somebody, go back to their website and fill in the form there.",
	addressOwner: "Is it your website? This address is what the form of a page has as its action, with " +
		"method=\"post\".",
	addressGuide: "The guide has an example.",

	checkTitle:       "Please check the form",
	limitedTitle:     "Too many attempts",
	unavailableTitle: "Not available at the moment",
	failedTitle:      "That did not work",
	closedTitle:      "This form is closed",
	notSentTitle:     "Your message was not sent",

	emailMissing:        "Please enter your email address.",
	emailOrPhoneMissing: "Please enter your email address, or a phone number with its country code.",
	emailWrong:          "Please enter a complete email address, such as name@example.com.",
	emailTwice:          "Two different email addresses were entered. Please enter the right one only.",
	captchaMissing:      "Please solve the captcha.",
	captchaFailed:       "The captcha has expired or was not solved. Please solve it again.",
	proofMissing: "Your browser did not check that you are a person. Please send the form once more. If that does " +
		"not help, switch JavaScript on and open the page again.",
	brokenOff:   "The form did not arrive whole. Please send it again.",
	goBack:      "Go back with your browser's back button: what you typed is still there.",
	limited:     "This form was sent too often in a short time.",
	sendLater:   "Please wait a moment and send the form again.",
	tooLarge:    "What you entered is too long: all of it together can have %d KiB. Please shorten it.",
	tooSlow:     "The form took too long to arrive. Please check your connection and send it again.",
	notSetUp:    "This form is not set up correctly. Please tell the owner of the website.",
	closed:      "There is no form at this address any more. Please contact the owner of the website in another way.",
	suspended:   "What you typed was not sent. Please contact the owner of the website in another way.",
	unavailable: "Your message could not be stored just now.",
	wrongOrigin: "The form is not yet set up for this website. Please tell its owner, or contact them in another " +
		"way.",
	entriesTitle: "What you entered, for you to copy",

	ownerTitle: "Is it your website?",
	ownerOrigin: "Then add %s to the websites that may use this form: in the console under Forms, or by the API in " +
		"form.origins of its key. The message has to be sent again then.",
	ownerNoOrigin: "The browser did not say which website the form is on, as with a file, a frame without an " +
		"origin or a page that sends no referrer. Open the form on your website, or let every website use it: * " +
		"in form.origins of its key.",
	ownerGuide: "More is in the guide.",
	requestIs:  "Request %s",

	scriptChecking: "Checking that you are a person …",
	scriptChecked:  "Checked that you are a person.",
	scriptFailed: "Nothing was sent, because the check that you are a person did not work. Please send the form " +
		"again.",
}}
