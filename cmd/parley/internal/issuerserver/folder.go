package issuerserver

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/privatefile"
	"github.com/parley-rpc/parley/internal/safepath"
	"github.com/parley-rpc/parley/issuer"
	"github.com/parley-rpc/parley/issuer/bolt"
	"github.com/parley-rpc/parley/issuer/store"
	"github.com/parley-rpc/parley/principal"
)

// Setup is what Init makes.
type Setup struct {
	// Folder is the new folder of the issuer.
	Folder string
	// Root is the file of the offline root key, outside of the folder.
	Root string
	// Issuer is the https URL of the issuer.
	Issuer string
	// TrustDomain is the trust domain of the issuer and its operators.
	TrustDomain string
	// Listen, CertFile and KeyFile configure the HTTPS listener.
	Listen, CertFile, KeyFile string
	// Algorithm is that of the keys: EdDSA or ES256.
	Algorithm string
}

// Init makes the folder of a new issuer, with its first signing key, and the offline root key beside it. It returns the
// pin, which is the thumbprint of the root. It changes no file that is there.
func Init(ctx context.Context, s Setup) (pin string, err error) {
	inside, err := within(s.Folder, s.Root)
	if err != nil {
		return "", err
	}
	if inside {
		return "", fmt.Errorf("the root key %s is inside of %s; keep it elsewhere, where the issuer cannot read it", s.Root,
			s.Folder)
	}
	c, err := parseConfig(s.Folder, s.config())
	if err != nil {
		return "", err
	}
	if err := checkIssuer(c); err != nil {
		return "", err
	}
	folder, err := privatefile.Make(s.Folder)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, folder.Close()) }()
	if _, err := folder.Lstat(ConfigName); !errors.Is(err, fs.ErrNotExist) {
		there := fmt.Errorf("%s is there; an issuer is initialized once", filepath.Join(s.Folder, ConfigName))
		return "", errors.Join(there, err)
	}
	if pin, err = makeRoot(s.Root, s.Algorithm); err != nil {
		return "", err
	}
	if err := makeSecret(folder); err != nil {
		return "", err
	}
	if err := makeIdentities(c); err != nil {
		return "", err
	}
	if err := makeState(ctx, c); err != nil {
		return "", err
	}
	// The configuration is last: a folder that has it is complete.
	return pin, safepath.Create(folder, ConfigName, c.text, 0o600)
}

func within(folder, path string) (bool, error) {
	folder, errFolder := filepath.Abs(folder)
	path, errPath := filepath.Abs(path)
	if err := errors.Join(errFolder, errPath); err != nil {
		return false, err
	}
	relative, err := filepath.Rel(folder, path)
	return err == nil && filepath.IsLocal(relative), nil
}

func (s Setup) config() []byte {
	return fmt.Appendf(nil, `# The configuration of the issuer; docs/issuer.md describes it.
issuer: %q
trust_domain: %q
https:
  listen: %q
  cert_file: %q
  key_file: %q
keys:
  algorithm: %s
surfaces:
  probes: "127.0.0.1:8081"
  metrics: "127.0.0.1:8082"
  admin: "127.0.0.1:8083"
`, s.Issuer, s.TrustDomain, s.Listen, s.CertFile, s.KeyFile, s.Algorithm)
}

// checkIssuer checks what only package issuer checks, with a state in memory.
func checkIssuer(c config) error {
	options, err := c.options()
	if err != nil {
		return err
	}
	records := store.NewMemory()
	defer func() { _ = records.Close() }()
	state, err := issuer.OpenState(context.Background(), records, issuer.Sealed(c.algorithm(), make([]byte, 32)))
	if err != nil {
		return err
	}
	is := issuer.New(c.file.GetIssuer(), state.Keys(), state.Clients(), append(options, issuer.WithState(state))...)
	return errors.Join(is.Check(), is.Close())
}

// makeRoot makes the offline root key, in PKCS #8, and returns its thumbprint.
func makeRoot(path, algorithm string) (string, error) {
	folder, err := privatefile.Make(filepath.Dir(path))
	if err != nil {
		return "", err
	}
	defer func() { _ = folder.Close() }()
	signer, err := newSigner(algorithm)
	if err != nil {
		return "", err
	}
	key, err := jose.NewPrivateKey(signer)
	if err != nil {
		return "", err
	}
	der, err := x509.MarshalPKCS8PrivateKey(signer)
	if err != nil {
		return "", err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	if err := safepath.Create(folder, filepath.Base(path), text, 0o600); err != nil {
		return "", fmt.Errorf("the root key %s: %w", path, err)
	}
	return key.Public().KeyID(), nil
}

func newSigner(algorithm string) (crypto.Signer, error) {
	if algorithm == issuer.ES256 {
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	return key, err
}

func makeSecret(folder *os.Root) error {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // it never fails
	err := safepath.Create(folder, secretName, []byte(base64.RawURLEncoding.EncodeToString(secret)+"\n"), 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil // of an Init that was cut short; the state may be sealed with it
	}
	return err
}

// makeIdentities makes the keys of the issuer and of its operator, who trust each other by the folder.
func makeIdentities(c config) error {
	var errs []error
	for _, name := range []string{issuerName, operatorName} {
		id, err := identity(c, name, auth.WithEnroll(), quiet())
		if err == nil {
			err = errors.Join(id.Check(), id.Close())
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// quiet keeps an identity from logging what the command prints.
func quiet() auth.Option { return auth.WithLogger(slog.New(slog.DiscardHandler)) }

func identity(c config, name string, options ...auth.Option) (*auth.Identity, error) {
	self, err := c.domain.ID(name)
	if err != nil {
		return nil, err
	}
	return auth.TrustDir(c.folder, self, options...), nil
}

func makeState(ctx context.Context, c config) error {
	service, err := c.keyService()
	if err != nil {
		return err
	}
	records, err := bolt.Open(c.path(stateName))
	if err != nil {
		return err
	}
	_, err = issuer.OpenState(ctx, records, service)
	return errors.Join(err, records.Close())
}

// Restore makes the state in a folder from a backup, and returns when the backup was made. The folder has a
// configuration and a secret, and no state.
func Restore(ctx context.Context, folder string, backup io.Reader) (made time.Time, err error) {
	c, err := readConfig(folder)
	if err != nil {
		return made, err
	}
	service, err := c.keyService()
	if err != nil {
		return made, err
	}
	records, err := bolt.Open(c.path(stateName))
	if err != nil {
		return made, err
	}
	made, err = issuer.Restore(ctx, backup, records)
	if err == nil {
		_, err = issuer.OpenState(ctx, records, service)
	}
	return made, errors.Join(err, records.Close())
}

// Operator returns the identity of the operator of an issuer, the ID of the issuer, and its address for operators.
func Operator(folder string) (id *auth.Identity, server principal.ID, address string, err error) {
	c, err := readConfig(folder)
	if err != nil {
		return nil, principal.ID{}, "", err
	}
	if server, err = c.domain.ID(issuerName); err != nil {
		return nil, principal.ID{}, "", err
	}
	id, err = identity(c, operatorName, quiet())
	return id, server, c.adminListen(), err
}
