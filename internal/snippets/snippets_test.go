package snippets_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	configv1 "github.com/parley-rpc/parley/gen/parley/config/v1"
	issuerv1 "github.com/parley-rpc/parley/gen/parley/issuer/v1"
	"github.com/parley-rpc/parley/internal/protoyaml"
)

const root = "../.."

// snippet is one fenced block of a document.
type snippet struct {
	document, language, text string
}

func TestGoSnippetsStandInCompiledCode(t *testing.T) {
	code := sources(t, ".go")
	for _, s := range snippets(t, "go") {
		body := strings.TrimPrefix(s.text, "func main() {\n") // a program's main is an Example's body
		if !strings.Contains(code, squeeze(body)) {
			t.Errorf("%s: no .go file holds this snippet; change both together:\n%s", s.document, s.text)
		}
	}
}

func TestProtoSnippetsStandInProtoFiles(t *testing.T) {
	protos := sources(t, ".proto")
	for _, s := range snippets(t, "proto") {
		if !strings.Contains(protos, squeeze(s.text)) {
			t.Errorf("%s: no .proto file holds this snippet; change both together:\n%s", s.document, s.text)
		}
	}
}

func TestYAMLSnippetsAreGoodConfigurations(t *testing.T) {
	for _, s := range snippets(t, "yaml") {
		if _, err := protoyaml.Unmarshal(s.document, []byte(s.text), schema(s.text)); err != nil {
			t.Errorf("%v\n%s", err, s.text)
		}
	}
}

// schema returns the message that a YAML file is read into. The files of an issuer begin with their names.
func schema(text string) proto.Message {
	switch name, _, _ := strings.Cut(text, "\n"); name {
	case "# issuer.yaml":
		return new(issuerv1.Config)
	case "# clients.yaml":
		return new(issuerv1.Registrations)
	default:
		return new(configv1.Config)
	}
}

func TestLinksLeadSomewhere(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#]+)[^)]*\)`)
	for _, document := range documents(t) {
		text := read(t, document)
		for _, match := range link.FindAllStringSubmatch(text, -1) {
			if strings.Contains(match[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(document), match[1])); err != nil {
				t.Errorf("%s: the link to %s leads nowhere", document, match[1])
			}
		}
	}
}

func TestREADMEIsShort(t *testing.T) {
	if n := strings.Count(read(t, filepath.Join(root, "README.md")), "\n"); n >= 150 {
		t.Errorf("README.md has %d lines; it must stay under 150", n)
	}
}

// documents are the README, the contributors' guide and everything under docs/.
func documents(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	return append(found, filepath.Join(root, "README.md"), filepath.Join(root, "CONTRIBUTING.md"))
}

func snippets(t *testing.T, language string) []snippet {
	t.Helper()
	fence := regexp.MustCompile("(?s)```(\\w+)\n(.*?)```")
	var found []snippet
	for _, document := range documents(t) {
		for _, match := range fence.FindAllStringSubmatch(read(t, document), -1) {
			if match[1] == language {
				found = append(found, snippet{document, match[1], match[2]})
			}
		}
	}
	if len(found) == 0 {
		t.Fatalf("no document shows any %s; this test looks in the wrong place", language)
	}
	return found
}

// sources is the text of every file of the module that ends in suffix, without the white space that does not matter.
func sources(t *testing.T, suffix string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && strings.HasPrefix(entry.Name(), ".") && path != root {
			return filepath.SkipDir
		}
		if strings.HasSuffix(path, suffix) {
			all.WriteString(squeeze(read(t, path)))
			all.WriteByte('\n')
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

func squeeze(text string) string { return strings.Join(strings.Fields(text), " ") }

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
