package discovery

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// memoryVersion is the version of the file. The fields of another version may have another meaning.
const memoryVersion = 1

// memoryFile is the content of the file of last known good lists.
type memoryFile struct {
	Version  int                  `json:"version"`
	Engine   string               `json:"engine"`
	Services map[string]memorized `json:"services"`
}

// memorized is the list of one service, and the time when the engine first sent it.
type memorized struct {
	Seen      time.Time  `json:"seen"`
	Instances []Instance `json:"instances"`
}

// parseMemory reads the file for an engine.
func parseMemory(text []byte, engine string) (map[string]memorized, error) {
	var head struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return nil, fmt.Errorf("it is damaged: %w", err)
	}
	if head.Version != memoryVersion {
		return nil, fmt.Errorf(
			"it has version %d, and this program reads version %d, so another one writes it; "+
				"give each program a file of its own",
			head.Version, memoryVersion,
		)
	}
	var file memoryFile
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&file); err != nil {
		return nil, fmt.Errorf("it is damaged: %w", err)
	}
	if file.Engine != engine {
		return nil, fmt.Errorf(
			"it was written for %q, and this program uses %q; give each engine a file of its own", file.Engine, engine,
		)
	}
	for service, known := range file.Services {
		for _, in := range known.Instances {
			if err := in.Check(); err != nil {
				return nil, fmt.Errorf("it is damaged: %w", err)
			}
			if in.Service != service {
				return nil, fmt.Errorf("it is damaged: an instance of %q stands under %q", in.Service, service)
			}
		}
	}
	return file.Services, nil
}

func formatMemory(engine string, lists map[string]memorized) ([]byte, error) {
	text, err := json.Marshal(memoryFile{Version: memoryVersion, Engine: engine, Services: lists})
	if err == nil && len(text) > memoryMost {
		err = errors.New("there is too much to remember")
	}
	return text, err
}
