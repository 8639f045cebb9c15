package framework

import (
	"fmt"
	"log/slog"

	configv1 "github.com/parley-rpc/parley/gen/parley/config/v1"
	"github.com/parley-rpc/parley/internal/quote"
	"github.com/parley-rpc/parley/policy"
)

// CompatFiles are [policy.Files] of a system with a default of its own for methods on which nothing decides, such as
// those of a mesh. The key compat of the configuration takes it.
type CompatFiles interface {
	policy.Files
	// Compat returns the same files with that default, which is stated at place.
	Compat(place string) policy.Files
}

// checkCompat refuses the default of a system whose policies are not read.
func checkCompat(config *configv1.Config) error {
	format := config.GetCompat()
	if _, ok := config.GetPoliciesFrom()[format]; config.Compat != nil && !ok {
		return fmt.Errorf("compat: %s is no key of policies_from, which says whose policies are read; name one that is, "+
			"or remove the key", quote.Text(format))
	}
	return nil
}

// withCompat returns the files of a format with the default of their system, where the configuration takes it.
func withCompat(
	config *configv1.Config, format string, files policy.Files, logger *slog.Logger,
) (policy.Files, error) {
	if format != config.GetCompat() {
		return files, nil
	}
	own, ok := files.(CompatFiles)
	if !ok {
		return files, fmt.Errorf("compat: %v: the program's reader of %s knows no default of its own; remove the key",
			files, quote.Text(format))
	}
	files = own.Compat("compat: " + format)
	logger.Warn("methods on which nothing decides are open to every caller with a proven identity",
		slog.String("compat", format), slog.String("file", files.String()))
	return files, nil
}
