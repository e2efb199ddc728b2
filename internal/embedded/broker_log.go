package embedded

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kfake"
)

// slowTransactionEnd is how long the end of a transaction may take before it is worth a
// warning. The broker itself warns from 5 ms, which every disk takes that is flushed.
const slowTransactionEnd = time.Second

// brokerLog passes kfake's warnings and errors on.
type brokerLog struct{ log zerolog.Logger }

func (l brokerLog) Logf(level kfake.LogLevel, format string, args ...any) {
	switch level {
	case kfake.LogLevelError:
		l.log.Error().Str("detail", fmt.Sprintf(format, args...)).Msg("broker error")
	case kfake.LogLevelWarn:
		detail := fmt.Sprintf(format, args...)
		l.log.WithLevel(warningLevel(detail)).Str("detail", detail).Msg("broker warning")
	default: // requests, one by one
	}
}

var elapsedMillis = regexp.MustCompile(` elapsed=([0-9]+)ms`)

// warningLevel is how much one of kfake's warnings matters to whoever runs it.
func warningLevel(detail string) zerolog.Level {
	switch {
	case strings.HasPrefix(detail, "txn: EndTxn slow "):
		m := elapsedMillis.FindStringSubmatch(detail)
		if m == nil {
			return zerolog.WarnLevel
		}
		took, err := strconv.ParseInt(m[1], 10, 64)
		if err == nil && took < slowTransactionEnd.Milliseconds() {
			return zerolog.DebugLevel
		}
	case strings.HasPrefix(detail, "consumerHeartbeatLate: "): // two intervals; what is too late for the session is told as its end
		return zerolog.DebugLevel
	}
	return zerolog.WarnLevel
}
