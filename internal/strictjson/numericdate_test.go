package strictjson_test

import (
	"errors"
	"testing"
	"time"

	"github.com/parley-rpc/parley/internal/strictjson"
)

func TestAttack22To27NumericDate(t *testing.T) {
	for _, c := range []struct {
		name, exp string
		want      int64 // 0: refused
	}{
		{"row 23: zero", `0`, 0},
		{"row 23: one half", `0.5`, 0},
		{"row 23: minus zero", `-0`, 0},
		{"row 23: zero with an exponent", `0e9`, 0},
		{"row 24: string", `"1893456000"`, 0},
		{"row 24: RFC 3339", `"2030-01-01T00:00:00Z"`, 0},
		{"row 25: 1e18", `1e18`, 0},
		{"row 25: year 9999 over", `253402300800`, 0},
		{"row 25: year 9999", `253402300799`, 253402300799},
		{"row 26: null", `null`, 0},
		{"row 26: true", `true`, 0},
		{"row 26: negative", `-1893456000`, 0},
		{"row 26: 1e300", `1e300`, 0},
		{"row 26: 1e99999999999999999999", `1e99999999999999999999`, 0},
		{"row 26: 1e9223372036854775807", `1e9223372036854775807`, 0},
		{"row 26: largest int64", `9223372036854775807`, 0},
		{"row 26: 2^64 + 1893456000", `18446744075602007616`, 0},
		{"row 26: array", `[1893456000]`, 0},
		{"row 26: object", `{}`, 0},
		{"row 27: fraction", `1893456000.75`, 1893456000},
		{"row 27: exponent", `1.893456e9`, 1893456000},
		{"row 27: exponent with a sign", `1.893456E+9`, 1893456000},
		{"row 27: negative exponent", `18934560007e-1`, 1893456000},
		{"row 27: small number, large exponent", `0.000001893456e15`, 1893456000},
		{"row 27: large number, small exponent", `1893456000000000000000e-12`, 1893456000},
		{"row 27: vanishing", `1893456000e-10`, 0},
		{"row 27: one", `1`, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			claims, err := strictjson.Read([]byte(`{"exp":` + c.exp + `}`))
			if err != nil {
				t.Fatal(err)
			}
			got, present, err := claims.NumericDate("exp")
			switch {
			case !present:
				t.Error("not present")
			case c.want == 0:
				if err == nil {
					t.Errorf("accepted as %v", got)
				} else if bad, ok := errors.AsType[*strictjson.TimeError](err); !ok || bad.Member != "exp" {
					t.Errorf("err = %v", err)
				}
			case err != nil || !got.Equal(time.Unix(c.want, 0)):
				t.Errorf("got %v, %v, want %v", got, err, time.Unix(c.want, 0))
			}
		})
	}
	claims, err := strictjson.Read([]byte(`{"EXP":1893456000}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"exp", ""} { // rows 19 and 22
		if at, present, err := claims.NumericDate(name); present || err != nil || !at.IsZero() {
			t.Errorf("%q is there: %v, %v", name, at, err)
		}
	}
}
