package strictjson

const (
	// maxDepth is how deep objects and arrays may be nested, the outermost object counted.
	maxDepth = 16
	// MaxMembers is how many members one JSON object may have.
	MaxMembers = 64
	// maxRoom is for how many strings of an array there is room at once.
	maxRoom = 256
	// maxDocumentMembers is how many members an object in a provider's metadata may have.
	maxDocumentMembers = 512
)
