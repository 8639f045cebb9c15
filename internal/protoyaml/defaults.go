package protoyaml

// What bounds a file.
const (
	// The largest configuration file, in bytes.
	maxFileBytes = 1 << 20
	// How deep a configuration file may nest.
	maxNesting = 32
	// How many mistakes in a configuration file are reported; behind them the file is not read on.
	maxMistakes = 100
	// How much of a wrong value is shown, in characters.
	maxShown = 60
	// From how many values in one place on they are looked up by name.
	fewPlaces = 16
)
