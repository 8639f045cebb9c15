// Package issuerserver is the program "parley issuer serve": an issuer with its state in a folder, served with the
// framework.
//
//	<folder>/issuer.yaml     the configuration, parley.issuer.v1.Config
//	<folder>/issuer.db       the state
//	<folder>/secret          the secret that seals the signing keys
//	<folder>/trust, keys     the identities of the issuer and its operator, as a trust directory
package issuerserver

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	issuerv1 "github.com/parley-rpc/parley/gen/parley/issuer/v1"
	"github.com/parley-rpc/parley/internal/protoyaml"
	"github.com/parley-rpc/parley/internal/quote"
	"github.com/parley-rpc/parley/internal/safepath"
	"github.com/parley-rpc/parley/issuer"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/profile"
)

// The names of files in the folder, and of the issuer and its operator in the trust domain.
const (
	ConfigName   = "issuer.yaml"
	stateName    = "issuer.db"
	secretName   = "secret"
	issuerName   = "issuer"
	operatorName = "issuer-operator"
)

const (
	defaultAdminListen = "127.0.0.1:8444"
	defaultRotateAfter = 30 * 24 * time.Hour
	minRotateAfter     = 2 * time.Hour // longer than a key is published before and after it signs
	maxFile            = 1 << 20
	maxSignedSets      = 16 << 20
)

// config is a checked configuration.
type config struct {
	folder string
	text   []byte
	file   *issuerv1.Config
	domain principal.TrustDomain
}

// readConfig reads the configuration in a folder. The error joins every mistake.
func readConfig(folder string) (config, error) {
	path := filepath.Join(folder, ConfigName)
	text, err := safepath.New().ReadPublic(path, maxFile)
	if err != nil {
		return config{}, fmt.Errorf("%w; parley issuer init makes one", err)
	}
	return parseConfig(folder, text)
}

func parseConfig(folder string, text []byte) (config, error) {
	path := filepath.Join(folder, ConfigName)
	c := config{folder: folder, text: text, file: &issuerv1.Config{}}
	if _, err := protoyaml.Unmarshal(path, text, c.file); err != nil {
		return c, err
	}
	var errs []error
	wrong := func(wrong bool, format string, args ...any) {
		if wrong {
			errs = append(errs, fmt.Errorf(path+": "+format, args...))
		}
	}
	var err error
	c.domain, err = principal.ParseTrustDomain(c.file.GetTrustDomain())
	wrong(err != nil, "trust_domain: %w", err)
	web := c.file.GetHttps()
	wrong(web.GetListen() == "", "https.listen: state the address that clients reach, such as :8443")
	wrong(web.GetCertFile() == "" || web.GetKeyFile() == "", "https: state cert_file and key_file")
	algorithm := c.algorithm()
	wrong(algorithm != issuer.EdDSA && algorithm != issuer.ES256, "keys.algorithm: %s is neither EdDSA nor ES256",
		quote.Text(algorithm))
	wrong(c.rotateAfter() < minRotateAfter && c.rotateAfter() != 0,
		"keys.rotate_after: it must be at least %v, or 0", minRotateAfter)
	if login := c.file.GetLogin(); login != nil {
		wrong(login.GetProvider() != "" && !slices.Contains(profile.Providers(), profile.Provider(login.GetProvider())),
			"login.provider: %s is not known; the providers are %v", quote.Text(login.GetProvider()), profile.Providers())
	}
	return c, errors.Join(errs...)
}

func (c config) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(c.folder, name)
}

func (c config) algorithm() string {
	if name := c.file.GetKeys().GetAlgorithm(); name != "" {
		return name
	}
	return issuer.EdDSA
}

func (c config) rotateAfter() time.Duration {
	if d := c.file.GetKeys().GetRotateAfter(); d != nil {
		return d.AsDuration()
	}
	return defaultRotateAfter
}

func (c config) adminListen() string {
	if addr := c.file.GetAdminListen(); addr != "" {
		return addr
	}
	return defaultAdminListen
}

// keyService returns the key service, with the secrets in their files.
func (c config) keyService() (issuer.KeyService, error) {
	name := c.file.GetKeys().GetSecretFile()
	if name == "" {
		name = secretName
	}
	secret, err := readSecret(c.path(name))
	errs := []error{err}
	var older [][]byte
	for _, name := range c.file.GetKeys().GetOlderSecretFiles() {
		secret, err := readSecret(c.path(name))
		errs = append(errs, err)
		older = append(older, secret)
	}
	return issuer.Sealed(c.algorithm(), secret, older...), errors.Join(errs...)
}

func readSecret(path string) ([]byte, error) {
	text, err := safepath.New().ReadSecret(path, maxFile)
	if err != nil {
		return nil, err
	}
	secret, err := base64.RawURLEncoding.Strict().DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		return nil, fmt.Errorf("%s: it is not base64url; use the file that parley issuer init has made", path)
	}
	return secret, nil
}

// options returns the options of the issuer that may change while it runs.
func (c config) options() ([]issuer.Option, error) {
	tokens, err := c.tokenOptions()
	if err != nil {
		return nil, err
	}
	login, err := c.loginOptions()
	if err != nil {
		return nil, err
	}
	identities, err := c.identityOptions()
	if err != nil {
		return nil, err
	}
	sets, err := c.signedSets()
	return slices.Concat(tokens, login, identities, sets), err
}

func (c config) tokenOptions() (options []issuer.Option, err error) {
	tokens := c.file.GetTokens()
	if tokens == nil {
		return nil, nil
	}
	if d := tokens.GetLifetime(); d != nil {
		options = append(options, issuer.WithTokenLifetime(d.AsDuration()))
	}
	if d := tokens.GetTransactionLifetime(); d != nil {
		options = append(options, issuer.WithTransactionLifetime(d.AsDuration()))
	}
	if tokens.Transactions != nil {
		options = append(options, issuer.WithTransactions(tokens.GetTransactions()))
	}
	switch {
	case tokens.PerSecond != nil && tokens.Burst != nil:
		options = append(options, issuer.WithRate(int(tokens.GetPerSecond()), int(tokens.GetBurst())))
	case tokens.PerSecond != nil || tokens.Burst != nil:
		return nil, errors.New("tokens: state both per_second and burst")
	}
	return options, nil
}

func (c config) loginOptions() ([]issuer.Option, error) {
	stated := c.file.GetLogin()
	if stated == nil {
		return nil, nil
	}
	login := issuer.Login{Name: stated.GetIssuer(), JWKSURL: stated.GetKeysUrl(), Audiences: stated.GetAudiences()}
	if name := stated.GetProvider(); name != "" {
		login.Profile = profile.Of(profile.Provider(name))
	}
	if name := stated.GetKeysFile(); name != "" {
		text, err := safepath.New().ReadPublic(c.path(name), maxFile)
		if err != nil {
			return nil, fmt.Errorf("login.keys_file: %w", err)
		}
		login.JWKS = text
	}
	return []issuer.Option{issuer.WithLogin(login)}, nil
}

func (c config) signedSets() ([]issuer.Option, error) {
	name := c.file.GetKeys().GetSignedSetsFile()
	if name == "" {
		return nil, nil
	}
	text, err := safepath.New().ReadPublic(c.path(name), maxSignedSets)
	if err != nil {
		return nil, fmt.Errorf("keys.signed_sets_file: %w", err)
	}
	return []issuer.Option{issuer.WithSignedKeySets(strings.Fields(string(text))...)}, nil
}

// environ returns the environment of the framework: that of the process, and the surfaces of the configuration.
func (c config) environ() []string {
	s := c.file.GetSurfaces()
	environ := os.Environ()
	for name, addr := range map[string]string{
		"PROBES": s.GetProbes(), "METRICS": s.GetMetrics(), "ADMIN": s.GetAdmin(),
	} {
		if addr != "" {
			environ = append(environ, "PARLEY_SURFACES_"+name+"="+addr)
		}
	}
	return environ
}
