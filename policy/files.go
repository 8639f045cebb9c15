package policy

import "fmt"

// Files are policies in files of another kind than the configuration, such as those of a mesh. A program names them
// with framework.WithPolicySource, and reads them anew when they change. It is safe for concurrent use.
type Files interface {
	// String names the files, in one line. No two sources of a program may have the same name.
	fmt.Stringer
	// Read returns the content of all the files in one piece, which Parse understands. Two pieces are equal exactly when
	// the files are. That there are no files, or one that cannot be read, is an error.
	Read() ([]byte, error)
	// Parse returns the layers that a content states. Its error joins everything that is wrong. What the content says and
	// nothing here enforces is in the notes.
	Parse(content []byte) (layers []Layer, notes []Note, err error)
}

// LossyFiles are Files that can tell what was lost from what was changed on purpose. A program asks them before a new
// content takes the place of the one in force.
type LossyFiles interface {
	Files
	// Lost returns an error if after looks like a part of before: a file is missing, emptied or cut off. The program then
	// keeps before. Both contents come from Read, and before has been parsed without an error.
	Lost(before, after []byte) error
}

// Note says that something in a file is not enforced, or not quite as it stands there. It never lets a call pass that
// the file would refuse: that is an error.
type Note struct {
	// Place is where it stands: "shop.yaml:31".
	Place string
	// Subject is what it is about: "AuthorizationPolicy shop/orders".
	Subject string
	// Text says what is not enforced, and why.
	Text string
}

// String is "place: subject: text".
func (n Note) String() string { return n.Place + ": " + n.Subject + ": " + n.Text }
