// Package schema is the contract between Aftershock's roles: the events and
// their Avro schemas, the topics they travel in, the codes of notes and
// refusals, and the annotation registry.
//
// Encode and Decode put an event into, and take it out of, the Confluent wire
// format (a zero byte, the schema's id in four bytes, the Avro body). A
// released schema never changes: a new version gets a new file in avsc/ and a
// new id in the table of codec.go, and testdata/ keeps an encoded example of
// every released version that must decode for ever.
//
// Every field of every schema carries a class. A field is protected unless its
// schema says "class": "public"; testdata/public_fields.golden lists the
// public ones, so that publishing a field is a visible, reviewed change.
//
// The package imports nothing of Aftershock and does no input or output.
package schema
