package facts

import (
	"fmt"
	"strconv"

	"aftershock/schema"
)

// heapChecker is what Firefox's probabilistic heap checker writes beside its copied
// annotations: an address in decimal digits.
func (d *derivation) heapChecker() {
	value := d.any("PHCBaseAddress")
	if value == "" {
		return
	}
	n, err := strconv.ParseUint(value, 10, 64)
	if err != nil {
		d.note(schema.NoteAddressMalformed)
		return
	}
	d.prot.PHCBaseAddress = new(fmt.Sprintf("%#x", n))
}
