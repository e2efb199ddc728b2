package report

import "io"

// Human writes the report that a person debugging the crash wants to read.
func Human(w io.Writer, in Input) error { return nil }
