package policy_test

import (
	"reflect"
	"testing"

	"github.com/parley-rpc/parley/policy"
)

// What was compiled of a method is kept only where nothing about the method has changed, and nothing has moved.
func TestEveryChangeIsCompiled(t *testing.T) {
	guard := &wall{"a"}
	base, leaves := filled(guard, -1)
	if again, _ := filled(guard, -1); !policy.Keeps(base, again) {
		t.Error("what is the same is compiled again")
	}
	if leaves < 100 {
		t.Errorf("the method has %d values only", leaves)
	}
	for i := range leaves {
		changed, _ := filled(guard, i)
		if policy.Keeps(base, changed) {
			t.Errorf("value %d is not compared: %+v", i, changed)
		}
	}
	if moved, _ := filled(&wall{"a"}, -1); policy.Keeps(base, moved) {
		t.Error("another guard with the same rules is not compiled")
	}
	if unlike, _ := filled(uncomparable{wall: guard}, -1); policy.Keeps(unlike, unlike) {
		t.Error("guards that cannot be compared are taken for one")
	}
}

// uncomparable is a guard that == cannot compare.
type uncomparable struct {
	*wall
	_ []int
}

// filled is a policy in which every value is set, the one with a number to another value. It returns their number.
func filled(guard policy.Guard, other int) (m policy.Method, leaves int) {
	var fill func(v reflect.Value)
	fill = func(v reflect.Value) {
		n := int64(1)
		if leaves == other {
			n = 2
		}
		switch v.Kind() {
		case reflect.Struct:
			for _, field := range v.Fields() {
				fill(field)
			}
			return
		case reflect.Pointer:
			v.Set(reflect.New(v.Type().Elem()))
			fill(v.Elem())
			return
		case reflect.Slice:
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
			fill(v.Index(0))
			return
		case reflect.Interface:
			v.Set(reflect.ValueOf(guard))
			return
		case reflect.String:
			v.SetString([]string{"", "a", "b"}[n])
		case reflect.Bool:
			v.SetBool(n == 1)
		case reflect.Float64:
			v.SetFloat(float64(n))
		case reflect.Uint32:
			v.SetUint(uint64(n))
		default:
			v.SetInt(n)
		}
		leaves++
	}
	fill(reflect.ValueOf(&m).Elem())
	return m, leaves
}
