package framework

import (
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	configv1 "github.com/parley-rpc/parley/gen/parley/config/v1"
	"github.com/parley-rpc/parley/internal/issuerconfig"
)

// No empty list of a configuration file silently means what no list means: it is a mistake, or it says something and
// the reader can tell the two apart.
func TestEveryEmptyListSaysSomething(t *testing.T) {
	tried := 0
	root := new(configv1.Config).ProtoReflect().Descriptor()
	listsBelow(root, "", "", "", func(path, text string, field protoreflect.FieldDescriptor) {
		tried++
		app := &App{settings: settings{configFiles: []string{"payments.yaml"}}}
		read, err := app.read([]byte(text))
		if !slices.Contains(issuerconfig.MayBeEmpty(), field.FullName()) {
			if err == nil || !strings.Contains(err.Error(), path+": the list is empty") {
				t.Errorf("%s: an empty list is no mistake: %v", path, err)
			}
			return
		}
		file := &configFile{stated: read.stated}
		if err != nil || !file.states(path) {
			t.Errorf("%s: an empty list is not told from none: %v", path, err)
		}
	})
	if tried < 40 { // of which the schema has some more
		t.Errorf("only %d lists were found", tried)
	}
}

// listsBelow visits each list field below a message, with its path and a file that states it as empty.
func listsBelow(
	d protoreflect.MessageDescriptor, path, before, after string,
	visit func(path, text string, field protoreflect.FieldDescriptor),
) {
	for i := range d.Fields().Len() {
		field := d.Fields().Get(i)
		name := string(field.Name())
		at, open, end := strings.TrimPrefix(path+"."+name, "."), before+"{"+name+": ", "}"+after
		below := field.Message()
		switch {
		case field.IsMap():
			below = field.MapValue().Message()
			at, open, end = at+".x", open+"{x: ", "}"+end
		case field.IsList():
			visit(at, open+"[]"+end, field)
			at, open, end = at+"[0]", open+"[", "]"+end
		}
		if below != nil && strings.HasPrefix(string(below.FullName()), "parley.") && strings.Count(path, ".") < 8 {
			listsBelow(below, at, open, end, visit)
		}
	}
}
