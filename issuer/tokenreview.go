package issuer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/parley-rpc/parley/internal/httpdoc"
	"github.com/parley-rpc/parley/internal/quote"
	"github.com/parley-rpc/parley/internal/tokenfile"
)

// Cluster is the API server of a Kubernetes cluster.
type Cluster struct {
	// URL is its address, such as https://kubernetes.default.svc. Required.
	URL string
	// CAFile is the file with its certificate authorities, PEM. It is read before each request. Default: those of the
	// system.
	CAFile string
	// TokenFile is the file with the token of the issuer's own service account, which needs the permission to create
	// tokenreviews. It is read before each request. Required.
	TokenFile string
	// LoopbackHTTP allows plain HTTP to a loopback address, for tests.
	LoopbackHTTP bool
}

// maxReview is the most bytes of the answer to a review.
const maxReview = 64 << 10

// Check returns every mistake in the fields, joined, and reads the files once.
func (c Cluster) Check() error {
	client := c.client()
	_, unread := c.token(context.Background())
	if err := errors.Join(client.CheckURL(c.URL), client.Check(), unread); err != nil {
		return fmt.Errorf("issuer: Cluster %s: %w", quote.Text(c.URL), err)
	}
	return nil
}

// Review is a [Bootstrap.Review] that asks the API server about each token (TokenReview of authentication.k8s.io/v1).
// The API server accepts a token only as long as the pod or secret that it is bound to exists, so that a workload whose
// pod was deleted gets no further identity token.
func (c Cluster) Review(ctx context.Context, token, audience, subject string) error {
	question := review{APIVersion: reviewVersion, Kind: reviewKind}
	question.Spec.Token, question.Spec.Audiences = token, []string{audience}
	text, err := json.Marshal(question)
	if err != nil {
		return err
	}
	answer, err := c.client().PostJSON(ctx, c.URL+"/apis/authentication.k8s.io/v1/tokenreviews", text, maxReview)
	if err != nil {
		return err
	}
	var reviewed review
	if err := json.Unmarshal(answer.Body, &reviewed); err != nil {
		return errors.New("the answer is no TokenReview")
	}
	switch s := reviewed.Status; {
	case reviewed.Kind != reviewKind || reviewed.APIVersion != reviewVersion:
		return errors.New("the answer is no TokenReview")
	case !s.Authenticated && s.Error != "":
		return fmt.Errorf("%w: %s", ErrRefused, quote.Cut(s.Error, maxCause))
	case !s.Authenticated:
		return fmt.Errorf("%w: it is not authenticated", ErrRefused)
	case !slices.Contains(s.Audiences, audience):
		return fmt.Errorf("%w: the API server did not check the audience", ErrRefused)
	case s.User.Username != subject:
		return fmt.Errorf("%w: the user is not the sub of the token", ErrRefused)
	default:
		return nil
	}
}

func (c Cluster) client() *httpdoc.Client {
	return httpdoc.New(httpdoc.Options{
		CAFile: c.CAFile, Loopback: c.LoopbackHTTP, Bearer: c.token, BearerURL: c.URL,
	})
}

func (c Cluster) token(context.Context) (string, error) {
	token, err := tokenfile.Read(c.TokenFile)
	if err != nil {
		return "", fmt.Errorf("token file %s: %w", c.TokenFile, err)
	}
	return token, nil
}

const (
	reviewVersion = "authentication.k8s.io/v1"
	reviewKind    = "TokenReview"
)

// review is the resource TokenReview, as far as it is used here.
type review struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Spec       struct {
		Token     string   `json:"token,omitempty"`
		Audiences []string `json:"audiences,omitempty"`
	} `json:"spec"`
	Status struct {
		Authenticated bool     `json:"authenticated,omitempty"`
		Audiences     []string `json:"audiences,omitempty"`
		Error         string   `json:"error,omitempty"`
		User          struct {
			Username string `json:"username,omitempty"`
		} `json:"user"`
	} `json:"status"`
}
