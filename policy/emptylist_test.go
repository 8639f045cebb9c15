package policy_test

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	"github.com/parley-rpc/parley/policy"
)

// Every list of a policy that the program states as empty, and does not leave out, is a mistake: in a message it would
// mean the same as none, and so open what somebody meant to close.
func TestEveryEmptyListIsAMistake(t *testing.T) {
	var paths []string
	described := new(policyv1.Policy).ProtoReflect().Descriptor()
	walkBelow(described, "", nil, func(root *policyv1.Policy, path string, empty func()) {
		paths = append(paths, path)
		empty()
		_, err := policy.New(code(policies{charge: root}))
		found := false
		for err := range mistakesIn(err) {
			found = found || err.Field == path && strings.Contains(err.Problem, "the list is empty")
		}
		if !found {
			t.Errorf("%s: an empty list is no mistake: %v", path, err)
		}
	})
	for _, want := range []string{"auth.peers", "auth.deny", "auth.allow[0].user.claims[0].none", "retry.codes"} {
		if !slices.Contains(paths, want) {
			t.Errorf("the test has not tried %s, but %v", want, paths)
		}
	}
}

func mistakesIn(err error) func(func(*policy.Mistake) bool) {
	return func(yield func(*policy.Mistake) bool) {
		joined, ok := err.(interface{ Unwrap() []error })
		if !ok {
			return
		}
		for _, one := range joined.Unwrap() {
			if mistake, ok := errors.AsType[*policy.Mistake](one); ok && !yield(mistake) {
				return
			}
		}
	}
}

// walkBelow visits each list field below a message that steps lead to from a Policy. Visit gets a Policy with that
// message, the path of the field, and a function that makes the field empty.
func walkBelow(
	d protoreflect.MessageDescriptor, path string, steps []protoreflect.FieldDescriptor,
	visit func(root *policyv1.Policy, path string, empty func()),
) {
	for i := range d.Fields().Len() {
		field := d.Fields().Get(i)
		at := strings.TrimPrefix(path+"."+string(field.Name()), ".")
		if field.IsList() {
			root := new(policyv1.Policy)
			parent := parentOf(root.ProtoReflect(), steps)
			visit(root, at, func() {
				name := goName(field)
				list := reflect.ValueOf(parent.Interface()).Elem().FieldByName(name)
				list.Set(reflect.MakeSlice(list.Type(), 0, 0))
			})
			at += "[0]"
		}
		if below := field.Message(); below != nil && below.ParentFile().Package() == d.ParentFile().Package() {
			walkBelow(below, at, append(slices.Clip(steps), field), visit)
		}
	}
}

// parentOf makes the messages that lead to a field.
func parentOf(m protoreflect.Message, steps []protoreflect.FieldDescriptor) protoreflect.Message {
	for _, step := range steps {
		if step.IsList() {
			m = m.Mutable(step).List().AppendMutable().Message()
		} else {
			m = m.Mutable(step).Message()
		}
	}
	return m
}

// goName is the name of a field in the generated struct.
func goName(field protoreflect.FieldDescriptor) string {
	name := ""
	for word := range strings.SplitSeq(string(field.Name()), "_") {
		name += strings.ToUpper(word[:1]) + word[1:]
	}
	return name
}
