package strictjson

import "time"

// Object holds the members of a JSON object, such as the claims of a token. Names are compared byte for byte. An Object
// never changes and may be used from any goroutine.
type Object struct {
	members []Member
	buffer  [12]Member // where members begin; tokens seldom have more
}

// Read reads an object, at most 16 levels deep and with at most 64 members in each object. The error is a
// [*SyntaxError].
func Read[Text []byte | string](text Text) (*Object, error) {
	o := &Object{}
	return o.read(scanner{text: string(text), limit: MaxMembers, members: o.buffer[:0]})
}

// ReadDocument is [Read] for the metadata of a provider, which may have more members: at most 512 in each object.
func ReadDocument(text []byte) (*Object, error) {
	return new(Object).read(scanner{text: string(text), limit: maxDocumentMembers})
}

// ReadShallow is [Read] for an object whose inner objects are checked by their own readers: their names may repeat, and
// they may have any number of members.
func ReadShallow(text []byte) (*Object, error) {
	return new(Object).read(scanner{text: string(text), limit: MaxMembers, shallow: true})
}

func (o *Object) read(s scanner) (*Object, error) {
	members, err := s.scan()
	if err != nil {
		return nil, err
	}
	o.members = members
	return o, nil
}

// ReadWithin is [Read] with other limits. It also returns what there is of that for which they stand.
func ReadWithin(text string, limits Limits) (*Object, Shape, error) {
	o := &Object{}
	s := scanner{text: text, limit: limits.Members, cased: limits.CaseVariants, members: o.buffer[:0]}
	members, err := s.scan()
	if err != nil {
		return nil, Shape{}, err
	}
	o.members = members
	return o, s.shape, nil
}

// AppendMembers appends the members of the object in text, at most limit of them, to members. It is [Read] for a caller
// with a small buffer of its own.
func AppendMembers(members []Member, text string, limit int) ([]Member, error) {
	s := scanner{text: text, limit: limit, members: members}
	return s.scan()
}

// value returns the value of a member, and the zero Value when there is no such member.
func (o *Object) value(name string) Value {
	for i := range o.members {
		if o.members[i].Name == name {
			return o.members[i].Value
		}
	}
	return Value{}
}

// Has reports whether there is a member of this name, of whatever kind.
func (o *Object) Has(name string) bool { return o.value(name).kind != 0 }

// States reports whether there is a member of this name that says something: not null, false, "", {} or [].
func (o *Object) States(name string) bool { return o.value(name).States() }

// Names lists the names of all members in their order.
func (o *Object) Names() []string {
	names := make([]string, len(o.members))
	for i := range o.members {
		names[i] = o.members[i].Name
	}
	return names
}

// Lookup returns the value that path leads to: the name of a member, then that of a member of its object, and so on. It
// is the zero Value where the path leads nowhere.
func (o *Object) Lookup(path []string) Value {
	if o == nil || len(path) == 0 {
		return Value{}
	}
	v := o.value(path[0])
	for _, name := range path[1:] {
		v = v.member(name)
	}
	return v
}

// String returns a member that is a string. It reports false when there is no such member or it is of another kind.
func (o *Object) String(name string) (string, bool) { return o.value(name).String() }

// Strings returns a member that is a string, as a list of one, or an array of nothing but strings, which may be empty.
// That is the form of an audience (RFC 7519 section 4.1.3). It reports false when there is no such member or it is of
// another form.
func (o *Object) Strings(name string) ([]string, bool) {
	v := o.value(name)
	if text, ok := v.String(); ok {
		return []string{text}, true
	}
	return v.Strings()
}

// Object returns the JSON text of a member that is an object. It reports false when there is no such member or it is of
// another kind.
func (o *Object) Object(name string) ([]byte, bool) {
	v := o.value(name)
	if !v.IsObject() {
		return nil, false
	}
	return []byte(v.text), true
}

// Array returns the JSON text of a member that is an array. It reports false when there is no such member or it is of
// another kind.
func (o *Object) Array(name string) ([]byte, bool) {
	v := o.value(name)
	if !v.IsList() {
		return nil, false
	}
	return []byte(v.text), true
}

// NumericDate returns a member that is a point in time (RFC 7519 section 2), cut to whole seconds. It reports false,
// and no error, when there is no such member. The error is a [*TimeError] when the member is not a number, or lies
// before the second 1 of 1970 or after [LastSecond].
func (o *Object) NumericDate(name string) (time.Time, bool, error) {
	v := o.value(name)
	switch n, ok := v.seconds(); {
	case v.kind == 0:
		return time.Time{}, false, nil
	case v.kind != kindNumber:
		return time.Time{}, true, &TimeError{Member: name, Problem: "is not a number"}
	case !ok:
		return time.Time{}, true, &TimeError{Member: name, Problem: "is not a time between 1970 and 9999"}
	default:
		return time.Unix(n, 0), true, nil
	}
}
