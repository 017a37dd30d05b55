package console

import (
	"fmt"
	"strings"
)

// snippet is what an owner pastes into a page.
type snippet struct{ ID, Name, About, Text string }

// snippets are for one form of the installation at origin.
func snippets(origin string, k *formKey) []snippet {
	address := origin + "/f/" + k.Key
	script := ""
	if k.Form.RequireToken || k.Form.Captcha == "altcha" {
		script = fmt.Sprintf("\n<script src=\"%s/form.js\" defer></script>", origin)
	}
	honeypot := fmt.Sprintf(`  <input name="%s" tabindex="-1" autocomplete="off" aria-hidden="true"
    style="position:absolute;left:-9999px">
  <input name="_page" type="hidden">
  <script>document.currentScript.previousElementSibling.value = location.href</script>`, k.Form.Honeypot)
	plain := fmt.Sprintf(`<form action="%s" method="post">
  <label>Email <input type="email" name="email" autocomplete="email" required></label>
  <label>Name <input name="name" autocomplete="name"></label>
  <label>Message <textarea name="message"></textarea></label>
%s
  <button>Send</button>
</form>%s`, address, honeypot, script)
	return []snippet{
		{"html", "HTML", "For any page, with JavaScript or without. The visitor comes to a page that says thank you.", plain},
		{"fetch", "JavaScript", "From a script of your page, which can show the answer.", fmt.Sprintf(`const answer = await fetch("%s", {
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify({ email, name, message, _page: location.href }),
});
if (!answer.ok) throw new Error((await answer.json()).error);`, address)},
		{"react", "React", "A component without other packages.", fmt.Sprintf(`export function LeadForm() {
  const [state, setState] = useState("open");
  async function send(event) {
    event.preventDefault();
    setState("sending");
    const fields = Object.fromEntries(new FormData(event.target));
    const answer = await fetch("%s", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ ...fields, _page: location.href }),
    }).catch(() => null);
    setState(answer?.ok ? "sent" : "failed");
  }
  if (state === "sent") return <p>Thank you.</p>;
  return (
    <form onSubmit={send}>
      <label>Email <input type="email" name="email" required /></label>
      <label>Name <input name="name" /></label>
      <label>Message <textarea name="message" /></label>
      {state === "failed" && <p role="alert">That did not work. Please try again.</p>}
      <button disabled={state === "sending"}>Send</button>
    </form>
  );
}`, address)},
		{"wordpress", "WordPress", "In a block “Custom HTML”. A form plugin's webhook takes the address " + address + ".",
			strings.ReplaceAll(plain, "\n  <label>", "\n  <p><label>")},
		{"curl", "curl", "From a terminal, to see that it works.", fmt.Sprintf(`curl %s \
  -H 'Content-Type: application/json' -H 'Origin: %s' \
  -d '{"email":"ada@example.com","name":"Ada"}'`, address, firstOrigin(k, origin))},
	}
}

func firstOrigin(k *formKey, own string) string {
	if len(k.Form.Origins) == 0 || k.Form.Origins[0] == "*" {
		return own
	}
	return k.Form.Origins[0]
}
