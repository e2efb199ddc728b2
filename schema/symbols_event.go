package schema

// Reasons of a SymbolsEvent.
const (
	SymbolsUpload   = "upload"   // somebody uploaded the file
	SymbolsAnnounce = "announce" // somebody put it there by other means, and says so
	SymbolsRecheck  = "recheck"  // the sources were asked again, and have it now
)

// SymbolsEvent tells that a module's symbols have come (avsc/symbols_event.v1.avsc). Its key
// is Key: of one module the last event counts.
type SymbolsEvent struct {
	DebugFile string `avro:"debug_file"`
	DebugID   string `avro:"debug_id"`
	SHA256    string `avro:"sha256"`
	Replaces  string `avro:"replaces"`
	Worse     bool   `avro:"worse"`
	BadLines  int64  `avro:"bad_lines"`
	By        string `avro:"by"`
	Reason    string `avro:"reason"`
}

// Key is that of its record.
func (e *SymbolsEvent) Key() string { return e.DebugFile + "/" + e.DebugID }
