package schema

import "time"

// What an AuditEvent can be about.
const (
	AuditProtected    = "protected"     // the protected values of a crash
	AuditDump         = "dump"          // a dump of a crash
	AuditQuestion     = "question"      // a question that reads what is protected
	AuditAudit        = "audit"         // the audit itself
	AuditLogin        = "login"         // somebody came in
	AuditLoginRefused = "login_refused" // somebody tried to
	AuditLogout       = "logout"
	AuditTokenMade    = "token_made"
	AuditTokenRemoved = "token_removed"
	AuditAgain        = "again"  // crashes were asked to be processed again
	AuditBugs         = "bugs"   // which bugs are about which signatures was loaded
	AuditDenied       = "denied" // a viewer lacked the role for a page
)

// AuditEvent tells who was about to see what (avsc/audit_event.v1.avsc). It is appended
// before anything is shown, and holds no value of what is protected. Its key is Who.
type AuditEvent struct {
	At      time.Time `avro:"at"`
	Who     string    `avro:"who"`
	By      string    `avro:"by"`
	Role    string    `avro:"role"`
	What    string    `avro:"what"`
	Subject string    `avro:"subject"`
	Count   int64     `avro:"count"`
}
