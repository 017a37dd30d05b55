package verdict_test

import (
	"encoding/binary"
	"strings"
	"syscall"
	"testing"
	"time"

	"leadgate/gateway/internal/form/verdict"
)

// typical is about 1 KB of what people write.
const typical = "Hello, I will try to be brief, but there is some background. We bought the house in 2011 and the roof was redone by the " +
	"former owner, who told us that it would last for thirty years. Since the storm there is a damp patch above the stairs, and it gets " +
	"larger whenever the wind comes from the west. A neighbour had a look and thinks that the flashing around the chimney has come loose, " +
	"but he is not a roofer. We would be grateful if somebody could have a look, give us an idea of what it would cost, and tell us " +
	"whether the insurance is likely to pay. Pictures are at https://house.example/roof. We are at home on weekdays after four. " +
	"Über die Straße kommen Sie mit einem größeren Wagen leider nicht heran. There is a dog, but she is friendly."

// cpu returns the time that this process has used.
func cpu(tb testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkCheck(b *testing.B) {
	for name, message := range map[string]string{
		"1KB":          typical,
		"8KB":          strings.Repeat(typical+"\n", 9),
		"32KB":         strings.Repeat(typical+"\n", 36),
		"32KB_links":   strings.Repeat("http://a.example/x?y=1 ", 1400),
		"32KB_dots":    strings.Repeat("a.b ", 8<<10),
		"32KB_chinese": strings.Repeat("我想咨询一下装修报价房子大概平方米请给我打电话", 500),
		"32KB_letters": strings.Repeat("a ", 16<<10),
		"32KB_unseen":  strings.Repeat("\u200b", 10<<10),
		"32KB_offers":  strings.Repeat("we can help you to rank your website on the first page of google, shall i send a free quote? ", 340),
		"32KB_oneword": strings.Repeat("q", 32<<10),
	} {
		b.Run(name, func(b *testing.B) {
			c, in := verdict.New(), person()
			in.Fields[3].Text = message
			var n uint64
			before := cpu(b)
			for b.Loop() {
				n++
				in.Now = in.Now.Add(50 * time.Millisecond)
				binary.LittleEndian.PutUint64(in.Address, n)
				c.Check(in)
			}
			b.ReportMetric(float64(cpu(b)-before)/float64(n), "cpu-ns/op") // of this process, whatever else runs
		})
	}
}
