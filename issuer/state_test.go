package issuer_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/issuer"
	"github.com/parley-rpc/parley/issuer/store"
	"github.com/parley-rpc/parley/principal"
)

func secret() []byte { return bytes.Repeat([]byte{7}, 32) }

func sealed() *issuer.SealedKeys { return issuer.Sealed(issuer.EdDSA, secret()) }

// openState opens the state in a store, as after a start of the issuer.
func openState(t testing.TB, records store.Store) *issuer.State {
	t.Helper()
	state, err := issuer.OpenState(t.Context(), records, sealed())
	if err != nil {
		t.Fatal(err)
	}
	return state
}

// restart gives the shop an issuer on what is stored.
func (s *shop) restart(records store.Store) *issuer.State {
	s.t.Helper()
	state := openState(s.t, records)
	s.keys, s.registry = state.Keys(), state.Clients()
	s.open(issuer.WithState(state))
	return state
}

// storedShop is a shop whose issuer has its state in a store, with edge and orders registered.
func storedShop(t testing.TB, records store.Store) (*shop, *issuer.State) {
	t.Helper()
	s := newShop(t)
	state := s.restart(records)
	for _, c := range []issuer.Client{s.edgeClient(), s.ordersClient()} {
		if err := state.Clients().Register(t.Context(), c, "test"); err != nil {
			t.Fatal(err)
		}
	}
	return s, state
}

// A rotation goes on where it was when the issuer was restarted.
func TestRotationSurvivesRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		records := store.NewMemory()
		s, state := storedShop(t, records)
		old := s.keys.State()[0].KeyID
		signs, err := state.Rotate(t.Context())
		if err != nil || time.Until(signs) != 12*time.Minute {
			t.Fatalf("signs in %v, %v", time.Until(signs), err)
		}
		next := s.keys.State()[1].KeyID
		for _, step := range []struct {
			after time.Duration
			want  string
			signs string
		}{
			{0, "signing < next", old},
			{12*time.Minute - time.Nanosecond, "signing < next", old},
			{time.Nanosecond, "retiring < signing", next},
			{61*time.Minute - time.Nanosecond, "retiring < signing", next},
			{time.Nanosecond, "signing", next},
		} {
			time.Sleep(step.after)
			s.restart(records)
			if got := uses(s.keys); got != step.want {
				t.Errorf("after %v more: %s, want %s", step.after, got, step.want)
			}
			r := s.post(s.ownForm())
			s.token(t, r, "at+jwt")
			if token, err := jose.Parse(r.text("access_token"), "at+jwt"); err != nil || token.KeyID() != step.signs {
				t.Errorf("after %v more: %s signs, %v", step.after, token.KeyID(), err)
			}
		}
		if _, err := state.Rotate(t.Context()); err != nil { // the first State reads what it has missed
			t.Fatal(err)
		}
		if got := uses(s.restart(records).Keys()); got != "signing < next" {
			t.Error(got)
		}
	})
}

func TestKeysOfAStateChangeWithItAlone(t *testing.T) {
	state := openState(t, store.NewMemory())
	if _, err := state.Keys().Rotate(newSigner(t)); err == nil || !strings.Contains(err.Error(), "State.Rotate") {
		t.Error(err)
	}
	if err := state.Keys().Revoke("a"); err == nil || !strings.Contains(err.Error(), "State.Revoke") {
		t.Error(err)
	}
	for name, id := range map[string]*issuer.Issuer{
		"the same State with": issuer.New(issuerName, state.Keys(), state.Clients()),
		"pass the same State": issuer.New(issuerName, state.Keys(), state.Clients(),
			issuer.WithState(openState(t, store.NewMemory()))),
		"state is nil": issuer.New(issuerName, issuer.NewKeys(newSigner(t)), state.Clients(), issuer.WithState(nil)),
	} {
		if err := id.Check(); err == nil || !strings.Contains(err.Error(), strings.Split(name, " with")[0]) {
			t.Errorf("want %q: %v", name, err)
		}
	}
}

// An assertion that was answered before a restart is refused after it, and by other issuers with the same store.
func TestReplaysSurviveRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		records := store.NewMemory()
		s, _ := storedShop(t, records)
		form := s.ownForm()
		s.token(t, s.post(form), "at+jwt")
		for range 2 {
			s.restart(records)
			s.refuses(t, s.post(form), http.StatusBadRequest, "invalid_client")
		}
		time.Sleep(time.Minute + 29*time.Second) // the last moment of the assertion
		s.restart(records)
		s.refuses(t, s.post(form), http.StatusBadRequest, "invalid_client")
		time.Sleep(time.Minute)
		if list, err := records.List(t.Context(), "replays", "", 10); err != nil || len(list) > 0 {
			t.Errorf("%d assertions are remembered for ever, %v", len(list), err)
		}
	})
}

// A revoked client gets no token, at once and after a restart, until it is reinstated.
func TestRevokedClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		records := store.NewMemory()
		s, state := storedShop(t, records)
		other := openState(t, records)
		if err := state.Revoke(t.Context(), issuer.Revocation{Client: edge, Reason: "stolen laptop"}); err != nil {
			t.Fatal(err)
		}
		s.refuses(t, s.post(s.ownForm()), http.StatusBadRequest, "invalid_client")
		s.token(t, s.post(s.formWith(sign(t, s.orders, assertionType, honest(orders)))), "at+jwt")
		s.restart(records)
		s.refuses(t, s.post(s.ownForm()), http.StatusBadRequest, "invalid_client")
		list, err := other.Revocations(t.Context())
		if err != nil || len(list) != 1 || list[0].Client != edge || list[0].Reason != "stolen laptop" ||
			list[0].Number != 4 {
			t.Errorf("%+v, %v", list, err)
		}
		if err := other.Revoke(t.Context(), issuer.Revocation{Client: edge}); err != nil {
			t.Error(err)
		}
		if err := other.Reinstate(t.Context(), edge, "found"); err != nil {
			t.Fatal(err)
		}
		if err := other.Reinstate(t.Context(), edge, "found"); err == nil {
			t.Error("it was reinstated twice")
		}
		time.Sleep(time.Second)
		s.token(t, s.post(s.ownForm()), "at+jwt")
	})
}

// A revoked key cannot log in and cannot come back with another registration.
func TestRevokedClientKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		records := store.NewMemory()
		s, state := storedShop(t, records)
		kid := s.edge.Public().KeyID()
		if err := state.Revoke(t.Context(), issuer.Revocation{KeyID: kid}); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			s.refuses(t, s.post(s.ownForm()), http.StatusBadRequest, "invalid_client")
			state = s.restart(records)
			if err := state.Clients().Register(t.Context(), s.edgeClient(), ""); err == nil ||
				!strings.Contains(err.Error(), "is revoked") {
				t.Errorf("a revoked key was registered: %v", err)
			}
		}
		s.edge = newKey(t)
		if err := state.Clients().Register(t.Context(), s.edgeClient(), "a new key"); err != nil {
			t.Fatal(err)
		}
		s.token(t, s.post(s.ownForm()), "at+jwt")
	})
}

// A revoked key of the issuer leaves the key set of every issuer with the same store.
func TestRevokedSigningKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		records := store.NewMemory()
		s, state := storedShop(t, records)
		other := openState(t, records)
		old := s.keys.State()[0].KeyID
		revoke := func() error { return state.Revoke(t.Context(), issuer.Revocation{KeyID: old, Reason: "leaked"}) }
		if err := revoke(); err == nil || !strings.Contains(err.Error(), "rotate to one first") {
			t.Errorf("the only key was revoked: %v", err)
		}
		if list, err := state.Revocations(t.Context()); err != nil || len(list) > 0 {
			t.Errorf("a refused revocation stays: %v, %v", list, err)
		}
		if _, err := other.Rotate(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := revoke(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if strings.Contains(string(s.document(t, "/jwks.json")), old) || uses(s.keys) != "signing" {
			t.Error(uses(s.keys))
		}
		s.token(t, s.post(s.ownForm()), "at+jwt")
		if _, err := other.Revocations(t.Context()); err != nil || uses(other.Keys()) != "signing" {
			t.Errorf("%s, %v", uses(other.Keys()), err)
		}
	})
}

func TestRevokeRefuses(t *testing.T) {
	state := openState(t, store.NewMemory())
	for name, r := range map[string]issuer.Revocation{
		"nothing":            {},
		"both":               {Client: edge, KeyID: "a"},
		"no ID":              {Client: "edge"},
		"no thumbprint":      {KeyID: "a b"},
		"a reason as a book": {KeyID: "a", Reason: strings.Repeat("a", 513)},
	} {
		if err := state.Revoke(t.Context(), r); err == nil {
			t.Errorf("%s was revoked", name)
		}
	}
	if err := state.Reinstate(t.Context(), "edge", ""); err == nil {
		t.Error("edge is no ID")
	}
}

func TestClients(t *testing.T) {
	records := store.NewMemory()
	s, state := storedShop(t, records)
	clients := state.Clients()
	full := s.edgeClient()
	full.Identity = true
	for _, field := range reflect.VisibleFields(reflect.TypeFor[issuer.Client]()) {
		if reflect.ValueOf(full).FieldByIndex(field.Index).IsZero() {
			t.Errorf("%s is not tested", field.Name)
		}
	}
	if err := clients.Register(t.Context(), full, ""); err != nil {
		t.Fatal(err)
	}
	for _, want := range []issuer.Client{full, s.ordersClient()} {
		if got, err := clients.Client(t.Context(), want.ID); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got  %+v, %v\nwant %+v", got, err, want)
		}
	}
	list, err := clients.List(t.Context(), "", 1)
	if err != nil || len(list) != 1 || list[0].ID != edge {
		t.Errorf("%v, %v", list, err)
	}
	list, err = clients.List(t.Context(), edge, 10)
	if err != nil || len(list) != 1 || list[0].ID != orders {
		t.Errorf("%v, %v", list, err)
	}
	thief := issuer.Client{ID: payments, JWKS: jwks(t, newKey(t), s.edge)}
	if err := clients.Register(t.Context(), thief, ""); err == nil || !strings.Contains(err.Error(), edge) {
		t.Errorf("two services have one key: %v", err)
	}
	if err := clients.Register(t.Context(), issuer.Client{ID: payments}, ""); err == nil {
		t.Error("a service without keys was registered")
	}
	old := s.edge
	s.edge = newKey(t)
	if err := clients.Register(t.Context(), s.edgeClient(), ""); err != nil {
		t.Fatal(err)
	}
	thief.JWKS = jwks(t, old)
	if err := clients.Register(t.Context(), thief, ""); err != nil {
		t.Errorf("a key that was given up is not free: %v", err)
	}
	if err := clients.Remove(t.Context(), edge, "gone"); err != nil {
		t.Fatal(err)
	}
	if _, err := clients.Client(t.Context(), edge); !errors.Is(err, issuer.ErrUnknownClient) {
		t.Error(err)
	}
	if err := clients.Remove(t.Context(), edge, "gone"); !errors.Is(err, issuer.ErrUnknownClient) {
		t.Error(err)
	}
	s.refuses(t, s.post(s.ownForm()), http.StatusBadRequest, "invalid_client")
}

// The audit trail has each change, in order, with its caller.
func TestEvents(t *testing.T) {
	records := store.NewMemory()
	s, state := storedShop(t, records)
	id, err := principal.ParseID("spiffe://shop.example/operator")
	if err != nil {
		t.Fatal(err)
	}
	ctx := principal.ContextWithPeer(t.Context(), principal.Peer{ID: id})
	if _, err := state.Rotate(ctx); err != nil {
		t.Fatal(err)
	}
	if err := state.Revoke(ctx, issuer.Revocation{Client: orders, Reason: "test"}); err != nil {
		t.Fatal(err)
	}
	events, err := state.Events(t.Context(), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range events {
		got = append(got, fmt.Sprint(e.Number, " ", e.Action, " ", e.Client, " ", e.Actor, " ", e.Reason))
		if time.Since(e.At) > time.Hour {
			t.Errorf("%d was made at %v", e.Number, e.At)
		}
	}
	want := []string{
		"1 create   ", "2 register " + edge + "  test", "3 register " + orders + "  test",
		"4 rotate  spiffe://shop.example/operator ", "5 revoke " + orders + " spiffe://shop.example/operator test",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if events[3].KeyID != s.keys.State()[1].KeyID {
		t.Errorf("the new key is %s", events[3].KeyID)
	}
	if events, err := state.Events(t.Context(), 4, 1); err != nil || len(events) != 1 || events[0].Number != 5 {
		t.Errorf("%v, %v", events, err)
	}
}

// Issuers side by side rotate once when it is time, and agree on the keys.
func TestOneOfManyIssuersRotates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		records := store.NewMemory()
		var states []*issuer.State
		var wg sync.WaitGroup
		var mu sync.Mutex
		for range 8 { // also the first key is made once
			wg.Go(func() {
				state := openState(t, records)
				mu.Lock()
				defer mu.Unlock()
				states = append(states, state)
			})
		}
		wg.Wait()
		rotate := func() (signs []time.Time) {
			signs = make([]time.Time, len(states))
			for n, state := range states {
				wg.Go(func() {
					var err error
					if signs[n], err = state.RotateAfter(t.Context(), 30*24*time.Hour); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			return signs
		}
		rotate()
		time.Sleep(30 * 24 * time.Hour)
		for _, signs := range rotate() {
			if time.Until(signs) != 12*time.Minute {
				t.Errorf("it signs in %v", time.Until(signs))
			}
		}
		for _, state := range states {
			if _, err := state.Revocations(t.Context()); err != nil { // it reads the state anew
				t.Fatal(err)
			}
			if !reflect.DeepEqual(state.Keys().State(), states[0].Keys().State()) || uses(state.Keys()) != "signing < next" {
				t.Error(state.Keys().State())
			}
		}
		events, err := states[0].Events(t.Context(), 0, 10)
		if err != nil || len(events) != 2 || events[0].Action != "create" || events[1].Action != "rotate" {
			t.Errorf("%v, %v", events, err)
		}
	})
}

// While the store is away, no token is issued and the key set is served.
func TestStoreIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		records := &faulty{Store: store.NewMemory()}
		s, _ := storedShop(t, records)
		records.before = func() error { return errors.New("the disk is full") }
		time.Sleep(10 * time.Minute)
		s.refuses(t, s.post(s.ownForm()), http.StatusServiceUnavailable, "temporarily_unavailable")
		if keys := string(s.document(t, "/jwks.json")); !strings.Contains(keys, s.keys.State()[0].KeyID) {
			t.Error(keys)
		}
		if !strings.Contains(s.log.String(), "the disk is full") {
			t.Error(s.log)
		}
		records.before = nil
		s.token(t, s.post(s.ownForm()), "at+jwt")
	})
}

// faulty is a store that fails before or after an Apply, as a process that is killed leaves it.
type faulty struct {
	store.Store
	before, after func() error
}

func (f *faulty) Get(ctx context.Context, kind store.Kind, name string) (store.Record, error) {
	if f.before != nil {
		if err := f.before(); err != nil {
			return store.Record{}, err
		}
	}
	return f.Store.Get(ctx, kind, name)
}

func (f *faulty) Apply(ctx context.Context, changes ...store.Change) error {
	if f.before != nil {
		if err := f.before(); err != nil {
			return err
		}
	}
	err := f.Store.Apply(ctx, changes...)
	if err == nil && f.after != nil {
		err = f.after()
	}
	return err
}

// killed is the error of a store whose process is dead.
var errKilled = errors.New("killed")

// Whatever access of the store is the last one of a process, the next process has every key that was published, keeps
// every revocation that was confirmed, and verifies every token that was issued.
func TestKilledBetweenAnyTwoAccesses(t *testing.T) {
	for _, after := range []bool{false, true} {
		for last := 0; ; last++ {
			records := store.NewMemory()
			left := last
			die := func() error {
				if left--; left < 0 {
					return errKilled
				}
				return nil
			}
			mortal := &faulty{Store: records, before: die}
			if after {
				mortal = &faulty{Store: records, after: die}
			}
			if live(t, mortal, records) {
				break
			}
		}
	}
}

// live lives one life of an issuer and checks the next. It reports whether the first one was not killed.
func live(t *testing.T, mortal, records store.Store) bool {
	t.Helper()
	s := newShop(t)
	var published, confirmed []string
	var answers []reply
	var used []string
	err := func() error {
		state, err := issuer.OpenState(t.Context(), mortal, sealed())
		if err != nil {
			return err
		}
		s.keys, s.registry = state.Keys(), state.Clients()
		s.open(issuer.WithState(state))
		published = append(published, s.keys.State()[0].KeyID)
		if err := state.Clients().Register(t.Context(), s.edgeClient(), ""); err != nil {
			return err
		}
		for range 3 {
			assertion := sign(t, s.edge, assertionType, honest(edge))
			r := s.post(s.formWith(assertion))
			if r.status != http.StatusOK {
				return errKilled
			}
			answers, used = append(answers, r), append(used, assertion)
			if _, err := state.Rotate(t.Context()); err != nil {
				return err
			}
			published = append(published, s.keys.State()[len(s.keys.State())-1].KeyID)
			old := s.keys.State()[0].KeyID
			published = slices.DeleteFunc(published, func(kid string) bool { return kid == old })
			answers = nil // of the key that may be revoked now
			if err := state.Revoke(t.Context(), issuer.Revocation{KeyID: old}); err != nil {
				return err
			}
			confirmed = append(confirmed, old)
		}
		return nil
	}()
	if err != nil && !errors.Is(err, errKilled) {
		t.Fatal(err)
	}
	if len(published) > 0 {
		for _, key := range s.keys.State() { // also one that is published although its Rotate has failed
			if !slices.Contains(confirmed, key.KeyID) && !slices.Contains(published, key.KeyID) {
				published = append(published, key.KeyID)
			}
		}
	}
	state := s.restart(records)
	list, failed := state.Revocations(t.Context())
	if failed != nil {
		t.Fatal(failed)
	}
	var revoked []string
	for _, r := range list {
		revoked = append(revoked, r.KeyID)
	}
	for _, kid := range published {
		if !slices.Contains(revoked, kid) && !strings.Contains(string(s.document(t, "/jwks.json")), kid) {
			t.Errorf("key %s is lost: %v", kid, s.keys.State())
		}
	}
	for _, kid := range confirmed {
		if !slices.Contains(revoked, kid) || strings.Contains(string(s.document(t, "/jwks.json")), kid) {
			t.Errorf("the revocation of %s is lost", kid)
		}
	}
	for _, r := range answers {
		s.token(t, r, "at+jwt")
	}
	for _, assertion := range used {
		s.refuses(t, s.post(s.formWith(assertion)), http.StatusBadRequest, "invalid_client")
	}
	return err == nil
}

func TestSealedKeys(t *testing.T) {
	records := store.NewMemory()
	first, second := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	open := func(service issuer.KeyService) (*issuer.State, error) {
		return issuer.OpenState(t.Context(), records, service)
	}
	state, err := open(issuer.Sealed(issuer.ES256, first))
	if err != nil {
		t.Fatal(err)
	}
	kid := state.Keys().State()[0].KeyID
	for r, err := range records.Snapshot(t.Context()) {
		if err != nil || bytes.Contains(r.Value, []byte(`"d"`)) {
			t.Errorf("%s, %v", r.Value, err)
		}
	}
	_, err = open(issuer.Sealed(issuer.ES256, second))
	if err == nil || !strings.Contains(err.Error(), "another secret") {
		t.Errorf("opened with another secret: %v", err)
	}
	state, err = open(issuer.Sealed(issuer.EdDSA, second, first))
	if err != nil || state.Keys().State()[0].KeyID != kid {
		t.Fatalf("%v", err)
	}
	if _, err := state.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	state, err = open(issuer.Sealed(issuer.EdDSA, second, first))
	if err != nil || uses(state.Keys()) != "signing < next" {
		t.Error(err)
	}
	for name, service := range map[string]issuer.KeyService{
		"no algorithm": issuer.Sealed("RS256", first), "use 32": issuer.Sealed(issuer.EdDSA, first[:16]),
		"secret 2":       issuer.Sealed(issuer.EdDSA, first, nil),
		"no key service": nil,
	} {
		if _, err := open(service); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("want %q: %v", name, err)
		}
	}
}

// kms is a key service that hands no key out. Handles are names.
type kms struct {
	keys   map[string]crypto.Signer
	handle func(string) []byte
}

func (k *kms) NewKey(context.Context) (crypto.Signer, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	name := fmt.Sprint("keys/", len(k.keys))
	k.keys[name] = key
	return key, k.handle(name), err
}

func (k *kms) OpenKey(_ context.Context, handle []byte) (crypto.Signer, error) {
	key, ok := k.keys[string(handle)]
	if !ok {
		return nil, errors.New("no such key")
	}
	return key, nil
}

func TestKeyService(t *testing.T) {
	service := &kms{map[string]crypto.Signer{}, func(name string) []byte { return []byte(name) }}
	records := store.NewMemory()
	state, err := issuer.OpenState(t.Context(), records, service)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := state.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if state, err = issuer.OpenState(t.Context(), records, service); err != nil || uses(state.Keys()) != "signing < next" {
		t.Fatal(err)
	}
	service.keys["keys/0"], service.keys["keys/1"] = service.keys["keys/1"], service.keys["keys/0"]
	if _, err := issuer.OpenState(t.Context(), records, service); err == nil ||
		!strings.Contains(err.Error(), "another key for this handle") {
		t.Error(err)
	}
	delete(service.keys, "keys/0")
	_, err = issuer.OpenState(t.Context(), records, service)
	if err == nil || !strings.Contains(err.Error(), "no such key") {
		t.Error(err)
	}
	for _, handle := range [][]byte{nil, make([]byte, 4097)} {
		service.handle = func(string) []byte { return handle }
		if _, err := issuer.OpenState(t.Context(), store.NewMemory(), service); err == nil {
			t.Errorf("a handle of %d bytes was taken", len(handle))
		}
	}
}

// A migration that was killed is done again, also by several processes, and no process reads what it does not know.
func TestMigration(t *testing.T) {
	records := store.NewMemory()
	openState(t, records)
	runs := 0
	step := func(ctx context.Context, records store.Store) error {
		if runs++; runs == 1 {
			return errKilled
		}
		r, err := records.Get(ctx, "keys", "plan")
		if err != nil {
			return err
		}
		return records.Apply(ctx, store.Change{Kind: "keys", Name: "plan", Version: r.Version, Value: r.Value})
	}
	if _, err := issuer.OpenStateAfter(t.Context(), records, sealed(), step); !errors.Is(err, errKilled) {
		t.Error(err)
	}
	openState(t, records) // the old program still works
	for range 2 {
		if _, err := issuer.OpenStateAfter(t.Context(), records, sealed(), step); err != nil {
			t.Error(err)
		}
	}
	if runs != 2 {
		t.Errorf("it ran %d times", runs)
	}
	if _, err := issuer.OpenState(t.Context(), records, sealed()); err == nil ||
		!strings.Contains(err.Error(), "use the newer program") {
		t.Error(err)
	}
	if _, err := issuer.OpenStateAfter(t.Context(), store.NewMemory(), sealed(), step); err != nil {
		t.Error(err)
	}
}

// What is stored and cannot be read is an error that says so, not a panic and not another key.
func TestDamagedRecords(t *testing.T) {
	for name, test := range map[string]struct {
		kind  store.Kind
		name  string
		value string
		says  string
	}{
		"a plan that is none":    {"keys", "plan", "{", "the plan"},
		"a plan without keys":    {"keys", "plan", `{"keys":[]}`, "0 keys"},
		"a plan of the future":   {"keys", "plan", `{"keys":[],"more":1}`, "unknown field"},
		"a key that is none":     {"keys", "plan", `{"keys":[{"jwk":{},"handle":"AA=="}]}`, "key 1"},
		"a key without a handle": {"keys", "plan", `{"keys":[{"jwk":{}}]}`, "no handle"},
		"a number that is none":  {"meta", "sequence", "x", "number of the last change"},
		"a format that is none":  {"meta", "format", "x", "no version"},
		"a revocation of two":    {"revocations", "00000000000000000002", `{"client":"a","kid":"b"}`, "not exactly one"},
		"a revocation of none":   {"revocations", "2", `{"kid":"b"}`, "no number"},
	} {
		t.Run(name, func(t *testing.T) {
			records := store.NewMemory()
			openState(t, records)
			r, _ := records.Get(t.Context(), test.kind, test.name)
			if err := records.Apply(t.Context(), store.Change{
				Kind: test.kind, Name: test.name, Version: r.Version, Value: []byte(test.value),
			}); err != nil {
				t.Fatal(err)
			}
			state, err := issuer.OpenState(t.Context(), records, sealed())
			if err == nil {
				_, err = state.Rotate(t.Context())
			}
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want %q", err, test.says)
			}
		})
	}
}
