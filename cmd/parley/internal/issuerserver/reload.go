package issuerserver

import (
	"bytes"
	"context"
	"log/slog"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/parley-rpc/parley/internal/safepath"
)

// followConfig reads the configuration again and lets changes of tokens, login and identities take effect, when two
// readings in a row have seen them. A bad configuration changes nothing.
func (s *Server) followConfig(ctx context.Context) error {
	inForce, seen, judged := s.config, s.config.text, s.config.text
	return every(ctx, configInterval, func() {
		if err := s.serving.closeRetired(time.Now()); err != nil {
			s.logger.Error("an issuer that was replaced did not close", slog.Any("error", err))
		}
		text, err := safepath.New().ReadPublic(s.config.path(ConfigName), maxFile)
		if err != nil {
			text = []byte(err.Error()) // judged below, once
		}
		settled := bytes.Equal(text, seen)
		seen = text
		if !settled || bytes.Equal(text, judged) {
			return
		}
		judged = text
		if err == nil {
			inForce, err = s.reload(inForce, text)
		}
		if err != nil {
			s.logger.Error("the configuration is bad; the last one stays in force", slog.Any("error", err))
		}
	})
}

// reload lets a configuration take effect. It returns the one that is in force then.
func (s *Server) reload(inForce config, text []byte) (config, error) {
	next, err := parseConfig(s.config.folder, text)
	if err != nil {
		return inForce, err
	}
	if !proto.Equal(fixed(next), fixed(s.config)) {
		s.logger.Warn("the configuration has changes outside of tokens, login and identities; restart to apply them")
		next.file.Issuer = s.config.file.Issuer // the name of a running issuer never changes
	}
	is, err := s.issuerOf(next)
	if err != nil {
		return inForce, err
	}
	s.serving.set(is)
	s.logger.Info("the configuration was reloaded")
	return next, nil
}

// fixed is the part of a configuration that takes effect at a start.
func fixed(c config) proto.Message {
	file := proto.CloneOf(c.file)
	file.Tokens, file.Login, file.Identities = nil, nil, nil
	return file
}
