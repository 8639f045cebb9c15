package framework

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"net/http"
	"strings"

	configv1 "github.com/parley-rpc/parley/gen/parley/config/v1"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/interceptors/auth/tokens"
	"github.com/parley-rpc/parley/keyset"
	"github.com/parley-rpc/parley/principal"
)

// podIdentity returns the identity that the issuer with these keys gives to a pod, for a key that is made here.
func podIdentity(
	self principal.ID, stated *configv1.PodIdentity, keys *keyset.Set, transport http.RoundTripper, options []auth.Option,
) (*auth.Identity, error) {
	issuer := stated.GetIssuer()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, fmt.Errorf("identity.kubernetes: key: %w", err)
	}
	source := tokens.IdentityFromIssuer(
		issuer, podDocument(stated, "/token"), self, key, podTokenFile(stated), podFetching(stated, transport)...,
	)
	if err := source.Check(); err != nil {
		return nil, fmt.Errorf("identity.kubernetes: %w", err)
	}
	issuers := []auth.IdentityIssuer{{Name: issuer, Keys: keys, Domains: []principal.TrustDomain{self.TrustDomain()}}}
	return auth.Issued(self, source, issuers, append(options, auth.WithSigner(key))...), nil
}

// podKeys says where the keys of the issuer are. Those that its root has signed are in a document of their own.
func podKeys(stated *configv1.PodIdentity) *configv1.Keys {
	keys := &configv1.Keys{
		Url: new(podDocument(stated, "/jwks.json")), PinnedRoot: stated.PinnedRoot, CaFile: stated.CaFile,
		LoopbackHttp: stated.LoopbackHttp,
	}
	if stated.PinnedRoot != nil {
		keys.Url = new(podDocument(stated, "/jwks.jwt"))
	}
	return keys
}

// podDocument is the URL of a document of the issuer.
func podDocument(stated *configv1.PodIdentity, path string) string {
	return strings.TrimSuffix(stated.GetIssuer(), "/") + path
}

func podFetching(stated *configv1.PodIdentity, transport http.RoundTripper) []tokens.Option {
	var options []tokens.Option
	if stated.CaFile != nil {
		options = append(options, tokens.WithCAFile(stated.GetCaFile()))
	}
	if stated.GetLoopbackHttp() {
		options = append(options, tokens.WithLoopbackHTTP())
	}
	if transport != nil {
		options = append(options, tokens.WithRoundTripper(transport))
	}
	return options
}

func podTokenFile(stated *configv1.PodIdentity) string {
	if file := stated.GetTokenFile(); file != "" {
		return file
	}
	return defaultPodTokenFile
}

// checkPodIdentity refuses settings that contradict identity.kubernetes.
func checkPodIdentity(conf *configv1.Identity) error {
	var errs []error
	wrong := func(wrong bool, text string) {
		if wrong {
			errs = append(errs, errors.New(text))
		}
	}
	wrong(conf.GetKubernetes().GetIssuer() == "", "identity.kubernetes.issuer: set it to the https URL of the issuer")
	wrong(
		conf.GetKeyFile() != "",
		"identity.key_file: the key of identity.kubernetes is made when the process starts; remove it",
	)
	wrong(
		conf.GetEnroll() == configv1.Enroll_ENROLL_SELF,
		"identity.enroll: self is for a trust directory, and the issuer of identity.kubernetes enrolls services; remove it",
	)
	wrong(
		len(conf.GetAcceptDomains()) > 0,
		"identity.accept_domains: the issuer of identity.kubernetes vouches for the own trust domain alone; remove it",
	)
	return errors.Join(errs...)
}
