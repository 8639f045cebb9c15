package grpcbalancer

import (
	"encoding/json"
	"fmt"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/balancer/randomsubsetting"
	"google.golang.org/grpc/serviceconfig"
)

// subset puts random subsetting between this policy and the child. It stays there while the service is small, so that a
// service that grows does not lose its connections.
type subset struct {
	above, size uint32
	child       string
	settings    json.RawMessage
}

// config is what random subsetting is told for a service of so many instances.
func (s *subset) config(instances int) (serviceconfig.LoadBalancingConfig, error) {
	size := s.size
	if !s.divides(instances) {
		size = s.above
	}
	settings := s.settings
	if len(settings) == 0 {
		settings = json.RawMessage("{}")
	}
	text, err := json.Marshal(map[string]any{
		"subsetSize":  size,
		"childPolicy": []any{map[string]any{s.child: settings}},
	})
	if err != nil {
		return nil, err
	}
	parser, ok := s.builder().(balancer.ConfigParser)
	if !ok {
		return nil, fmt.Errorf("balancing policy %q takes no configuration", randomsubsetting.Name)
	}
	return parser.ParseConfig(text)
}

// divides reports whether a service of so many instances is too large for one channel.
func (s *subset) divides(instances int) bool { return instances > int(s.above) }

func (s *subset) builder() balancer.Builder { return balancer.Get(randomsubsetting.Name) }
