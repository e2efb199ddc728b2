package embedded

import "time"

// Limits of the ClickHouse facade. The first two are those of a real server's
// defaults, so that what works here works there.
const (
	// maxStatementBytes bounds a statement without the data that follows it
	// (max_query_size).
	maxStatementBytes = 256 << 10
	// maxFrameBytes bounds one compressed frame of a request body, packed and
	// unpacked (DBMS_DEFAULT_MAX_COMPRESSED_SIZE is higher; ch-go stops here).
	maxFrameBytes = 128 << 20
	// maxAnalystFrameBytes bounds one of an analyst's, who sends statements alone.
	maxAnalystFrameBytes = 1 << 20
	// maxHeaderBytes bounds the request line and headers; parameters and
	// settings travel in the URL.
	maxHeaderBytes = 1 << 20
	// maxSettings bounds the settings and the parameters of one request.
	maxSettings = 256
	// maxInsertBytes bounds the unpacked body of one insert: a few kilobytes of
	// gzip must not fill the disk.
	maxInsertBytes = 4 << 30
	// spoolMemoryBytes of an insert's body wait in memory, the rest in a file.
	spoolMemoryBytes = 16 << 20
	// maxSessions is how many session_id may be open at a time.
	maxSessions = 4
	// maxSessionTimeout is the longest session_timeout a request may ask for.
	maxSessionTimeout = time.Hour
)

// Limits of child processes.
const (
	// maxLogLineBytes bounds a line of a child's output; a longer one is cut.
	maxLogLineBytes = 8 << 10
	// keptStderrLines of a child go into the report of its death.
	keptStderrLines = 10
	// maxQuickDeaths in a row, each within quickDeath of its start, and the
	// child is given up.
	maxQuickDeaths = 5
	quickDeath     = 10 * time.Second
)

// maxMessageBytes is the broker's message.max.bytes: the largest any topic
// asks for (max.message.bytes of crash.processed and crash.deadletter).
const maxMessageBytes = 8 << 20
