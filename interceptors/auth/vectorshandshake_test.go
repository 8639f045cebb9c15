package auth_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/principal"
)

// The keying material that TLS exported on the connection of the vectors.
var (
	exporterServer = bytes.Repeat([]byte{0x5e}, 32)
	exporterClient = bytes.Repeat([]byte{0xc1}, 32)
)

// halves are what a client reads, and what it says.
type halves struct {
	io.Reader
	io.Writer
}

// vectorFrame is a frame with the proof in it, and what becomes of it.
type vectorFrame struct {
	Name     string `json:"name"`
	Identity string `json:"identity,omitempty"` // the workload identity token
	*vectorToken
	Frame   string `json:"frame"`             // in hexadecimal
	Result  string `json:"result,omitempty"`  // of frame 1
	Verdict *byte  `json:"verdict,omitempty"` // on frame 2
	Answer  string `json:"answer,omitempty"`  // frame 3, in hexadecimal
}

func withVerdict(f vectorFrame, verdict byte) vectorFrame {
	f.Verdict, f.Answer = &verdict, hex.EncodeToString(frameOf(verdictFrame, []byte{verdict}))
	return f
}

const (
	serverProofClaims = `{"iss":"spiffe://shop.example/payments","sub":"spiffe://shop.example/payments","cb":"Xl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl4","iat":1893456000,"exp":1893456030}`
	clientProofClaims = `{"iss":"spiffe://shop.example/orders","sub":"spiffe://shop.example/orders","aud":"spiffe://shop.example/payments","sph":"SPH","cb":"wcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcE","iat":1893456000,"exp":1893456030}`
)

// change is one replacement in claims.
type change struct{ old, replacement string }

func (c change) in(t testing.TB, claims string) string {
	t.Helper()
	if c.old == "" {
		return claims
	}
	return edited(t, claims, c.old, c.replacement)
}

func TestVectorsHandshake(t *testing.T) {
	inVectors(t, func(v *vectors) {
		server, client := base64.RawURLEncoding.EncodeToString(exporterServer), base64.RawURLEncoding.EncodeToString(exporterClient)
		gate, channel := v.identity("payments").Server(nil), v.identity("orders").Channel([]principal.Pattern{v.id("payments")})
		body, err := auth.ServerHello(v.t.Context(), gate, server)
		if err != nil {
			v.t.Fatal(err)
		}
		frame1, frame2 := v.serverFrames(channel, body, server, client), v.clientFrames(gate, body, client)

		// What the code sends is the first of each.
		if got := hex.EncodeToString(frameOf(serverHello, body)); got != frame1[0].Frame {
			v.t.Errorf("frame 1 is %s", got)
		}
		var sent bytes.Buffer
		welcome := frameOf(verdictFrame, []byte{0})
		if err := auth.Greet(v.t.Context(), channel, halves{bytes.NewReader(append(frameOf(serverHello, body), welcome...)), &sent}, server, client); err != nil {
			v.t.Error(err)
		}
		if got := hex.EncodeToString(sent.Bytes()); got != frame2[0].Frame {
			v.t.Errorf("frame 2 is %s", got)
		}
		golden(v.t, "handshake.json", map[string]any{
			"now": vectorNow, "client": "spiffe://shop.example/orders", "server": "spiffe://shop.example/payments",
			"exporter_server": hex.EncodeToString(exporterServer), "exporter_client": hex.EncodeToString(exporterClient),
			"frame_1": frame1, "frame_2": frame2,
		})
	})
}

// serverFrames are frames that payments, or somebody else, sends first.
func (v *vectors) serverFrames(channel *auth.Channel, body []byte, server, client string) (made []vectorFrame) {
	for _, c := range []struct {
		name, key, typ string
		change         change
		result         string
	}{
		{"good", "payments", "parley-server+jwt", change{}, accepted},
		{"a lifetime of a minute", "payments", "parley-server+jwt", change{"1893456030", "1893456060"}, accepted},
		{"exp has passed, but not by more than the skew", "payments", "parley-server+jwt", change{`"iat":1893456000,"exp":1893456030`, `"iat":1893455941,"exp":1893455971`}, accepted},
		{"exp has passed", "payments", "parley-server+jwt", change{`"iat":1893456000,"exp":1893456030`, `"iat":1893455940,"exp":1893455970`}, "SERVER_PROOF_INVALID"},
		{"iat lies ahead", "payments", "parley-server+jwt", change{`"iat":1893456000,"exp":1893456030`, `"iat":1893456031,"exp":1893456060`}, "SERVER_PROOF_INVALID"},
		{"a lifetime of more than a minute", "payments", "parley-server+jwt", change{"1893456030", "1893456061"}, "SERVER_PROOF_INVALID"},
		{"the cb of the client", "payments", "parley-server+jwt", change{server, client}, "SERVER_PROOF_INVALID"},
		{"the type of the client's proof", "payments", "parley-client+jwt", change{}, "SERVER_PROOF_INVALID"},
		{"a claim too many", "payments", "parley-server+jwt", change{`"exp"`, `"jti":"x","exp"`}, "SERVER_PROOF_INVALID"},
		{"signed by another workload in the name of payments", "orders", "parley-server+jwt", change{}, "SERVER_PROOF_INVALID"},
		{"signed by a key that nobody knows", "mallory", "parley-server+jwt", change{}, "SERVER_PROOF_INVALID"},
		{"sub is not iss", "payments", "parley-server+jwt", change{`"sub":"spiffe://shop.example/payments"`, `"sub":"spiffe://shop.example/orders"`}, "SERVER_PROOF_INVALID"},
	} {
		proof := v.token(c.key, c.typ, c.change.in(v.t, serverProofClaims))
		made = append(made, vectorFrame{Name: c.name, vectorToken: &proof, Frame: hex.EncodeToString(frameOf(serverHello, helloBody("", proof.Token))), Result: c.result})
	}
	honest := made[0].vectorToken
	other := v.token("orders", "parley-server+jwt", strings.ReplaceAll(serverProofClaims, "payments", "orders"))
	forged := honest.forged()
	made = append(made,
		vectorFrame{Name: "another workload than the expected one", vectorToken: &other, Frame: hex.EncodeToString(frameOf(serverHello, helloBody("", other.Token))), Result: "SERVER_IDENTITY_MISMATCH"},
		vectorFrame{Name: "a signature that does not hold", vectorToken: &forged, Frame: hex.EncodeToString(frameOf(serverHello, helloBody("", forged.Token))), Result: "SERVER_PROOF_INVALID"},
		vectorFrame{Name: "a frame of another type", Frame: hex.EncodeToString(frameOf(clientHello, body)), Result: "SERVER_PROOF_MISSING"},
		vectorFrame{Name: "a byte behind the proof", Frame: hex.EncodeToString(frameOf(serverHello, append(bytes.Clone(body), 0))), Result: "SERVER_PROOF_MISSING"},
		vectorFrame{Name: "a body of 8193 bytes, refused before it is read", Frame: hex.EncodeToString([]byte{serverHello, 0, 0x20, 1}), Result: "SERVER_PROOF_MISSING"},
	)
	for _, f := range made {
		frame, _ := hex.DecodeString(f.Frame)
		conn := halves{bytes.NewReader(append(frame, frameOf(verdictFrame, []byte{0})...)), new(bytes.Buffer)}
		if got := resultOf(auth.Greet(v.t.Context(), channel, conn, server, client)); got != f.Result {
			v.t.Errorf("frame 1, %s: %s instead of %s", f.Name, got, f.Result)
		}
		if f.Result != accepted && conn.Writer.(*bytes.Buffer).Len() > 0 {
			v.t.Errorf("frame 1, %s: the client answers", f.Name)
		}
	}
	return made
}

// clientFrames are answers to the honest frame 1.
func (v *vectors) clientFrames(gate *auth.Gate, body []byte, client string) (made []vectorFrame) {
	claims := strings.Replace(clientProofClaims, "SPH", hash(body), 1)
	for _, c := range []struct {
		name, key, typ string
		change         change
		verdict        byte
	}{
		{"good", "orders", "parley-client+jwt", change{}, 0},
		{"exp has passed", "orders", "parley-client+jwt", change{`"iat":1893456000,"exp":1893456030`, `"iat":1893455940,"exp":1893455970`}, 2},
		{"iat lies ahead", "orders", "parley-client+jwt", change{`"iat":1893456000,"exp":1893456030`, `"iat":1893456031,"exp":1893456060`}, 3},
		{"aud is another server", "orders", "parley-client+jwt", change{`"aud":"spiffe://shop.example/payments"`, `"aud":"spiffe://shop.example/reports"`}, 1},
		{"aud is a list", "orders", "parley-client+jwt", change{`"aud":"spiffe://shop.example/payments"`, `"aud":["spiffe://shop.example/payments"]`}, 1},
		{"the hash of another hello", "orders", "parley-client+jwt", change{hash(body), hash(nil)}, 1},
		{"the cb of another connection", "orders", "parley-client+jwt", change{client, hash(nil)}, 1},
		{"the type of the server's proof", "orders", "parley-server+jwt", change{}, 1},
		{"signed by another workload in the name of orders", "payments", "parley-client+jwt", change{}, 1},
		{"expired, and signed by a key that nobody knows", "mallory", "parley-client+jwt", change{`"iat":1893456000,"exp":1893456030`, `"iat":1893455940,"exp":1893455970`}, 1},
		{"no sph", "orders", "parley-client+jwt", change{`"sph":"` + hash(body) + `",`, ""}, 1},
	} {
		proof := v.token(c.key, c.typ, c.change.in(v.t, claims))
		f := vectorFrame{Name: c.name, vectorToken: &proof, Frame: hex.EncodeToString(frameOf(clientHello, helloBody("", proof.Token)))}
		made = append(made, withVerdict(f, c.verdict))
	}
	made = append(made, withVerdict(vectorFrame{Name: "a frame of another type", Frame: hex.EncodeToString(frameOf(serverHello, body))}, 1))
	for _, f := range made {
		frame, _ := hex.DecodeString(f.Frame)
		got, err := auth.Listen(v.t.Context(), gate, bytes.NewReader(frame), body, client)
		if err != nil || got != *f.Verdict {
			v.t.Errorf("frame 2, %s: verdict %s, %v", f.Name, strconv.Itoa(int(got)), err)
		}
	}
	return made
}
