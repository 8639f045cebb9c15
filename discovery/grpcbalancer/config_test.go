package grpcbalancer_test

import (
	"encoding/json"
	"strings"
	"testing"

	"google.golang.org/grpc/balancer"

	"github.com/parley-rpc/parley/discovery/grpcbalancer"
)

func TestParseConfig(t *testing.T) {
	parser, ok := balancer.Get(grpcbalancer.Name).(balancer.ConfigParser)
	if !ok {
		t.Fatal("the policy does not parse its config")
	}
	for _, tt := range []struct {
		text string
		want string // in the error; "" when there is none
	}{
		{`{"childPolicy":[{"round_robin":{}}]}`, ""},
		{`{"childPolicy":[{"nonsense":{}},{"round_robin":{}}]}`, ""},
		{`{"childPolicy":[{"pick_first":{"shuffleAddressList":true}}]}`, ""},
		{`{"childPolicy":[{"parley":{"childPolicy":[{"round_robin":{}}]}}]}`, ""},
		{`{"childPolicy":[{"round_robin":{}}],"subset":{"above":100,"size":20}}`, ""},
		{`{"childPolicy":[{"round_robin":{}}],"subset":{"above":10,"size":20}}`, "1 <= size <= above"},
		{`{"childPolicy":[{"round_robin":{}}],"outliers":{}}`, ""},
		{`{"childPolicy":[{"round_robin":{}}],"outliers":{"interval":"5s","minCalls":10}}`, ""},
		{`{"childPolicy":[{"round_robin":{}}],"outliers":{"rest":"soon"}}`, `"soon"`},
		{`{"childPolicy":[{"round_robin":{}}],"outliers":{"rest":"1h"}}`, "a rest of 1h"},
		{`{"childPolicy":[{"parley_zone_weighted":{"zone":7}}]}`, `"parley_zone_weighted"`},
		{`{"childPolicy":[{"pick_first":{"shuffleAddressList":7}}]}`, `"pick_first"`},
		{`{"childPolicy":[{"nonsense":{}}]}`, "does not know these policies"},
		{`{"childPolicy":[]}`, "does not know these policies"},
		{`{}`, "does not know these policies"},
		{`{"childPolicy":[{}]}`, "want one policy in each entry, not 0"},
		{`{"childPolicy":[{"round_robin":{},"pick_first":{}}]}`, "want one policy in each entry, not 2"},
		{`{"childPolicy":7}`, "parley"},
		{`[`, "parley"},
	} {
		_, err := parser.ParseConfig(json.RawMessage(tt.text))
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v; want %q", tt.text, err, tt.want)
		}
	}
}

func FuzzParseConfig(f *testing.F) {
	parser, ok := balancer.Get(grpcbalancer.Name).(balancer.ConfigParser)
	if !ok {
		f.Fatal("the policy does not parse its config")
	}
	f.Add([]byte(`{"childPolicy":[{"round_robin":{}}]}`))
	f.Add([]byte(`{"childPolicy":[{"nonsense":{}},{"pick_first":{"shuffleAddressList":true}}]}`))
	f.Add([]byte(`{"childPolicy":[{}]}`))
	f.Add(
		[]byte(
			`{"childPolicy":[{"parley_zone_weighted":{"zone":"a"}}],"subset":{"above":100,"size":20},"outliers":{"rest":"5s"}}`,
		),
	)
	f.Fuzz(func(t *testing.T, text []byte) {
		if conf, err := parser.ParseConfig(text); (conf == nil) == (err == nil) {
			t.Errorf("%q: config %v, error %v; want one of them", text, conf, err)
		}
	})
}
