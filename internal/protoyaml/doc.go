// Package protoyaml reads configuration into proto messages: strictly from YAML ([Unmarshal]) and from environment
// variables over it ([ApplyEnv]). The schema is the descriptor of the message and nothing else.
//
// YAML is read as a plain tree. Field names are those of the .proto. Durations are written as Go writes them
// ("250ms"), a google.protobuf.Value as the string, number or boolean that it is, enums by their short name in lower
// case ("self" for ENROLL_SELF) or in full. What would let a file mean something else than it seems to is refused:
// unknown and repeated keys, anchors, aliases, merge keys, tags, several documents, keys without a value, empty lists,
// numbers that are not decimal, and booleans other than true and false.
//
// Every mistake is reported, each with its place and what to do about it.
package protoyaml
