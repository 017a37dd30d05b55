package form

// portuguese is for Brazil and for Portugal: it uses no word that only one of them has.
var portuguese = tongue{"pt", [phraseCount]string{
	thanksTitle: "Obrigado",
	thanksText:  "A sua mensagem chegou.",
	back:        "Voltar à página",
	backTo:      "Voltar a %s",

	addressTitle: "Formulários são enviados para este endereço",
	addressText: "Não há nada para ver aqui e, ao abrir este endereço, nada foi enviado. Para escrever a alguém, " +
		"volte ao site dessa pessoa ou empresa e preencha o formulário.",
	addressOwner: "O site é seu? Este endereço é o action do formulário de uma página, com method=\"post\".",
	addressGuide: "O guia (em inglês) tem um exemplo.",

	checkTitle:       "Verifique o formulário, por favor",
	limitedTitle:     "Muitas tentativas",
	unavailableTitle: "Indisponível neste momento",
	failedTitle:      "Não foi possível enviar",
	closedTitle:      "Este formulário está encerrado",
	notSentTitle:     "A sua mensagem não foi enviada",

	emailMissing:        "Indique o seu endereço de e-mail.",
	emailOrPhoneMissing: "Indique o seu endereço de e-mail ou um número de telefone com o código do país.",
	emailWrong:          "Indique um endereço de e-mail completo, por exemplo nome@example.com.",
	emailTwice:          "Foram indicados dois endereços de e-mail diferentes. Indique apenas o correto.",
	captchaMissing:      "Resolva o captcha, por favor.",
	captchaFailed:       "O captcha expirou ou não foi resolvido. Resolva-o novamente, por favor.",
	proofMissing: "O seu navegador não verificou que quem envia é uma pessoa. Envie o formulário novamente, por " +
		"favor. Se não funcionar, ative o JavaScript e abra a página de novo.",
	brokenOff: "O formulário não chegou completo. Envie-o novamente, por favor.",
	goBack:    "Volte com o botão Voltar do seu navegador: o que escreveu continua lá.",
	limited:   "Este formulário foi enviado muitas vezes em pouco tempo.",
	sendLater: "Aguarde um momento e envie o formulário novamente, por favor.",
	tooLarge:  "O que escreveu é longo demais: no total pode ter %d KiB. Encurte o texto, por favor.",
	tooSlow: "O formulário demorou demais a chegar. Verifique o seu acesso à internet e envie-o novamente, por " +
		"favor.",
	notSetUp:    "Este formulário não está bem configurado. Avise, por favor, o responsável pelo site.",
	closed:      "Já não há um formulário neste endereço. Fale com o responsável pelo site de outra forma.",
	suspended:   "O que escreveu não foi enviado. Fale com o responsável pelo site de outra forma.",
	unavailable: "Não foi possível guardar a sua mensagem neste momento.",
	wrongOrigin: "O formulário ainda não está configurado para este site. Avise o responsável pelo site ou fale " +
		"com ele de outra forma.",
	entriesTitle: "O que escreveu, para copiar",

	ownerTitle: "O site é seu?",
	ownerOrigin: "Então adicione %s aos sites que podem usar este formulário: no painel, em Forms, ou pela API em " +
		"form.origins da sua chave. Depois é preciso enviar a mensagem novamente.",
	ownerNoOrigin: "O navegador não indicou em que site está o formulário, como acontece com uma página aberta do " +
		"disco, um frame sem origem ou uma página que não envia o Referer. Abra o formulário no seu site ou " +
		"permita todos os sites: * em form.origins da sua chave.",
	ownerGuide: "O guia (em inglês) diz mais.",
	requestIs:  "Referência %s",

	scriptChecking: "Verificando se quem envia é uma pessoa …",
	scriptChecked:  "Verificado: quem envia é uma pessoa.",
	scriptFailed: "Nada foi enviado, porque não foi possível verificar que quem envia é uma pessoa. Envie o " +
		"formulário novamente, por favor.",
}}
