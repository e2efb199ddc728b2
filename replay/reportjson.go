package replay

import (
	"encoding/json"
	"io"
)

// WriteJSON writes the diff as one object; the fields are those of Diff.
func (d *Diff) WriteJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(d)
}
