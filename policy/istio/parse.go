package istio

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"

	"google.golang.org/protobuf/proto"
	securityv1 "istio.io/api/security/v1beta1"

	"github.com/parley-rpc/parley/internal/contextkey"
	"github.com/parley-rpc/parley/policy"
)

// Parse reads what [Files.Read] returned. Its layers enforce the policies that count for the workload, and put those on
// trial that istio.io/dry-run marks; where an ALLOW policy counts, they also decide about methods on which nothing else
// decides. They have the routes of the clients of the workload. Its error joins a [Mistake] for everything that is
// wrong, in whatever policy, and for everything in a policy that counts which cannot be enforced.
func (f *Files) Parse(content []byte) ([]policy.Layer, []policy.Note, error) {
	p, err := f.parse(content)
	if err != nil {
		return nil, nil, err
	}
	f.keepUsers(content, p.selection.userRules())
	layers := f.layers(p.selection, p.enforced, p.tried)
	if out := p.routes; len(out.services)+len(out.gateway)+len(out.destinations) > 0 {
		layers = append(layers, policy.Routed(out))
	}
	return layers, p.selection.notes, nil
}

// parsed is what a content says to the workload.
type parsed struct {
	selection       *selection
	enforced, tried [2]point
	routes          *routes
}

func (f *Files) parse(content []byte) (*parsed, error) {
	files, err := filesOf(content)
	if err != nil {
		return nil, err
	}
	r := &reader{defaultNamespace: f.workload.DefaultNamespace}
	kept := f.keptFiles()
	for _, file := range files {
		if known := kept[file.name]; known != nil && known.data == string(file.data) {
			r.take(known)
		} else {
			r.file(file)
		}
	}
	r.unique()
	if len(r.objects)+len(r.skipped) == 0 && len(r.mistakes.errs) == 0 {
		return nil, errors.New("istio: " + f.path + ": the files hold no document, and emptied files must not pass " +
			"for a mesh without policies; write the policies there, or remove the source")
	}
	s := newSelection(f.workload, r.skipped)
	s.noteSkipped(r.skipped)
	s.authentication(r.objects)
	p := &parsed{selection: s}
	p.enforced, p.tried = s.choose(r.objects)
	p.routes = &routes{f.String(), s.traffic(r.objects)}
	p.routes.noteRivals()
	if err := r.mistakes.join(); err != nil {
		return nil, err
	}
	f.keep(files, r)
	return p, nil
}

// unique reports objects that are there twice: which of them counted last in the cluster cannot be seen.
func (r *reader) unique() {
	first := map[string]*object{}
	for _, o := range r.objects {
		if before := first[o.subject()]; before != nil {
			o.wrong(o.node, "metadata.name", "the object is there before, at %s; keep one of them", before.place(before.node))
			continue
		}
		first[o.subject()] = o
	}
}

// noteSkipped names the kinds that are not read.
func (s *selection) noteSkipped(skipped []*object) {
	for _, o := range skipped {
		if slices.Contains(kindsSkipped()[o.group], o.kind) {
			s.note(o, "", "the kind %s is not read", o.kind)
		}
	}
}

// choose returns the AuthorizationPolicies that count, those in force apart from those on trial.
func (s *selection) choose(objects []*object) (enforced, tried [2]point) {
	for _, o := range objects {
		if o.kind != kindAuthorization {
			continue
		}
		if o.authorization == nil {
			o.authorization = readAuthorization(o)
		}
		a := o.authorization
		at := s.of(o, a.spec)
		if at == nowhere || !s.enforceable(a, at) {
			continue
		}
		p := &enforced[at-atWorkload]
		if a.dryRun {
			p = &tried[at-atWorkload]
		}
		switch a.spec.GetAction() {
		case securityv1.AuthorizationPolicy_DENY:
			p.deny = append(p.deny, a)
		case securityv1.AuthorizationPolicy_AUDIT:
			p.audit = append(p.audit, a)
			s.note(a.object, "spec.action", "the action AUDIT decides nothing; explanations show which rules match")
		case securityv1.AuthorizationPolicy_ALLOW:
			p.allow = append(p.allow, a)
		case securityv1.AuthorizationPolicy_CUSTOM: // refused before
		}
	}
	return enforced, tried
}

func (f *Files) layers(s *selection, enforced, tried [2]point) []policy.Layer {
	var layers []policy.Layer
	if g := f.guard(s, enforced); g != nil {
		layers = append(layers, policy.Guarded(g))
	}
	if g := f.guard(s, tried); g != nil {
		layers = append(layers, policy.GuardedOnTrial(g))
	}
	allow := slices.Concat(enforced[0].allow, enforced[1].allow)
	switch {
	case len(allow) > 0:
		layers = append(layers, policy.Decided(policy.AccessAuthenticated, sourceOf(allow)))
	case f.workload.AllowByDefault:
		source := policy.Source{Kind: policy.KindCode, Place: "istio.Workload.AllowByDefault"}
		if f.compat != "" {
			source = policy.Source{Kind: policy.KindFile, Place: f.compat}
		}
		layers = append(layers, policy.Decided(policy.AccessAuthenticated, source))
	}
	return layers
}

// guard makes the guard of the points that have a policy, or nil.
func (f *Files) guard(s *selection, points [2]point) *guard {
	g := &guard{
		name: f.String(), aliases: f.workload.TrustDomainAliases, openHealth: f.workload.OpenHealth, words: s.words,
		metadata: contextkey.NewMetadata(),
	}
	for _, p := range points {
		if len(p.deny)+len(p.allow)+len(p.audit) > 0 {
			g.points = append(g.points, p)
		}
	}
	if len(g.points) == 0 {
		return nil
	}
	g.key = sync.OnceValue(func() [sha256.Size]byte { return g.keyOf(points) })
	return g
}

// keyOf is a digest of all that decides how the guard judges.
func (g *guard) keyOf(points [2]point) [sha256.Size]byte {
	var key bytes.Buffer
	for i, p := range points {
		fmt.Fprintf(&key, "point %d", i)
		for _, a := range slices.Concat(p.deny, p.allow, p.audit) {
			key.WriteString(keyOf(a))
		}
	}
	for _, list := range append([][]string{g.aliases}, g.words.lists()...) {
		fmt.Fprintf(&key, "list %d", len(list))
		for _, text := range list {
			key.WriteString(framed(text))
		}
	}
	fmt.Fprintf(&key, "open health %v", g.openHealth)
	return sha256.Sum256(key.Bytes())
}

// keyOf is the same for two policies exactly when they judge every call alike and have the same name.
func keyOf(a *authorization) string {
	spec, err := proto.MarshalOptions{Deterministic: true}.Marshal(a.spec)
	if err != nil {
		return a.object.place(a.object.node) // as good as none: it is the same only as itself
	}
	return framed(a.object.namespace) + framed(a.object.name) + framed(string(spec))
}

// framed writes a text behind its length, so that no two lists of texts look alike.
func framed(text string) string {
	return string(binary.AppendUvarint(nil, uint64(len(text)))) + text
}
