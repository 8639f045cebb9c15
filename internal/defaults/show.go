package defaults

import (
	"go/constant"
	"go/types"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// show writes the value of a constant as people do: 250ms, 4 MiB, 1,000,000. About is its name and comment, from which
// a number of bytes is known. It is not ok when the value is unknown.
func show(object types.Object, about string) (text string, ok bool) {
	c, isConstant := object.(*types.Const)
	if !isConstant {
		return "", false
	}
	switch value := c.Val(); value.Kind() {
	case constant.Bool:
		return value.String(), true
	case constant.String:
		return "`" + strconv.Quote(constant.StringVal(value)) + "`", true
	case constant.Int, constant.Float:
		return number(c.Type(), value, about), true
	case constant.Unknown, constant.Complex:
		return "", false
	default:
		return "", false
	}
}

func number(kind types.Type, value constant.Value, about string) string {
	whole, exact := constant.Int64Val(constant.ToInt(value))
	switch {
	case !exact:
		f, _ := constant.Float64Val(value)
		return strconv.FormatFloat(f, 'g', -1, 64)
	case kind.String() == "time.Duration":
		return duration(time.Duration(whole))
	case regexp.MustCompile(`(?i)bytes?\b`).MatchString(about):
		return size(whole)
	default:
		return thousands(whole)
	}
}

// duration leaves out what is zero: 30m0s is 30m.
func duration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// size uses the largest unit of which there is a whole number.
func size(n int64) string {
	for i, unit := range []string{"GiB", "MiB", "KiB"} {
		if factor := int64(1) << (10 * (3 - i)); n >= factor && n%factor == 0 {
			return thousands(n/factor) + " " + unit
		}
	}
	return thousands(n) + " B"
}

func thousands(n int64) string {
	text := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, text = "-", text[1:]
	}
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return sign + text
}
