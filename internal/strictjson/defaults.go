package strictjson

const (
	// maxDepth is how deep objects and arrays may be nested, the outermost object counted.
	maxDepth = 16
	// maxMembers is how many members one JSON object may have.
	maxMembers = 64
	// maxDocumentMembers is how many members an object in a provider's metadata may have.
	maxDocumentMembers = 512
)
