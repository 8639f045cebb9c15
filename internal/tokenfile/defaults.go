package tokenfile

// maxBytes is the size in bytes beyond which no token file is read.
const maxBytes = 16 << 10
