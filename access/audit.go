package access

import (
	"context"

	"aftershock/schema"
)

// Audit keeps who saw what. Whoever shows what is protected tells it first, and shows nothing
// when that fails.
type Audit interface {
	// Keep returns when the event cannot be lost any more.
	Keep(ctx context.Context, e *schema.AuditEvent) error
	// Newest are the last n events at most, newest first.
	Newest(ctx context.Context, n int) ([]schema.AuditEvent, error)
}
