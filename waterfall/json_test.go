package waterfall_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/parley-rpc/parley/waterfall"
)

// The names of the fields are what pages and scripts rely on.
func TestCallAsJSON(t *testing.T) {
	for _, d := range drawings {
		t.Run(d.name, func(t *testing.T) {
			tp := newTape(4)
			d.play(tp)
			call := tp.only(t)
			text, err := json.MarshalIndent(call, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			if d.name == "recovered" || d.name == "two_hops_in_one_process" {
				compare(t, d.name+".json", string(text)+"\n")
			}
			var back waterfall.Call
			if err := json.Unmarshal(text, &back); err != nil {
				t.Fatal(err)
			}
			if d.name != "hostile_names" && !reflect.DeepEqual(back, call) {
				t.Errorf("the call that was read back differs:\n%+v\nwant:\n%+v", back, call)
			}
		})
	}
}
