package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	configv1 "github.com/parley-rpc/parley/gen/parley/config/v1"
	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
)

// schemaFiles are the files that declare the configuration and the policies in it.
func schemaFiles() []string {
	return []string{"proto/parley/config/v1/config.proto", "proto/parley/policy/v1/policy.proto"}
}

// reference writes the keys of the configuration, a section with a table for each message of the schema.
type reference struct {
	comments comments
	uses     map[protoreflect.FullName][]protoreflect.FieldDescriptor // the fields that a message is the type of
	order    []protoreflect.MessageDescriptor                         // each message once
	errs     []error
}

func newReference(said comments) *reference {
	r := &reference{comments: said, uses: map[protoreflect.FullName][]protoreflect.FieldDescriptor{}}
	r.visit(new(configv1.Config).ProtoReflect().Descriptor())
	return r
}

func (r *reference) visit(m protoreflect.MessageDescriptor) {
	if slices.Contains(r.order, m) {
		return
	}
	r.order = append(r.order, m)
	for i := range m.Fields().Len() {
		field := m.Fields().Get(i)
		if below := section(field); below != nil {
			r.uses[below.FullName()] = append(r.uses[below.FullName()], field)
			r.visit(below)
		}
	}
}

// section is the message of a field that has a section of its own, or nil.
func section(field protoreflect.FieldDescriptor) protoreflect.MessageDescriptor {
	m := field.Message()
	if field.IsMap() {
		m = field.MapValue().Message()
	}
	if m == nil || strings.HasPrefix(string(m.FullName()), "google.protobuf.") {
		return nil
	}
	return m
}

// shared are the titles of messages that stand in several places, and how the places of their own fields begin.
func shared() map[protoreflect.FullName][2]string {
	return map[protoreflect.FullName][2]string{
		"parley.config.v1.Keys":          {"Key sets", "keys"},
		"parley.config.v1.TokenEndpoint": {"Token endpoints", "endpoint"},
		"parley.config.v1.Certificate":   {"Certificates", "tls"},
		"parley.config.v1.Keepalive":     {"Keepalive", "keepalive"},
		"parley.config.v1.UserIssuer":    {"Issuers of users", "users.issuers"},
		"parley.policy.v1.Rule":          {"Rules", "allow"},
		"parley.policy.v1.Claim":         {"Conditions on claims", "claims"},
		"parley.policy.v1.UserCondition": {"Conditions on users", "user"},
	}
}

// title is the heading of a message: its place, or the title of one that stands in several.
func (r *reference) title(m protoreflect.MessageDescriptor) string {
	if names, ok := shared()[m.FullName()]; ok {
		return names[0]
	}
	if place := r.place(m); place != "" {
		return "`" + place + "`"
	}
	return ""
}

// place is where the fields of a message stand.
func (r *reference) place(m protoreflect.MessageDescriptor) string {
	uses := r.uses[m.FullName()]
	if names, ok := shared()[m.FullName()]; ok {
		return names[1]
	}
	switch len(uses) {
	case 0:
		return ""
	case 1:
		return r.path(uses[0])
	}
	r.errs = append(r.errs, fmt.Errorf("%s stands in several places; give it a title in func shared", m.FullName()))
	return string(m.Name())
}

// path is the place of a field: "clients.<name>.token".
func (r *reference) path(field protoreflect.FieldDescriptor) string {
	path := string(field.Name())
	if above := r.place(field.ContainingMessage()); above != "" {
		path = above + "." + path
	}
	if field.IsMap() {
		path += map[bool]string{true: ".<key>", false: ".<name>"}[field.Name() == "policies"]
	}
	return path
}

// sections are those of the messages that inPolicies selects, a policy or the rest.
func (r *reference) sections(inPolicies bool) string {
	policies := new(policyv1.Policy).ProtoReflect().Descriptor().ParentFile()
	common := r.common()
	var b strings.Builder
	for _, m := range r.order {
		if (m.ParentFile() == policies) != inPolicies {
			continue
		}
		if title := r.title(m); title != "" {
			fmt.Fprintf(&b, "\n### %s\n\n", title)
		}
		fmt.Fprintf(&b, "%s\n", r.about(m))
		isIssuer := slices.Contains(issuers(), m.FullName())
		var fields []protoreflect.FieldDescriptor
		for i := range m.Fields().Len() {
			if f := m.Fields().Get(i); !isIssuer || !slices.Contains(common, string(f.Name())) {
				fields = append(fields, f)
			}
		}
		r.table(&b, fields)
		if !isIssuer {
			continue
		}
		b.WriteString("\nThe keys of [the profile](#the-profile-of-tokens) belong here, too.\n")
		if m.FullName() == issuers()[len(issuers())-1] {
			b.WriteString("\n### The profile of tokens\n\nWhat the tokens of an issuer look like, in " +
				"`servers.<name>.issuers` and in `users`. [auth.md](auth.md#tokens-of-other-issuers) has the cost of each key.\n")
			fields = nil
			for _, name := range common {
				fields = append(fields, m.Fields().ByName(protoreflect.Name(name)))
			}
			r.table(&b, fields)
		}
	}
	return b.String()
}

// issuers are the messages whose common fields are shown once.
func issuers() []protoreflect.FullName {
	return []protoreflect.FullName{"parley.config.v1.WorkloadIssuer", "parley.config.v1.UserIssuer"}
}

// common are the fields of the profile that issuers of workloads and of users share, word for word.
func (r *reference) common() []string {
	users := new(configv1.UserIssuer).ProtoReflect().Descriptor()
	workloads := new(configv1.WorkloadIssuer).ProtoReflect().Descriptor().Fields()
	var names []string
	for i := range users.Fields().Len() {
		f := users.Fields().Get(i)
		other := workloads.ByName(f.Name())
		ofProfile := section(f) == nil && f.Name() != "issuer"
		if ofProfile && other != nil && r.comments[f.FullName()] == r.comments[other.FullName()] {
			names = append(names, string(f.Name()))
		}
	}
	return names
}

// about is the comment of a message, and where it stands if its title does not say it.
func (r *reference) about(m protoreflect.MessageDescriptor) string {
	said := r.comment(m)
	for _, verb := range []string{" is ", " are ", " limits ", " configures ", " locates ", " selects ", " maps "} {
		if rest, ok := strings.CutPrefix(said, string(m.Name())+verb); ok {
			said = strings.ToUpper(rest[:1]) + rest[1:]
			if verb != " is " && verb != " are " {
				said = strings.ToUpper(verb[1:2]) + verb[2:] + rest
			}
		}
	}
	said = r.plain(said)
	if _, ok := shared()[m.FullName()]; ok {
		var places []string
		for _, field := range r.uses[m.FullName()] {
			places = append(places, "`"+r.path(field)+"`")
		}
		said += " Its places: " + strings.Join(places, ", ") + "."
	}
	return said
}

func (r *reference) comment(d protoreflect.Descriptor) string {
	said := r.comments[d.FullName()]
	if said == "" {
		r.errs = append(r.errs, fmt.Errorf("%s has no comment; say in a sentence what it is", d.FullName()))
	}
	return said
}

func (r *reference) table(b *strings.Builder, fields []protoreflect.FieldDescriptor) {
	b.WriteString("\n| key | value | default | meaning |\n|---|---|---|---|\n")
	for _, field := range fields {
		meaning, byDefault := split(r.comment(field))
		if field.Kind() == protoreflect.BoolKind && field.FullName() != "parley.policy.v1.Claim.exists" {
			if byDefault != "" && byDefault != "false" {
				meaning += " Otherwise " + byDefault + "."
			}
			byDefault = "false"
		}
		if e := field.Enum(); e != nil {
			meaning += r.values(e)
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", field.Name(), r.value(field), r.plain(byDefault), r.plain(meaning))
	}
}

var defaultSentence = regexp.MustCompile(`(?:^| )Default( [^:.]+)?: (.*?)\.(?: |$)`)

// split takes the sentence about the default out of a comment.
func split(said string) (meaning, byDefault string) {
	at := defaultSentence.FindStringSubmatchIndex(said)
	if at == nil {
		return said, ""
	}
	byDefault = said[at[4]:at[5]]
	if at[2] >= 0 {
		byDefault += said[at[2]:at[3]]
	}
	return strings.TrimSpace(said[:at[0]] + " " + said[at[1]:]), byDefault
}

// values say what each value of an enum means.
func (r *reference) values(e protoreflect.EnumDescriptor) string {
	var b strings.Builder
	for i := 1; i < e.Values().Len(); i++ {
		v := e.Values().Get(i)
		fmt.Fprintf(&b, " `%s`: %s", short(v), r.comment(v))
	}
	return b.String()
}

// short is a value as a file has it: self for ENROLL_SELF.
func short(v protoreflect.EnumValueDescriptor) string {
	prefix := regexp.MustCompile(`([a-z])([A-Z])`).ReplaceAllString(string(v.Parent().Name()), "${1}_$2")
	return strings.ToLower(strings.TrimPrefix(string(v.Name()), strings.ToUpper(prefix)+"_"))
}

// value is the kind of value that a key has.
func (r *reference) value(field protoreflect.FieldDescriptor) string {
	switch m := section(field); {
	case m != nil && field.IsMap():
		return fmt.Sprintf("[map](#%s)", anchor(r.title(m)))
	case m != nil && field.IsList():
		return fmt.Sprintf("[list](#%s)", anchor(r.title(m)))
	case m != nil:
		return fmt.Sprintf("[section](#%s)", anchor(r.title(m)))
	case field.IsMap():
		return "map of strings"
	}
	var kind string
	switch field.Kind() {
	case protoreflect.MessageKind:
		kind = map[protoreflect.FullName]string{
			"google.protobuf.Duration": "duration", "google.protobuf.Value": "string, number or boolean",
		}[field.Message().FullName()]
	case protoreflect.EnumKind:
		kind = "word"
	case protoreflect.BoolKind:
		kind = "boolean"
	case protoreflect.Uint32Kind, protoreflect.DoubleKind:
		kind = "number"
	default:
		kind = field.Kind().String()
	}
	switch {
	case field.IsList() && strings.HasPrefix(kind, "string, "):
		return "list of strings, numbers or booleans"
	case field.IsList():
		return "list of " + kind + "s"
	}
	return kind
}

// anchor is the fragment under which GitHub has a heading.
func anchor(title string) string {
	return regexp.MustCompile(`[^a-z0-9 _-]`).ReplaceAllString(strings.ReplaceAll(strings.ToLower(title), " ", "-"), "")
}

var (
	quoted   = regexp.MustCompile(`"([^"]*)"`)
	constant = regexp.MustCompile(`\b[A-Z]+(?:_[A-Z]+)+\b`)
)

// plain writes a comment as text of a table: quotations as code, and values of enums as a file has them.
func (r *reference) plain(said string) string {
	said = quoted.ReplaceAllStringFunc(said, func(text string) string {
		if text == `""` {
			return "`\"\"`"
		}
		return "`" + strings.Trim(text, `"`) + "`"
	})
	said = constant.ReplaceAllStringFunc(said, func(name string) string {
		for _, m := range r.order {
			for i := range m.Fields().Len() {
				if e := m.Fields().Get(i).Enum(); e != nil {
					if v := e.Values().ByName(protoreflect.Name(name)); v != nil {
						return "`" + short(v) + "`"
					}
				}
			}
		}
		return name
	})
	return strings.ReplaceAll(said, "|", `\|`)
}

// configurationTables are the tables of docs/configuration.md.
func configurationTables(said comments) (map[string]string, error) {
	r := newReference(said)
	tables := map[string]string{"keys": r.sections(false), "policies": r.sections(true)}
	return tables, errors.Join(r.errs...)
}
