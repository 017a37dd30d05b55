package hook_test

import (
	"strings"
	"testing"

	"leadgate/shared/hook"
)

func TestCheckURL(t *testing.T) {
	t.Parallel()
	dev, err := hook.ParseAllow([]string{"127.0.0.0/8", " fd00::/8 ", ""}, true)
	if err != nil {
		t.Fatal(err)
	}
	const number, whole = "Must have a port between 1 and 65535, or none", "Must have a whole host name or IP address, such as hooks.example.com"
	const private, port, https = "Must be a host on the public Internet", "Must use port 443 or 80", "Must be an https URL"
	for _, c := range []struct {
		raw   string
		allow hook.Allow
		want  string
	}{
		{"https://hooks.example.com/in?tenant=1", hook.Allow{}, ""},
		{"https://hooks.example.com:443/", hook.Allow{}, ""},
		{"https://93.184.215.14/x", hook.Allow{}, ""},
		{"https://[2606:2800:21f::1]/", hook.Allow{}, ""},
		{"http://hooks.example.com/", hook.Allow{}, https},
		{"ftp://hooks.example.com/", hook.Allow{}, https},
		{"ftp://hooks.example.com/", dev, "Must be an https or http URL"},
		{"https://hooks.example.com:99999/", dev, number},
		{"https://hooks.example.com:0/", dev, number},
		{"http://127.0.0.1:/x", dev, number},
		{"https://hooks.example.com:", hook.Allow{}, number},
		{"https://[2606:2800:21f::1]:/", hook.Allow{}, number},
		{"https://127.1", hook.Allow{}, whole},
		{"https://127.1", dev, whole},
		{"https://2130706433/", hook.Allow{}, whole},
		{"https://0x7f.1", hook.Allow{}, whole},
		{"https://0x7f000001", hook.Allow{}, whole},
		{"https://hooks.0x7F/", hook.Allow{}, whole},
		{"https://hooks..example.com/", hook.Allow{}, whole},
		{"https://" + strings.Repeat("a", 64) + ".example.com/", hook.Allow{}, whole},
		{"https://1.example.com/", hook.Allow{}, ""},
		{"https://intranet/in", hook.Allow{}, private},
		{"https://crm.local/", hook.Allow{}, private},
		{"https://CRM.Internal./", hook.Allow{}, private},
		{"http://receiver:9000/in", dev, ""},
		{"http://crm.internal/", dev, ""},
		{"hooks.example.com/in", hook.Allow{}, https},
		{"https:hooks.example.com", hook.Allow{}, "Must be a valid URL"},
		{"https://hooks.example.com/\x00", hook.Allow{}, "Must be a valid URL"},
		{"https:///in", hook.Allow{}, "Must name a host"},
		{"https://:443/", hook.Allow{}, "Must name a host"},
		{"https://me:secret@hooks.example.com/", hook.Allow{}, "Must not contain a user name or password"},
		{"https://hooks.example.com/#top", hook.Allow{}, "Must not contain a fragment"},
		{"https://hooks.example.com/#", hook.Allow{}, "Must not contain a fragment"},
		{"https://hooks.example.com/" + strings.Repeat("a", 2048), hook.Allow{}, "Must be at most 2048 octets"},
		{"https://hooks.example.com:8443/", hook.Allow{}, port},
		{"https://hooks.example.com:8443/", dev, ""}, // may resolve into an allowed network; the dialer decides
		{"https://93.184.215.14:8443/", dev, port},
		{"https://localhost/", hook.Allow{}, private},
		{"https://LOCALHOST./", hook.Allow{}, private},
		{"https://app.localhost/", hook.Allow{}, private},
		{"https://127.0.0.1/", hook.Allow{}, private},
		{"https://[::1]/", hook.Allow{}, private},
		{"https://[::ffff:127.0.0.1]/", hook.Allow{}, private},
		{"https://[fe80::1%25lo]/", hook.Allow{}, private},
		{"https://0.0.0.0/", hook.Allow{}, private},
		{"https://10.1.2.3/", dev, private},
		{"https://169.254.169.254/latest/meta-data", hook.Allow{}, private},
		{"https://100.100.100.200/", hook.Allow{}, private},
		{"http://127.0.0.1:9000/in", dev, ""},
		{"http://localhost:9000/in", dev, ""},
		{"http://[fd00::1]:9000/in", dev, ""},
		{"http://[::ffff:127.0.0.1]:9000/", dev, ""},
	} {
		if got := hook.CheckURL(c.raw, c.allow); got != c.want {
			t.Errorf("CheckURL(%.60q) = %q, want %q", c.raw, got, c.want)
		}
	}
}

func TestParseAllowNamesTheMistake(t *testing.T) {
	t.Parallel()
	if _, err := hook.ParseAllow([]string{"10.0.0.0/8", "10.0.0.1"}, false); err == nil || !strings.Contains(err.Error(), `"10.0.0.1"`) {
		t.Errorf("ParseAllow = %v, want an error that names 10.0.0.1", err)
	}
}

func TestReason(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		hook.StatusError(503):                                "503 from hooks.example.com",
		hook.StatusError(302):                                "302 from hooks.example.com: redirects are not followed",
		hook.FailedTimeout.Because("no whole answer in 15s"): "timeout at hooks.example.com",
		hook.FailedDNS.Because("no such host"):               "dns at hooks.example.com",
	} {
		if got := hook.Reason(text, "hooks.example.com"); got != want {
			t.Errorf("Reason(%q) = %q, want %q", text, got, want)
		}
	}
}
