package embedded

import (
	"encoding/binary"
	"strings"
)

// helloQuery is what clickhouse-go asks first, in the Native format of its own
// protocol version.
const helloQuery = "SELECT displayName(), version(), revision(), timezone()"

// isHello tells whether a request is clickhouse-go's first.
func isHello(r *request, statement string) bool {
	return r.protocolVersion != "" && strings.TrimSpace(statement) == helloQuery
}

// helloBlock answers helloQuery. The engine cannot: it writes Native blocks of
// revision 0 only, and the client expects those of the revision it asked for
// until it has read revision() from this very block. Answering 0 makes the
// client read every later block as the engine writes it.
func helloBlock(version, timezone string) []byte {
	var b []byte
	b = append(b, 1, 0) // block info, field 1: not an overflow block
	b = append(b, 2)    // field 2: no bucket number
	b = binary.LittleEndian.AppendUint32(b, 0xffffffff)
	b = append(b, 0)               // end of block info
	b = binary.AppendUvarint(b, 4) // columns
	b = binary.AppendUvarint(b, 1) // rows
	column := func(name, typeName string) {
		b = appendNativeString(b, name)
		b = appendNativeString(b, typeName)
		b = append(b, 0) // no custom serialization
	}
	column("displayName()", "String")
	b = appendNativeString(b, "aftershock embedded")
	column("version()", "String")
	b = appendNativeString(b, version)
	column("revision()", "UInt32")
	b = binary.LittleEndian.AppendUint32(b, 0)
	column("timezone()", "String")
	return appendNativeString(b, timezone)
}

func appendNativeString(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}
