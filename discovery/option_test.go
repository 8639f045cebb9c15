package discovery_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/parley-rpc/parley/discovery"
)

func TestOptionsPrintThemselvesAndAreChecked(t *testing.T) {
	for _, tt := range []struct {
		option discovery.Option
		text   string
		bad    string
	}{
		{discovery.WithTTL(time.Second), "discovery.WithTTL(1s)", ""},
		{discovery.WithTTL(0), "discovery.WithTTL(0s)", "more than 0s"},
		{discovery.WithDebounce(0, 0), "discovery.WithDebounce(0s, 0s)", ""},
		{discovery.WithDebounce(time.Second, time.Millisecond), "discovery.WithDebounce(1s, 1ms)", "least <= most"},
		{discovery.WithHold(0), "discovery.WithHold(0s)", ""},
		{discovery.WithHold(-1), "discovery.WithHold(-1ns)", "0s or more"},
		{discovery.WithLastKnownGood("/run/x"), `discovery.WithLastKnownGood("/run/x")`, ""},
		{discovery.WithLastKnownGood(""), `discovery.WithLastKnownGood("")`, "the path of a file"},
		{discovery.WithFirstWait(time.Second), "discovery.WithFirstWait(1s)", ""},
		{discovery.WithFirstWait(0), "discovery.WithFirstWait(0s)", "more than 0s"},
		{discovery.WithLinger(0), "discovery.WithLinger(0s)", ""},
		{discovery.WithLinger(-1), "discovery.WithLinger(-1ns)", "0s or more"},
		{discovery.WithBackoff(time.Second, time.Minute), "discovery.WithBackoff(1s, 1m0s)", ""},
		{discovery.WithBackoff(0, time.Minute), "discovery.WithBackoff(0s, 1m0s)", "0s < base"},
		{discovery.WithBackoff(2, 1), "discovery.WithBackoff(2ns, 1ns)", "base <= most"},
		{discovery.WithLogger(slog.New(slog.DiscardHandler)), "discovery.WithLogger(...)", ""},
		{discovery.WithLogger(nil), "discovery.WithLogger(...)", "a logger"},
	} {
		if got := tt.option.String(); got != tt.text {
			t.Errorf("prints itself as %q; want %q", got, tt.text)
		}
		err := open(t, newStage(), tt.option).Check()
		switch {
		case tt.bad == "" && err != nil:
			t.Errorf("%s: Check: %v", tt.text, err)
		case tt.bad != "" &&
			(err == nil || !strings.Contains(err.Error(), tt.bad) || !strings.Contains(err.Error(), tt.text)):
			t.Errorf("%s: Check: %v; want it to name the option and to say %q", tt.text, err, tt.bad)
		}
	}
}

func TestCheckNamesEveryMistake(t *testing.T) {
	err := open(t, newStage(), discovery.WithTTL(-1), discovery.WithLinger(-1)).Check()
	if err == nil || !strings.Contains(err.Error(), "WithTTL") || !strings.Contains(err.Error(), "WithLinger") {
		t.Errorf("Check: %v; want both mistakes", err)
	}
}
