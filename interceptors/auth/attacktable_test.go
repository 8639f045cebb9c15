package auth_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// attackRow says which tests hold a row of the attack table, each as folder.Test. A test of this folder has no folder.
type attackRow struct {
	attack string
	// tokens are the tests in token mode; together they make a unary call and open a stream.
	tokens string
	// connections are the tests in connection mode.
	connections string
	// below are the tests of the packages under this one, and of the issuer beside it.
	below string
	// but says what of the row is not here, and why.
	but string
}

const (
	everywhere = "TestAttack01To48HostileTokens TestAttack01To48HostileReplies"
	handshakes = "TestAttack01To48HostileClientHellos TestAttack01To48HostileServerHellos"
	noMetadata = "a handshake has no metadata"
	noMode     = "which keys are in force has nothing to do with the mode"
	oneProof   = "the bounds of a handshake's proof are its own"
)

// attackTable is the attack table: 72 rows, each with its tests.
func attackTable() map[int]attackRow {
	const payload = "jose.TestAttack18To21And43And45Payload"
	const dates = "strictjson.TestAttack22To27NumericDate"
	return map[int]attackRow{
		1:  {"alg none", everywhere + " TestAttack01To06KeysOfIssuers", handshakes, "jose.TestAttack01NoneAlgorithm jose.TestAttack01And02RSAKey", ""},
		2:  {"alg is not the key's", everywhere + " TestAttack01To06KeysOfIssuers", handshakes, "jose.TestAttack02AlgorithmIsNotTheKeys jose.TestAttack01And02RSAKey", ""},
		3:  {"a public key as the secret of a MAC", everywhere + " TestAttack01To06KeysOfIssuers", handshakes, "jose.TestAttack03PublicKeyAsSharedSecret jose.TestAttack03RSAPublicKeyAsSharedSecret", ""},
		4:  {"another scheme of the same family", everywhere + " TestAttack01To06KeysOfIssuers", handshakes, "jose.TestAttack04OtherSchemeOfTheSameFamily jose.TestAttack04OtherSchemeOfTheSameRSAKey jose.TestAttack04SaltOfAnotherLength", ""},
		5:  {"degenerate signatures", everywhere + " TestAttack01To06KeysOfIssuers", handshakes, "jose.TestAttack05Es256Signature jose.TestAttack05Ed25519SecondForm jose.TestAttack05Es384Signature jose.TestAttack05RSASignature jose.TestAttack05PKCS1Padding jose.TestAttack05PSSPadding jose.TestAttack05EdgesOfECDSA", ""},
		6:  {"a curve that is not the algorithm's", everywhere + " TestAttack01To06KeysOfIssuers", handshakes, "jose.TestAttack06And56PublicKeyGate jose.TestAttack06And56SetKeyGate jose.TestAttack06AlgorithmOfAnotherCurve", ""},
		7:  {"kid as a path, SQL, too long, of another kind", everywhere, handshakes, "jose.TestAttack07KeyID jose.TestAttack07KeyIDOfAnotherIssuer", ""},
		8:  {"kid absent", everywhere, handshakes, "jose.TestAttack08KeyIDAbsent", ""},
		9:  {"a key of another issuer", everywhere + " TestIssuerTokens TestBearerTokens", handshakes, "", ""},
		10: {"a key in the header, or where to get it", everywhere, handshakes, "jose.TestAttack10To13ExtraHeaderMembers", ""},
		11: {"crit", everywhere, handshakes, "jose.TestAttack10To13ExtraHeaderMembers", ""},
		12: {"b64", everywhere, handshakes, "jose.TestAttack10To13ExtraHeaderMembers", ""},
		13: {"zip, and a token in a token", everywhere, handshakes, "jose.TestAttack10To13ExtraHeaderMembers", ""},
		14: {"JWE", everywhere, handshakes, "jose.TestAttack14To16OtherSerialisations", ""},
		15: {"flattened JSON", everywhere, handshakes, "jose.TestAttack14To16OtherSerialisations", ""},
		16: {"general JSON", everywhere, handshakes, "jose.TestAttack14To16OtherSerialisations", ""},
		17: {"a header member twice", everywhere, handshakes, "jose.TestAttack17DuplicateHeaderMember", ""},
		18: {"a claim twice", everywhere, handshakes, payload, ""},
		19: {"names in another case", everywhere, handshakes, payload, ""},
		20: {"bytes after the payload", everywhere, handshakes, payload, ""},
		21: {"a payload that is no object", everywhere, handshakes, payload, ""},
		22: {"exp missing", everywhere, handshakes, dates, ""},
		23: {"exp 0", everywhere, handshakes, dates, ""},
		24: {"exp as text", everywhere, handshakes, dates, ""},
		25: {"exp beyond the year 9999", everywhere, handshakes, dates, ""},
		26: {"exp of another kind", everywhere, handshakes, dates, ""},
		27: {"exp with a fraction", "TestBearerTokens", "TestClientProofs", dates, ""},
		28: {"too long a life", everywhere + " TestBearerTokens TestIssuerTokens", handshakes + " TestClientProofs TestServerProofs", "", ""},
		29: {"expired within and beyond the skew", "TestBearerTokens TestIssuerTokens", "TestClientProofs TestServerProofs TestHonestServerWithinSkew29", "verify.TestRememberedTokenEndsWithItsTime29", ""},
		30: {"not yet valid", "TestBearerTokens TestIssuerTokens", "TestClientProofs", "", ""},
		31: {"one audience, as text or in a list", "TestBearerTokens", "TestClientProofs", "", ""},
		32: {"an audience that is almost this one", everywhere + " TestIssuerTokens", "TestAttack01To48HostileClientHellos", "", ""},
		33: {"an audience of another form", everywhere + " TestIssuerTokens", "TestAttack01To48HostileClientHellos", "", ""},
		34: {"many audiences", everywhere + " TestIssuerTokens", "TestAttack01To48HostileClientHellos", "", ""},
		35: {"an issuer that is almost this one", everywhere + " TestIssuerTokens", handshakes, "", ""},
		36: {"a subject that is none, or not the issuer's", everywhere + " TestIssuerTokens", handshakes, "", ""},
		37: {"a token of another type", everywhere + " TestIssuerTokens", handshakes, "jose.TestAttack37WrongType", ""},
		38: {"a proof in the place of a token, and reflection", everywhere + " TestAttack64And38ServerProofs", "TestClientProofs TestServerProofs", "", ""},
		39: {"a token for another server", everywhere + " TestBearerTokens", "TestAttack01To48HostileClientHellos TestClientProofs", "", ""},
		40: {"two values of authorization, other schemes", "TestBearerTokens", "", "", noMetadata},
		41: {"a token in another place", "TestAttack41TokenInAnotherPlace", "", "", noMetadata},
		42: {"too long", "TestBearerTokens TestAttack42OversizedTokens TestAttack42MetadataBeyondItsBound", "wire.TestLengthIsCheckedBeforeAllocation42And66", "jose.TestAttack42Oversized", ""},
		43: {"too deep", everywhere, handshakes, payload, ""},
		44: {"loose base64", everywhere, handshakes, "jose.TestAttack44LooseBase64", ""},
		45: {"text that is none", everywhere, handshakes, payload, ""},
		46: {"segments", everywhere, handshakes, "jose.TestAttack46Segments", ""},
		47: {"a flood of unknown keys", "TestAttack47UnknownKeyFlood TestAttack47WaitsForTheTrustDirectoryAreBounded", "", "verify.TestAttack47RememberedTokensAreBounded keyset.TestUnknownKidFlood47 keyset.TestUnknownKidIsRemembered47", noMode},
		48: {"a flood of one bad token", everywhere, handshakes, "verify.TestAttack48SameBadTokenFlood", "nothing of a handshake is remembered"},
		49: {"a flood of signatures", "TestAttack49HonestCallersInAFlood", "TestOverload49", "verify.TestAttack49RandomSignatureFlood", ""},
		50: {"the issuer is down at the start", "TestAttack50IssuerIsDownAtTheStart", "TestIssuerDown50And51", "keyset.TestEndpointDownAtStart50", ""},
		51: {"the issuer is down later", "TestAttack51To55IssuerFailsForHours", "TestIssuerDown50And51 TestDirectoryLost51", "keyset.TestEndpointDownForADay51 keyset.TestEndpointFailsForHours51", ""},
		52: {"the issuer is slow", "TestAttack51To55IssuerFailsForHours", "", "keyset.TestSlowEndpoint52 keyset.TestEndpointFailsForHours51", noMode},
		53: {"a huge key set", "TestAttack51To55IssuerFailsForHours", "", "keyset.TestHugeBodyIsNotRead53 keyset.TestEndpointFailsForHours51", noMode},
		54: {
			"redirects", "TestAttack51To55IssuerFailsForHours", "",
			"keyset.TestEndpointFailsForHours51 keyset.TestMovedForGood54", noMode,
		},
		55: {"an empty key set, HTML, half of one", "TestAttack51To55IssuerFailsForHours", "", "keyset.TestEmptySet55 keyset.TestEndpointFailsForHours51", noMode},
		56: {"bad keys in a key set", "TestAttack56And57BadKeysBesideAGoodOne", "", "keyset.TestPublishedSecretIsAnAlarm56 keyset.TestBadKeysAreSkipped56 jose.TestAttack06And56PublicKeyGate jose.TestAttack56WeakPoints jose.TestAttack06And56SetKeyGate jose.TestAttack56RSAKeyHoldsSecret", noMode},
		57: {"two keys of one name", "TestAttack56And57BadKeysBesideAGoodOne", "TestKeyOfTwoIDs57", "keyset.TestCandidates57 keyset.TestOddSets57", ""},
		58: {"rotation", "TestIssuerRotatesUnderLoad58 TestAttack58NewKeyIsFoundAtOnce", "TestKeyRotation58", "keyset.TestRotation58", ""},
		59: {"revocation", "TestIssuerKeyRemovedEndsTokens59", "TestKeyRevokedDuringALiveConnection59 TestIssuerKeyRemoved59", "verify.TestAttack59RememberedTokenEndsWithItsKey keyset.TestRemovalRevokes59 keyset.TestInvalidate59", ""},
		60: {"the clock is set", "", "conn.TestLifetimeGoesByBothClocks60", "verify.TestAttack60ClockStepForgetsEveryToken verify.TestAttack60ClockStepChangesNoDecision", "in token mode the cache alone compares the clocks"},
		61: {"replay", "TestAttack61ProofsOfPossession TestAttack61NoncesOfCallers", "TestReplay61 TestCrossedConnections61", "", ""},
		62: {"a retry is no replay", "TestAttack62RetriesCarryNewProofs", "", "", "a connection has no proof of each call"},
		63: {"a stream outlives its token", "TestStreamEndsWithItsToken63 TestStreamEndsWithItsUser63", "TestStreamEndsWithItsConnection63", "", ""},
		64: {"proofs of a server", "TestAttack64And38ServerProofs TestAttack64ProofOfAnotherCall TestAttack64RememberedProof TestAttack64IdentityTokensBesideProofs", "TestServerProofs TestClientProofs", "", ""},
		65: {"a relay", "TestAttack65RelayInTokenMode", "TestAttack65Relay TestAttack65RelayOfTheClient", "", ""},
		66: {"broken hellos, and none", "", "TestStallingClients66 TestStallingServers66 TestTruncated66 wire.TestLengthIsCheckedBeforeAllocation42And66 TestClientProofs", "", "token mode has no hello"},
		67: {"methods that nobody knows", "TestAttack67UnknownMethods", "TestResolve67", "", ""},
		68: {"a name that injects a claim", "TestMintedToken", "", "jose.TestAttack68InjectedClaimName issuer.TestAttack68ClaimNames issuer.TestAttack68ClaimValues issuer.TestAttack68UsersValues", "a handshake makes no token with claims of somebody's choice"},
		69: {"panics", "TestPredicatePanics69 TestPanicInTheCheckOfACredential69", "TestPanicInTheCheckOfACredential69", "jose.TestAttack69PanicInTheVerifier", ""},
		70: {"secrets in logs", "TestAttack70NoSecretsInLogs TestNoUserIsLogged70", "TestNoSecretIsLogged70", "", ""},
		71: {"an assertion for somebody else", "", "", "tokens.TestClientCredentials71 issuer.TestAttack71Assertions", "an assertion is for an issuer, and no connection carries it"},
		72: {"an exchange for more than was granted", "", "", "issuer.TestAttack72ExchangeForMore issuer.TestAttack72SubjectTokens", "a token is exchanged at an issuer, and in no call"},
	}
}

// Every row has its tests: they exist, they speak of the row, and in token mode they make both kinds of call.
func TestAttackTable(t *testing.T) {
	tests := sources{"": sourceOf(t, "."), "jose": sourceOf(t, "../../internal/jose"), "strictjson": sourceOf(t, "../../internal/strictjson"), "keyset": sourceOf(t, "../../keyset"), "verify": sourceOf(t, "../../internal/verify"), "conn": sourceOf(t, "internal/conn"), "wire": sourceOf(t, "../../internal/wire"), "tokens": sourceOf(t, "tokens"), "issuer": sourceOf(t, "../../issuer")}
	table := attackTable()
	for row := 1; row <= 72; row++ {
		r, ok := table[row]
		if !ok || r.attack == "" {
			t.Errorf("row %d is not there", row)
			continue
		}
		if (r.tokens == "" || r.connections == "") && r.but == "" {
			t.Errorf("row %d: nothing says why a mode has no test", row)
		}
		var called []string
		for column, names := range map[string]string{"tokens": r.tokens, "connections": r.connections, "below": r.below} {
			for name := range strings.FieldsSeq(names) {
				test, ok := tests.find(name)
				switch {
				case !ok:
					t.Errorf("row %d: there is no %s", row, name)
				case !test.speaksOf(row):
					t.Errorf("row %d: %s does not speak of it", row, name)
				case column == "tokens":
					called = append(called, test.calls...)
				}
			}
		}
		if r.tokens == "" || row == 68 || row == 71 { // which are about tokens that are made, not sent
			continue
		}
		if !slices.Contains(called, "quote") && !slices.Contains(called, "Invoke") {
			t.Errorf("row %d: no test in token mode makes a unary call", row)
		}
		if !slices.Contains(called, "watch") && !slices.Contains(called, "NewStream") {
			t.Errorf("row %d: no test in token mode opens a stream", row)
		}
	}
	if len(table) != 72 {
		t.Errorf("%d rows", len(table))
	}
}

// source is the functions of a package's tests, by name.
type source map[string]*ast.FuncDecl

type sources map[string]source

func sourceOf(t *testing.T, folder string) source {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	if err != nil || len(names) == 0 {
		t.Fatalf("%s: %d files, %v", folder, len(names), err)
	}
	functions := source{}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, text, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok {
				functions[f.Name.Name] = f
			}
		}
	}
	return functions
}

// testSource is what a test and the functions that it uses say and call.
type testSource struct {
	name  string
	texts []string
	calls []string
}

// find returns the test called folder.Test.
func (s sources) find(name string) (testSource, bool) {
	folder, test, ok := strings.Cut(name, ".")
	if !ok {
		folder, test = "", name
	}
	if s[folder][test] == nil || !strings.HasPrefix(test, "Test") {
		return testSource{}, false
	}
	found := testSource{name: test}
	seen := map[string]bool{}
	var follow func(function string)
	follow = func(function string) {
		if seen[function] || s[folder][function] == nil {
			return
		}
		seen[function] = true
		ast.Inspect(s[folder][function].Body, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.Ident:
				found.calls = append(found.calls, n.Name)
				follow(n.Name)
			case *ast.BasicLit:
				if text, err := strconv.Unquote(n.Value); err == nil && n.Kind == token.STRING {
					found.texts = append(found.texts, text)
				}
			}
			return true
		})
	}
	follow(test)
	return found, true
}

// speaksOf reports whether the number of a row is in the test's name, alone or within a range such as 10To13, or begins
// or ends a text such as the name of a case. A long range is no claim: there the cases must tell.
func (s testSource) speaksOf(row int) bool {
	number := strconv.Itoa(row)
	for _, text := range s.texts {
		rest, ok := strings.CutPrefix(strings.TrimPrefix(strings.TrimPrefix(text, "row "), "0"), number)
		if ok && (strings.HasPrefix(rest, " ") || strings.HasPrefix(rest, ":")) || strings.HasSuffix(text, " "+number) {
			return true
		}
	}
	for _, found := range regexp.MustCompile(`(\d+)(?:To(\d+))?`).FindAllStringSubmatch(s.name, -1) {
		first, _ := strconv.Atoi(found[1]) // the pattern is made of digits
		last, _ := strconv.Atoi(found[2])
		if first == row || first <= row && row <= last && last-first < 8 {
			return true
		}
	}
	return false
}
