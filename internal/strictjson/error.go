package strictjson

import "strconv"

// SyntaxError says where a text stops being strict JSON.
type SyntaxError struct {
	// Offset counts the bytes before the place.
	Offset int
	// Problem says what is wrong there. It never repeats the text.
	Problem string
}

// Error is the problem with its place.
func (e *SyntaxError) Error() string { return e.Problem + " at byte " + strconv.Itoa(e.Offset) }

// TimeError says that a member is not a point in time.
type TimeError struct {
	// Member is its name.
	Member string
	// Problem says what it is instead.
	Problem string
}

// Error is the problem with the name of the member.
func (e *TimeError) Error() string { return "member " + e.Member + " " + e.Problem }
