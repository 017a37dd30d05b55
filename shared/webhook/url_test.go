package webhook_test

import (
	"strings"
	"testing"

	"leadgate/shared/webhook"
)

func TestCheckURL(t *testing.T) {
	t.Parallel()
	dev, err := webhook.ParseAllow([]string{"127.0.0.0/8", " fd00::/8 ", ""}, true)
	if err != nil {
		t.Fatal(err)
	}
	const number, whole = "Must have a port between 1 and 65535, or none",
		"Must have a whole host name or IP address, such as hooks.example.com"
	const private, port, https = "Must be a host on the public Internet", "Must use port 443 or 80", "Must be an https URL"
	for _, c := range []struct {
		raw   string
		allow webhook.Allow
		want  string
	}{
		{"https://hooks.example.com/in?tenant=1", webhook.Allow{}, ""},
		{"https://hooks.example.com:443/", webhook.Allow{}, ""},
		{"https://93.184.215.14/x", webhook.Allow{}, ""},
		{"https://[2606:2800:21f::1]/", webhook.Allow{}, ""},
		{"http://hooks.example.com/", webhook.Allow{}, https},
		{"ftp://hooks.example.com/", webhook.Allow{}, https},
		{"ftp://hooks.example.com/", dev, "Must be an https or http URL"},
		{"https://hooks.example.com:99999/", dev, number},
		{"https://hooks.example.com:0/", dev, number},
		{"http://127.0.0.1:/x", dev, number},
		{"https://hooks.example.com:", webhook.Allow{}, number},
		{"https://[2606:2800:21f::1]:/", webhook.Allow{}, number},
		{"https://127.1", webhook.Allow{}, whole},
		{"https://127.1", dev, whole},
		{"https://2130706433/", webhook.Allow{}, whole},
		{"https://0x7f.1", webhook.Allow{}, whole},
		{"https://0x7f000001", webhook.Allow{}, whole},
		{"https://hooks.0x7F/", webhook.Allow{}, whole},
		{"https://hooks..example.com/", webhook.Allow{}, whole},
		{"https://" + strings.Repeat("a", 64) + ".example.com/", webhook.Allow{}, whole},
		{"https://0177.0.0.1/", webhook.Allow{}, whole},
		{"https://-example.com/", webhook.Allow{}, whole},
		{"https://hooks-.example.com/", webhook.Allow{}, whole},
		{"https://hooks.example.com-/", webhook.Allow{}, whole},
		{"https://hooks!.example.com/", webhook.Allow{}, whole},
		{"https://*.example.com/", webhook.Allow{}, whole},
		{"https://hooks-eu.example.com/", webhook.Allow{}, ""},
		{"https://my_hooks.example.com/", webhook.Allow{}, ""}, // no host name, but there are such names, and they resolve
		{"https://bücher.example.com/", webhook.Allow{}, ""},
		{"https://xn--bcher-kva.example.com/", webhook.Allow{}, ""},
		{"https://１２７.０.０.１/", webhook.Allow{}, private}, // 127.0.0.1 by IDNA
		{"https://127。0。0。1/", webhook.Allow{}, private},
		{"https://ｌｏｃａｌｈｏｓｔ/", webhook.Allow{}, private},
		{"https://1.example.com/", webhook.Allow{}, ""},
		{"https://intranet/in", webhook.Allow{}, private},
		{"https://crm.local/", webhook.Allow{}, private},
		{"https://CRM.Internal./", webhook.Allow{}, private},
		{"http://receiver:9000/in", dev, ""},
		{"http://crm.internal/", dev, ""},
		{"hooks.example.com/in", webhook.Allow{}, https},
		{"https:hooks.example.com", webhook.Allow{}, "Must be a valid URL"},
		{"https://hooks.example.com/\x00", webhook.Allow{}, "Must be a valid URL"},
		{"https:///in", webhook.Allow{}, "Must name a host"},
		{"https://:443/", webhook.Allow{}, "Must name a host"},
		{"https://me:secret@hooks.example.com/", webhook.Allow{}, "Must not contain a user name or password"},
		{"https://hooks.example.com/#top", webhook.Allow{}, "Must not contain a fragment"},
		{"https://hooks.example.com/#", webhook.Allow{}, "Must not contain a fragment"},
		{"https://hooks.example.com/" + strings.Repeat("a", 2048), webhook.Allow{}, "Must be at most 2048 bytes"},
		{"https://hooks.example.com:8443/", webhook.Allow{}, port},
		{"https://hooks.example.com:8443/", dev, ""}, // may resolve into an allowed network; the dialer decides
		{"https://93.184.215.14:8443/", dev, port},
		{"https://localhost/", webhook.Allow{}, private},
		{"https://LOCALHOST./", webhook.Allow{}, private},
		{"https://app.localhost/", webhook.Allow{}, private},
		{"https://127.0.0.1/", webhook.Allow{}, private},
		{"https://[::1]/", webhook.Allow{}, private},
		{"https://[::ffff:127.0.0.1]/", webhook.Allow{}, private},
		{"https://[fe80::1%25lo]/", webhook.Allow{}, private},
		{"https://0.0.0.0/", webhook.Allow{}, private},
		{"https://10.1.2.3/", dev, private},
		{"https://169.254.169.254/latest/meta-data", webhook.Allow{}, private},
		{"https://100.100.100.200/", webhook.Allow{}, private},
		{"https://198.18.0.1/", webhook.Allow{}, private},
		{"https://168.63.129.16/", webhook.Allow{}, private},
		{"https://[64:ff9b::5db8:d70e]/", webhook.Allow{}, private},
		{"https://[2002:5db8:d70e::1]/", webhook.Allow{}, private},
		{"https://[::ffff:93.184.215.14]/", webhook.Allow{}, ""},
		{"http://127.0.0.1:9000/in", dev, ""},
		{"http://localhost:9000/in", dev, ""},
		{"http://[fd00::1]:9000/in", dev, ""},
		{"http://[::ffff:127.0.0.1]:9000/", dev, ""},
	} {
		t.Run(c.raw[:min(len(c.raw), 60)], func(t *testing.T) {
			if got := webhook.CheckURL(c.raw, c.allow); got != c.want {
				t.Errorf("CheckURL(%.60q) = %q, want %q", c.raw, got, c.want)
			}
		})
	}
}

func TestParseAllowNamesTheMistake(t *testing.T) {
	t.Parallel()
	if _, err := webhook.ParseAllow([]string{"10.0.0.0/8", "10.0.0.1"}, false); err == nil ||
		!strings.Contains(err.Error(), `"10.0.0.1"`) {
		t.Errorf("ParseAllow = %v, want an error that names 10.0.0.1", err)
	}
}

func TestReason(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		webhook.StatusError(503):                                   "503 from hooks.example.com",
		webhook.StatusError(302):                                   "302 from hooks.example.com: redirects are not followed",
		webhook.FailedTimeout.WithDetail("no whole answer in 15s"): "timeout at hooks.example.com",
		webhook.FailedDNS.WithDetail("no such host"):               "dns at hooks.example.com",
	} {
		t.Run(text, func(t *testing.T) {
			if got := webhook.Reason(text, "hooks.example.com"); got != want {
				t.Errorf("Reason(%q) = %q, want %q", text, got, want)
			}
		})
	}
}
