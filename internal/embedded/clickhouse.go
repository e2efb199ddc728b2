package embedded

import (
	"context"
	"errors"

	"github.com/rs/zerolog"
)

// ClickHouseOptions configure ServeClickHouse. Dir, Listen and Library are required.
type ClickHouseOptions struct {
	// Dir holds the databases; one engine at a time.
	Dir string
	// Listen is 127.0.0.1:port of the HTTP interface.
	Listen string
	// Library is the path of libchdb.so, see FindLibrary.
	Library string
	// Connections is how many statements run at a time; 0 means 8.
	Connections int
	// MaxMemory is the engine's max_server_memory_usage in bytes; 0 means 2 GiB,
	// negative leaves the engine's own (90 % of the machine's).
	MaxMemory int64
	// DefaultDatabase is created if missing and used when a request names none;
	// empty means "default".
	DefaultDatabase string
	Log             zerolog.Logger
}

// ServeClickHouse runs ClickHouse's engine behind its HTTP interface until ctx ends.
func ServeClickHouse(_ context.Context, _ ClickHouseOptions) error {
	return errors.New("not yet")
}
