package policy_test

import (
	"math"
	"reflect"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/structpb"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	"github.com/parley-rpc/parley/policy"
)

// Two layers deny by rules of one name. What either denies stays denied, however alike the two rules print.
func TestRulesOfTwoLayersStayTwo(t *testing.T) {
	exists := func(path ...string) *policyv1.Rule {
		return rule("fired", &policyv1.Claim{Path: path, Exists: new(true)})
	}
	for name, test := range map[string]struct {
		code, file *policyv1.Rule
		want       int
	}{
		"the same rule":                    {exists("a", "b"), exists("a", "b"), 1},
		"a path, and a name that reads so": {exists("a", "b"), exists("a>b"), 2},
		"two paths":                        {exists("a", "b"), exists("a", "c"), 2},
		"a name that reads like operators": {exists("a exists true"), exists("a"), 2},
		"a list of peers, and one peer":    {peersRule("fired", "a", "b"), peersRule("fired", "a, b"), 2},
		"a user, and a peer of that name":  {&policyv1.Rule{Name: new("fired"), User: &policyv1.UserCondition{Subjects: []string{"a"}}}, peersRule("fired", "a"), 2},
		"any user, and a predicate":        {&policyv1.Rule{Name: new("fired"), User: &policyv1.UserCondition{}}, &policyv1.Rule{Name: new("fired"), Predicates: []string{"user"}}, 2},
	} {
		m := method(t, newTable(t, code(policies{getQuote: deny(test.code)}), file(policies{getQuote: deny(test.file)})), getQuote)
		if len(m.Auth.Deny) != test.want {
			t.Errorf("%s: %d deny rules are in force, want %d: %v", name, len(m.Auth.Deny), test.want, m.Auth.Deny)
		}
	}
}

// Every field of a rule is part of what it says, but for the place where it is stated. A field that the comparison
// forgets shows here.
func TestEveryFieldTellsRulesApart(t *testing.T) {
	full := func() *policy.Rule {
		r := new(policy.Rule)
		fill(reflect.ValueOf(r).Elem())
		return r
	}
	changes := 0
	for n := 0; ; n++ {
		changed, left := full(), n
		path := changeLeaf(reflect.ValueOf(changed).Elem(), "Rule", &left)
		if path == "" {
			break
		}
		changes++
		if full().Same(*changed) || changed.Same(*full()) {
			t.Errorf("rules that differ in %s are the same", path)
		}
	}
	if changes < 50 {
		t.Errorf("only %d changes were tried", changes)
	}
	moved := full()
	moved.Source = policy.Source{Kind: policy.KindFile, Place: "orders.yaml:12"}
	if !moved.Same(*full()) {
		t.Error("the place tells rules apart")
	}
}

// fill gives every field of v a value, and every slice one element.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for _, field := range v.Fields() {
			fill(field)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	default:
		left := 0
		changeLeaf(v, "", &left)
	}
}

// changeLeaf changes the value at leaf number left in v, whose slices it copies, and returns the path of what it
// changed, or "" when there are fewer. A pointer and a slice are leaves too: they can be missing.
func changeLeaf(v reflect.Value, path string, left *int) string {
	mine := *left == 0
	*left--
	switch v.Kind() {
	case reflect.Struct:
		*left++
		for i := range v.NumField() {
			if v.Type() == reflect.TypeFor[policy.Rule]() && v.Type().Field(i).Name == "Source" {
				continue
			}
			if changed := changeLeaf(v.Field(i), path+"."+v.Type().Field(i).Name, left); changed != "" {
				return changed
			}
		}
		return ""
	case reflect.Pointer, reflect.Slice:
		if mine {
			v.SetZero()
			return path
		}
		if v.Kind() == reflect.Pointer {
			return changeLeaf(v.Elem(), path, left)
		}
		own := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		reflect.Copy(own, v)
		v.Set(own)
		return changeLeaf(v.Index(0), path+"[0]", left)
	}
	if !mine {
		return ""
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(v.String() + "x")
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Int:
		v.SetInt(v.Int() + 1)
	case reflect.Float64:
		v.SetFloat(v.Float() + 1)
	default:
		panic("a rule has a field of a kind that this test does not know: " + path)
	}
	return path
}

// FuzzRuleIdentity looks for two different rules that count as one, and for two that print alike.
func FuzzRuleIdentity(f *testing.F) {
	claim := func(path ...string) *policyv1.Rule { return rule("r", &policyv1.Claim{Path: path, Exists: new(true)}) }
	for _, seed := range [][2]*policyv1.Rule{
		{claim("a", "b"), claim("a>b")},
		{claim("a"), claim("a exists true")},
		{peersRule("r", "a", "b"), peersRule("r", "a, b")},
		{rule("r", &policyv1.Claim{Path: []string{"a"}, Any: text("1")}), rule("r", &policyv1.Claim{Path: []string{"a"}, Any: values(1)})},
		{rule("r", &policyv1.Claim{Path: []string{"a"}, Any: values(0)}), rule("r", &policyv1.Claim{Path: []string{"a"}, Any: values(math.Copysign(0, -1))})},
		{{Name: new("r"), Scopes: []string{"a", "b"}}, {Name: new("r"), Scopes: []string{"b", "a", "b"}}},
		{{Name: new("r"), User: &policyv1.UserCondition{}}, {Name: new("r"), Predicates: []string{"user"}}},
	} {
		one, err := proto.Marshal(seed[0])
		if err != nil {
			f.Fatal(err)
		}
		other, err := proto.Marshal(seed[1])
		if err != nil {
			f.Fatal(err)
		}
		f.Add(one, other)
		f.Add(one, one)
	}
	f.Fuzz(func(t *testing.T, one, other []byte) {
		a, b := new(policyv1.Rule), new(policyv1.Rule)
		if proto.Unmarshal(one, a) != nil || proto.Unmarshal(other, b) != nil {
			return
		}
		readA, mistakesA := policy.ReadRule(a)
		readB, mistakesB := policy.ReadRule(b)
		if len(mistakesA)+len(mistakesB) > 0 {
			return
		}
		stated := proto.Equal(asSets(a), asSets(b))
		if same := readA.Same(readB); same != stated {
			t.Errorf("same is %v, want %v, of\n%v\n%v", same, stated, a, b)
		}
		if alike := readA.String() == readB.String(); alike != stated {
			t.Errorf("printed alike is %v, want %v, of\n%v\n%v", alike, stated, readA, readB)
		}
	})
}

// asSets is a copy of a rule in which sets are sorted and nothing is stated that says nothing.
func asSets(r *policyv1.Rule) *policyv1.Rule {
	set := func(words []string) []string { return slices.Compact(slices.Sorted(slices.Values(words))) }
	known := proto.CloneOf(r)
	discardUnknown(known.ProtoReflect())
	known.Scopes = set(known.GetScopes())
	claims := slices.Clone(known.GetClaims())
	if u := known.GetUser(); u != nil {
		u.Scopes = set(u.GetScopes())
		claims = append(claims, u.GetClaims()...)
	}
	for _, c := range claims {
		if c.GetSplit() == policyv1.Split_SPLIT_UNSPECIFIED {
			c.Split = nil
		}
	}
	return known
}

// discardUnknown takes out fields of a later version, which nothing here reads.
func discardUnknown(m protoreflect.Message) {
	m.SetUnknown(nil)
	m.Range(func(field protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case field.Message() == nil || field.IsMap():
		case field.IsList():
			for i := range v.List().Len() {
				discardUnknown(v.List().Get(i).Message())
			}
		default:
			discardUnknown(v.Message())
		}
		return true
	})
}

func values(numbers ...float64) []*structpb.Value {
	all := make([]*structpb.Value, 0, len(numbers))
	for _, n := range numbers {
		all = append(all, structpb.NewNumberValue(n))
	}
	return all
}
