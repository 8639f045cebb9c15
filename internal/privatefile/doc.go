// Package privatefile reads and replaces files that one user's processes share with nobody else.
//
// A folder is believed when it, and every folder that leads to it, belongs to root or to the user of this process, and
// neither the group nor others may write there; above the folder itself, a sticky one such as /tmp will do. A file is
// believed when it is a regular one, belongs to root or to the user of this process, and has mode 0600 or stricter.
// Systems without such owners have no private files.
package privatefile
