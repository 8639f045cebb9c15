package quote

// maxText is how much of a text that others wrote an error shows, in bytes.
const maxText = 80
