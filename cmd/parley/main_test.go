package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/parley-rpc/parley/admin"
	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	_ "github.com/parley-rpc/parley/gen/shop/orders/v1"
	_ "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/principal"
)

// invoked runs the program in a folder of its own, where api.binpb is the contract of the shop.
func invoked(t *testing.T, files map[string]string, args ...string) (status int, out, errs string) {
	t.Helper()
	t.Chdir(t.TempDir())
	write(t, "api.binpb", contract(t, func(*descriptorpb.FileDescriptorProto) {}))
	for name, text := range files {
		write(t, name, text)
	}
	var stdout, stderr bytes.Buffer
	status = run(t.Context(), args, streams{&stdout, &stderr})
	return status, stdout.String(), stderr.String()
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// contract is the descriptor set of the shop, changed.
func contract(t *testing.T, change func(*descriptorpb.FileDescriptorProto)) string {
	t.Helper()
	set := new(descriptorpb.FileDescriptorSet)
	protoregistry.GlobalFiles.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		if strings.HasPrefix(file.Path(), "shop/") {
			described := protodesc.ToFileDescriptorProto(file)
			change(described)
			set.File = append(set.File, described)
		}
		return true
	})
	data, err := proto.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// changingCharge changes the policy of the method Charge in a contract.
func changingCharge(change func(*policyv1.Policy)) func(*descriptorpb.FileDescriptorProto) {
	return func(file *descriptorpb.FileDescriptorProto) {
		for _, s := range file.GetService() {
			for _, m := range s.GetMethod() {
				if m.GetName() != "Charge" {
					continue
				}
				stated, _ := proto.GetExtension(m.GetOptions(), policyv1.E_Method).(*policyv1.Policy)
				stated = proto.CloneOf(stated)
				change(stated)
				options := proto.CloneOf(m.GetOptions())
				proto.SetExtension(options, policyv1.E_Method, stated)
				m.Options = options
			}
		}
	}
}

func token(claims string) string {
	part := base64.RawURLEncoding.EncodeToString
	return part([]byte(`{"alg":"EdDSA"}`)) + "." + part([]byte(claims)) + "." + part([]byte("signature"))
}

func TestRun(t *testing.T) {
	config := map[string]string{"payments.yaml": `
identity: {trust_domain: shop.example}
users: {issuers: [{issuer: "https://login.shop.example"}]}
policies:
  /shop.payments.v1.PaymentsService/Charge:
    auth: {allow: [{name: staff, user: {subjects: [alice]}}]}
`}
	staff := map[string]string{
		"payments.yaml": config["payments.yaml"],
		"alice.jwt":     token(`{"iss":"https://login.shop.example","sub":"alice"}`),
		"bob.jwt":       token(`{"iss":"https://login.shop.example","sub":"bob"}`),
		"orders.jwt":    token(`{"sub":"spiffe://shop.example/orders","aud":"spiffe://shop.example/payments"}`),
	}
	mapped := map[string]string{
		"payments.yaml": `
identity: {trust_domain: shop.example}
users: {issuers: [{issuer: "https://id.shop.example", provider: keycloak}]}
servers:
  payments:
    issuers:
    - {issuer: "https://id.shop.example", provider: keycloak, required_claims: [], scope_claims: [roles],
      principals: {claim: azp, ids: {job: orders}, same: [azp, client_id]}}
`,
		"job.jwt":      token(`{"iss":"https://id.shop.example","sub":"1","azp":"job","client_id":"job","roles":["pay"]}`),
		"other.jwt":    token(`{"iss":"https://id.shop.example","sub":"1","azp":"other","client_id":"other"}`),
		"stranger.jwt": token(`{"iss":"https://id.stranger.example","sub":"1"}`),
	}
	const (
		charge     = "explain Charge --contract api.binpb"
		configured = charge + " --config payments.yaml"
	)
	wrong := contract(t, changingCharge(func(p *policyv1.Policy) { p.Hedge = &policyv1.Hedge{MaxHedges: new(uint32(1))} }))
	for name, test := range map[string]struct {
		files  map[string]string
		args   string
		script string // of --script
		status int
		want   []string // in the output, or among the errors where the status is 2
	}{
		"help":    {args: "--help", want: []string{"explain", "check", "diff"}},
		"nothing": {status: 2, want: []string{"expected one of"}},
		"a policy": {
			args: charge,
			want: []string{"/shop.payments.v1.PaymentsService/Charge (unary)", "peers", "orders"},
		},
		"no such file": {
			args: "explain Charge --contract none.binpb", status: 2, want: []string{"buf build -o none.binpb"},
		},
		"a near method": {
			args: "explain shop.payments.v1.PaymentsService/Charg --contract api.binpb", status: 2,
			want: []string{"did you mean shop.payments.v1.PaymentsService/Charge?"},
		},
		"no contract": {
			files: map[string]string{"x": "x"}, args: "explain Charge --contract x", status: 2,
			want: []string{"x is no descriptor set"},
		},
		"a wrong key": {
			files: map[string]string{"x.yaml": "polices: {}"}, args: charge + " --config x.yaml", status: 2,
			want: []string{"x.yaml:1", "policies"},
		},
		"a caller passes": {args: charge + " --as orders", want: []string{"Charge: allowed", "peers: met"}},
		"a caller is refused": {
			args: charge + " --as billing", status: 1,
			want: []string{"Charge: refused, POLICY_DENIED", "not among the peers"},
		},
		"a pattern is no caller": {
			args: charge + " --as spiffe://local/*", status: 2, want: []string{"a caller is one workload"},
		},
		"a user passes": {
			files: staff, args: configured + " --as orders --user-token-file alice.jwt",
			want: []string{"Charge: allowed", "staff", "payments.yaml:5", "read, not verified"},
		},
		"a user is refused": {
			files: staff, args: configured + " --token-file orders.jwt --user-token-file bob.jwt", status: 1,
			want: []string{"Charge: refused", "payments.yaml:5"},
		},
		"a user of whom no configuration says anything": {
			files: map[string]string{"refund.yaml": "policies: {/shop.payments.v1.PaymentsService/Charge: " +
				"{auth: {user: {presence: required}}}}"},
			args: charge + " --as orders --config refund.yaml", status: 2, want: []string{"name one in users.issuers"},
		},
		"a user who is required, without a configuration": {
			files: map[string]string{"user.binpb": contract(t, changingCharge(func(p *policyv1.Policy) {
				p.Auth.User = &policyv1.User{Presence: policyv1.Presence_PRESENCE_REQUIRED.Enum()}
			}))},
			args: "explain Charge --contract user.binpb --as orders", status: 1, want: []string{"refused, CREDENTIALS_MISSING"},
		},
		"an empty list that says something": {
			files: map[string]string{"x.yaml": "users: {issuers: [{issuer: \"https://x.example\", required_claims: []}]}"},
			args:  charge + " --as orders --config x.yaml", want: []string{"allowed"},
		},
		"a workload of a map": {
			files: mapped, args: configured + " --token-file job.jwt",
			want: []string{"Charge: allowed", "peers: met", "read, not verified"},
		},
		"a workload that the map does not list": {
			files: mapped, args: configured + " --token-file other.jwt", status: 1,
			want: []string{
				"refused, CREDENTIALS_INVALID", "other.jwt: principals: claim azp names no workload that is listed",
			},
		},
		"a token of an issuer that is not configured": {
			files: mapped, args: configured + " --token-file stranger.jwt", status: 1,
			want: []string{"refused, CREDENTIALS_INVALID", `iss is "https://id.stranger.example"`},
		},
		"the workload of another token": {
			files: mapped, args: configured + " --token-file job.jwt --as billing", status: 2,
			want: []string{"the token is that of spiffe://shop.example/orders"},
		},
		"a workload in the place of a user": {
			files: mapped, args: configured + " --as orders --user-token-file job.jwt", status: 1,
			want: []string{"refused, CREDENTIALS_INVALID", "the token is that of a workload and no user's"},
		},
		"a map, without its configuration": {
			files: mapped, args: charge + " --token-file job.jwt", status: 2, want: []string{"principals"},
		},
		"no token": {
			files: map[string]string{"x": "x"}, args: charge + " --token-file x", status: 2,
			want: []string{"x holds no JWT"},
		},
		"attempts": {
			args: "explain GetQuote --contract api.binpb", script: "UNAVAILABLE, 1ms OK",
			want: []string{"PaymentsService/GetQuote", "recovered", "2 attempts", "UNAVAILABLE"},
		},
		"attempts in virtual time": {
			args: "explain GetQuote --contract api.binpb --config slow.yaml", status: 1,
			script: "59s UNAVAILABLE, hang, 1s OK",
			files: map[string]string{"slow.yaml": "policies:\n  /shop.payments.v1.PaymentsService/GetQuote:\n    retry: " +
				"{initial_backoff: 10ms, max_backoff: 20ms}\n"},
			want: []string{"DEADLINE_EXCEEDED", "2s of 2s"},
		},
		"a call without end": {
			args: "explain Charge --contract free.binpb", script: "hang", status: 2, want: []string{"give --deadline"},
			files: map[string]string{"free.binpb": contract(t, func(file *descriptorpb.FileDescriptorProto) {
				for _, service := range file.GetService() {
					service.Options = nil
					for _, method := range service.GetMethod() {
						method.Options = nil
					}
				}
			})},
		},
		"attempts of what must not be repeated": {
			args: charge, script: "UNAVAILABLE, OK", status: 1,
			want: []string{"1 attempt", "UNAVAILABLE", "stopped"},
		},
		"no script": {args: charge, script: "MAYBE", status: 2, want: []string{`"MAYBE" is neither a status code`}},
		"a check of a change": {
			args: "check --diff wide.yaml tight.yaml --contract api.binpb", files: map[string]string{
				"wide.yaml":  "policies: {}\n",
				"tight.yaml": "policies:\n  /shop.payments.v1.PaymentsService/Charge: {auth: {peers: [billing]}}\n",
			},
			want: []string{"closes", "principal: spiffe://local/orders is refused now and was allowed", "tight.yaml:2"},
		},
		"the change taken back": {
			args: "check --diff tight.yaml wide.yaml --contract api.binpb", status: 1, files: map[string]string{
				"wide.yaml":  "policies: {}\n",
				"tight.yaml": "policies:\n  /shop.payments.v1.PaymentsService/Charge: {auth: {peers: [billing]}}\n",
			},
			want: []string{"opens", "principal: spiffe://local/orders is allowed now and was refused"},
		},
		"a check of two contracts": {args: "check --diff api.binpb ./api.binpb", want: []string{"no policy changes"}},
		"a check of half a change": {args: "check --diff api.binpb", status: 2, want: []string{"name both"}},
		"a check of two services":  {args: "check a b --config x.yaml", status: 2, want: []string{"give --diff"}},
		"a check of nothing":       {args: "check payments", status: 2, want: []string{"--config: name the configuration"}},
		"no changes":               {args: "diff api.binpb ./api.binpb", want: []string{"no policy changes"}},
		"a configuration narrows": {
			files: config, args: "diff api.binpb ./api.binpb --new-config payments.yaml",
			want: []string{
				"closes",
				"auth.allow: callers whom none of the rules staff allows may no longer call (file payments.yaml:5)",
			},
		},
		"an old contract with a mistake": {
			files: map[string]string{"old.binpb": wrong}, args: "diff old.binpb api.binpb", status: 2,
			want: []string{"old.binpb: this contract has a mistake", "hedge"},
		},
		"a new contract with a mistake": {
			files: map[string]string{"new.binpb": wrong}, args: "diff api.binpb new.binpb", status: 2,
			want: []string{"new.binpb: this contract has a mistake", "hedge"},
		},
		"a configuration of another contract": {
			files: map[string]string{"p.yaml": "policies: {/shop.v2.S/Get: {deadline: {max: 1s}}}"}, status: 2,
			args: "diff api.binpb ./api.binpb --new-config p.yaml", want: []string{"./api.binpb with p.yaml: this contract"},
		},
		"without it, it opens": {
			files: config, args: "diff api.binpb ./api.binpb --old-config payments.yaml", status: 1,
			want: []string{"opens"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			args := strings.Fields(test.args)
			if test.script != "" {
				args = append(args, "--script", test.script)
			}
			status, out, errs := invoked(t, test.files, args...)
			if status != test.status {
				t.Errorf("status %d, want %d", status, test.status)
			}
			text := out
			if test.status == 2 {
				text = errs
			}
			for _, want := range test.want {
				if !strings.Contains(text, want) {
					t.Errorf("%q is not in\n%s%s", want, out, errs)
				}
			}
		})
	}
}

func TestExplainAsJSON(t *testing.T) {
	_, out, _ := invoked(t, nil, "explain", "Charge", "--contract", "api.binpb", "--as", "billing", "--output", "json")
	var got struct {
		Method, Reason string
		Allowed        bool
		Steps          []struct{ Asked, Outcome, Source string }
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if got.Allowed || got.Reason != "POLICY_DENIED" || len(got.Steps) == 0 || got.Steps[0].Source == "" {
		t.Errorf("got %+v", got)
	}
}

func TestDiffOfContracts(t *testing.T) {
	scoped := contract(t, changingCharge(func(p *policyv1.Policy) { p.Auth.Scopes = []string{"pay"} }))
	status, out, errs := invoked(
		t, map[string]string{"new.binpb": scoped}, "diff", "api.binpb", "new.binpb", "--output", "json",
	)
	var changes []methodChange
	if err := json.Unmarshal([]byte(out), &changes); err != nil {
		t.Fatalf("%v: %s%s", err, out, errs)
	}
	if status != 0 || len(changes) != 2 || changes[0].Effect != "closes" || changes[0].Field != "auth.scopes" ||
		changes[1].Effect != "closes" || changes[1].Field != "principal" {
		t.Errorf("status %d, changes %+v", status, changes)
	}
	status, out, _ = invoked(t, map[string]string{"old.binpb": scoped}, "diff", "old.binpb", "api.binpb")
	if status != 1 {
		t.Errorf("status %d: %s", status, out)
	}
}

// trusted is a trust directory with the key of payments.
func trusted(t *testing.T) string {
	t.Helper()
	trust := filepath.Join(t.TempDir(), "trust")
	id, err := principal.ParseID("spiffe://shop.example/payments")
	if err != nil {
		t.Fatal(err)
	}
	if err := auth.Enroll(trust, id); err != nil {
		t.Fatal(err)
	}
	return trust
}

func TestCheck(t *testing.T) {
	const service = "shop.payments.v1.PaymentsService"
	config := "identity: {trust_domain: shop.example, trust_dir: " + trusted(t) + "}\n"
	for name, test := range map[string]struct {
		config string
		status int
		want   []string
	}{
		"two mistakes at once": {
			config + "servers:\n  payments: {listen: \"127.0.0.1:0\"}\npolicies:\n" +
				"  /shop.payments.v1.PaymentsService/Charg: {auth: {scopes: [pay]}}\n" +
				"  /shop.payments.v1.PaymentsService/Charge: {deadline: {max: 3s}, retry: {max_attempts: 99}}\n",
			1,
			[]string{
				`did you mean "/shop.payments.v1.PaymentsService/Charge"?`, "99 is out of range",
				"payments.yaml:5", "payments.yaml:6",
			},
		},
		"none": {
			config + "servers:\n  payments: {listen: \"127.0.0.1:0\"}\n",
			0,
			[]string{"payments.yaml: no mistakes"},
		},
		"an address in code": {
			config + "servers:\n  payments: {reflection: true}\n", 0, []string{"payments.yaml: no mistakes"},
		},
		"a wrong key": {"servers:\n  payments: {listn: x}\n", 1, []string{"payments.yaml:2", "listen"}},
	} {
		t.Run(name, func(t *testing.T) {
			status, out, errs := invoked(t, map[string]string{"payments.yaml": test.config},
				"check", "payments", "--config", "payments.yaml", "--serves", service)
			if status != test.status {
				t.Errorf("status %d, want %d: %s%s", status, test.status, out, errs)
			}
			for _, want := range test.want {
				if !strings.Contains(out, want) {
					t.Errorf("%q is not in\n%s", want, out)
				}
			}
		})
	}
}

// Without a contract the methods of a service are not known, which no user could guess from the mistakes alone.
func TestCheckAsksForTheContract(t *testing.T) {
	config := "identity: {trust_domain: shop.example, trust_dir: " + trusted(t) + "}\n" +
		"policies: {/shop.v2.S/Get: {deadline: {max: 1s}}}\n"
	status, out, errs := invoked(t, map[string]string{"p.yaml": config}, "check", "payments", "--config", "p.yaml")
	if status != 1 || !strings.Contains(out, "give --contract") {
		t.Errorf("status %d: %s%s", status, out, errs)
	}
	status, out, errs = invoked(t, map[string]string{"p.yaml": config}, "check", "payments", "--config", "p.yaml",
		"--contract", "api.binpb")
	if status != 1 || strings.Contains(out, "give --contract") {
		t.Errorf("status %d: %s%s", status, out, errs)
	}
}

// A look at the configuration of a service that enrolls itself makes no key.
func TestCheckEnrollsNothing(t *testing.T) {
	trust := t.TempDir()
	config := "identity: {trust_domain: shop.example, trust_dir: " + trust + ", enroll: self}\n"
	status, out, _ := invoked(t, map[string]string{"p.yaml": config}, "check", "payments", "--config", "p.yaml")
	if status != 1 || !strings.Contains(out, "no private key") {
		t.Errorf("status %d: %s", status, out)
	}
	left, err := os.ReadDir(trust)
	if err != nil || len(left) > 0 {
		t.Errorf("the trust directory holds %v, %v", left, err)
	}
}

func TestTokenCheck(t *testing.T) {
	key, err := jose.GenerateKey(jose.EdDSA)
	if err != nil {
		t.Fatal(err)
	}
	jwk, err := key.Public().MarshalJWK()
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().Unix()
	signed, err := key.Sign("JWT", fmt.Appendf(nil,
		`{"iss":"https://login.example","sub":"alice","aud":"api://shop","iat":%d,"exp":%d,"jti":"1"}`, now, now+600))
	if err != nil {
		t.Fatal(err)
	}
	config := func(more string) string {
		return "identity: {trust_domain: shop.example, trust_dir: " + trusted(t) + "}\n" +
			"servers: {payments: {listen: \"127.0.0.1:0\"}}\n" +
			"users: {issuers: [{issuer: \"https://login.example\", keys: {file: keys.json}, audiences: [\"api://shop\"]" +
			more + "}]}\n"
	}
	for name, test := range map[string]struct {
		more   string
		output string
		status int
		want   []string
	}{
		"accepted": {", types: [JWT]", "text", 0, []string{"users.issuers[0] https://login.example: accepted", "ok"}},
		"refused":  {"", "text", 1, []string{"refused", "FAIL", "types: ", "would let it pass"}},
		"as JSON":  {"", "json", 1, []string{`"accepted": false`, `"setting": "types"`}},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{
				"keys.json": `{"keys":[` + string(jwk) + `]}`, "user.jwt": signed + "\n", "payments.yaml": config(test.more),
			}
			status, out, errs := invoked(t, files, "token", "check", "user.jwt", "--service", "payments", "--config",
				"payments.yaml", "--output", test.output)
			if status != test.status {
				t.Errorf("status %d, want %d: %s%s", status, test.status, out, errs)
			}
			for _, want := range test.want {
				if !strings.Contains(out, want) {
					t.Errorf("%q is not in\n%s", want, out)
				}
			}
			if strings.Contains(out, signed[:40]) || strings.Contains(out, "alice") {
				t.Errorf("the token is shown:\n%s", out)
			}
		})
	}
}

func TestExplainARunningService(t *testing.T) {
	server := httptest.NewServer(admin.New(admin.Config{Policies: func() []admin.Policy {
		return []admin.Policy{{
			Method: "shop.payments.v1.PaymentsService/Charge", Kind: "unary, served",
			Values: []admin.PolicyValue{{Name: "deadline", Value: "2s", Source: "file payments.yaml:3"}},
		}}
	}}))
	defer server.Close()
	status, out, errs := invoked(t, nil, "explain", "PaymentsService/Charge", "--admin", server.URL)
	if status != 0 || !strings.Contains(out, "(unary, served)") || !strings.Contains(out, "file payments.yaml:3") {
		t.Errorf("status %d: %s%s", status, out, errs)
	}
	status, _, errs = invoked(t, nil, "explain", "Charge", "--admin", server.URL, "--as", "billing")
	if status != 2 || !strings.Contains(errs, "--admin shows the policy") {
		t.Errorf("status %d: %s", status, errs)
	}
	status, _, errs = invoked(t, nil, "explain", "Refund", "--admin", server.URL)
	if status != 2 || !strings.Contains(errs, "it knows shop.payments") {
		t.Errorf("status %d: %s", status, errs)
	}
}

// The commands in the documentation are those of this program.
func TestDocumentedCommands(t *testing.T) {
	commands := regexp.MustCompile(`(?m)^parley ([a-z].*)$`)
	documents, err := filepath.Glob(filepath.Join("..", "..", "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, document := range documents {
		text, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range commands.FindAllStringSubmatch(string(text), -1) {
			found++
			parser, err := kong.New(new(command), help())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := parser.Parse(words(line[1])); err != nil {
				t.Errorf("%s: parley %s: %v", document, line[1], err)
			}
		}
	}
	if found < 6 {
		t.Errorf("only %d commands were found", found)
	}
}

// words are the arguments of a command line, as a shell splits it.
func words(line string) []string {
	var all []string
	for i, part := range strings.Split(line, `"`) {
		if i%2 == 1 {
			all = append(all, part)
			continue
		}
		all = append(all, strings.Fields(part)...)
	}
	return all
}
