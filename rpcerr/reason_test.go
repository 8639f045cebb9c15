package rpcerr_test

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/parley-rpc/parley/rpcerr"
)

// parse returns the Go file at path.
func parse(t *testing.T, path string) *ast.File {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// constants are the reasons as the source declares them, by the name of the constant.
func constants(t *testing.T) map[string]rpcerr.Reason {
	t.Helper()
	declared := map[string]rpcerr.Reason{}
	ast.Inspect(parse(t, "reason.go"), func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		if kind, ok := spec.Type.(*ast.Ident); !ok || kind.Name != "Reason" {
			return true
		}
		text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		declared[spec.Names[0].Name] = rpcerr.Reason(text)
		return true
	})
	return declared
}

func TestTheTableHasEveryReason(t *testing.T) {
	declared := constants(t)
	listed := map[rpcerr.Reason]bool{}
	for _, reason := range rpcerr.Reasons() {
		if listed[reason] {
			t.Errorf("%s is listed twice", reason)
		}
		listed[reason] = true
		if !strings.HasSuffix(reason.Meaning(), ".") || reason.Code() == codes.Unknown || reason.Code() == codes.OK ||
			reason.Message() == "" {
			t.Errorf("%s: %v, %q, %q", reason, reason.Code(), reason.Message(), reason.Meaning())
		}
	}
	for name, reason := range declared {
		if !listed[reason] {
			t.Errorf("the table lacks %s", name)
		}
	}
	if len(listed) != len(declared) {
		t.Errorf("%d reasons are listed, %d declared", len(listed), len(declared))
	}
	for _, unknown := range []rpcerr.Reason{"", "SOMETHING_NEW"} {
		if unknown.Code() != codes.Unknown || unknown.Meaning() != "" || unknown.Message() != "" {
			t.Errorf("%q: %v, %q; want UNKNOWN and nothing", unknown, unknown.Code(), unknown.Meaning())
		}
	}
}

func TestRefuse(t *testing.T) {
	cause := errors.New("the signature does not hold")
	for _, reason := range rpcerr.Reasons() {
		got := rpcerr.Refuse(reason, cause)
		if got.Reason != reason || got.Code != reason.Code() || got.Message != reason.Message() || !errors.Is(got, cause) {
			t.Errorf("%s: %+v", reason, got)
		}
	}
	if got := rpcerr.Refuse("SOMETHING_NEW", nil); got.Reason != rpcerr.CredentialsInvalid ||
		got.Code != codes.Unauthenticated {
		t.Errorf("an unknown reason gives %+v; it must fail closed and say nothing", got)
	}
}

// A refusal costs its error and nothing besides: anyone can cause any number of them.
func TestRefusalAllocations(t *testing.T) {
	cause := errors.New("the token is bad")
	if n := testing.AllocsPerRun(100, func() { _ = rpcerr.Refuse(rpcerr.CredentialsInvalid, cause) }); n > 1 {
		t.Errorf("%v allocations", n)
	}
}
